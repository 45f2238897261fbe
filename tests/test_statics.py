"""What follows from parameters alone: lists, tensors of numbers, tensors computed once."""

from __future__ import annotations

import jax.numpy as jnp
import numpy as np
import pytest
from emitting import class_of, load, text_of
from flax import nnx

from nnxc import driver


def found(spec: str) -> list[tuple[str, int]]:
    """Code and line of each mistake."""
    diagnostics = driver.analyse(spec.lstrip()).diagnostics
    spans = (d.primary.span for d in diagnostics)
    lines = (s.source.position(s.start)[0] for s in spans)
    return [(d.code, line) for d, line in zip(diagnostics, lines, strict=True)]


def run(spec: str, x: object, **params: object) -> np.ndarray:
    """What `Net` gives for an input, at these parameters."""
    model = load(text_of(spec)).Net(**params, rngs=nnx.Rngs(0))
    return np.asarray(model(jnp.asarray(x, jnp.float32)))


# ------------------------------------------------------------ lists as tensors


@pytest.mark.parametrize(
    ("factors", "due"),
    [
        ("[1.0, 2.0, 4.0]", [1, 2, 4]),
        ("[1, 2, 4]", [1, 2, 4]),
        ("[1, 2.5, 4]", [1, 2.5, 4]),
        ("[1.0] * 2 + [3.0]", [1, 1, 3]),
    ],
)
@pytest.mark.parametrize("named", [True, False])
def test_a_list_becomes_a_tensor(factors: str, due: list[float], named: bool) -> None:
    default, used = (f"factors = {factors}", "factors") if named else ("", factors)
    spec = f"""
model Net({default}):
    input x: [B, 3]
    return x * tensor({used})
"""
    if named and "*" in factors:
        spec = spec.replace(f"{default}", "one = [1.0], n = 2").replace(
            "tensor(factors)", "tensor(one * n + [3.0])"
        )
    np.testing.assert_array_equal(run(spec, np.ones((1, 3)))[0], due)


def test_lists_of_lists_become_tensors() -> None:
    spec = """
model Net(table = [[1.0, 2.0], [3.0, 4.0]]):
    input x: [B, 2]
    state mean: [2] = tensor([0.5, 1.5])
    return einsum("b i, i j -> b j", x - mean, tensor(table))
"""
    assert run(spec, [[1.5, 2.5]]).tolist() == [[4.0, 6.0]]


def test_a_tensor_has_as_many_entries_as_the_list() -> None:
    spec = """
model Net(factors = [1.0, 2.0]):
    input x: [B, 3]
    return x * tensor(factors)
"""
    assert found(spec) == [("N304", 3)]
    with pytest.raises(ValueError, match="factors"):
        run(spec.replace("2.0]", "2.0, 3.0]"), np.ones((1, 3)), factors=(1.0,))


def test_whole_numbers_in_a_list_of_others_are_floating_in_a_tensor() -> None:
    spec = """
model Net(factors = [1.0, 2.0]):
    input x: int[B, 2]
    return x * (tensor(factors) // 2)
"""
    model = load(text_of(spec)).Net(factors=(3, 4), rngs=nnx.Rngs(0))
    assert model(jnp.ones((1, 2), jnp.int32)).dtype == jnp.float32


@pytest.mark.parametrize(
    ("line", "code"),
    [
        ("return x * factors", "N233"),
        ("return x * [1.0, 2.0, 3.0]", "N233"),
        ('return x * tensor(["a", "b", "c"])', "N207"),
        ("return x * tensor([[1.0], [1.0, 2.0]])", "N301"),
        ("return x * tensor(3.0)", "N207"),
        ("return x * tensor(x)", "N207"),
    ],
)
def test_one_clear_message(line: str, code: str) -> None:
    default = "factors = [1.0, 2.0, 3.0]" if "factors" in line else ""
    spec = f"model Net({default}):\n    input x: [B, 3]\n    {line}\n"
    assert found(spec) == [(code, 3)]
    (diagnostic,) = driver.analyse(spec).diagnostics
    if code == "N233":
        wrong = line.split("x * ")[1]
        assert diagnostic.help == f"write `tensor({wrong})`"
        right = spec.replace(f"x * {wrong}", f"x * tensor({wrong})")
        assert found(right) == []


# ---------------------------------------------------------------------- lists


def test_lists_are_joined_and_repeated() -> None:
    spec = """
model Net(widths = [4, 5], kind = "full", n = 2, d = 3):
    input x: [B, d]
    all = widths + [6] * n + [d]
    for i, width in enumerate(all):
        x = x -> Linear(width) as layer
    for k in [kind] * n + ["other"]:
        if k == "full":
            x = x * 2
    return x -> Linear(len(all)) -> Linear(all[-1]) : [B, d]
"""
    assert found(spec) == []
    text = text_of(spec)
    module = load(text)
    model = module.Net(module.Config(), rngs=nnx.Rngs(0))
    assert [layer.kernel.shape[1] for layer in model.layer] == [4, 5, 6, 6, 3]
    assert model(jnp.ones((1, 3))).shape == (1, 3)
    assert model.linear_1.kernel.shape == (3, 5)


