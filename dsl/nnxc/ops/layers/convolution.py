"""Convolutions: channels last, over one to three spatial axes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ...dims import Dim, const, func, product
from ...record import replace
from ...shapes import Axis, TensorType
from .. import torch_layouts
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
from ..rules.pattern import divides, weight
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
from .grouped import HELPER as GROUPED_TRANSPOSE
from .grouped import grouped
from .linear import BIAS, BIAS_INIT, KERNEL_INIT
from .weight_norm import HELPER, OLDER, TENSORS, WEIGHT_NORM, weight_normed

FEATURES = Param("features", Kind.SIZE, doc="how many channels come out")
DILATION = Param(
    "dilation",
    Kind.WINDOW,
    1,
    "the step between the window's points",
    positional=False,
    bounds=POSITIVE,
)
PADDING = Param(
    "padding",
    Kind.WINDOW,
    "same",
    "what surrounds the input, or how much of it",
    PADDINGS,
    literal=True,
    positional=False,
    bounds=NOT_NEGATIVE,
)
GROUPS = Param(
    "groups", Kind.SIZE, 1, "how many groups of channels do not mix", positional=False
)
OPTIONS = {
    "strides": "stride",
    "padding": "padding",
    "kernel_dilation": "dilation",
    "use_bias": "bias",
    "kernel_init": "kernel_init",
    "bias_init": "bias_init",
}
GROUPED = OPTIONS | {"feature_group_count": "groups"}


def _conv(inputs: Inputs, args: Mapping[str, Any]) -> Shaped:
    x: TensorType = inputs[0]
    window = spatial("Conv", x, args["window"])
    if args["padding"] == "causal" and len(window) > 1:
        raise ShapeError(
            f"a causal window slides over one axis, this one over {len(window)}",
            at="padding",
            code="N305",
            help='write padding="same", or a window over time alone',
        )
    stride = per_axis("stride", args["stride"], len(window))
    dilation = per_axis("dilation", args["dilation"], len(window))
    old = x.axes[-len(window) - 1 : -1]
    axes = slide(old, window, stride, dilation, args["padding"])
    groups, features = args["groups"], args["features"]
    requires = [
        *divides(groups, x.sizes[-1], "groups", at="groups"),
        *divides(groups, features, "groups", at="groups"),
    ]
    kernel = (*window, x.sizes[-1] // groups, features)
    return _shaped(
        x,
        axes,
        kernel,
        args,
        _call("nnx.Conv", args["window"], len(window), GROUPED),
        requires,
    )


def _conv_transpose(inputs: Inputs, args: Mapping[str, Any]) -> Shaped:
    x: TensorType = inputs[0]
    window = spatial("ConvTranspose", x, args["window"])
    stride = per_axis("stride", args["stride"], len(window))
    dilation = per_axis("dilation", args["dilation"], len(window))
    old = x.axes[-len(window) - 1 : -1]
    groups, features = args["groups"], args["features"]
    requires = [
        *divides(groups, x.sizes[-1], "groups", at="groups"),
        *divides(groups, features, "groups", at="groups"),
    ]
    kernel = (*window, x.sizes[-1] // groups, features)
    call = _call("nnx.ConvTranspose", args["window"], len(window), OPTIONS)

    def shaped(sizes: Sequence[Dim]) -> Shaped:
        axes = tuple(Axis(n, a.label) for a, n in zip(old, sizes, strict=True))
        plain = _shaped(x, axes, kernel, args, call, requires)
        one = groups.value == 1
        return plain if one else grouped(plain, args, stride, dilation)

    if isinstance(args["padding"], str):
        _expect_no_more(args["output_padding"])
        return shaped(
            [
                _stretched(a.size, k, s, e, args["padding"])
                for a, k, s, e in zip(old, window, stride, dilation, strict=True)
            ]
        )
    reaches = [(k - 1) * e for k, e in zip(window, dilation, strict=True)]
    cut = per_axis("padding", args["padding"], len(window))
    more = per_axis("output_padding", args["output_padding"], len(window))
    sizes = [
        (a.size - 1) * s + reach + 1 - 2 * p + extra
        for a, s, reach, p, extra in zip(old, stride, reaches, cut, more, strict=True)
    ]
    return _surrounded(shaped(sizes), reaches, cut, more, groups.value != 1)


def _expect_no_more(output_padding: Sequence[Dim]) -> None:
    if any(size.value != 0 for size in output_padding):
        raise ShapeError(
            "`output_padding` goes with a `padding` that is a number",
            at="output_padding",
            code="N305",
            help="write how much is cut off at each end, such as `padding=1`",
        )


def _stretched(size: Dim, window: Dim, stride: Dim, dilation: Dim, padding: str) -> Dim:
    """`same` multiplies by the stride; `valid` adds what of the window reaches beyond it."""
    if padding == "same":
        return size * stride
    reach = (window - 1) * dilation + 1
    return size * stride + func("max", reach - stride, const(0))


def _surrounded(
    shaped: Shaped,
    reaches: Sequence[Dim],
    cut: Sequence[Dim],
    more: Sequence[Dim],
    in_pairs: bool,
) -> Shaped:
    """JAX counts what surrounds the input: all that a window reaches, less what is cut off."""
    before = [reach - p for reach, p in zip(reaches, cut, strict=True)]
    after = [size + extra for size, extra in zip(before, more, strict=True)]
    sizes = {f"before_{i}": size for i, size in enumerate(before)}
    sizes |= {f"after_{i}": size for i, size in enumerate(after)}
    if before == after and len(set(before)) == 1 and not in_pairs:
        padding = "={before_0}"
    else:
        pairs = [f"({{before_{i}}}, {{after_{i}}})" for i in range(len(before))]
        padding = f"=({', '.join(pairs)}{',' * (len(pairs) == 1)})"
    assert isinstance(shaped.build, Call)
    kwargs = {**shaped.build.kwargs, "padding": padding}
    return replace(
        shaped,
        sizes={**shaped.sizes, **sizes},
        build=replace(shaped.build, kwargs=kwargs),
    )


def _shaped(
    x: TensorType,
    axes: Sequence[Axis],
    kernel: tuple[Dim, ...],
    args: Mapping[str, Any],
    build: Call,
    requires: Sequence[Requirement],
) -> Shaped:
    features = kernel[-1]
    lead = x.axes[: x.rank - len(axes) - 1]
    out = (*lead, *axes, Axis(features, x.axes[-1].label or features.name))
    # A transposed kernel meets each point of its input, any other each point of its output.
    backward = build.target == "nnx.ConvTranspose"
    points = x.axes if backward else out
    layout = torch_layouts.backward_window if backward else torch_layouts.window
    sides = product(tuple(a.size for a in points[:-1]))
    shaped = Shaped(
        out=TensorType("float", out, x.lead),
        sizes={"d": x.sizes[-1]}
        | {f"window_{i}": size for i, size in enumerate(kernel[:-2])},
        weights=weight("kernel", kernel, args, tensor=layout(len(kernel) - 2))
        | weight("bias", (features,), args, "bias"),
        flops=const(2) * sides * product(kernel),
        requires=tuple(requires),
        build=build,
    )
    return weight_normed(shaped, args["weight_norm"])


def _call(
    target: str, window: Sequence[Dim], rank: int, options: Mapping[str, str]
) -> Call:
    return Call(target, ("d", "features", written("window", window, rank)), options)


ENTRIES: tuple[Op, ...] = (
    Op(
        "Conv",
        "layer",
        "Convolution; channels are the last axis.",
        Call("nnx.Conv", ("d", "features", "window"), GROUPED),
        params=(
            FEATURES,
            WINDOW,
            STRIDE,
            PADDING,
            DILATION,
            GROUPS,
            BIAS,
            WEIGHT_NORM,
            KERNEL_INIT,
            BIAS_INIT,
        ),
        inputs=(Input("x", "float"),),
        shape=_conv,
        dtype_aware=True,
        tensors=TENSORS,
        older=OLDER,
        helper=HELPER,
        along=Along.LOOKS_BACK,
        examples=(
            Example({"features": 6, "window": (3, 3)}, ("B H W 4",)),
            Example({"features": 6, "window": (3, 3), "stride": 2}, ("B H W C",)),
            Example(
                {"features": 4, "window": (5,), "padding": "causal", "dilation": 2},
                ("B T d",),
            ),
            Example(
                {
                    "features": 8,
                    "window": (3, 2),
                    "stride": (2, 1),
                    "padding": "valid",
                    "groups": 4,
                    "bias": False,
                },
                ("B H W 8",),
            ),
            Example(
                {"features": 2, "window": (3,), "padding": 1, "stride": 2},
                ("B H W D 3",),
            ),
            Example(
                {"features": 6, "window": (3,), "groups": 2, "weight_norm": "window"},
                ("B T 4",),
            ),
        ),
    ),
    Op(
        "ConvTranspose",
        "layer",
        "Transposed convolution, which enlarges; channels are the last axis.",
        Call("nnx.ConvTranspose", ("d", "features", "window"), OPTIONS),
        params=(
            FEATURES,
            WINDOW,
            STRIDE,
            Param(
                "padding",
                Kind.WINDOW,
                "same",
                "how far the output goes, or, as in PyTorch, how much of it is cut off at each end",
                {n: PADDINGS[n] for n in ("same", "valid")},
                literal=True,
                positional=False,
                bounds=NOT_NEGATIVE,
            ),
            Param(
                "output_padding",
                Kind.WINDOW,
                0,
                "where `padding` is a number, how much less is cut off at the end",
                positional=False,
                bounds=NOT_NEGATIVE,
            ),
            DILATION,
            GROUPS,
            BIAS,
            WEIGHT_NORM,
            KERNEL_INIT,
            BIAS_INIT,
        ),
        inputs=(Input("x", "float"),),
        shape=_conv_transpose,
        dtype_aware=True,
        tensors=TENSORS,
        older=OLDER,
        helper=HELPER,
        other_helpers=(GROUPED_TRANSPOSE,),
        along=Along.INNER,
        examples=(
            Example({"features": 6, "window": (2, 2), "stride": 2}, ("B H W C",)),
            Example(
                {"features": 3, "window": (5,), "stride": 2, "padding": "valid"},
                ("B T d",),
            ),
            Example(
                {"features": 3, "window": (2, 2), "stride": 3, "padding": "valid"},
                ("B H W C",),
            ),
            Example(
                {"features": 3, "window": (2, 2), "weight_norm": "in"}, ("B H W C",)
            ),
            Example(
                {"features": 3, "window": (4, 4), "stride": 2, "padding": 1},
                ("B H W C",),
            ),
            Example(
                {
                    "features": 3,
                    "window": (3, 5),
                    "stride": 2,
                    "padding": (1, 2),
                    "output_padding": (1, 0),
                },
                ("B H W C",),
            ),
            Example(
                {"features": 6, "window": (2, 2), "stride": 2, "groups": 2},
                ("B H W 4",),
            ),
            Example(
                {
                    "features": 4,
                    "window": (3, 5),
                    "stride": (3, 2),
                    "padding": 1,
                    "dilation": 2,
                    "groups": 4,
                    "bias": False,
                },
                ("B H W 8",),
            ),
            Example(
                {"features": 4, "window": (3,), "padding": "valid", "groups": 2},
                ("B T 4",),
            ),
        ),
    ),
)
