"""Functions as values that are known at construction."""

from __future__ import annotations

from ... import ir
from ...ops.base import Op
from ..context import Context
from ..values import OpRef, Static, Value
from .activation_names import is_activation
from .binding import Written, evaluate_params, with_defaults


def known(ctx: Context, value: Value) -> Value:
    """An activation as a value that is known at construction; anything else as it is."""
    if isinstance(value, OpRef) and is_activation(value.op):
        return Static(activation(ctx, value.op), "function")
    return value


def activation(ctx: Context, op: Op) -> ir.Function:
    """An activation as a value, as the file's `defaults` have it."""
    written = Written()
    with_defaults(ctx, op, written)
    values = evaluate_params(ctx, op, written, None)
    return ir.Function(op, tuple((name, value) for name, (value, _) in values.items()))
