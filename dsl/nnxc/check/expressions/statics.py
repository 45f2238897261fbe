"""Static values: literals, arithmetic and functions over what is known at construction."""

from __future__ import annotations

import math
import operator
import re
from collections.abc import Callable
from typing import Any

from ... import ir
from ...diagnostics import Advice, write
from ...dims import Dim, DimError, const, func, symbol
from ...ops.base import Kind
from ...record import replace
from ...source import Span
from ...syntax import tree
from ..arguments.flavors import FLAVORS, NUMERIC, describe
from ..context import Context
from ..control.lengths import need_length
from ..definitions.parameter_kinds import demand, demand_whole, seen
from ..values import Param, Static, number
from .static_calls import need_list

_PYTHON: dict[str, Callable[[Any, Any], Any]] = {
    "+": operator.add,
    "-": operator.sub,
    "*": operator.mul,
    "/": operator.truediv,
    "//": operator.floordiv,
    "%": operator.mod,
    "**": operator.pow,
    "==": operator.eq,
    "!=": operator.ne,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}


COMPARISONS = ("==", "!=", "<", "<=", ">", ">=")


MOST_ITEMS = 1000  # of a list that is looked at one by one


def literal(ctx: Context, node: tree.Expr) -> Static | None:
    """A literal as a static value; None for any other expression."""
    match node:
        case tree.Number(int(whole), _, span):
            dim = _dim(ctx, lambda: const(whole), span)
            return Static(ir.Literal(whole), "int", dim, whole, True)
        case tree.Number(fraction):
            return number(fraction)
        case tree.String(value):
            return Static(ir.Literal(value), "text", None, value, True)
        case tree.Constant(None):
            return Static(ir.Literal(None), "none", None, None, True)
        case tree.Constant(value):
            return Static(ir.Literal(value), "bool", None, value, True)
        case tree.Window(sizes):
            axes = number(len(sizes))
            return Static(ir.Literal(sizes), "window", None, sizes, True, (), axes)
    return None


def _dim(ctx: Context, make: Callable[[], Dim], span: Span) -> Dim:
    try:
        return make()
    except DimError as error:
        ctx.fail("N309", str(error), span)


def of_param(param: Param) -> Static:
    """A parameter as a value; its flavor follows its kind. A number may turn out to be whole."""
    flavor = FLAVORS[param.kind] if param.kind else "unknown"
    if param.kind is Kind.NUMBER and not param.fraction:
        flavor = "unknown"
    dim = symbol(param.name) if flavor in ("int", "unknown") else None
    return Static(ir.Ref(param.name), flavor, dim, param=param, element=param.element)


def loop_variable(name: str, element: Static) -> Static:
    """The variable of a loop over values like `element`."""
    dim = symbol(name) if element.flavor in ("int", "unknown") else None
    node, inner = ir.Ref(name), element.element
    return Static(
        node,
        element.flavor,
        dim,
        element=inner,
        optional=element.optional,
        below=element.below,
    )


def binary(ctx: Context, op: str, left: Static, right: Static, span: Span) -> Static:
    """`left op right` for arithmetic, comparison, `and`, `or`."""
    node = ir.StaticBinary(op, left.node, right.node)
    if op in ("and", "or"):
        for side in (left, right):
            _need_condition(ctx, op, side, span)
        return Static(node, "bool")
    if op == "in":
        need_list(ctx, right, op, span)
        if right.element is not None:
            _comparable(ctx, op, left, right.element, span)
        return Static(node, "bool")
    if op in ("==", "!="):
        _comparable(ctx, op, left, right, span)
        known = left.known and right.known
        value = _PYTHON[op](left.value, right.value) if known else None
        return Static(node, "bool", None, value, known)
    if op in ("+", "*") and "list" in (left.flavor, right.flavor):
        return _of_lists(ctx, op, left, right, span)
    for side in (left, right):
        _need_number(ctx, side, op, span)
    if left.known and right.known:
        return _fold(ctx, op, left, right, span)
    if op in COMPARISONS:
        return Static(node, "bool")
    return _arithmetic(ctx, op, left, right, node, span)


def no_none(ctx: Context, value: Static, span: Span) -> None:
    """What may be `none` is no condition: 0 and `false` would count as absent."""
    param = value.param
    if param is not None and param.optional and param.kind in (None, Kind.BOOL):
        ctx.fail(
            "N207",
            "a condition is true or false",
            span,
            f"`{param.name}` may be `none`",
            help=_asked(param.name, span),
        )


def _asked(name: str, span: Span) -> str:
    """`hidden or 4 * d` where `hidden` may be absent, as a choice."""
    rest = re.fullmatch(rf"{name} or (.+)", span.text)
    if rest is None:
        return f"ask for it: `{name} != none`"
    return f"under a name of its own: `{name} if {name} != none else {rest[1]}`"


def may_be_none(ctx: Context, value: Static) -> bool:
    """Whether a value is `none` on some side, and no condition around says that it is not."""
    none = ir.StaticBinary("==", value.node, ir.Literal(None))
    param = value.param is not None and value.param.optional
    return (value.optional or param) and (none, False) not in ctx.holding


