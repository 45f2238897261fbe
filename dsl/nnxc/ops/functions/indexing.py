"""Taking entries by position, and positions of entries: gathers, sorts, one-hot."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ...dims import Dim
from ...shapes import Axis, TensorType
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
from ..rules.pattern import equal, expect_known, expect_rank, ordinal
from .creation import DTYPE

AXIS = Param("axis", Kind.AXIS, -1, "the axis to go along")


def _take(inputs: Inputs, args: Mapping[str, Any]) -> Shaped:
    """Axes ahead of `axis` are shared by x and indices; those of indices replace `axis`."""
    x, indices, position = inputs[0], inputs[1], args["axis"]
    expect_known("indices", indices, "take")
    if position or x.lead:
        expect_known("x", x, "take")
    requires = _shared(x, indices, position)
    extra = indices.axes[position:]
    out = (*x.axes[:position], *extra, *x.axes[position + 1 :])
    return Shaped(
        out=TensorType(x.dtype, out),
        requires=tuple(requires),
        build=_gather(x, position, len(extra)),
    )


def _shared(x: TensorType, indices: TensorType, count: int) -> list[Requirement]:
    expect_rank("indices", indices, count, at_least=True)
    requires: list[Requirement] = []
    for i in range(count):
        message = (
            f"indices is {indices}, its {ordinal(i, indices.rank)} axis "
            f"must be x's, {x.sizes[i]}"
        )
        help = "indices share all axes ahead of `axis` with x"
        requires += equal(
            indices.sizes[i], x.sizes[i], message, at="indices", help=help
        )
    return requires


def _gather(x: TensorType, position: int, extra: int) -> str | None:
    """Along the first axis a plain take; along others one index for each leading position."""
    if position == 0:
        return "jnp.take({x}, {indices}, axis=0)"
    if extra > 1:
        raise ShapeError(
            "take adds one axis at most, unless it goes along the first",
            at="indices",
            code="N303",
            help="flatten the last axes of indices, and give them back with `-> [...]`",
        )
    after = x.rank - position - 1
    new = ["None"] * (after + 1 - extra)
    index = f"[{', '.join(['...', *new])}]" if new else ""
    gather = f"jnp.take_along_axis({{x}}, {{indices}}{index}, axis={position})"
    return gather if extra else f"{gather}.squeeze({position})"


def _take_along(inputs: Inputs, args: Mapping[str, Any]) -> Shaped:
    x, indices, position = inputs[0], inputs[1], args["axis"]
    if x.rank != indices.rank or x.lead != indices.lead:
        raise ShapeError(
            f"indices is {indices}, it must have as many axes as x, {x}",
            at="indices",
            code="N303",
        )
    requires: list[Requirement] = []
    for i, (mine, theirs) in enumerate(zip(indices.sizes, x.sizes, strict=True)):
        if i != position:
            place = ordinal(i, x.rank)
            message = f"indices is {indices}, its {place} axis must be x's, {theirs}"
            requires += equal(mine, theirs, message, at="indices")
    axes = list(x.axes)
    axes[position] = indices.axes[position]
    return Shaped(out=x.with_axes(tuple(axes)), requires=tuple(requires))


def _one_hot(inputs: Inputs, args: Mapping[str, Any]) -> Shaped:
    n: Dim = args["n"]
    ids = inputs[0]
    axes = (*ids.axes, Axis(n, n.name))
    return Shaped(out=TensorType(args["dtype"], axes, ids.lead))


def _top_k(inputs: Inputs, args: Mapping[str, Any]) -> Shaped:
    x, k = inputs[0], args["k"]
    expect_rank("x", x, 1, at_least=True)
    last = x.axes[-1]
    if (
        k.value is not None
        and last.size.value is not None
        and k.value > last.size.value
    ):
        raise ShapeError(
            f"x is {x}, its last axis has fewer than {k} values", at="k", code="N305"
        )
    values = x.with_axes((*x.axes[:-1], Axis(k, last.label)))
    return Shaped(out=(values, values.with_dtype("int")))


def _segment(inputs: Inputs, args: Mapping[str, Any]) -> Shaped:
    x, ids, n = inputs[0], inputs[1], args["n"]
    expect_known("x", x, "segment_sum")
    expect_rank("x", x, 1, at_least=True)
    expect_rank("ids", ids, 1)
    message = f"ids is {ids}, it must be [{x.axes[0]}], as long as x"
    requires = equal(ids.sizes[0], x.sizes[0], message, at="ids")
    axes = (Axis(n, n.name), *x.axes[1:])
    return Shaped(out=x.with_axes(axes), requires=tuple(requires))


def _segments(name: str, doc: str, in_float32: bool = False) -> Op:
    """What gathers the rows of a tensor by ids: edges into nodes."""
    return Op(
        name,
        "function",
        doc,
        Call(f"jax.ops.{name}", ("x", "ids", "n")),
        params=(Param("n", Kind.SIZE, doc="how many segments"),),
        inputs=(_X, Input("ids", "int", scalar=False)),
        shape=_segment,
        along=Along.WHOLE,
        examples=(Example({"n": "N"}, ("E d", "int: E")),),
        in_float32=in_float32,
    )


def _sorted(name: str, doc: str, dtype: str | None = None) -> Op:
    return Op(
        name,
        "function",
        doc,
        Call(f"jnp.{name}", ("x",), {"axis": "axis", "descending": "descending"}),
        params=(
            AXIS,
            Param(
                "descending",
                Kind.BOOL,
                False,
                "whether the largest come first",
                positional=False,
            ),
        ),
        inputs=(Input("x", "number"),),
        dtype=dtype,
        along=Along.NAMED,
        examples=(
            Example({}),
            Example({"axis": 0, "descending": True}, ("int: B T",)),
        ),
    )


_INDICES = Input("indices", "int", scalar=False)
_X = Input("x", scalar=False)

ENTRIES: tuple[Op, ...] = (
    Op(
        "take",
        "function",
        "Entries of an axis by position; x and indices share the axes ahead of it.",
        "jnp.take({x}, {indices}, axis=0)",
        params=(Param("axis", Kind.AXIS, 0, "the axis to take from"),),
        inputs=(_X, _INDICES),
        shape=_take,
        along=Along.NAMED,
        examples=(
            Example({}, ("V d", "int: B T")),
            Example({"axis": 2}, ("B T E d", "int: B T 3")),
            Example({"axis": 1}, ("B T d", "int: B")),
            Example({"axis": -1}, ("B V", "int: B 4")),
        ),
    ),
    Op(
        "take_along_axis",
        "function",
        "Entries of an axis by position, all other axes being shared.",
        Call("jnp.take_along_axis", ("x", "indices"), {"axis": "axis"}, ("axis",)),
        params=(AXIS,),
        inputs=(_X, _INDICES),
        shape=_take_along,
        along=Along.NAMED,
        examples=(
            Example({}, ("B T V", "int: B T 2")),
            Example({"axis": 1}, ("B T d", "int: B 4 d")),
        ),
    ),
    Op(
        "one_hot",
        "function",
        "1 at the position of each id, 0 elsewhere, over a new last axis.",
        Call("jax.nn.one_hot", ("ids", "n"), {"dtype": "dtype"}),
        params=(Param("n", Kind.SIZE, doc="how many ids there are"), DTYPE),
        inputs=(Input("ids", "int"),),
        shape=_one_hot,
        dtype_aware=True,
        along=Along.EACH,
        examples=(
            Example({"n": 7}, ("int: B T",)),
            Example({"n": "V", "dtype": "bool"}, ("int: B",)),
        ),
    ),
    Op(
        "top_k",
        "function",
        "The k largest values of the last axis, and their positions.",
        Call("jax.lax.top_k", ("x", "k")),
        params=(Param("k", Kind.SIZE, doc="how many"),),
        inputs=(Input("x", "number", scalar=False),),
        shape=_top_k,
        along=Along.LAST,
        examples=(Example({"k": 2}, ("B T 6",)),),
    ),
    _segments(
        "segment_sum",
        "Sums rows of x that have the same id, over n ids.",
        in_float32=True,
    ),
    _segments(
        "segment_max", "Largest of the rows of x that have the same id, over n ids."
    ),
    _sorted("sort", "Values in order along an axis."),
    _sorted("argsort", "Positions that put an axis in order.", "int"),
)