@pytest.mark.parametrize(
    "line",
    [
        "for i in [1] + 2:",
        "for i in [1] * 0.5:",
        "for i in [1] * [2]:",
        "for i in [1] - [2]:",
    ],
)
def test_lists_take_no_other_arithmetic(line: str) -> None:
    spec = f"model Net:\n    input x: [B, 3]\n    {line}\n        x = x * i\n    return x\n"
    assert [code for code, _ in found(spec)] == ["N220"]


def test_what_python_goes_through_once_is_kept() -> None:
    spec = """
model Net(n = 3, names = ["a", "b"]):
    input x: [B, 4]
    counted = range(n)
    pairs = zip(names, [1, 2])
    back = reversed(names)
    for i in counted + [7]:
        x = x + i
    for name, by in pairs:
        x = x * by
    for name, by in pairs:
        x = x * (by if name == "a" else 3)
    for name in back + back:
        x = x + (1 if name == "a" else 0)
    return x * len(pairs)
"""
    assert run(spec, np.zeros((1, 4)))[0, 0] == ((0 + 1 + 2 + 7) * 2 * 3 + 2) * 2


# ---------------------------------------------------------------- computed once

WAVES = """
model Net(n = 8):
    input x: [B, n]
    steps = arange(n) / n
    waves = sin(steps)
    param table: [n] = waves
    state other: [n] = 2 * waves -> (cos | sin) -> concat -> [2, n] -> sum(axis=0)
    return x * table + other
"""


def test_a_local_is_known_at_construction() -> None:
    steps = np.arange(8) / 8
    due = np.sin(steps) + np.cos(2 * np.sin(steps)) + np.sin(2 * np.sin(steps))
    np.testing.assert_allclose(run(WAVES, np.ones((1, 8)))[0], due, rtol=1e-5)


def test_it_is_computed_once_and_nowhere_else() -> None:
    text = class_of(WAVES, "Net")
    assert text.count("jnp.arange") == 1 and text.count("2 * waves") == 1
    assert "waves = " not in text.split("def __call__")[1]


@pytest.mark.parametrize(
    ("value", "code"),
    [
        ("sin(x[0])", "N207"),
        ("sin(1.0 * arange(B))", "N310"),
        ("normal([n], rng=noise)", "N207"),
    ],
)
def test_what_a_call_knows_is_no_beginning(value: str, code: str) -> None:
    spec = f"""
model Net(n = 8):
    input x: [B, n]
    waves = {value}
    param table: [n] = waves
    return x * table
"""
    assert [c for c, _ in found(spec)][:1] == [code]


def test_another_value_of_the_name_is_not_meant() -> None:
    spec = """
model Net(n = 8, on = true):
    input x: [B, n]
    waves = sin(1.0 * arange(n))
    if on:
        waves = waves * x[0]
    param table: [n] = waves
    return x * table
"""
    assert [c for c, _ in found(spec)] == ["N207"]


# ------------------------------------------------------------------ annotations


def test_fields_say_what_they_hold() -> None:
    spec = """
model Net(a = [1, 2.5], b = [none, 3], c = [[1, 2], [3]], e = ["x"], f = [1, 2], g = 1, h = none, i = 3x3, k = [true], m = none):
    input x: [B, 4, 4, 3]
    for v in a + f:
        x = x * v
    for v in b:
        if v != none:
            x = x -> Conv(v, i)
    for group in c:
        for v in group:
            x = x -> Conv(v, 3x3)
    for v in e:
        if v == "x" and k[0]:
            x = relu(x)
    if h != none:
        x = x * h
    if m != none:
        x = x -> Linear(m)
    return x * g

config one = Net(f=[0.5, 1], g=0.5, h=0.5, m=4)
"""
    fields = {
        line.strip().split(": ")[0]: line.split(": ")[1].split(" = ")[0]
        for line in text_of(spec)
        .split("class Config:")[1]
        .split("\n\n\n")[0]
        .splitlines()
        if ": " in line and " = " in line
    }
    assert fields == {
        "a": "tuple[float, ...]",
        "b": "tuple[int | None, ...]",
        "c": "tuple[tuple[int, ...], ...]",
        "e": "tuple[str, ...]",
        "f": "tuple[float, ...]",
        "g": "float",
        "h": "float | None",
        "i": "tuple[int, ...]",
        "k": "tuple[bool, ...]",
        "m": "int | None",
        "dtype": "jax.typing.DTypeLike",
        "param_dtype": "jax.typing.DTypeLike",
    }
