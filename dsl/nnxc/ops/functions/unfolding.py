"""Sliding windows as a tensor."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ...shapes import Axis, TensorType
from ..base import Along, Call, Example, Helper, Input, Inputs, Kind, Op, Param, Shaped
from ..rules.pattern import expect_known
from ..rules.window import (
    NOT_NEGATIVE,
    PADDINGS,
    POSITIVE,
    STRIDE,
    WINDOW,
    per_axis,
    slide,
    spatial,
    written,
)

HELPER = Helper("unfold")


def _unfold(inputs: Inputs, args: Mapping[str, Any]) -> Shaped:
    x: TensorType = inputs[0]
    expect_known("x", x, "unfold")
    window = spatial("unfold", x, args["window"])
    rank = len(window)
    stride = per_axis("stride", args["stride"], rank)
    dilation = per_axis("dilation", args["dilation"], rank)
    old = x.axes[-rank - 1 : -1]
    space = slide(old, window, stride, dilation, args["padding"])
    inside = (Axis(size, size.name) for size in window)
    out = x.with_axes((*x.axes[: -rank - 1], *space, *inside, x.axes[-1]))
    names = {"window": window, "stride": stride, "dilation": dilation}
    padding = "padding"
    if not isinstance(args["padding"], str):
        names["pad"] = per_axis("padding", args["padding"], rank)
        pairs = [f"({{pad_{i}}}, {{pad_{i}}})" for i in range(rank)]
        padding = f"=({', '.join(pairs)}{',' * (rank == 1)})"
    tuples = [written(n, args[n], rank) for n in ("window", "stride", "dilation")]
    return Shaped(
        out=out,
        sizes={
            f"{n}_{i}": size for n, row in names.items() for i, size in enumerate(row)
        },
        build=Call("unfold", ("x", *tuples, padding)),
    )


ENTRIES: tuple[Op, ...] = (
    Op(
        "unfold",
        "function",
        "Sliding windows: [B, H, W, C] to [B, H, W, window..., C], zeros where they reach beyond. PyTorch's "
        '`F.unfold` is this and `rearrange("b h w p q c -> b (c p q) (h w)")`.',
        Call("unfold", ("x", "window")),
        params=(
            WINDOW,
            STRIDE,
            Param(
                "padding",
                Kind.WINDOW,
                "valid",
                "what surrounds the input, or how much of it",
                {n: PADDINGS[n] for n in ("same", "valid")},
                literal=True,
                positional=False,
                bounds=NOT_NEGATIVE,
            ),
            Param(
                "dilation",
                Kind.WINDOW,
                1,
                "the step between the window's points",
                positional=False,
                bounds=POSITIVE,
            ),
        ),
        inputs=(Input("x", scalar=False),),
        shape=_unfold,
        helper=HELPER,
        along=Along.INNER,
        aliases=("im2col", "extract_patches", "conv_general_dilated_patches"),
        examples=(
            Example({"window": (3, 2)}, ("B 8 7 C",)),
            Example({"window": 3, "padding": "same", "stride": 2}, ("B H W C",)),
            Example({"window": (3,), "padding": 1, "dilation": 2}, ("B T d",)),
            Example({"window": (4,), "stride": 3, "padding": 2}, ("int:B 9 d",)),
        ),
    ),
)
