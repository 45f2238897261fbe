"""Resizing over the axes before the last: kernels of JAX, and those of PyTorch."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ...dims import Dim
from ...record import replace
from ...shapes import Axis, TensorType
from ..base import (
    Along,
    Call,
    Example,
    Helper,
    Input,
    Inputs,
    Kind,
    Op,
    Param,
    Shaped,
    ShapeError,
)
from ..rules.pattern import expect_known
from ..rules.window import WINDOW, numbered, numbered_names, spatial, tuple_text

METHODS = {
    m: f'"{m}"'
    for m in ("nearest", "bilinear", "bicubic", "torch_nearest", "torch_bicubic")
}
METHOD = Param(
    "method",
    Kind.TEXT,
    "nearest",
    "how to fill in between. `nearest` takes the entry whose center is nearest, as PyTorch's `nearest-exact`; "
    "`torch_nearest` rounds places down, as PyTorch's `nearest`: they agree where a size is multiplied by a whole number. "
    "`bicubic` has a = -0.5 and leaves out what lies beyond the image, as PyTorch's with `antialias=True`; "
    "`torch_bicubic` has a = -0.75 and repeats the edges, as PyTorch's without",
    METHODS,
    literal=True,
)
ANTIALIAS = Param(
    "antialias",
    Kind.BOOL,
    None,
    "whether to smooth what becomes smaller, as PyTorch does not by default; if absent, `bilinear` and `bicubic` do, "
    "unless `corners`",
    literal=True,
    positional=False,
)
CORNERS = Param(
    "corners",
    Kind.BOOL,
    False,
    "whether the outermost entries stay where they are",
    literal=True,
    positional=False,
)
RESIZE_CORNERS = Helper("resize_corners")
RESIZE_BICUBIC = Helper("resize_bicubic")


def _resize(inputs: Inputs, args: Mapping[str, Any]) -> Shaped:
    x: TensorType = inputs[0]
    return _resized(x, spatial("resize", x, args["size"]), args)


def _upsample(inputs: Inputs, args: Mapping[str, Any]) -> Shaped:
    """The nearest entry is the entry itself, some times over."""
    x: TensorType = inputs[0]
    factors = spatial("upsample", x, args["factor"])
    old = x.axes[-len(factors) - 1 : -1]
    sizes = [a.size * n for a, n in zip(old, factors, strict=True)]
    made = _resized(x, sizes, args)
    if "nearest" not in args["method"] or args["corners"]:
        return made
    names, first = numbered("factor", factors), x.rank - 1 - len(factors)
    repeats = (f".repeat({{{n}}}, axis={first + i})" for i, n in enumerate(names))
    return Shaped(out=made.out, sizes=names, build="{x}" + "".join(repeats))


def _resized(x: TensorType, sizes: Sequence[Dim], args: Mapping[str, Any]) -> Shaped:
    """Interpolated to other sizes of the axes before the last."""
    expect_known("x", x, "resize")
    _expect_possible(args)
    first = x.rank - 1 - len(sizes)
    axes = (Axis(n, a.label) for n, a in zip(sizes, x.axes[first:-1], strict=True))
    out = x.with_axes((*x.axes[:first], *axes, x.axes[-1]))
    if args["method"] == "torch_nearest":
        return _floored(x, out)
    shape = ("x", tuple_text(numbered_names("shape", x.rank)))
    options = {"method": "method"}
    if args.get("antialias") is False:
        options["antialias"] = "=False"
    build = Call("jax.image.resize", shape, options, ("method",))
    if args["corners"]:
        build = Call("resize_corners", (*shape, "method"))
    if args["method"] == "torch_bicubic":
        build = Call("resize_bicubic", shape, {"corners": "corners"})
    return Shaped(out=out, sizes=numbered("shape", out.sizes), build=build)


def _floored(x: TensorType, out: TensorType) -> Shaped:
    """Each entry is the one at its place times the ratio of sizes, rounded down."""
    pairs = enumerate(zip(x.sizes, out.sizes, strict=True))
    changed = {i: pair for i, pair in pairs if pair[0] != pair[1]}
    build, sizes = "{x}", dict[str, Dim]()
    for i, (old, new) in changed.items():
        places = f"(jnp.arange({{new_{i}}}) * ({{old_{i}}} / {{new_{i}}})).astype(int)"
        build += f'.take({places}, axis={i}, mode="clip")'
        sizes |= {f"old_{i}": old, f"new_{i}": new}
    return Shaped(out=out, sizes=sizes, build=build)


def _expect_possible(args: Mapping[str, Any]) -> None:
    method, corners = args["method"], args["corners"]
    if method == "torch_nearest" and corners:
        raise ShapeError(
            "`torch_nearest` moves the outermost entries",
            at="corners",
            code="N305",
            help='write method="nearest"',
        )
    never = "corners" if corners else method
    if args.get("antialias") and (corners or method.startswith("torch_")):
        raise ShapeError(
            f"what becomes smaller is not smoothed with `{never}`",
            at="antialias",
            code="N305",
            help=f"leave out `antialias` or `{never}`",
        )


INPUT = (Input("x", "float", scalar=False),)
ENTRIES: tuple[Op, ...] = (
    Op(
        "resize",
        "function",
        "An image, interpolated to other sizes.",
        Call("jax.image.resize", ("x", "size"), {"method": "method"}),
        params=(
            replace(WINDOW, name="size", doc="the new sizes"),
            *(METHOD, ANTIALIAS, CORNERS),
        ),
        inputs=INPUT,
        shape=_resize,
        helper=RESIZE_CORNERS,
        other_helpers=(RESIZE_BICUBIC,),
        along=Along.INNER,
        examples=(
            Example({"size": (8, 6)}, ("B H W C",)),
            Example(
                {"size": (8, 6), "method": "bilinear", "corners": True}, ("B H W C",)
            ),
            Example(
                {"size": (8, 6), "method": "bilinear", "antialias": False}, ("B H W C",)
            ),
            Example({"size": 8, "method": "bilinear"}, ("B H W C",)),
            Example({"size": 8, "method": "torch_nearest"}, ("B H W C",)),
            Example({"size": 8, "method": "torch_bicubic"}, ("B H W C",)),
            Example(
                {"size": 8, "method": "torch_bicubic", "corners": True}, ("B H W C",)
            ),
        ),
    ),
    Op(
        "upsample",
        "function",
        "An image, so many times as large.",
        Call("jax.image.resize", ("x", "factor"), {"method": "method"}),
        params=(
            replace(WINDOW, name="factor", doc="how many times as large"),
            *(METHOD, CORNERS),
        ),
        inputs=INPUT,
        shape=_upsample,
        helper=RESIZE_CORNERS,
        other_helpers=(RESIZE_BICUBIC,),
        along=Along.INNER,
        examples=(
            Example({"factor": 2}, ("B H W C",)),
            Example({"factor": (2, 3)}, ("B H W C",)),
            Example({"factor": (2,), "method": "bilinear"}, ("B T d",)),
            Example({"factor": 2, "corners": True, "method": "bilinear"}, ("B H W C",)),
            Example({"factor": 3, "method": "torch_bicubic"}, ("B T d",)),
        ),
    ),
)
