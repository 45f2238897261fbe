"""Windows that slide over the axes between the first and the last: sizes, strides, padding."""

from __future__ import annotations

import math
from collections.abc import Sequence

from ...dims import Dim, const
from ...shapes import Axis, TensorType
from ..base import Kind, Param, ShapeError
from .pattern import expect_known, expect_rank

POSITIVE = (1, math.inf)
NOT_NEGATIVE = (0, math.inf)
WINDOW = Param("window", Kind.WINDOW, doc="the size of the window", bounds=POSITIVE)
STRIDE = Param("stride", Kind.WINDOW, 1, "the step of the window", bounds=POSITIVE)
PADDINGS = {"same": '"SAME"', "valid": '"VALID"', "causal": '"CAUSAL"'}


def spatial(name: str, x: TensorType, window: Sequence[Dim]) -> tuple[Dim, ...]:
    """The window, one size for each spatial axis of `x`: the last axes but one.

    A single size stands for all axes between the first and the last.
    """
    if len(window) == 1:
        expect_known("x", x, f"{name} with a window of one size")
        expect_rank("x", x, 3, at_least=True)
        window = tuple(window) * (x.rank - 2)
    least = len(window) + (1 if x.lead else 2)
    if x.rank < least:
        axes = {1: "[B, T, d]", 2: "[B, H, W, C]"}.get(len(window), "[B, D, H, W, C]")
        raise ShapeError(
            f"x is {x}, a window of {len(window)} sizes slides over {axes}",
            at="x",
            code="N303",
            help=_missing_axis(name, x),
        )
    if len(window) > 3:
        raise ShapeError(
            f"x is {x}: a window slides over three axes at most", at="x", code="N303"
        )
    return tuple(window)


def _missing_axis(name: str, x: TensorType) -> str:
    """What a tensor lacks over which a window slides."""
    if x.rank == 3 and x.sizes[0].value is not None:
        return "a batch stands first, before height and width: `[B, H, W, C]`"
    if x.rank == 3 and x.sizes[1] == x.sizes[2]:
        return "channels are the last axis: `x[..., none]` is an image of one"
    return f"a window over time alone is one number: `{name}(..., 3)`"


def per_axis(name: str, values: Sequence[Dim], rank: int) -> tuple[Dim, ...]:
    """One value for each of `rank` axes; a single one stands for all."""
    if len(values) not in (1, rank):
        raise ShapeError(
            f"{name} has {len(values)} sizes, the window {rank}", at=name, code="N305"
        )
    return tuple(values) if len(values) == rank else tuple(values) * rank


def slide(
    axes: Sequence[Axis],
    window: Sequence[Dim],
    stride: Sequence[Dim],
    dilation: Sequence[Dim],
    padding: str | Sequence[Dim],
) -> tuple[Axis, ...]:
    """The axes after a window went over them."""
    rank = len(window)
    pads: Sequence[Dim | None] = (None,) * rank
    if not isinstance(padding, str):
        pads = per_axis("padding", padding, rank)
    elif padding == "valid":
        pads = (const(0),) * rank
    rows = zip(axes, window, stride, dilation, pads, strict=True)
    return tuple(Axis(_slid(a.size, k, s, e, p), a.label) for a, k, s, e, p in rows)


def _slid(size: Dim, window: Dim, stride: Dim, dilation: Dim, pad: Dim | None) -> Dim:
    """How often a window fits; `pad` None means as often as strides do."""
    if pad is None:
        return (size + stride - 1) // stride
    reach = (window - 1) * dilation + 1
    room = size + 2 * pad - reach
    if room.value is not None and room.value < 0:
        raise ShapeError(
            f"a window that reaches over {reach} does not fit an axis of {size}",
            at="window",
            code="N305",
            help='make the window smaller, or write padding="same"',
        )
    return (room + stride) // stride


def written(name: str, values: Sequence[Dim], rank: int) -> str:
    """How a build has the sizes of an argument over several axes: as they are given, where there is one
    for each."""
    if len(values) == rank > 1:
        return name
    return tuple_text(numbered_names(name, rank))


def tuple_text(names: Sequence[str]) -> str:
    """Python text for a tuple of sizes, to be filled in."""
    items = ", ".join(f"{{{name}}}" for name in names)
    return f"=({items},)" if len(names) == 1 else f"=({items})"


def numbered_names(name: str, rank: int) -> list[str]:
    """A name for each axis: `pad_0`, `pad_1`."""
    return [f"{name}_{i}" for i in range(rank)]


def numbered(name: str, sizes: Sequence[Dim]) -> dict[str, Dim]:
    """Sizes by such names."""
    return dict(zip(numbered_names(name, len(sizes)), sizes, strict=True))
