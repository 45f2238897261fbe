"""A few random specs of each kind in every test run; `make fuzz` looks longer."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from nnxc.diagnostics import Sink
from nnxc.source import Source
from nnxc.syntax import tree
from nnxc.syntax.parse import parse
from tests.fuzz import checks, explore
from tests.fuzz.broken import broken
from tests.fuzz.build import loaded
from tests.fuzz.builder import ModelCase, Spec
from tests.fuzz.checks import Way, check_valid
from tests.fuzz.invalid import check_any
from tests.fuzz.laws import Broken, holds
from tests.fuzz.reduce import reduced
from tests.fuzz.run import fuzz, tasks
from tests.fuzz.safe import check_safe
from tests.fuzz.valid import specs

few = settings(
    max_examples=15,
    derandomize=True,
    database=None,
    deadline=None,
    suppress_health_check=list(HealthCheck),
)


@settings(few, max_examples=4)
@given(specs(), explore.WAYS)
def test_valid_specs_compute_what_they_mean(spec: Spec, way: Way) -> None:
    check_valid(spec, way)


@settings(few, max_examples=30)
@given(broken())
def test_broken_specs_are_refused_with_a_place(data: bytes) -> None:
    check_any(data)


@settings(few, max_examples=50)
@given(st.binary(max_size=200))
def test_any_bytes_are_refused_with_a_place(data: bytes) -> None:
    check_any(data)


@settings(few, max_examples=50)
@given(st.text(max_size=200))
def test_any_text_is_refused_with_a_place(text: str) -> None:
    check_any(text.encode("utf-8", "surrogatepass"))


@pytest.mark.parametrize(
    "text",
    [
        "import subprocess\n",
        "from socket import socket\n",
        "import os\nx = os.environ\n",
        "import os\ndef f():\n    os.system('ls')\n",
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


def parsed(text: str) -> tree.File:
    return parse(Source("spec.nnx", text), Sink())


def linear_spec(outputs: tuple[int, ...]) -> Spec:
    case = ModelCase(
        "Net", {"x": (2, 4)}, {"x": "float"}, frozenset(), (outputs,), {"B": 2}
    )
    return Spec(parsed(LINEAR), (case,))


def test_a_right_prediction_passes() -> None:
    check_valid(linear_spec((2, 3)), Way())


def test_a_wrong_prediction_would_be_found() -> None:
    with pytest.raises(Broken, match="checker's shapes"):
        check_valid(linear_spec((2, 4)), Way())


def test_a_wrong_value_would_be_found(monkeypatch: pytest.MonkeyPatch) -> None:
    double = "self.linear(x)", "self.linear(2 * x)"
    monkeypatch.setattr(checks, "loaded", lambda text: loaded(text.replace(*double)))
    with pytest.raises(Broken, match="values of the interpreter"):
        check_valid(linear_spec((2, 3)), Way())


LOOP = """
model Net:
    input x: [B, 4]
    for i in range(2):
        param gain: [4] = ones
        state seen: [] = 0
        seen += mean(x)
        x = x * gain + seen
    return x
"""
EXTERN = """
extern "brought.py" scaled(x: [..., d], by = 0.5, shift = true) -> [..., d]

model Net:
    input x: [B, 4]
    return scaled(x -> Linear(4), 2)
"""


@pytest.mark.parametrize("text", [LOOP, EXTERN])
def test_the_interpreter_knows(text: str) -> None:
    """Weights and state of a loop are lists; what a declaration gives is passed to Python."""
    check_valid(replace(linear_spec((2, 4)), file=parsed(text)), Way())


def test_every_failure_is_counted_and_made_small(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def check(data: bytes) -> None:
        holds(b"model" not in data, "no models", data)

    strategy, _, _ = explore.LABELS["invalid"]
    monkeypatch.setattr(explore, "check_any", check)
    monkeypatch.setitem(
        explore.LABELS, "invalid", (strategy, check, explore.small_broken)
    )
    found = explore.explored("invalid", 6, 0)
    (kind,) = found.kinds.values()
    assert (found.done, kind.key) == (6, "no models")
    assert 0 < kind.count <= 6
    assert len(kind.text) < 60


def test_a_failing_spec_is_made_small() -> None:
    text = LINEAR.replace("return x", "y = x -> relu\n    return y")
    spec = Spec(parsed(text), linear_spec((2, 3)).models)
    small = reduced(spec, lambda s: "relu" in s.text)
    assert small.text == "model Net:\n    y = x -> relu\n"


def test_as_many_are_checked_as_asked(capsys: pytest.CaptureFixture[str]) -> None:
    assert [t.number for t in tasks(15, 1)] == [10, 10, 5, 5]
    assert len({t.seed for t in (*tasks(20, 1), *tasks(20, 2))}) == 4
    total = fuzz(1, 0, jobs=1, seconds=None)
    assert str(total) == "1 valid, 1 invalid, 0 failures"
