"""Indexing: `x[:, -1]`, `tokens[:, :-1]`, `gates[..., none]`, `widths[i]`."""

from __future__ import annotations

from .. import ir
from ..dims import Dim, DimError, const
from ..shapes import Axis, TensorType, is_int
from ..source import Span
from ..syntax import tree
from . import lists, statics
from .context import Context
from .values import BAD, Bad, Fault, Listed, Several, Static, Tensor, Value

Item = ir.Static | ir.SliceOf | ir.NewAxis | ir.Rest | ir.Expr


def index(ctx: Context, node: tree.Index) -> Value:
    """`value[items]`."""
    from .expressions import as_tensor, expr

    value = expr(ctx, node.value)
    if isinstance(value, Bad):
        return BAD
    if isinstance(value, Static):
        return _static_index(ctx, value, node)
    if isinstance(value, Listed):
        return lists.item(ctx, value, node)
    if isinstance(value, Several):
        ctx.fail(
            "N234",
            "several values are not indexed",
            node.span,
            help="name them: `a, b = ...`",
        )
    source = as_tensor(ctx, value, node.value)
    return Tensor(_subscript(ctx, source, node))


def _static_index(ctx: Context, value: Static, node: tree.Index) -> Value:
    from .expressions import static

    if value.flavor not in ("list", "window", "unknown"):
        ctx.fail("N220", f"{statics.describe(value)} has no elements", node.value.span)
    if value.flavor == "unknown" and value.param is not None:
        from ..ops.base import Kind

        value.param.kind = Kind.LIST
    if len(node.items) != 1 or isinstance(node.items[0], (tree.Slice, tree.Dots)):
        ctx.fail("N220", "a list is indexed by one int", node.span)
    at = static(ctx, node.items[0], "an index")
    return statics.index(ctx, value, at, node.span)


def _subscript(ctx: Context, source: Tensor, node: tree.Index) -> ir.Expr:
    axes: list[Axis] = []
    items: list[Item] = []
    gathered: TensorType | None = None
    left = list(source.type.axes)
    lead = source.type.lead
    consuming = [i for i in node.items if not _adds_axis(i)]
    if (
        len(consuming) - any(isinstance(i, tree.Dots) for i in consuming)
        > source.type.rank
    ):
        ctx.fail(
            "N303",
            f"{source.type} has {source.type.rank} axes",
            node.span,
            "too many indices",
        )
    if lead and not (node.items and isinstance(node.items[0], tree.Dots)):
        ctx.fail(
            "N303",
            f"{source.type} has leading axes",
            node.span,
            help="begin the index with `...`",
        )
    for position, item in enumerate(node.items):
        if isinstance(item, tree.Dots):
            rest = sum(1 for i in node.items[position + 1 :] if not _adds_axis(i))
            keep = max(len(left) - rest, 0)
            axes, left = axes + left[:keep], left[keep:]
            items.append(ir.Rest())
            continue
        made, kept, tensor = _item(ctx, item, left)
        items.append(made)
        axes.extend(kept)
        if tensor is not None:
            if gathered is not None:
                ctx.fail(
                    "N319",
                    "only one axis is indexed by a tensor",
                    node.span,
                    help="use `take`",
                )
            gathered = tensor
    type_ = TensorType(source.type.dtype, (*axes, *left), lead)
    return ir.Subscript(source.expr, tuple(items), type_, node.span)


def _adds_axis(item: tree.Expr | tree.Slice) -> bool:
    return isinstance(item, tree.Constant) and item.value is None


def _item(
    ctx: Context, item: tree.Expr | tree.Slice, left: list[Axis]
) -> tuple[Item, list[Axis], TensorType | None]:
    from .expressions import expr

    if _adds_axis(item):
        return ir.NewAxis(), [Axis(const(1))], None
    axis = left.pop(0)
    if isinstance(item, tree.Slice):
        made, size = _slice(ctx, item, axis.size)
        return made, [Axis(size, axis.label or axis.size.name)], None
    value = expr(ctx, item)
    if isinstance(value, Static) and value.flavor in ("int", "unknown"):
        _in_range(ctx, value, axis.size, item.span)
        return value.node, [], None
    if isinstance(value, Tensor) and is_int(value.type.dtype) and not value.optional:
        return value.expr, list(value.type.axes), value.type
    if isinstance(value, Bad):
        raise Fault
    ctx.fail("N220", "an index is an int, a slice, or an int tensor", item.span)


def _in_range(ctx: Context, at: Static, size: Dim, span: Span) -> None:
    n = size.value
    if at.known and n is not None and not -n <= at.value < n:
        ctx.fail("N307", f"index {at.value} is outside an axis of size {n}", span)


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
    return ir.SliceOf(lower, upper, step), length


def _bound(
    ctx: Context, node: tree.Expr | None, size: Dim, absent: Dim
) -> tuple[ir.Static | None, Dim]:
    from .expressions import static

    if node is None:
        return None, absent
    value = static(ctx, node, "the bound of a slice")
    if value.flavor not in ("int", "unknown") or value.dim is None:
        ctx.fail("N220", "the bound of a slice is a whole number", node.span)
    from .types import settle_sizes

    settle_sizes(ctx, value.dim)
    number = value.dim.value
    is_step = absent == const(1)
    if number is not None and number < 0 and not is_step:
        return value.node, size + number
    negative = all(c < 0 for _, c in value.dim.terms) and bool(value.dim.terms)
    return value.node, size + value.dim if negative and not is_step else value.dim
