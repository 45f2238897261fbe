"""Indexing: `x[:, -1]`, `tokens[:, :-1]`, `gates[..., none]`, `widths[i]`."""

from __future__ import annotations

from functools import reduce
from itertools import dropwhile
from typing import Final

from ... import ir
from ...diagnostics import Advice, meant, write
from ...dims import Dim, DimError, const, symbol
from ...dims_compare import Comparison
from ...ops.base import Kind
from ...record import Record, replace
from ...shapes import Axis, Outputs, TensorType, is_float, is_int
from ...source import Span
from ...syntax import tree
from ..arguments.flavors import describe
from ..arguments.inputs import items
from ..context import Context
from ..control import listed
from ..control.lengths import ahead
from ..definitions.parameter_kinds import demand, demand_whole
from ..obligations import compare, must_hold, verdict
from ..values import (
    BAD,
    Applied,
    Bad,
    Fault,
    Listed,
    Obligation,
    Several,
    Static,
    Tensor,
    Value,
)
from . import operators, statics
from .forms import named_size
from .operands import as_tensor, static

Item = ir.Static | ir.SliceOf | ir.NewAxis | ir.Rest | ir.Expr
WHOLE: Final = ir.SliceOf(None, None, None)  # of an axis that the index does not write


def index(ctx: Context, node: tree.Index) -> Value:
    """`value[items]`."""
    value = ctx.expr(node.value)
    if isinstance(value, Bad):
        return BAD
    if isinstance(value, Static):
        return _static_index(ctx, value, node)
    if isinstance(value, Listed):
        return listed.item(ctx, value, node)
    if isinstance(value, Several):
        return _one_of(ctx, value, node)
    if isinstance(value, Applied) and value.layer.count is not None:
        value.layer.used = True
        stack = node.value.span.text
        help = f"a stack is applied as a whole, without a loop: `x -> {stack}`"
        ctx.fail(
            "N235", f"`{stack}` is a layer, not a list", node.value.span, help=help
        )
    source = as_tensor(ctx, value, node.value)
    return Tensor(_subscript(ctx, source, node))


def _one_of(ctx: Context, value: Several, node: tree.Index) -> Value:
    """`maps[0]` of several values, whose kinds are known one by one."""
    if len(node.items) == 1 and not isinstance(node.items[0], tree.Slice | tree.Dots):
        at = static(ctx, node.items[0], "an index")
        named = at.flavor == "text" and isinstance(value.types, Outputs)
        if at.known and not named and isinstance(at.value, int):
            return _at(ctx, value, at.value, node.span)
    advice: Advice = {"help": "name them: `a, b = ...`"}
    match node.items:
        case (tree.String(name),) if isinstance(value.types, Outputs):
            advice = write(node.span, f"{node.value.span.text}.{name}")
    text = "one of several values is taken by a number"
    ctx.fail("N234", text, node.span, **advice)


def _at(ctx: Context, value: Several, index: int, span: Span) -> Value:
    count = len(value.types)
    if not -count <= index < count:
        ctx.fail("N222", f"there are {count} values", span)
    return items(value)[index]


def _static_index(ctx: Context, value: Static, node: tree.Index) -> Value:
    if value.flavor not in ("list", "window", "unknown"):
        ctx.fail("N220", f"{describe(value)} has no elements", node.value.span)
    if value.flavor == "unknown" and value.param is not None:
        demand(ctx, value.param, Kind.LIST, node.value.span)
    if len(node.items) != 1 or isinstance(node.items[0], tree.Dots):
        ctx.fail("N220", "a list is indexed by one int", node.span)
    if isinstance(node.items[0], tree.Slice):
        return _static_slice(ctx, value, node.items[0])
    at = listed.index_of(ctx, node.items[0], node.span)
    return statics.index(ctx, value, at, node.span)


def _static_slice(ctx: Context, value: Static, node: tree.Slice) -> Static:
    """A part of a list: what its elements are like stays; how many there are is left open."""
    bounds = [None if b is None else b.node for b in listed.bounds_of(ctx, node)]
    cut = ir.StaticSlice(value.node, *bounds)
    element = value.element or statics.common(value.items)
    if value.flavor == "window":
        element = Static(ir.Literal(1), "int")
    return Static(cut, "list", element=element)


class Part(Record):
    """An item of an index: the axis that it is for, and the axes that it leaves there."""

    made: Item
    over: Axis | None
    axes: tuple[Axis, ...] = ()

    @property
    def is_entry(self) -> bool:
        """Whether it takes a single entry, so that no axis is left."""
        return isinstance(self.made, ir.Static)

    @property
    def gathers(self) -> bool:
        """Whether it is a tensor."""
        return isinstance(self.made, ir.Expr)


