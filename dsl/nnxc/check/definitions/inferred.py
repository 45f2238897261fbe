"""Sizes of inputs are inferred: `Linear(8, classes)` is another library's."""

from __future__ import annotations

from ... import ir
from ...diagnostics import write
from ...dims import Dim
from ...dims_compare import Comparison
from ...shapes import TensorType
from ...syntax import tree
from ..context import Context
from ..obligations import compare
from ..values import LayerInfo

_LARGE = 8
_SIZES = {"Linear": ("out",), "Conv": ("features", "window", "stride")}


def refuse_input_size(ctx: Context, layer: LayerInfo, first: TensorType | None) -> None:
    """Refuse a first argument that is the size of the input, where others take that before what
    follows: two sizes of `Linear`, three numbers of `Conv`."""
    args = _by_position(layer)
    wanted = 3 if layer.callee.name == "Conv" else 2  # type: ignore[union-attr]
    if first is None or not first.axes or len(args) < wanted:
        return
    value = layer.args[_SIZES[layer.callee.name][0]][1]  # type: ignore[union-attr]
    given = value[0] if isinstance(value, tuple) else value
    if not isinstance(given, Dim) or not _same(ctx, given, first.sizes[-1]):
        return
    head = layer.span.text.partition("(")[0]
    rest = layer.span.text[args[1].span.start - layer.span.start :]
    text = f"`{args[0].span.text}` is the size of what comes in, which is inferred"
    ctx.fail("N205", text, args[0].span, **write(layer.span, f"{head}({rest}"))


def _by_position(layer: LayerInfo) -> list[tree.Expr]:
    """The arguments at stake, where they are written one after the other."""
    written = layer.pending.params if layer.pending else {}
    found = [written[n] for n in _SIZES[layer.callee.name] if n in written]  # type: ignore[union-attr]
    match found:
        case [tree.ListOf(items, span)] if not span.text.startswith("["):
            return list(items)
        case [_, tree.Number(window), tree.Number(stride)]:
            # A large window that moves by less is more likely a number of features.
            return found if window >= _LARGE and window != stride else []
    return []


def _same(ctx: Context, given: Dim, size: Dim) -> bool:
    """Whether a size is that of the input, for certain or where the model's defaults say so."""
    if compare(ctx, given, size) is Comparison.EQUAL:
        return True
    param = ctx.params.get(size.name or "")
    default = param.default if param else None
    known = isinstance(default, ir.Literal) and given.value is not None
    return known and given.value == default.value  # type: ignore[union-attr]
