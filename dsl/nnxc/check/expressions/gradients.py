"""`energy.gradient(x)`: how fast what a layer gives changes with its first input."""

from __future__ import annotations

from typing import Final, NoReturn

from ... import ir
from ...ops.base import Op
from ...record import replace
from ...shapes import TensorType, is_float
from ...source import Span
from ..context import Context
from ..values import LayerInfo, Signature, Tensor, Value

GRADIENT: Final = Op(ir.GRADIENT, "function", "", "")


def gradient(ctx: Context, layer: LayerInfo, value: Value, span: Span) -> Value:
    """The gradient of the sum of what a layer gives, in place of it."""
    if layer.count is not None or layer.each is not None:
        _none(ctx, layer, "is several layers", span)
    if layer.has_state:
        _none(ctx, layer, "keeps statistics", span)
    draws = isinstance(layer.callee, Signature) and layer.callee.definition.streams
    if draws or layer.stream:
        _none(ctx, layer, "draws random numbers", span)
    if not isinstance(value, Tensor) or not is_float(value.type.dtype):
        _none(ctx, layer, "does not give one floating tensor", span)
    made = value.expr
    assert isinstance(made, ir.Apply)
    first = made.args[0][1].type
    assert isinstance(first, TensorType)
    if not is_float(first.dtype):
        _none(ctx, layer, f"takes {first}", span)
    return Tensor(replace(made, method=ir.GRADIENT, type=first, found=()))


def _none(ctx: Context, layer: LayerInfo, reason: str, span: Span) -> NoReturn:
    ctx.fail(
        "N248",
        f"`{layer.name}` has no gradient: it {reason}",
        span,
        help="a gradient is that of a layer or block that gives one floating tensor, and "
        "always the same",
    )
