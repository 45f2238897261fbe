"""One tensor of a list, or some."""

from __future__ import annotations

from ... import ir
from ...diagnostics import Advice
from ...dims import Dim, const
from ...ops.base import Kind
from ...record import replace
from ...shapes import ListType
from ...source import Span
from ...syntax import tree
from ..arguments.flavors import describe
from ..context import Context
from ..definitions.parameter_kinds import demand
from ..expressions.operands import static, tensor
from ..values import Bad, Fault, Listed, Static, Tensor
from .list_types import merged, uniform, whole
from .lists import of_another_kind, taken


def item(ctx: Context, value: Listed, node: tree.Index) -> Tensor | Listed:
    """`hidden[-1]`, `maps[i]`, or a part of the list, `maps[1:]`."""
    if len(node.items) != 1 or isinstance(node.items[0], tree.Dots):
        ctx.fail("N220", "a list is indexed by one int", node.span)
    if isinstance(node.items[0], tree.Slice):
        return _part(ctx, value, node.items[0], node.span)
    at = index_of(ctx, node.items[0], node.span)
    if value.items is not None and at.known:
        return _known_item(ctx, value, at, node.span)
    if ctx.kind == "train" or not whole(ctx, value, node.span).differs:
        return _uniform_item(ctx, value, at, node.span)
    if ctx.scan is not None or not isinstance(value.expr, ir.Var):
        label = {} if ctx.scan is not None else {"help": "give the list a name first"}
        ctx.fail("N223", "here the index of a list is a number", node.span, **label)
    return taken(ctx, value.expr.name, replace(value, items=None), at.node, node.span)


def index_of(ctx: Context, node: tree.Expr, span: Span) -> Static:
    """The index of a list."""
    at = static(ctx, node, "an index")
    if at.flavor not in ("int", "unknown"):
        label = f"this is {describe(at)}"
        ctx.fail("N220", "a list is indexed by one int", span, label)
    if at.param is not None:
        demand(ctx, at.param, Kind.INT, node.span)
    return at


def _uniform_item(ctx: Context, value: Listed, at: Static, span: Span) -> Tensor:
    element = uniform(ctx, value, span).element
    if at.known:
        return Tensor(ir.Item(value.expr, int(at.value), element, span))
    return Tensor(ir.Element(value.expr, at.node, element, span))


def _known_item(ctx: Context, value: Listed, at: Static, span: Span) -> Tensor:
    items, index = value.items or (), int(at.value)
    if not -len(items) <= index < len(items):
        ctx.fail("N222", f"the list has {len(items)} elements", span)
    return Tensor(ir.Item(value.expr, index, items[index], span))


def _part(ctx: Context, value: Listed, node: tree.Slice, span: Span) -> Listed:
    """A list of some of the tensors."""
    type = whole(ctx, value, span)
    bounds = bounds_of(ctx, node)
    known = [None if b is None else b.value for b in bounds]
    items, count = None, None
    if all(b is None or b.known for b in bounds):
        if value.items is not None:
            items = value.items[slice(*known)]
        count = const(len(items)) if items else _rest(type.count, *known)
    start, stop, step = (None if b is None else b.node for b in bounds)
    type = ListType(type.element, count, items)
    expr = ir.ListPart(value.expr, start, stop, step, type, span)
    return Listed(expr, value.element, items, count, given=True)


def joined(ctx: Context, items: tuple[tree.Expr, ...]) -> Listed:
    """`[*states, x]`: the tensors of lists, and others, in one list."""
    values = [ctx.attempt(lambda i=i: _entry(ctx, i)) for i in items]  # type: ignore[misc]
    held = Listed(ir.TupleOf((), (), items[0].span), None, (), const(0))
    name = ctx.unused_name("joined")
    for value, node in zip(values, items, strict=True):
        if isinstance(value, Bad):
            raise Fault
        assert isinstance(value, (Tensor, Listed))
        held = _longer(ctx, name, held, value, node.span)
    span = items[0].span.to(items[-1].span)
    kind = whole(ctx, held, span)
    parts = tuple(v.expr for v in values if isinstance(v, (Tensor, Listed)))
    return replace(held, expr=ir.ListOf(parts, kind, span), given=True)


def _entry(ctx: Context, node: tree.Expr) -> Tensor | Listed:
    """What stands in a list: a tensor, or behind `*` a list of them."""
    if not isinstance(node, tree.Starred):
        return tensor(ctx, node, "what a list of tensors holds")
    value = ctx.expr(node.value)
    if isinstance(value, Listed):
        kind = whole(ctx, value, node.span)
        return replace(value, expr=replace(value.expr, type=kind))
    if isinstance(value, Bad):
        raise Fault
    text = "`*` stands before a list of tensors"
    advice: Advice = {}
    if isinstance(value, Static) and value.flavor == "list":
        advice = {
            "help": f"lists of numbers are joined by `+`: `{node.value.span.text} + [n]`"
        }
    ctx.fail("N255", text, node.span, **advice)


def _longer(
    ctx: Context, name: str, held: Listed, value: Tensor | Listed, span: Span
) -> Listed:
    """A list with one more tensor, or with those of another."""
    more = value if isinstance(value, Listed) else _alone(value)
    assert more.element is not None
    element = merged(ctx, name, held, more.element)
    if element is None:
        of_another_kind(ctx, "the list", held, more.element, span)
    known = held.items is not None and more.items is not None
    items = (*(held.items or ()), *(more.items or ())) if known else None
    count = None
    if held.count is not None and more.count is not None:
        count = held.count + more.count
    return replace(held, element=element, items=items, count=count)


def _alone(value: Tensor) -> Listed:
    return Listed(value.expr, value.type, (value.type,), const(1))


def bounds_of(ctx: Context, node: tree.Slice) -> list[Static | None]:
    """Where a part of a list begins and ends, and its step; None for what is not written."""
    bounds: list[Static | None] = []
    for bound in (node.lower, node.upper, node.step):
        at = None if bound is None else static(ctx, bound, "the bound of a slice")
        if at is not None and at.flavor not in ("int", "unknown"):
            ctx.fail("N220", "the bound of a slice is a whole number", node.span)
        if at is not None and bound is node.step and at.known and not at.value:
            ctx.fail("N220", "the step of a slice is not 0", node.span)
        bounds.append(at)
    return bounds


def _rest(
    count: Dim | None, start: int | None, stop: int | None, step: int | None
) -> Dim | None:
    """How many of a list are left; None where that has no form."""
    if count is None or step not in (None, 1, -1) or (step == -1 and (start or stop)):
        return None
    if (start or 0) < 0 or (stop or -1) > 0:
        return None
    return count - (start or 0) + (stop or 0)
