"""Arguments: what a spec writes, converted to what a parameter's kind asks for."""

from __future__ import annotations

from collections.abc import Mapping

from .. import ir
from ..ops.base import Kind
from ..ops.base import Param as OpParam
from ..shapes import TensorType
from ..source import Span
from ..syntax import tree
from .context import Context
from .conversions import EXPECTED, Converted
from .converters import _CONVERT
from .flavors import FLAVORS
from .kinds import demand
from .values import Static, Value


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


def without_none(
    ctx: Context,
    param: OpParam,
    node: tree.Expr,
    value: Static,
    others: Mapping[str, Converted],
) -> Static:
    """A value that may be `none`, where weights are shaped by it or `none` cannot be: what it is
    then has to be told."""
    from .statics import may_be_none

    inner = value.param
    if not may_be_none(ctx, value) or (inner is not None and param.absent is None):
        return value
    if inner is not None:
        demand(ctx, inner, param.kind, node.span)
    takes = param.optional or param.default is None
    if takes and param.absent is None:
        return value
    other, _ = others.get(param.absent or "", (None, None))
    if other is None:
        ctx.fail(
            "N207",
            f"`{param.name}` must be {EXPECTED[param.kind]}",
            node.span,
            "this may be `none`",
            help="choose what it is then: `8 if n == none else n`",
        )
    return Static(_filled(value.node, other), "int")


def _filled(node: ir.Static, other: ir.Static) -> ir.Static:
    """The value, and another where it is `none`."""
    match node:
        case ir.StaticIf(condition, then, orelse):
            return ir.StaticIf(condition, _filled(then, other), _filled(orelse, other))
        case ir.Literal(None):
            return other
        case ir.Ref() | ir.Size():
            none = ir.StaticBinary("==", node, ir.Literal(None))
            return ir.StaticIf(none, other, node)
    return node


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
    from .statics import of_param

    return of_param(inner)
