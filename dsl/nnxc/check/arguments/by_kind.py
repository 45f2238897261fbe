"""Arguments: what a spec writes, converted to what a parameter's kind asks for."""

from __future__ import annotations

from ...ops.base import Kind
from ...ops.base import Param as OpParam
from ...shapes import TensorType
from ...source import Span
from ...syntax import tree
from ..context import Context
from ..definitions.parameter_kinds import demand
from ..expressions.statics import of_param
from ..values import Converted, Static, Value
from .converters import _CONVERT
from .flavors import FLAVORS


def convert(
    ctx: Context,
    param: OpParam,
    node: tree.Expr,
    value: Value,
    subject: TensorType | None,
) -> Converted:
    """The static node, and what a shape rule receives, for one argument.

    `subject` is the first input, in which axes are looked up by name.
    """
    if (
        isinstance(value, Static)
        and value.flavor == "none"
        and (param.optional or param.default is None)
    ):
        return value.node, None
    if isinstance(value, Static) and value.param is not None:
        value = _settle(ctx, param, value, node.span)
    return _CONVERT[param.kind](ctx, param, node, value, subject)


def _settle(ctx: Context, param: OpParam, value: Static, span: Span) -> Static:
    """A parameter of the definition, passed on as it is, gets this argument's kind."""
    inner = value.param
    assert inner is not None
    listed = inner.kind is not None and FLAVORS[inner.kind] == "list"
    if param.kind in (Kind.SIZES, Kind.INTS) and not listed:
        demand(ctx, inner, Kind.SIZE if param.kind is Kind.SIZES else Kind.INT, span)
    elif param.kind is Kind.WINDOW and inner.number and inner.kind is None:
        demand(ctx, inner, Kind.INT, span)
    elif param.kind in FLAVORS:
        demand(ctx, inner, param.kind, span)
    elif param.kind is Kind.SCHEDULE:
        demand(ctx, inner, Kind.NUMBER, span)
    counted = param.kind is Kind.WINDOW and FLAVORS[inner.kind or Kind.TEXT] != "text"
    if param.literal and not counted:
        ctx.fail(
            "N223",
            f"`{param.name}` decides the shape, so it must be written out here",
            span,
            f"`{inner.name}` is a parameter",
        )
    return of_param(inner)