def _need_number(ctx: Context, side: Static, op: str, span: Span) -> None:
    """Numbers are computed with, and neither true nor false is one."""
    if side.flavor == "bool":
        help = "choose a number: `1 if flag else 0`"
        label = f"this is {describe(side)}"
        more = {"related": seen(side), "help": help}
        ctx.fail("N220", f"`{op}` needs numbers", span, label, **more)
    if side.optional and may_be_none(ctx, side):
        help = "ask for it before: `if n != none:`"
        ctx.fail("N220", f"`{op}` needs numbers", span, "this may be `none`", help=help)
    if side.flavor not in NUMERIC:
        label = f"this is {describe(side)}"
        ctx.fail("N220", f"`{op}` needs numbers", span, label, related=seen(side))
    if side.flavor == "unknown" and side.param is not None:
        demand(ctx, side.param, Kind.NUMBER, span)


def _of_lists(ctx: Context, op: str, left: Static, right: Static, span: Span) -> Static:
    """`widths + [d]`, `["full"] * layers`: one list after the other, or one so many times."""
    node = ir.StaticBinary(op, left.node, right.node)
    if op == "+":
        for side in (left, right):
            need_list(ctx, side, op, span)
        both = (left.element, right.element)
        items = left.items + right.items if left.items and right.items else ()
        element = common(tuple(e for e in both if e is not None))
    else:
        times, list_ = (left, right) if right.flavor == "list" else (right, left)
        if times.flavor not in ("int", "unknown"):
            text, label = "a list is repeated a whole number of times", describe(times)
            ctx.fail("N220", text, span, f"this is {label}", related=seen(times))
        if times.dim is not None:
            demand_whole(ctx, times.dim, span)
        few = times.known and 0 < times.value * len(list_.items) <= MOST_ITEMS
        items = list_.items * times.value if few else ()
        element = list_.element
    known = bool(items) and all(item.known for item in items)
    value = tuple(item.value for item in items) if known else None
    return Static(node, "list", None, value, known, items, element)


def _need_condition(ctx: Context, op: str, side: Static, span: Span) -> None:
    no_none(ctx, side, span)
    if side.flavor == "unknown" and side.param is not None:
        demand(ctx, side.param, Kind.BOOL, span)
    elif side.flavor not in ("bool", "unknown"):
        label, advice = f"this is {describe(side)}", Advice()
        operand = span.text.removeprefix("not ").strip()
        if op == "not" and side.flavor in ("int", "float") and operand.isidentifier():
            advice = write(span, f"{operand} == 0", "compare it")
        text = f"`{op}` needs conditions"
        ctx.fail("N220", text, span, label, related=seen(side), **advice)


def _comparable(ctx: Context, op: str, left: Static, right: Static, span: Span) -> None:
    """Values of two kinds are never equal; but anything may be `none`, and a parameter be open."""
    kinds = {"number" if s.flavor in NUMERIC else s.flavor for s in (left, right)}
    if (
        len(kinds) > 1
        and not kinds & {"none"}
        and "unknown" not in (left.flavor, right.flavor)
    ):
        text = f"{describe(left)}, and {describe(right)}"
        message = f"`{op}` compares two kinds of values"
        related = (*seen(left), *seen(right))
        ctx.fail("N220", message, span, text, related=related)
    for side, other in ((left, right), (right, left)):
        kind = _COMPARED.get(other.flavor)
        if kind and side.flavor == "unknown" and side.param is not None:
            demand(ctx, side.param, kind, span)


_COMPARED = {
    "text": Kind.TEXT,
    "bool": Kind.BOOL,
    "int": Kind.NUMBER,
    "float": Kind.NUMBER,
}


def _arithmetic(
    ctx: Context, op: str, left: Static, right: Static, node: ir.Static, span: Span
) -> Static:
    if op == "/" or "float" in (left.flavor, right.flavor) or _negative(right, op):
        return Static(node, "float")
    whole = op in ("//", "%")
    for side in (left, right):
        if whole and side.dim is not None:
            demand_whole(ctx, side.dim, span)
    flavors = {"int"} if whole else {left.flavor, right.flavor}
    flavor = "unknown" if "unknown" in flavors else "int"
    if left.dim is None or right.dim is None:
        return Static(node, flavor)
    a, b = left.dim, right.dim
    return Static(node, flavor, _dim(ctx, lambda: _PYTHON[op](a, b), span))


def _negative(exponent: Static, op: str) -> bool:
    return op == "**" and exponent.known and exponent.value < 0


