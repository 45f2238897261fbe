"""Types of values: promotion, axes by name, printing, broadcasting."""

from __future__ import annotations

from itertools import product

import jax
import jax.numpy as jnp
import pytest

from nnxc.dims import symbol
from nnxc.ops.base import ShapeError
from nnxc.ops.rules.broadcast import broadcast
from nnxc.record import replace
from nnxc.shapes import DTYPES, FLOATS, Axis, TensorType, axis, promote, tensor

D = symbol("d")
NAMED = [d for d in DTYPES if d not in ("float", "f64", "i64")]


def of(dtype: str) -> jax.ShapeDtypeStruct:
    return jax.ShapeDtypeStruct((), jnp.dtype(DTYPES[dtype].rstrip("_")))


@pytest.mark.parametrize("left", NAMED)
@pytest.mark.parametrize("right", NAMED)
def test_promotion_is_that_of_jax(left: str, right: str) -> None:
    made = jax.eval_shape(jnp.maximum, of(left), of(right))
    assert of(promote(left, right)).dtype == made.dtype


@pytest.mark.parametrize("dtype", FLOATS)
def test_a_named_floating_dtype_beats_the_model_s(dtype: str) -> None:
    assert promote("float", dtype) == promote(dtype, "float") == dtype


def test_axes_are_found_by_size_then_by_label() -> None:
    x = TensorType("float", (axis("B"), Axis(4 * D, "d"), axis("d")))
    assert x.find("d") == (2,)
    assert x.with_axes(x.axes[:2]).find("d") == (1,)
    assert x.find("T") == ()
    assert tensor("float", "T", "T").find("T") == (0, 1)


@pytest.mark.parametrize(
    ("type", "text"),
    [
        (tensor("float", "B", 4 * D), "[B, 4 * d]"),
        (tensor("int"), "int[]"),
        (replace(tensor("f32", "d"), lead=True), "f32[..., d]"),
    ],
)
def test_types_print_as_written(type: TensorType, text: str) -> None:
    assert str(type) == text


@pytest.mark.parametrize(
    ("shapes", "out"),
    [
        ([("B", "T", "d"), ("d",)], ("B", "T", "d")),
        ([("B", "T", 1), ("d",)], ("B", "T", "d")),
        ([("B", 1, "d"), ("T", 1), ()], ("B", "T", "d")),
        ([(3, 1), (1, 4)], (3, 4)),
    ],
)
def test_broadcasting(
    shapes: list[tuple[str | int, ...]], out: tuple[str | int, ...]
) -> None:
    type, requires = broadcast([tensor("float", *s) for s in shapes])
    assert type == tensor("float", *out)
    assert requires == ()


def test_broadcasting_agrees_with_jax() -> None:
    sizes = (1, 3)
    for left in product(sizes, repeat=2):
        for right in product(sizes, repeat=3):
            type, _ = broadcast([tensor("float", *left), tensor("float", *right)])
            made = jax.eval_shape(jnp.add, jnp.zeros(left), jnp.zeros(right))
            assert tuple(s.value for s in type.sizes) == made.shape


def test_sizes_that_may_be_equal_become_a_requirement() -> None:
    _, (required,) = broadcast([tensor("float", "B", "d"), tensor("float", "B", "e")])
    assert (required.left, required.right) == (D, symbol("e"))


@pytest.mark.parametrize(
    ("left", "right", "code"),
    [
        (tensor("float", "B", "d"), tensor("float", "B", 2 * D), "N301"),
        (tensor("float", 3), tensor("float", 4), "N301"),
        (TensorType("float", (), True), tensor("float", "d"), "N303"),
    ],
)
def test_what_cannot_broadcast(left: TensorType, right: TensorType, code: str) -> None:
    with pytest.raises(ShapeError) as refused:
        broadcast([left, right])
    assert refused.value.code == code


def test_leading_axes_stay() -> None:
    x = TensorType("float", (axis("d"),), True)
    assert broadcast([x, tensor("float", "d")])[0] == x
    assert broadcast([tensor("float"), x])[0] == x