def _subscript(ctx: Context, source: Tensor, node: tree.Index) -> ir.Expr:
    _enough_axes(ctx, source.type, node)
    left = list(source.type.axes)
    parts: list[Part] = []
    for position, item in enumerate(node.items):
        if isinstance(item, tree.Dots):
            rest = sum(1 for i in node.items[position + 1 :] if not _adds_axis(i))
            keep = max(len(left) - rest, 0)
            parts.append(Part(ir.Rest(), None, tuple(left[:keep])))
            left = left[keep:]
        else:
            parts.append(_part(ctx, item, left, node))
    return _gathered(ctx, source.expr, [*parts, *map(_whole, left)], node)


def _enough_axes(ctx: Context, type: TensorType, node: tree.Index) -> None:
    taken = [i for i in node.items if not _adds_axis(i)]
    if len(taken) - any(isinstance(i, tree.Dots) for i in taken) > type.rank:
        text = f"{type} has {type.rank} axes"
        ctx.fail("N303", text, node.span, "too many indices")
    if type.lead and not (node.items and isinstance(node.items[0], tree.Dots)):
        text = f"{type} has leading axes"
        ctx.fail("N303", text, node.span, help="begin the index with `...`")


def _masked(value: Value, rank: int, node: tree.Index) -> Advice:
    """How entries are chosen by a mask: all stay, so that the shape does."""
    match value:
        case Tensor() if value.type.dtype == "bool" and len(node.items) == 1:
            type = value.type
            mask, more = node.items[0].span.text, rank - type.rank
            if more > 0 and not type.lead:
                mask += f"[{', '.join([':'] * type.rank + ['none'] * more)}]"
            text = f"where({mask}, {node.value.span.text}, 0)"
            return write(node.span, text, "a shape cannot depend on values")
    return {}


def _adds_axis(item: tree.Expr | tree.Slice) -> bool:
    return isinstance(item, tree.Constant) and item.value is None


def _whole(axis: Axis) -> Part:
    return Part(WHOLE, axis, (axis,))


def _part(
    ctx: Context, item: tree.Expr | tree.Slice, left: list[Axis], node: tree.Index
) -> Part:

    if _adds_axis(item):
        return Part(ir.NewAxis(), None, (Axis(const(1)),))
    axis = left.pop(0)
    if isinstance(item, tree.Slice):
        made, size = _slice(ctx, item, axis.size)
        return Part(made, axis, (Axis(size, axis.label or axis.size.name),))
    value = ctx.expr(item)
    if isinstance(value, Static) and value.flavor in ("int", "unknown"):
        _in_range(ctx, value, axis.size, item.span)
        return Part(value.node, axis)
    if isinstance(value, Tensor) and is_int(value.type.dtype) and not value.optional:
        return Part(value.expr, axis, value.type.axes)
    if isinstance(value, Bad):
        raise Fault
    text = "an index is an int, a slice, or an int tensor"
    advice = _masked(value, len(left) + 1, node)
    if isinstance(value, Tensor) and is_float(value.type.dtype):
        advice = write(item.span, f"astype({item.span.text}, int)")
    match item:
        case tree.Call(tree.Name("range", span)):
            advice = meant(span, "arange")
    ctx.fail("N220", text, item.span, **advice)


def _gathered(
    ctx: Context, source: ir.Expr, parts: list[Part], node: tree.Index
) -> ir.Expr:
    """Tensors index together, and leave their axes where they stand. NumPy moves them to the
    front where an entry is taken elsewhere: such entries are taken first."""
    at = [i for i, part in enumerate(parts) if part.gathers]
    if not at:
        return _taken(source, parts, node.span)
    before, run, after = parts[: at[0]], parts[at[0] : at[-1] + 1], parts[at[-1] + 1 :]
    if not all(part.gathers or part.is_entry for part in run):
        ctx.fail(
            "N319",
            "tensors that index together stand side by side",
            node.span,
            help="bring their axes together with `rearrange`, or use `take`",
        )
    if _apart(before[::-1]) or _apart(after):
        whole = [_whole(part.over) for part in run if part.over]
        source = _taken(source, [*before, *whole, *after], node.span)
        before, after = _remaining(before), _remaining(after)
    parts = [*before, *_together(ctx, run, node.span), *after]
    return _taken(source, parts, node.span)


def _apart(parts: list[Part]) -> bool:
    """Whether an entry is taken beyond something else."""
    return any(p.is_entry for p in dropwhile(lambda p: p.is_entry, parts))


def _remaining(parts: list[Part]) -> list[Part]:
    """What is left where entries were taken, as it is."""
    left = [p for p in parts if not p.is_entry]
    return [p if isinstance(p.made, ir.Rest) else _whole(p.axes[0]) for p in left]


def _together(ctx: Context, run: list[Part], span: Span) -> list[Part]:
    """Tensors side by side stretch to one shape, which stands in place of the first."""
    shapes = [TensorType("int", p.axes) for p in run if p.gathers]
    shape = reduce(lambda a, b: operators.broadcast(ctx, a, b, span), shapes)
    return [replace(run[0], axes=shape.axes), *(replace(p, axes=()) for p in run[1:])]


