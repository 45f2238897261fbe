"""Layouts of tensors that a spec says by the names of their axes."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from emitting import text_of
from test_weights import exchanged, random

from nnxc import driver

PARAM = """
model Net:
    input x: [B, 4]
    param w: [{shape}] = normal(1.0)
    return {use}

weights Net:
    w = "w" -> rearrange("{pattern}")
"""


@pytest.mark.parametrize(
    ("shape", "use", "pattern", "file", "move"),
    [
        ("4, 5", "matmul(x, w)", "o i -> i o", (5, 4), lambda t: t.T),
        (
            "4, 5",
            "matmul(x, w)",
            "o i 1 1 -> i o",
            (5, 4, 1, 1),
            lambda t: t[..., 0, 0].T,
        ),
        ("1, 1, 4", "x + w", "d -> 1 1 d", (4,), lambda t: t[None, None]),
        ("4", "x * w", "1 d 1 -> d", (1, 4, 1), lambda t: t[0, :, 0]),
        (
            "2, 4, 3",
            'einsum("b d, h d k -> b h k", x, w)',
            "(h k) d -> h d k",
            (6, 4),
            lambda t: t.reshape(2, 3, 4).transpose(0, 2, 1),
        ),
    ],
)
def test_axes_are_moved_and_taken_apart(
    tmp_path: Path,
    shape: str,
    use: str,
    pattern: str,
    file: tuple[int, ...],
    move: object,
) -> None:
    spec = PARAM.format(shape=shape, use=use, pattern=pattern)
    tensors = {"w": random(file)}
    got = exchanged(spec, tensors, tmp_path)
    np.testing.assert_array_equal(got["w"], move(tensors["w"]))  # type: ignore[operator]


def test_a_matrix_from_a_convolution_of_one_point(tmp_path: Path) -> None:
    spec = """
model Net(experts = 3, out = 5):
    input x: [B, 4]
    param up: [experts, 4, out] = lecun_normal
    return einsum("b d, e d f -> b f", x, up) -> Linear(2) as down

weights Net from "{path}":
    up = "up.{e}" -> rearrange("o i 1 -> i o") -> stack
    down.kernel = "down.weight" -> rearrange("o i 1 -> i o")
"""
    tensors = {f"up.{e}": e + random((5, 4, 1)) for e in range(3)}
    tensors |= {"down.weight": random((2, 5, 1)), "down.bias": random((2,))}
    got = exchanged(spec, tensors, tmp_path)
    np.testing.assert_array_equal(got["up"][1], tensors["up.1"][..., 0].T)
    np.testing.assert_array_equal(got["down.kernel"], tensors["down.weight"][..., 0].T)


@pytest.mark.parametrize(
    ("pattern", "code"),
    [
        ("o i", "N606"),
        ("o i -> i", "N606"),
        ("o i -> i o o", "N606"),
        ("(o i -> i o", "N606"),
        ("2 o i -> i o", "N606"),
        ("o i h -> i o h", "N605"),
    ],
)
def test_mistakes(pattern: str, code: str) -> None:
    spec = PARAM.format(shape="4, 5", use="matmul(x, w)", pattern=pattern)
    found = driver.analyse(spec).diagnostics
    assert [d.code for d in found] == [code]


def test_no_second_layout() -> None:
    spec = PARAM.format(shape="4, 5", use="matmul(x, w)", pattern="o i -> i o")
    twice = spec.replace('i o")', 'i o") -> rearrange("o i -> i o")')
    assert [d.code for d in driver.analyse(twice).diagnostics] == ["N606"]


COPIES = """
model Net(d = 4, e = 3):
    input x: [B, e, d]
    return x -> Linear(SIZE, each=e) as up

weights Net from "{path}":
    up.kernel = LINE
"""


@pytest.mark.parametrize(
    ("line", "tensors", "move"),
    [
        ('"w"', {"w": (3, 5, 4)}, lambda t: t["w"].transpose(0, 2, 1)),
        ('"w" -> transpose', {"w": (3, 4, 5)}, lambda t: t["w"]),
        (
            '"w" -> rearrange("o e i -> e i o")',
            {"w": (5, 3, 4)},
            lambda t: t["w"].transpose(1, 2, 0),
        ),
        (
            '["a", "b"] -> concat',
            {"a": (3, 3, 4), "b": (3, 3, 4)},
            lambda t: np.concatenate([t["a"], t["b"]], 1).transpose(0, 2, 1),
        ),
        (
            '"w.{n}" -> stack',
            {f"w.{n}": (5, 4) for n in range(3)},
            lambda t: np.stack([t[f"w.{n}"].T for n in range(3)]),
        ),
        (
            '"w.{n}" -> rearrange("i o -> i o") -> stack',
            {f"w.{n}": (4, 5) for n in range(3)},
            lambda t: np.stack([t[f"w.{n}"] for n in range(3)]),
        ),
    ],
)
def test_copies_are_one_tensor_or_one_each(
    tmp_path: Path, line: str, tensors: object, move: object
) -> None:
    given = {n: random(shape) for n, shape in tensors.items()}  # type: ignore[attr-defined]
    size = 6 if "concat" in line else 5  # halves are of one size
    given["up.bias"] = random((3, size))
    spec = COPIES.replace("LINE", line).replace("SIZE", str(size))
    got = exchanged(spec, given, tmp_path)
    np.testing.assert_array_equal(got["up.kernel"], move(given))  # type: ignore[operator]


NUMBERED = """
model Net(units = 2, d = 3):
    input x: [B, d]
    for i in range(2):
        for j in range(units):
            x = x -> Linear(d) as body -> LayerNorm as norm
    return x -> Linear(1) as head

weights Net:
    body[i][j] = "h.{(units + 1) * i + j}.body"
    norm[i][j] = "h.{(units + 1) * i + j}.norm"
    head = "h.{(units + 1) * 2}.out"
"""


@pytest.mark.parametrize("stack", ["loop", "scan"])
def test_numbers_that_are_alike_are_computed_in_one_place(
    tmp_path: Path, stack: str
) -> None:
    """Once for the weights of a layer, and for those that share their positions."""
    text = driver.compile(NUMBERED).files["spec.py"]
    assert text.count("lambda model, i, j: ") == 2  # of each layer
    assert text.count("lambda model: ") == 1  # of the head's kernel and bias
    tensors = {}
    for i in range(2):
        for j in range(2):
            start = f"h.{3 * i + j}"
            tensors |= {f"{start}.body.weight": i + j + random((3, 3))}
            rest = ("body.bias", "norm.weight", "norm.bias")
            tensors |= {f"{start}.{name}": i - j + random((3,)) for name in rest}
    tensors |= {"h.6.out.weight": random((1, 3)), "h.6.out.bias": random((1,))}
    got = exchanged(NUMBERED, tensors, tmp_path, stack=stack)
    np.testing.assert_array_equal(got["norm.1.0.bias"], tensors["h.3.norm.bias"])


def test_layers_of_a_scan_are_told_together() -> None:
    spec = """
block Layer:
    input x: [B, d]
    return x -> Linear(d) as near -> Linear(d) as far

model Net(d = 4):
    input x: [B, d]
    return x -> Layer * 3 as h

weights Net from "{path}"
"""
    text = text_of(spec, stack="scan")
    assert 'within("h.", "h.{0}.", *alike("near far"), stacked=1)' in text
