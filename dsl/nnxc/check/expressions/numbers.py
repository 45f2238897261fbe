"""Lists of numbers as tensors."""

from __future__ import annotations

from typing import Any

from ... import ir
from ...dims import const
from ...ops.base import Kind, ShapeError
from ...ops.base import Param as OpParam
from ...ops.functions.creation import stacked
from ...shapes import TensorType
from ...source import Span
from ...syntax import tree
from ..arguments.flavors import NUMERIC, describe
from ..context import Context
from ..definitions.parameter_kinds import demand
from ..values import Static, Value
from .forms import form

_DTYPES = {"int": "int", "bool": "bool"}


def numbers(
    ctx: Context, p: OpParam, node: tree.Expr, value: Value, _: Any
) -> tuple[ir.Static, TensorType]:
    """The list, and the type of the tensor that it makes."""
    if not isinstance(value, Static) or value.flavor not in (
        "list",
        "window",
        "unknown",
    ):
        label = f"this is {describe(value)}" if isinstance(value, Static) else ""
        ctx.fail("N207", f"`{p.name}` must be a list of numbers", node.span, label)
    try:
        return value.node, _type(ctx, value, node.span)
    except ShapeError as error:
        ctx.fail(error.code, error.message, node.span)


def _type(ctx: Context, value: Static, span: Span) -> TensorType:
    if value.flavor == "window":
        value = Static(value.node, "list", element=Static(value.node, "int"))
    if value.flavor == "list":
        if value.items:
            parts = [_type(ctx, item, span) for item in value.items]
            return stacked(parts, const(len(parts)))
        count = form(ctx, ir.StaticCall("len", (value.node,)), "count", span)
        element = value.element or Static(value.node, "unknown")
        if element.flavor == "list":
            first = ir.StaticIndex(value.node, ir.Literal(0))
            element = Static(
                first, "list", element=element.element, items=element.items
            )
        return stacked([_type(ctx, element, span)], count)
    if value.flavor not in NUMERIC:
        label = f"this is {describe(value)}"
        ctx.fail("N207", "a tensor is made of numbers", span, label)
    if value.param is not None:
        demand(ctx, value.param, Kind.NUMBER, span)
    return TensorType(_DTYPES.get(value.flavor, "float"), ())
