"""A convolution with a kernel that is computed: standardised, modulated, or of one's own."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
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
    Shaped,
    ShapeError,
)
from ..layers.convolution import DILATION, GROUPS
from ..rules.pattern import divides, equal, expect_known
from ..rules.window import (
    NOT_NEGATIVE,
    PADDINGS,
    STRIDE,
    per_axis,
    slide,
    written,
)

PADDING = Param(
    "padding",
    Kind.WINDOW,
    "same",
    "what surrounds the input, or how much of it",
    {n: PADDINGS[n] for n in ("same", "valid")},
    literal=True,
    positional=False,
    bounds=NOT_NEGATIVE,
)
LAYOUTS = {
    1: '("NHC", "HIO", "NHC")',
    2: '("NHWC", "HWIO", "NHWC")',
    3: '("NDHWC", "DHWIO", "NDHWC")',
}


def _convolve(inputs: Inputs, args: Mapping[str, Any]) -> Shaped:
    x, kernel = inputs
    rank = _axes_slid_over(x, kernel)
    window = kernel.sizes[:-2]
    stride = per_axis("stride", args["stride"], rank)
    dilation = per_axis("dilation", args["dilation"], rank)
    axes = slide(x.axes[1:-1], window, stride, dilation, args["padding"])
    taken, features = kernel.sizes[-2:]
    groups = args["groups"]
    message = (
        f"kernel is {kernel}, its last axis but one must be {x.sizes[-1] // groups}"
    )
    requires = [
        *divides(groups, features, "groups", at="groups"),
        *equal(taken * groups, x.sizes[-1], message, at="kernel"),
    ]
    label = kernel.axes[-1].label or x.axes[-1].label
    out = (x.axes[0], *axes, Axis(features, label))
    points = product(tuple(a.size for a in out[:-1]))
    return Shaped(
        out=TensorType("float", out),
        sizes=_sizes(stride, dilation, args["padding"]),
        flops=const(2) * points * product(kernel.sizes),
        requires=tuple(requires),
        build=_call(rank, args),
    )


def _axes_slid_over(x: TensorType, kernel: TensorType) -> int:
    for name, type in (("x", x), ("kernel", kernel)):
        expect_known(name, type, "convolve")
    rank = kernel.rank - 2
    if rank not in LAYOUTS:
        raise ShapeError(
            f"kernel is {kernel}, it must be [window..., channels, features]",
            at="kernel",
            code="N303",
        )
    if x.rank != kernel.rank:
        raise ShapeError(
            f"x is {x}, this kernel slides over {rank} of {kernel.rank} axes",
            at="x",
            code="N303",
            help="the others are the first, the batch, and the last, the channels",
        )
    return rank


def _sizes(
    stride: Sequence[Dim], dilation: Sequence[Dim], padding: str | Sequence[Dim]
) -> dict[str, Dim]:
    found = {f"stride_{i}": size for i, size in enumerate(stride)}
    found |= {f"dilation_{i}": size for i, size in enumerate(dilation)}
    if not isinstance(padding, str):
        pads = per_axis("padding", padding, len(stride))
        found |= {f"pad_{i}": size for i, size in enumerate(pads)}
    return found


def _call(rank: int, args: Mapping[str, Any]) -> Call:
    pads = "padding"
    if not isinstance(args["padding"], str):
        pairs = [f"({{pad_{i}}}, {{pad_{i}}})" for i in range(rank)]
        pads = f"=[{', '.join(pairs)}]"
    return Call(
        "jax.lax.conv_general_dilated",
        ("x", "kernel", written("stride", args["stride"], rank), pads),
        {
            "rhs_dilation": written("dilation", args["dilation"], rank),
            "dimension_numbers": f"={LAYOUTS[rank]}",
            "feature_group_count": "groups",
        },
    )


ENTRIES: tuple[Op, ...] = (
    Op(
        "convolve",
        "function",
        "Convolution with a tensor as kernel: [window..., channels, features].",
        Call("jax.lax.conv_general_dilated", ("x", "kernel")),
        params=(STRIDE, PADDING, DILATION, GROUPS),
        inputs=(
            Input("x", "float", scalar=False),
            Input("kernel", "float", scalar=False),
        ),
        shape=_convolve,
        along=Along.INNER,
        examples=(
            Example({}, ("B H W C", "3 3 C D")),
            Example(
                {"stride": 2, "padding": (1, 2), "groups": 2},
                ("B H W 4", "3 5 2 6"),
            ),
            Example({"padding": "valid", "dilation": 2}, ("B 15 d", "3 d e")),
        ),
    ),
)
