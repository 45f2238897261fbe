"""Moving, adding, dropping, repeating and padding axes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ...dims import Dim, const, product
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
from ..rules.pattern import equal, expect_known
from .joining import inserted

X = (Input("x", scalar=False),)
AXIS = Param("axis", Kind.AXIS, doc="the axis")


def _transpose(inputs: Inputs, args: Mapping[str, Any]) -> Shaped:
    x: TensorType = inputs[0]
    expect_known("x", x, "transpose")
    order = args["axes"]
    if sorted(order) != list(range(x.rank)):
        raise ShapeError(
            f"x is {x}, each of its {x.rank} axes must be named once",
            at="axes",
            code="N307",
            help="`swapaxes` exchanges two axes",
        )
    build = f"{{x}}.transpose({', '.join(map(str, order))})"
    return Shaped(out=x.with_axes(tuple(x.axes[i] for i in order)), build=build)


def _swapaxes(inputs: Inputs, args: Mapping[str, Any]) -> Shaped:
    x: TensorType = inputs[0]
    a, b = args["a"], args["b"]
    axes = list(x.axes)
    axes[a], axes[b] = axes[b], axes[a]
    return Shaped(out=x.with_axes(tuple(axes)))


def _squeeze(inputs: Inputs, args: Mapping[str, Any]) -> Shaped:
    x: TensorType = inputs[0]
    requires = [
        r
        for i in args["axis"]
        for r in equal(
            x.sizes[i],
            const(1),
            f"x is {x}, an axis of {x.sizes[i]} cannot be dropped",
            at="axis",
            help="only an axis of size 1 can; `x[..., 0]` takes the first entry",
        )
    ]
    kept = tuple(a for i, a in enumerate(x.axes) if i not in args["axis"])
    return Shaped(out=x.with_axes(kept), requires=tuple(requires))


def _expand(inputs: Inputs, args: Mapping[str, Any]) -> Shaped:
    x: TensorType = inputs[0]
    position = inserted(x, args["axis"])
    axes = (*x.axes[:position], Axis(const(1)), *x.axes[position:])
    return Shaped(out=x.with_axes(axes))


def _flatten(inputs: Inputs, args: Mapping[str, Any]) -> Shaped:
    """Axes that are not known stay as they are, by a function that counts from the end."""
    x: TensorType = inputs[0]
    start = args["axis"]
    size = product(x.sizes[start:])
    kept = {f"kept_{i}": s for i, s in enumerate(x.sizes[:start])}
    shape = ", ".join([*(f"{{{n}}}" for n in kept), "-1"])
    out = (*x.axes[:start], Axis(size, size.name))
    build = f"{{x}}.reshape({shape})"
    if x.lead:
        kept, build = {}, f"jax.lax.collapse({{x}}, {start - x.rank})"
    return Shaped(out=x.with_axes(out), sizes=kept, build=build)


def _broadcast_to(inputs: Inputs, args: Mapping[str, Any]) -> Shaped:
    x: TensorType = inputs[0]
    expect_known("x", x, "broadcast")
    shape = TensorType(x.dtype, tuple(args["shape"]))
    help = "only an axis of size 1 stretches; new axes come in front"
    if x.rank > shape.rank:
        raise ShapeError(
            f"x is {x}, it does not stretch to {shape}", at="shape", help=help
        )
    requires: list[Requirement] = []
    for mine, due in zip(reversed(x.sizes), reversed(shape.sizes), strict=False):
        if mine.value != 1:
            message = f"x is {x}, it does not stretch to {shape}"
            requires += equal(mine, due, message, at="shape", help=help)
    return Shaped(out=shape, requires=tuple(requires))


def _pad(inputs: Inputs, args: Mapping[str, Any]) -> Shaped:
    x: TensorType = inputs[0]
    expect_known("x", x, "pad")
    before, after = args["before"], args["after"]
    chosen = args["axis"]
    axes = tuple(
        Axis(a.size + before + after, a.label) if i in chosen else a
        for i, a in enumerate(x.axes)
    )
    widths = ", ".join(
        "({before}, {after})" if i in chosen else "(0, 0)" for i in range(x.rank)
    )
    if x.rank == 1:
        widths += ","
    return Shaped(
        out=x.with_axes(axes),
        build=Call(
            "jnp.pad",
            ("x", f"=({widths})"),
            {"mode": "mode", "constant_values": "value"},
        ),
    )


def _repeat(inputs: Inputs, args: Mapping[str, Any]) -> Shaped:
    x: TensorType = inputs[0]
    axes = list(x.axes)
    old = axes[args["axis"]]
    axes[args["axis"]] = Axis(old.size * args["n"], old.label)
    return Shaped(out=x.with_axes(tuple(axes)))


def _tile(inputs: Inputs, args: Mapping[str, Any]) -> Shaped:
    x: TensorType = inputs[0]
    times: tuple[Dim, ...] = args["times"]
    if len(times) != x.rank or x.lead:
        raise ShapeError(
            f"x is {x}, tile must say how often for each of its axes",
            at="times",
            code="N303",
        )
    axes = tuple(Axis(a.size * n, a.label) for a, n in zip(x.axes, times, strict=True))
    names = {f"times_{i}": n for i, n in enumerate(times)}
    items = ", ".join(f"{{{n}}}" for n in names) + ("," if len(names) == 1 else "")
    return Shaped(
        out=x.with_axes(axes),
        sizes=names,
        build=Call("jnp.tile", ("x", f"=({items})")),
    )


def _triangle(name: str, doc: str) -> Op:
    return Op(
        name,
        "function",
        doc,
        Call(f"jnp.{name}", ("x",), {"k": "k"}),
        params=(Param("k", Kind.INT, 0, "which diagonal; above the main one if > 0"),),
        inputs=X,
        shape="... n m -> ... n m",
        along=Along.LAST_TWO,
        examples=(Example({}, ("T S",)), Example({"k": -1}, ("bool: B T T",))),
    )


ENTRIES: tuple[Op, ...] = (
    Op(
        "transpose",
        "function",
        "Axes in another order: `transpose([B, d, T])`.",
        "{x}.transpose()",
        params=(Param("axes", Kind.AXES, doc="all axes, in their new order"),),
        inputs=X,
        shape=_transpose,
        aliases=("permute",),
        along=Along.MOVES,
        examples=(
            Example({"axes": (0, 2, 1)}, ("B T d",)),
            Example({"axes": (3, 0, 1, 2)}, ("B H W C",)),
        ),
    ),
    Op(
        "swapaxes",
        "function",
        "Exchanges two axes.",
        "{x}.swapaxes({a}, {b})",
        params=(
            Param("a", Kind.AXIS, doc="an axis"),
            Param("b", Kind.AXIS, doc="another"),
        ),
        inputs=X,
        shape=_swapaxes,
        along=Along.MOVES,
        examples=(Example({"a": 1, "b": -1}, ("B T d",)),),
    ),
    Op(
        "squeeze",
        "function",
        "Drops axes of size 1.",
        Call("jnp.squeeze", ("x",), {"axis": "axis"}, ("axis",)),
        params=(Param("axis", Kind.AXES, -1, "the axes to drop"),),
        inputs=X,
        shape=_squeeze,
        along=Along.MOVES,
        examples=(
            Example({}, ("B T 1",)),
            Example({"axis": (1, 2)}, ("B 1 1 d",)),
        ),
    ),
    Op(
        "expand",
        "function",
        "Adds an axis of size 1.",
        Call("jnp.expand_dims", ("x", "axis")),
        params=(Param("axis", Kind.INT, doc="its place in the result", literal=True),),
        inputs=X,
        shape=_expand,
        aliases=("unsqueeze", "expand_dims"),
        along=Along.MOVES,
        examples=(Example({"axis": 1}, ("B d",)), Example({"axis": -1}, ("B d",))),
    ),
    Op(
        "flatten",
        "function",
        "Merges all axes from one on into one.",
        "{x}.reshape(-1)",
        params=(Param("axis", Kind.AXIS, 1, "the first axis to merge"),),
        inputs=X,
        shape=_flatten,
        along=Along.MOVES,
        examples=(
            Example({}, ("B H W C",)),
            Example({"axis": 0}, ("B d",)),
            Example({"axis": 2}, ("B T 2 3",)),
            Example({"axis": -2}, ("... 2 d",)),
        ),
    ),
    Op(
        "broadcast",
        "function",
        "Stretches axes of size 1, and adds axes in front, up to a shape.",
        Call("jnp.broadcast_to", ("x", "shape")),
        params=(Param("shape", Kind.SHAPE, doc="the shape"),),
        shape=_broadcast_to,
        aliases=("broadcast_to",),
        along=Along.MOVES,
        examples=(
            Example({"shape": ("B", 1, "d")}, ("d",)),
            Example({"shape": ("B", "T", "d")}, ("B 1 d",)),
        ),
    ),
    Op(
        "pad",
        "function",
        "Adds entries before and after those of an axis (or of several).",
        Call("jnp.pad", ("x",)),
        params=(
            Param("before", Kind.INT, 0, "how many before"),
            Param("after", Kind.INT, 0, "how many after"),
            Param("axis", Kind.AXES, -1, "the axes", positional=False),
            Param("value", Kind.NUMBER, 0, "the value to add", positional=False),
            Param(
                "mode",
                Kind.TEXT,
                "constant",
                "what to add",
                {m: f'"{m}"' for m in ("constant", "edge", "reflect", "wrap")},
                positional=False,
            ),
        ),
        inputs=X,
        shape=_pad,
        along=Along.NAMED,
        examples=(
            Example({}),
            Example({"before": 1, "axis": 1}, ("B T d",)),
            Example({"before": 2, "after": 2, "axis": (1, 2)}, ("B H W C",)),
            Example({"after": 1, "mode": "edge"}, ("T",)),
            Example({"after": "n", "value": -1}, ("int: B T",)),
        ),
    ),
    Op(
        "roll",
        "function",
        "Moves entries along an axis; those pushed out come back at the start.",
        Call("jnp.roll", ("x", "shift"), {"axis": "axis"}, ("axis",)),
        params=(
            Param("shift", Kind.INT, doc="how far"),
            Param("axis", Kind.AXES, -1, "the axes"),
        ),
        inputs=X,
        along=Along.NAMED,
        examples=(
            Example({"shift": 1}),
            Example({"shift": -2, "axis": (1, 2)}, ("B H W C",)),
        ),
    ),
    Op(
        "flip",
        "function",
        "Reverses axes.",
        Call("jnp.flip", ("x",), {"axis": "axis"}, ("axis",)),
        params=(Param("axis", Kind.AXES, -1, "the axes"),),
        inputs=X,
        along=Along.NAMED,
        examples=(Example({}), Example({"axis": (1, 2)}, ("B H W C",))),
    ),
    Op(
        "repeat",
        "function",
        "Each entry of an axis n times in a row.",
        Call("jnp.repeat", ("x", "n"), {"axis": "axis"}, ("axis",)),
        params=(Param("n", Kind.SIZE, doc="how often"), Param("axis", Kind.AXIS, -1)),
        inputs=X,
        shape=_repeat,
        along=Along.MOVES,
        examples=(Example({"n": 3, "axis": 1}, ("B T d",)), Example({"n": "n"})),
    ),
    Op(
        "tile",
        "function",
        "The whole tensor, so many times along each axis.",
        Call("jnp.tile", ("x", "times")),
        params=(Param("times", Kind.SIZES, doc="how often, for each axis"),),
        inputs=X,
        shape=_tile,
        along=Along.MOVES,
        examples=(Example({"times": (1, "n", 2)}, ("B T d",)),),
    ),
    _triangle("tril", "The lower triangle of the last two axes, zeros above."),
    _triangle("triu", "The upper triangle of the last two axes, zeros below."),
)
