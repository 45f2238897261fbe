"""Pooling and resizing over the axes between the first and the last."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ..dims import Dim, const, func
from ..shapes import Axis, TensorType
from .base import (
    Along,
    Call,
    Example,
    Helper,
    Input,
    Inputs,
    Kind,
    Op,
    Param,
    Requirement,
    Rule,
    Shaped,
    ShapeError,
)
from .pattern import divides, expect_known
from .window import PADDINGS, WINDOW, per_axis, slide, spatial, tuple_text

STRIDE = Param(
    "stride", Kind.WINDOW, None, "the step of the window; the window itself if absent"
)
PADDING = Param(
    "padding",
    Kind.WINDOW,
    "valid",
    "what surrounds the input, or how much of it",
    {n: PADDINGS[n] for n in ("same", "valid")},
    literal=True,
    positional=False,
)
METHODS = {
    m: f'"{m}"'
    for m in ("nearest", "bilinear", "bicubic", "torch_nearest", "torch_bicubic")
}
METHOD = Param(
    "method",
    Kind.TEXT,
    "nearest",
    "how to fill in between: `nearest` takes the nearest center, as PyTorch's `nearest-exact`, and "
    "`bicubic` is Keys' kernel of a = -0.5 within the image; `torch_nearest` and `torch_bicubic` (a = -0.75, "
    "edges repeated, never smoothed) are what PyTorch's `nearest` and `bicubic` are",
    METHODS,
    literal=True,
)
ANTIALIAS = Param(
    "antialias",
    Kind.BOOL,
    True,
    "whether to smooth what becomes smaller",
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
RESIZE_CORNERS = Helper(
    "resize_corners",
    '''def resize_corners(x: jax.Array, shape: tuple[int, ...], method: str) -> jax.Array:
    """Interpolated to another shape; the outermost entries stay where they are."""
    axes = [i for i, size in enumerate(shape) if size != x.shape[i]]
    scale = [max(shape[i] - 1, 1) / max(x.shape[i] - 1, 1) for i in axes]
    scales = jnp.array(scale, jnp.float32)
    return jax.image.scale_and_translate(
        x, shape, axes, scales, (1 - scales) / 2, method, antialias=False
    )
''',
)
RESIZE_BICUBIC = Helper(
    "resize_bicubic",
    '''def resize_bicubic(
    x: jax.Array, shape: tuple[int, ...], corners: bool = False
) -> jax.Array:
    """Interpolated as PyTorch does: by cubic convolution of a = -0.75, edges repeated."""
    for axis, new in enumerate(shape):
        old = x.shape[axis]
        if new == old:
            continue
        steps = jnp.arange(new, dtype=jnp.float32)
        if corners:
            at = steps * ((old - 1) / max(new - 1, 1))
        else:
            at = (steps + 0.5) * (old / new) - 0.5
        first = jnp.floor(at)
        total = 0.0
        for tap in range(-1, 3):
            index = jnp.clip(first.astype(int) + tap, 0, old - 1)
            t = jnp.abs(at - first - tap)
            near = ((1.25 * t - 2.25) * t) * t + 1
            far = ((-0.75 * t + 3.75) * t - 6) * t + 3
            weight = jnp.where(t <= 1, near, far).astype(x.dtype)
            weight = weight.reshape(-1, *[1] * (x.ndim - 1 - axis))
            total = total + jnp.take(x, index, axis=axis) * weight
        x = total
    return x
''',
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
        stride = per_axis("stride", args["stride"] or window, rank)
        old = x.axes[-rank - 1 : -1]
        pads = _paddings(args["padding"], rank, bool(args.get("ceil")))
        sizes = _named("window", window) | _named("stride", stride)
        if args.get("ceil") and pads:
            axes, ends = _beyond(old, window, stride, pads)
            sizes |= _named("end", ends)
        else:
            axes = slide(old, window, stride, (const(1),) * rank, args["padding"])
        options = {"strides": tuple_text(_names("stride", rank)), "padding": "padding"}
        if pads:
            sizes |= _named("pad", pads)
            options["padding"] = _pairs(rank, "end" if "end_0" in sizes else "pad")
        if "count_padding" in args:
            options["count_include_pad"] = "count_padding"
        return Shaped(
            out=x.with_axes((*x.axes[: -rank - 1], *axes, x.axes[-1])),
            sizes=sizes,
            build=Call(target, ("x", tuple_text(_names("window", rank))), options),
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


def _names(name: str, rank: int) -> list[str]:
    return [f"{name}_{i}" for i in range(rank)]


def _named(name: str, sizes: Sequence[Dim]) -> dict[str, Dim]:
    return dict(zip(_names(name, len(sizes)), sizes, strict=True))


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
    sizes = _named("kept", x.sizes[: -rank - 1]) | {"channels": x.sizes[-1]}
    for i, (axis, n) in enumerate(zip(old, tiles, strict=True)):
        requires += divides(n, axis.size, "the new size", at="size")
        sizes |= {f"tiles_{i}": n, f"tile_{i}": axis.size // n}
    kept = [f"{{{name}}}" for name in _names("kept", x.rank - rank - 1)]
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
    names, first = _named("factor", factors), x.rank - 1 - len(factors)
    repeats = (f".repeat({{{n}}}, axis={first + i})" for i, n in enumerate(names))
    return Shaped(out=made.out, sizes=names, build="{x}" + "".join(repeats))


def _resized(x: TensorType, sizes: Sequence[Dim], args: Mapping[str, Any]) -> Shaped:
    """Interpolated to other sizes of the axes before the last."""
    expect_known("x", x, "resize")
    first = x.rank - 1 - len(sizes)
    axes = (Axis(n, a.label) for n, a in zip(sizes, x.axes[first:-1], strict=True))
    out = x.with_axes((*x.axes[:first], *axes, x.axes[-1]))
    if args["method"] == "torch_nearest":
        return _floored(x, out, args)
    shape = ("x", tuple_text(_names("shape", x.rank)))
    options = {"method": "method", "antialias": "antialias"}
    build = Call("jax.image.resize", shape, options, ("method",))
    if args["corners"]:
        build = Call("resize_corners", (*shape, "method"))
    if args["method"] == "torch_bicubic":
        build = Call("resize_bicubic", shape, {"corners": "corners"})
    return Shaped(out=out, sizes=_named("shape", out.sizes), build=build)


def _floored(x: TensorType, out: TensorType, args: Mapping[str, Any]) -> Shaped:
    """Each entry is the one at its place times the ratio of sizes, rounded down."""
    if args["corners"]:
        raise ShapeError(
            "`torch_nearest` moves the outermost entries",
            at="corners",
            code="N305",
            help='write method="nearest"',
        )
    pairs = list(zip(x.sizes, out.sizes, strict=True))
    changed = [i for i, (old, new) in enumerate(pairs) if old != new]
    takes = (
        f".take(jnp.arange({{shape_{i}}}) * {{old_{i}}} // {{shape_{i}}}, axis={i})"
        for i in changed
    )
    sizes = {f"shape_{i}": pairs[i][1] for i in changed}
    sizes |= {f"old_{i}": pairs[i][0] for i in changed}
    return Shaped(out=out, sizes=sizes, build="{x}" + "".join(takes))


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
        params=(Param("size", Kind.WINDOW, doc="how many tiles along each axis"),),
        inputs=INPUT,
        shape=_adaptive,
        along=Along.INNER,
        examples=(
            Example({"size": (2, 3)}, ("B 4 9 C",)),
            Example({"size": 2}, ("B 6 d",)),
        ),
    ),
    Op(
        "resize",
        "function",
        "An image, interpolated to other sizes.",
        Call("jax.image.resize", ("x", "size"), {"method": "method"}),
        params=(
            Param("size", Kind.WINDOW, doc="the new sizes"),
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
            Param("factor", Kind.WINDOW, doc="how many times as large"),
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