def _taken(source: ir.Expr, parts: list[Part], span: Span) -> ir.Expr:
    assert isinstance(source.type, TensorType)
    axes = tuple(axis for part in parts for axis in part.axes)
    items = [part.made for part in parts]
    if not any(isinstance(i, ir.Rest) for i in items):
        while items[-1] is WHOLE:
            items.pop()
    type = TensorType(source.type.dtype, axes, source.type.lead)
    return ir.Subscript(source, tuple(items), type, span)


def _in_range(ctx: Context, at: Static, size: Dim, span: Span) -> None:
    n = size.value
    text = f"index {at.value if at.known else at.dim} is outside an axis of size {size}"
    beyond = None if at.dim is None else (at.dim - size).value
    if at.known and n is not None:
        if not -n <= at.value < n:
            ctx.fail("N307", text, span)
    elif at.known:
        least = at.value + 1 if at.value >= 0 else -at.value
        _reaches(ctx, size, const(least), text, span)
    elif beyond is not None and beyond >= 0:
        ctx.fail("N307", text, span, **write(span, "-1", "the last is -1"))
    elif at.dim is not None and (last := _last(ctx, at.dim)) != at.dim:
        if not ctx.sides:  # else a condition may keep it within
            _reaches(ctx, size, last + 1, text, span, counted=True)
    elif at.dim is not None:
        _reaches(ctx, size, at.dim + 1, text, span)
        _reaches(ctx, at.dim + size, const(0), text, span)


def _last(ctx: Context, at: Dim) -> Dim:
    """The greatest value of an index that is made of the counters of loops."""
    for name in sorted(at.symbols):
        bound = ctx.scope.get(name)
        value = bound.value if bound else None
        below = value.below if isinstance(value, Static) else None
        step = (at.substitute({name: symbol(name) + 1}) - at).value
        if below is not None and step is not None:
            at = at.substitute({name: below - 1 if step > 0 else const(0)})
    return at


def _reaches(
    ctx: Context, size: Dim, end: Dim, message: str, span: Span, counted: bool = False
) -> None:
    """An axis whose size is made of parameters goes at least so far; where a loop has `counted`,
    that is checked before it."""
    if end == const(1) or compare(ctx, size, end) is Comparison.EQUAL:
        return  # an axis has an entry
    symbols = size.symbols | end.symbols
    if ctx.roots(symbols) & ctx.axes.keys():
        return
    if counted and verdict(ctx, size, end, ">=") is None:
        ahead(ctx, Obligation(size, end, ">=", message, span, "N307"))
    else:
        must_hold(ctx, size, end, span, message, code="N307", relation=">=")


def _slice(ctx: Context, node: tree.Slice, size: Dim) -> tuple[ir.SliceOf, Dim]:
    lower, low = _bound(ctx, node.lower, size, const(0))
    upper, high = _bound(ctx, node.upper, size, size)
    step, by = _bound(ctx, node.step, size, const(1))
    if by.value is None or by.value == 0:
        ctx.fail("N220", "the step of a slice is a number other than 0", node.span)
    if by.value < 0:
        if node.lower or node.upper:
            ctx.fail("N220", "a slice that runs backwards has no bounds", node.span)
        low, high = const(0), size
    try:
        length = (high - low + abs(by.value) - 1) // abs(by.value)
    except DimError as error:
        ctx.fail("N309", str(error), node.span)
    if length.value is not None and length.value < 1:
        ctx.fail("N307", f"this slice of an axis of size {size} is empty", node.span)
    if size.value is not None and high.value is not None and high.value > size.value:
        ctx.fail("N307", f"this slice ends beyond an axis of size {size}", node.span)
    if (
        node.upper is None
        and low.value is None
        and low.symbols.isdisjoint(size.symbols)
    ):
        text = f"this slice of an axis of size {size} is empty"
        _reaches(ctx, size, low + 1, text, node.span)
    if node.upper is not None and (size.value is None or high.value is None):
        message = f"this slice ends beyond an axis of size {size}"
        _reaches(ctx, size, high, message, node.span)
    return ir.SliceOf(lower, upper, step), length


def _bound(
    ctx: Context, node: tree.Expr | None, size: Dim, absent: Dim
) -> tuple[ir.Static | None, Dim]:
    if node is None:
        return None, absent
    value = static(ctx, node, "the bound of a slice")
    if value.flavor not in ("int", "unknown"):
        whole: Advice = {}
        if isinstance(node, tree.Binary) and node.op == "/":
            whole = write(node.span, f"{node.left.span.text} // {node.right.span.text}")
        ctx.fail("N220", "the bound of a slice is a whole number", node.span, **whole)
    written, dim = named_size(ctx, value, "bound", node.span)
    demand_whole(ctx, dim, node.span)
    number = dim.value
    is_step = absent == const(1)
    if number is not None and number < 0 and not is_step:
        return written, size + number
    negative = all(c < 0 for _, c in dim.terms) and bool(dim.terms)
    if negative and not is_step:
        return written, size + dim
    if number is None and not is_step:
        text = f"bound {node.span.text} is 0 or more, unless it is written `-n`"
        _reaches(ctx, dim, const(0), text, node.span)
    return written, dim