def _fold(ctx: Context, op: str, left: Static, right: Static, span: Span) -> Static:
    """Numbers on both sides: the spelling stays, the value is known."""
    node = ir.StaticBinary(op, left.node, right.node)
    whole = isinstance(left.value, int) and isinstance(right.value, int)
    if op == "**" and whole and right.value > 64 and left.value not in (0, 1, -1):
        ctx.fail("N309", "this size is too large", span)
    try:
        value = _PYTHON[op](left.value, right.value)
    except ZeroDivisionError:
        ctx.fail("N309", "division by zero", span)
    except OverflowError:
        ctx.fail("N309", "this number is too large", span)
    if isinstance(value, float) and not math.isfinite(value):
        ctx.fail("N309", "this number is too large", span)
    if isinstance(value, complex):
        ctx.fail("N309", "this power is not a real number", span)
    if isinstance(value, bool):
        return Static(node, "bool", None, value, True)
    if isinstance(value, int):
        return Static(node, "int", _dim(ctx, lambda: const(value), span), value, True)
    return Static(node, "float", None, value, True)


def unary(ctx: Context, op: str, operand: Static, span: Span) -> Static:
    """`-operand` or `not operand`."""
    if op == "not":
        _need_condition(ctx, op, operand, span)
        return Static(ir.StaticUnary("not", operand.node), "bool")
    _need_number(ctx, operand, op, span)
    if operand.known:
        return Static(
            ir.Literal(-operand.value),
            operand.flavor,
            -operand.dim if operand.dim is not None else None,
            -operand.value,
            True,
        )
    dim = -operand.dim if operand.dim is not None else None
    return Static(ir.StaticUnary("-", operand.node), operand.flavor, dim)


_TOLD = {
    "function": Kind.FUNCTION,
    "text": Kind.TEXT,
    "bool": Kind.BOOL,
    "window": Kind.WINDOW,
}


def _settled(ctx: Context, value: Static, other: Static, span: Span) -> Static:
    """A parameter of open kind beside a value whose kind is known."""
    param = value.param
    if param is None or param.kind is not None or other.flavor not in _TOLD:
        return value
    demand(ctx, param, _TOLD[other.flavor], span)
    if param.kind is Kind.WINDOW:
        param.element = param.element or other.element
    return of_param(param)


def choose(
    ctx: Context, condition: Static, then: Static, orelse: Static, span: Span
) -> Static:
    """`then if condition else orelse`."""
    node = ir.StaticIf(condition.node, then.node, orelse.node)
    then = _settled(ctx, then, orelse, span)
    orelse = _settled(ctx, orelse, then, span)
    if then.dim is not None and then.dim == orelse.dim:
        return Static(node, then.flavor, then.dim)
    if (like := united(then, orelse)) is not None:
        return replace(like, node=node)
    ctx.fail(
        "N221",
        "the two values differ in kind",
        span,
        f"{describe(then)}, or {describe(orelse)}",
    )


def united(x: Static, y: Static) -> Static | None:
    """What two values of one name have in common; None where they differ in kind."""
    flavors, optional = {x.flavor, y.flavor}, x.optional or y.optional
    if flavors == {"window"} and x.element != y.element:
        return None
    if len(flavors) == 1:
        return Static(x.node, x.flavor, element=x.element, optional=optional)
    if "none" in flavors:
        other = x if y.flavor == "none" else y
        return Static(other.node, other.flavor, element=other.element, optional=True)
    if flavors <= set(NUMERIC):
        return Static(x.node, "float" if "float" in flavors else "unknown")
    return None


def list_of(items: tuple[Static, ...]) -> Static:
    """`[a, b, c]`."""
    node = ir.StaticList(tuple(i.node for i in items))
    known = all(i.known for i in items)
    value = tuple(i.value for i in items) if known else None
    return Static(node, "list", None, value, known, items, common(items))


def common(items: tuple[Static, ...]) -> Static | None:
    """What the elements of a list have in common."""
    if not items:
        return None
    first = items[0]
    flavors = {i.flavor for i in items}
    if flavors == {"window"} and any(i.element != first.element for i in items):
        return Static(first.node, "window")
    if len(flavors) == 1:
        return Static(first.node, first.flavor, element=first.element, items=())
    if "none" in flavors and len(flavors) == 2:
        other = next(i for i in items if i.flavor != "none")
        return Static(other.node, other.flavor, optional=True)
    return Static(first.node, "float" if flavors <= set(NUMERIC) else "unknown")


def index(ctx: Context, value: Static, at: Static, span: Span) -> Static:
    """`values[i]` of a list or window."""
    if value.items and at.known:
        if not -len(value.items) <= at.value < len(value.items):
            ctx.fail("N222", f"the list has {len(value.items)} elements", span)
        return value.items[int(at.value)]
    need_length(ctx, value, at, span)
    node = ir.StaticIndex(value.node, at.node)
    other = Static(node, "int" if value.flavor == "window" else "unknown")
    element = value.element if value.flavor == "list" else other
    element = element or Static(node, "unknown")
    dim = None
    if (
        element.flavor in ("int", "unknown")
        and isinstance(value.node, ir.Ref)
        and at.dim is not None
    ):
        dim = func("index", symbol(value.node.name), at.dim)
    return Static(
        node, element.flavor, dim, element=element.element, optional=element.optional
    )
