"""Joining tensors, and taking them apart."""

from __future__ import annotations

from collections.abc import Mapping
from functools import reduce
from typing import Any

from ...dims import Dim, const
from ...record import replace
from ...shapes import Axis, TensorType, promote
from ..base import (
    Along,
    Call,
    Example,
    Input,
    Inputs,
    Kind,
    Op,
    Param,
    Requirement,
    Shaped,
    ShapeError,
)
from ..rules.pattern import equal, multiple, ordinal

AXIS = Param("axis", Kind.AXIS, -1, "the axis to join along")
MANY = (Input("xs", many=True, scalar=False),)


def _concat(inputs: Inputs, args: Mapping[str, Any]) -> Shaped:
    types: tuple[TensorType, ...] = inputs[0]
    position = args["axis"]
    requires = _alike(types, "concat", position)
    first = types[0]
    total = sum((t.axes[position].size for t in types), const(0))
    axes = list(first.axes)
    axes[position] = Axis(total, axes[position].label)
    dtype = reduce(promote, (t.dtype for t in types))
    return Shaped(
        out=TensorType(dtype, tuple(axes), first.lead), requires=tuple(requires)
    )


def _alike(
    types: tuple[TensorType, ...], what: str, but: int | None = None
) -> list[Requirement]:
    """All shapes must be equal, except along the axis `but`."""
    first = types[0]
    requires: list[Requirement] = []
    for type in types[1:]:
        if type.rank != first.rank or type.lead != first.lead:
            raise ShapeError(
                f"{first} and {type} have different numbers of axes",
                at="xs",
                code="N303",
                help=f"{what} needs equally many axes; add one with `x[..., none]`",
            )
        for i, (mine, theirs) in enumerate(zip(first.sizes, type.sizes, strict=True)):
            if i != but:
                place = ordinal(i, first.rank)
                requires += equal(
                    mine,
                    theirs,
                    f"{first} and {type} differ in their {place} axis",
                    at="xs",
                    help=(
                        f"{what} needs all other axes to be equal"
                        if but is not None
                        else f"{what} needs equal shapes"
                    ),
                )
    return requires


def _stack(inputs: Inputs, args: Mapping[str, Any]) -> Shaped:
    types: tuple[TensorType, ...] = inputs[0]
    requires = _alike(types, "stack")
    first = types[0]
    position = inserted(first, args["axis"])
    axes = (
        *first.axes[:position],
        Axis(const(len(types))),
        *first.axes[position:],
    )
    dtype = reduce(promote, (t.dtype for t in types))
    return Shaped(out=TensorType(dtype, axes, first.lead), requires=tuple(requires))


def inserted(x: TensorType, axis: Dim) -> int:
    """Where a new axis goes, `axis` counting in the result."""
    if axis.value is None or not -x.rank - 1 <= axis.value <= x.rank:
        raise ShapeError(
            f"{x} has no place {axis} for a new axis",
            at="axis",
            code="N307",
            help=f"places are from {-x.rank - 1} to {x.rank}",
        )
    if x.lead and axis.value >= 0:
        raise ShapeError(
            f"{x} has leading axes: count the place from the end",
            at="axis",
            code="N307",
            help="-1 puts the new axis last",
        )
    return axis.value % (x.rank + 1)


def _split(inputs: Inputs, args: Mapping[str, Any]) -> Shaped:
    """`split(3)` gives equal parts, `split([4, 8])` parts of these sizes."""
    x: TensorType = inputs[0]
    position = args["axis"]
    old, parts = x.axes[position], args["parts"]
    place = f"its {ordinal(position, x.rank)} axis"
    if len(parts) == 1:
        n = parts[0].value
        if n is None or n > 64:
            raise ShapeError(
                "split must know the number of parts", at="parts", code="N305"
            )
        what = f"x's {ordinal(position, x.rank)} axis"
        requires = multiple(old.size, n, what, at="x")
        sizes: tuple[Dim, ...] = (old.size // n,) * n
        build = Call("jnp.split", ("x", "parts"), {"axis": "axis"})
    else:
        sizes = parts
        message = f"x is {x}, {place} must be {sum(parts, const(0))}"
        requires = equal(old.size, sum(parts, const(0)), message, at="parts")
        cuts = [f"cut_{i}" for i in range(len(parts) - 1)]
        text = "=[" + ", ".join(f"{{{c}}}" for c in cuts) + "]"
        build = Call("jnp.split", ("x", text), {"axis": "axis"})
    return Shaped(
        out=tuple(_with_size(x, position, size) for size in sizes),
        sizes={
            f"cut_{i}": sum(sizes[: i + 1], const(0)) for i in range(len(sizes) - 1)
        },
        requires=tuple(requires),
        build=replace(build, always=("axis",)),
    )


def _with_size(x: TensorType, position: int, size: Dim) -> TensorType:
    axes = list(x.axes)
    axes[position] = Axis(size, axes[position].label)
    return x.with_axes(tuple(axes))


ENTRIES: tuple[Op, ...] = (
    Op(
        "concat",
        "function",
        "Joins tensors along an axis.",
        Call("jnp.concatenate", ("xs",), {"axis": "axis"}, always=("axis",)),
        params=(AXIS,),
        inputs=MANY,
        shape=_concat,
        aliases=("concatenate", "cat"),
        along=Along.NAMED,
        examples=(
            Example({}, ("B T 3", "B T d", "B T 4")),
            Example({"axis": 1}, ("B T d", "int: B 2 d")),
        ),
    ),
    Op(
        "stack",
        "function",
        "Joins tensors of one shape along a new axis.",
        Call("jnp.stack", ("xs",), {"axis": "axis"}),
        params=(Param("axis", Kind.INT, 0, "where the new axis goes", literal=True),),
        inputs=MANY,
        shape=_stack,
        along=Along.MOVES,
        examples=(Example({}, ("B T", "B T")), Example({"axis": -1}, ("B d", "B d"))),
    ),
    Op(
        "split",
        "function",
        "Takes a tensor apart along an axis: into equal parts, or parts of given sizes.",
        Call("jnp.split", ("x", "parts"), {"axis": "axis"}, always=("axis",)),
        params=(
            Param("parts", Kind.SIZES, doc="how many equal parts, or their sizes"),
            Param("axis", Kind.AXIS, -1, "the axis to take apart"),
        ),
        inputs=(Input("x", scalar=False),),
        shape=_split,
        along=Along.NAMED,
        examples=(
            Example({"parts": 3}, ("B T 12",)),
            Example({"parts": (2, 5, 1)}, ("B T 8",)),
            Example({"parts": 2, "axis": 1}, ("B 6 d",)),
        ),
    ),
)
