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
    converted = _CONVERT[param.kind](ctx, param, node, value, subject)
    if param.literal and isinstance(value, Static):
        _written_out(ctx, param, value, node.span)
    return converted


def _written_out(ctx: Context, param: OpParam, value: Static, span: Span) -> None:
    """What decides a shape is known to the compiler; numbers of windows may be computed."""
    known = value.known or (value.dim is not None and value.dim.value is not None)
    counted = param.kind is Kind.WINDOW and value.flavor != "text"
    if known or counted:
        return
    ctx.fail(
        "N223",
        f"`{param.name}` decides the shape, so it must be written out here",
        span,
        "" if value.param is None else f"`{value.param.name}` is a parameter",
        help="or choose between two calls: `(x -> f(...)) if c else (x -> g(...))`",
    )


def _settle(ctx: Context, param: OpParam, value: Static, span: Span) -> Static:
    """A parameter of the definition, passed on as it is, gets this argument's kind."""
    inner = value.param
    assert inner is not None
    listed = inner.kind is not None and FLAVORS[inner.kind] == "list"
    if param.kind in (Kind.SIZES, Kind.INTS) and not listed:
        demand(ctx, inner, Kind.SIZE if param.kind is Kind.SIZES else Kind.INT, span)
    elif param.kind is Kind.WINDOW and inner.number and inner.kind is None:
        demand(ctx, inner, Kind.INT, span)
    elif param.choices and inner.kind is Kind.TEXT:
        pass  # one of the texts that may stand for other values
    elif param.kind in FLAVORS:
        demand(ctx, inner, param.kind, span)
    elif param.kind is Kind.SCHEDULE:
        demand(ctx, inner, Kind.NUMBER, span)
    return of_param(inner)
