"""Pooling and resizing over the axes between the first and the last."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ...dims import Dim, const, func
from ...record import replace
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
    Rule,
    Shaped,
)
from ..rules.pattern import divides, expect_known
from ..rules.window import (
    NOT_NEGATIVE,
    PADDINGS,
    WINDOW,
    numbered,
    numbered_names,
    per_axis,
    slide,
    spatial,
    written,
)
from ..rules.window import STRIDE as STEP

STRIDE = replace(
    STEP, default=None, doc="the step of the window; the window itself if absent"
)
PADDING = Param(
    "padding",
    Kind.WINDOW,
    "valid",
    "what surrounds the input, or how much of it",
    {n: PADDINGS[n] for n in ("same", "valid")},
    literal=True,
    positional=False,
    bounds=NOT_NEGATIVE,
)
CEIL = Param(
    "ceil",
    Kind.BOOL,
    False,
    "whether a window may reach beyond the end, as in PyTorch's `ceil_mode`",
    literal=True,
    positional=False,
)
COUNT = Param(
    "count_padding",
    Kind.BOOL,
    True,
    "whether what was added counts in the mean",
    positional=False,
)


def _pool(target: str) -> Rule:
    def rule(inputs: Inputs, args: Mapping[str, Any]) -> Shaped:
        x: TensorType = inputs[0]
        window = spatial("a pool", x, args["window"])
        rank = len(window)
        own = "stride" if args["stride"] else "window"
        stride = per_axis("stride", args[own], rank)
        old = x.axes[-rank - 1 : -1]
        pads = _paddings(args["padding"], rank, bool(args.get("ceil")))
        sizes = numbered("window", window) | numbered("stride", stride)
        if args.get("ceil") and pads:
            axes, ends = _beyond(old, window, stride, pads)
            sizes |= numbered("end", ends)
        else:
            axes = slide(old, window, stride, (const(1),) * rank, args["padding"])
        options = {
            "strides": written(own, args[own], rank),
            "padding": "padding",
        }
        if pads:
            sizes |= numbered("pad", pads)
            options["padding"] = _pairs(rank, "end" if "end_0" in sizes else "pad")
        if "count_padding" in args:
            options["count_include_pad"] = "count_padding"
        return Shaped(
            out=x.with_axes((*x.axes[: -rank - 1], *axes, x.axes[-1])),
            sizes=sizes,
            build=Call(target, ("x", written("window", args["window"], rank)), options),
        )

    return rule


def _paddings(padding: str | Sequence[Dim], rank: int, ceil: bool) -> tuple[Dim, ...]:
    """How much is added at each side; nothing where a word says it."""
    if isinstance(padding, str):
        return (const(0),) * rank if ceil and padding == "valid" else ()
    return per_axis("padding", padding, rank)


def _beyond(
    axes: Sequence[Axis],
    window: Sequence[Dim],
    stride: Sequence[Dim],
    pads: Sequence[Dim],
) -> tuple[tuple[Axis, ...], tuple[Dim, ...]]:
    """The axes where the last window may reach beyond the end, and what is added there."""
    found = [
        _reaching(axis.size, *row)
        for axis, *row in zip(axes, window, stride, pads, strict=True)
    ]
    return (
        tuple(Axis(n, axis.label) for axis, (n, _) in zip(axes, found, strict=True)),
        tuple(end for _, end in found),
    )


def _reaching(size: Dim, window: Dim, stride: Dim, pad: Dim) -> tuple[Dim, Dim]:
    """How many windows begin inside, and what the last of them needs after the end."""
    count = (size + 2 * pad - window + stride - 1) // stride + 1
    gap = (window - pad - stride).value
    if gap is not None and gap >= 0:
        return count, (count - 1) * stride + window - size - pad
    count = func("min", count, (size + pad + stride - 1) // stride)
    return count, func("max", (count - 1) * stride + window - size - pad, const(0))


def _pairs(rank: int, end: str = "pad") -> str:
    pairs = ", ".join(f"({{pad_{i}}}, {{{end}_{i}}})" for i in range(rank))
    return f"=({pairs}{',' if rank == 1 else ''})"


def _adaptive(inputs: Inputs, args: Mapping[str, Any]) -> Shaped:
    """Equal tiles, each averaged: the new sizes must divide the old ones."""
    x: TensorType = inputs[0]
    expect_known("x", x, "adaptive_avg_pool")
    tiles = spatial("adaptive_avg_pool", x, args["size"])
    rank = len(tiles)
    old = x.axes[-rank - 1 : -1]
    requires: list[Requirement] = []
    sizes = numbered("kept", x.sizes[: -rank - 1]) | {"channels": x.sizes[-1]}
    for i, (axis, n) in enumerate(zip(old, tiles, strict=True)):
        requires += divides(n, axis.size, "the new size", at="size")
        sizes |= {f"tiles_{i}": n, f"tile_{i}": axis.size // n}
    kept = [f"{{{name}}}" for name in numbered_names("kept", x.rank - rank - 1)]
    split = [f"{{tiles_{i}}}, {{tile_{i}}}" for i in range(rank)]
    averaged = tuple(len(kept) + 1 + 2 * i for i in range(rank))
    shape = ", ".join([*kept, *split, "{channels}"])
    axes = (Axis(n, a.label) for n, a in zip(tiles, old, strict=True))
    return Shaped(
        out=x.with_axes((*x.axes[: -rank - 1], *axes, x.axes[-1])),
        sizes=sizes,
        requires=tuple(requires),
        build=f"{{x}}.reshape({shape}).mean(axis={averaged if rank > 1 else averaged[0]})",
    )


INPUT = (Input("x", "float", scalar=False),)
_POOLS = (
    Example({"window": (2, 2)}, ("B H W C",)),
    Example({"window": 3, "stride": 2, "padding": "same"}, ("B H W C",)),
    Example({"window": (3,), "stride": 1, "padding": 1}, ("B T d",)),
)


def _pooling(name: str, doc: str, more: Param, *examples: Example) -> Op:
    return Op(
        name,
        "function",
        doc,
        Call(f"nnx.{name}", ("x", "window")),
        params=(WINDOW, STRIDE, PADDING, more),
        inputs=INPUT,
        shape=_pool(f"nnx.{name}"),
        along=Along.INNER,
        examples=(*_POOLS, *examples),
    )


ENTRIES: tuple[Op, ...] = (
    _pooling(
        "max_pool",
        "The largest value in each window.",
        CEIL,
        Example({"window": 3, "stride": 2, "ceil": True}, ("B H W C",)),
        Example({"window": (2,), "stride": 3, "padding": 1, "ceil": True}, ("B T d",)),
    ),
    _pooling(
        "avg_pool",
        "The mean of each window.",
        COUNT,
        Example({"window": 3, "padding": "same", "count_padding": False}, ("B T d",)),
    ),
    Op(
        "adaptive_avg_pool",
        "function",
        "The mean of each of so many equal tiles.",
        "{x}.mean()",
        params=(replace(WINDOW, name="size", doc="how many tiles along each axis"),),
        inputs=INPUT,
        shape=_adaptive,
        along=Along.INNER,
        examples=(
            Example({"size": (2, 3)}, ("B 4 9 C",)),
            Example({"size": 2}, ("B 6 d",)),
        ),
    ),
)
