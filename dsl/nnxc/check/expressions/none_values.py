"""Values that may be `none`, where something is needed."""

from __future__ import annotations

from collections.abc import Mapping

from ... import ir
from ...ops.base import Param as OpParam
from ...syntax import tree
from ..context import Context
from ..definitions.parameter_kinds import demand
from ..values import Converted, Static
from .statics import may_be_none


def without_none(
    ctx: Context,
    param: OpParam,
    node: tree.Expr,
    value: Static,
    others: Mapping[str, Converted],
) -> Static:
    """A value that may be `none`, where weights are shaped by it or `none` cannot be: what it is
    then has to be told."""
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
            f"`{param.name}` must be {param.kind.value}",
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
