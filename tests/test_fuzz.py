"""A few random specs of each kind in every test run; `make fuzz` looks longer."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from nnxc.diagnostics import Sink
from nnxc.source import Source
from nnxc.syntax.parse import parse
from tests.fuzz.broken import broken
from tests.fuzz.builder import ModelCase, Spec
from tests.fuzz.checks import Way, check_valid
from tests.fuzz.invalid import check_any
from tests.fuzz.laws import Broken, holds
from tests.fuzz.run import Run
from tests.fuzz.safe import check_safe
from tests.fuzz.valid import specs

few = settings(
    max_examples=15,
    derandomize=True,
    database=None,
    deadline=None,
    suppress_health_check=list(HealthCheck),
)


@few
@given(specs(), st.builds(Way, *[st.booleans()] * 5))
def test_valid_specs_compute_what_they_mean(spec: Spec, way: Way) -> None:
    check_valid(spec, way)


@settings(few, max_examples=60)
@given(broken())
def test_broken_specs_are_refused_with_a_place(data: bytes) -> None:
    check_any(data)


@settings(few, max_examples=100)
@given(st.binary(max_size=200))
def test_any_bytes_are_refused_with_a_place(data: bytes) -> None:
    check_any(data)


@settings(few, max_examples=100)
@given(st.text(max_size=200))
def test_any_text_is_refused_with_a_place(text: str) -> None:
    check_any(text.encode("utf-8", "surrogatepass"))


@pytest.mark.parametrize(
    "text",
    [
        "import os\n",
        "from os import path\n",
        "print('hello')\n",
        "x = open('f')\n",
        "class A:\n    x: int = exec('1')\n",
        "def f(x=__import__('os')):\n    pass\n",
        "def f(x):\n    return x.__class__\n",
        "def f(x):\n    return eval(x)\n",
        "for i in range(3):\n    pass\n",
    ],
)
def test_unsafe_text_would_be_found(text: str) -> None:
    with pytest.raises(Broken):
        check_safe(text, "")


def test_safe_text_passes() -> None:
    check_safe(
        '"""A."""\nimport jax\n\n\n@jax.jit\ndef f(x):\n    return max(x, 1)\n', ""
    )


LINEAR = """
model Net:
    input x: [B, 4]
    return x -> Linear(3)
"""


def linear_spec(outputs: tuple[int, ...]) -> Spec:
    source = Source("spec.nnx", LINEAR)
    case = ModelCase(
        "Net", {"x": (2, 4)}, {"x": "float"}, frozenset(), (outputs,), {"B": 2}
    )
    return Spec(parse(source, Sink()), (case,))


def test_a_right_prediction_passes() -> None:
    check_valid(linear_spec((2, 3)), Way())


def test_a_wrong_prediction_would_be_found() -> None:
    with pytest.raises(Broken, match="checker's shapes"):
        check_valid(linear_spec((2, 4)), Way())


def test_every_failure_is_counted_and_the_smallest_kept() -> None:
    def check(number: int) -> None:
        holds(number <= 100, "small", number)

    run = Run("test", st.integers(0, 10_000), check, str)
    run.all(50, 0)
    (kind,) = run.kinds.values()
    assert (run.done, kind.key) == (50, "small")
    assert 0 < kind.count < 50
    run.shrink(kind, 50, 0)
    assert kind.text == "101"
