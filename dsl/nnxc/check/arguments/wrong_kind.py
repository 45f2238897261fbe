"""What a conversion gives, and what is said where it cannot be made."""

from __future__ import annotations

import re
from typing import NoReturn

from ...diagnostics import Advice, write
from ...ops.base import Kind
from ...ops.base import Param as OpParam
from ...syntax import tree
from ...syntax.walk import nodes_in
from ..context import Context
from ..foreign.foreign_arguments import value as spelled
from ..foreign.spelling import spell
from ..values import Static, Tensor, Value
from .flavors import describe

_WHOLE = (Kind.SIZE, Kind.SIZES, Kind.INT, Kind.INTS)
NUMBERS = ("int", "float", "unknown")


def wrong(ctx: Context, param: OpParam, node: tree.Expr, value: Value) -> NoReturn:
    """Report an argument of the wrong kind."""
    label = "this is not known at construction"
    if isinstance(value, Static):
        label = f"this is {describe(value)}"
    text = spelled(ctx, spell, node, param)
    if isinstance(node, tree.Binary) and node.op == "/" and param.kind in _WHOLE:
        text = f"{node.left.span.text} // {node.right.span.text}"
    number = isinstance(value, Static) and value.known and value.value in (0, 1)
    if param.kind is Kind.BOOL and number:
        text = str(bool(value.value)).lower()  # type: ignore[union-attr]
    if isinstance(node, tree.ListOf):
        text = re.sub(r"(\w) */ *(?=\w)", r"\1 // ", node.span.text)
    elif isinstance(value, Static) and value.flavor == "float" and param.kind in _WHOLE:
        if text == node.span.text and not isinstance(node, tree.Number):
            text = f"int({text})"
        elif isinstance(node, tree.Number) and float(node.value).is_integer():
            text = str(int(node.value))
    if isinstance(value, Static) and value.flavor == "int" and param.kind is Kind.LIST:
        text = f"[{text}]"
    advice: Advice = write(node.span, text) if text != node.span.text else {}
    if param.kind is Kind.TEXT and not advice:
        quoted = [f'"{c}"' for c in param.choices or ()]
        advice = {"help": "one of " + ", ".join(quoted) if quoted else "in quotes"}
    if (
        isinstance(value, Tensor)
        and param.kind in (*_WHOLE, Kind.NUMBER)
        and not advice
    ):
        sizes = [str(size) for size in value.type.sizes if size.name]
        if sizes and param.kind in _WHOLE:
            such = " or ".join(f"`{size}`" for size in dict.fromkeys(sizes))
            advice = {"help": f"a size of it has a name: {such}"}
    if param.kind in (Kind.AXIS, Kind.AXES) and not advice:
        advice = _larger_of(ctx, node)
    message = f"`{param.name}` must be {param.kind.value}"
    ctx.fail("N207", message, node.span, label, **advice)


def _larger_of(ctx: Context, node: tree.Expr) -> Advice:
    """`max(0, x)`: of two values each, and not along an axis."""
    for call in nodes_in(ctx.statement, tree.Call):
        values = [a.value for a in call.args]
        if node not in values or not isinstance(call.func, tree.Name):
            continue
        name = call.func.id
        if name in ("max", "min") and len(values) == 2:
            given = ", ".join(v.span.text for v in values)
            return write(call.span, f"{name}imum({given})")
    return {}
