"""Types of lists: what their tensors have in common, in loops, in choices, as a whole."""

from __future__ import annotations

from typing import NoReturn

from ... import ir
from ...dims import Dim, const, func, symbol
from ...record import replace
from ...shapes import OPEN, Axis, ListType, TensorType
from ...source import Span
from ...syntax import tree
from ..context import Context
from ..values import Listed, Static, Tensor
from .conditions import size


def merged(
    ctx: Context, name: str, held: Listed, kind: TensorType
) -> TensorType | None:
    """What the tensors of a list have in common with one more; None where too little."""
    before = held.element or kind
    if (before.dtype, before.rank, before.lead) != (kind.dtype, kind.rank, kind.lead):
        return None
    known = ctx.params.keys() | ctx.axes.keys() | held.steady
    axes = []
    for i, (a, b) in enumerate(zip(before.axes, kind.axes, strict=True)):
        both = a.size
        if a.size != b.size or not b.size.symbols <= known:
            both = symbol(f"{name}.{i}")
            others = ctx.varying.get(f"{name}.{i}", frozenset())
            found = others | a.size.symbols | b.size.symbols
            ctx.varying[f"{name}.{i}"] = found - both.symbols
        axes.append(Axis(both, a.label or b.label))
    return before.with_axes(tuple(axes))


def alike(a: Listed, b: Listed) -> bool:
    """Whether two lists have equally many tensors, of the same types."""
    return (a.element, a.items) == (
        b.element,
        b.items,
    ) and a.count == b.count is not None


def joined(ctx: Context, name: str, a: Listed, b: Listed) -> Listed | None:
    """A list that an `if` has changed; None where its sides do not go together."""
    element = a.element or b.element
    if a.element and b.element:
        element = merged(ctx, name, a, b.element)
        if element is None:
            return None
    items = a.items if a.items == b.items else None
    count = a.count if a.count == b.count else None
    given = a.given or b.given
    return replace(a, element=element, items=items, count=count, given=given)


def widened(start: object, last: object) -> Listed | None:
    """How a loop's list begins an iteration, as far as one iteration tells; None if as before."""
    if not isinstance(start, Listed) or not isinstance(last, Listed):
        return None
    if start.element == last.element:
        return None
    return replace(start, element=last.element, items=None)


def after(ctx: Context, start: Listed, last: Listed, iterable: Static) -> Listed:
    """A list after a loop, each iteration of which has added as many."""
    count = None
    if last.expr is not start.expr:  # another list under that name
        count = start.count if start.count == last.count else None
    elif start.count is not None and last.count is not None:
        added, times = last.count - start.count, _iterations(ctx, iterable)
        if added == const(0):
            count = start.count
        elif times is not None and added.symbols <= ctx.params.keys():
            count = start.count + added * times
    return replace(last, items=None, count=count)


def _iterations(ctx: Context, iterable: Static) -> Dim | None:
    if iterable.items:
        return const(len(iterable.items))
    match iterable.node:
        case ir.StaticCall("range", (count,)):
            return size(ctx, count)
        case ir.StaticCall("enumerate" | "reversed" | "zip", (inner, *_)):
            return _iterations(ctx, Static(inner, "list"))
        case ir.StaticList(items):
            return const(len(items))
        case ir.Ref(name):
            return func("len", symbol(name))
    return None


def whole(ctx: Context, value: Listed, span: Span) -> ListType:
    """The type of a whole list."""
    if value.element is None or value.items == ():
        ctx.fail("N256", "this list is empty", span)
    element, items = value.element, value.items
    if items and all(t.sizes == items[0].sizes for t in items):
        element = items[0]
    axes = (
        Axis(OPEN, a.label) if a.size.name in ctx.varying else a for a in element.axes
    )
    return ListType(element.with_axes(tuple(axes)), value.count, items)


def uniform(ctx: Context, value: Listed, span: Span) -> ListType:
    """The type of a whole list whose tensors have one shape."""
    type = whole(ctx, value, span)
    if type.differs:
        differ(ctx, type.element.sizes.index(OPEN), span)
    return type


def differ(ctx: Context, axis: int, span: Span) -> NoReturn:
    """Report a list of tensors of several shapes where one shape is needed."""
    ctx.fail(
        "N257",
        "the tensors of this list differ in shape",
        span,
        f"in axis {axis}",
        help="take them one by one with `.pop()` where they are appended, or return the list",
    )


def returned(ctx: Context, value: Listed, node: tree.Expr) -> Listed:
    """`return x, hidden`."""
    type = whole(ctx, value, node.span)
    return replace(value, expr=replace(value.expr, type=type))


def one_by_one(value: Listed, span: Span) -> list[Tensor]:
    """The tensors of a list that are all known."""
    assert value.items is not None
    return [Tensor(ir.Item(value.expr, i, t, span)) for i, t in enumerate(value.items)]
