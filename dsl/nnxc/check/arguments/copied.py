"""`Expert(hidden, each=E)`: a copy of a layer for every entry of an axis, with weights of its own."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from ... import ir
from ...dims import Dim
from ...ops.base import Kind
from ...ops.base import Param as OpParam
from ...record import replace
from ...shapes import ListType, TensorType, like
from ...source import Span
from ...syntax import tree
from ..construction import build_from
from ..context import Context
from ..definitions.parameter_kinds import demand_sizes
from ..obligations import must_hold
from ..values import Fault, LayerInfo, Tensor
from .binding import convert_one

NAME = "each"
AXIS = OpParam(NAME, Kind.AXIS)

Apply = Callable[[dict[str, Tensor]], ir.Expr]


def taken_out(
    args: tuple[tree.Arg, ...], known: Mapping[str, object]
) -> tuple[tuple[tree.Arg, ...], tree.Expr | None]:
    """The arguments without `each`, and its value; a block may have a parameter of that name."""
    found = next((a for a in args if a.name == NAME and NAME not in known), None)
    value = None if found is None else found.value
    return tuple(a for a in args if a is not found), value


def apply_each(
    ctx: Context, info: LayerInfo, inputs: Mapping[str, Tensor], span: Span, one: Apply
) -> ir.Expr:
    """Apply the copies along the axis: `one` applies a single copy to what has no such axis."""
    assert info.each is not None
    if not inputs:
        raise Fault  # that a block has none was told where it is declared
    names = list(inputs)
    first = inputs[names[0]]
    if first.type.lead:
        ctx.fail("N314", "`each` needs to know all axes", span, f"this is {first.type}")
    place: int = convert_one(ctx, AXIS, info.each, first.type)[1]
    size = first.type.sizes[place]
    _same_size(ctx, info, size, span)
    axes = [place, *(_found(info.each, inputs[n].type) for n in names[1:])]
    for name, axis in zip(names[1:], axes[1:], strict=True):
        if axis is not None:
            text = f"`{name}` has another `{NAME}`"
            must_hold(ctx, inputs[name].type.sizes[axis], size, span, text)
    single = {
        n: Tensor(replace(t.expr, type=_without(t.type, axis)), t.optional)
        for (n, t), axis in zip(inputs.items(), axes, strict=True)
    }
    made = one(single)
    assert isinstance(made, ir.Apply)
    out = _with(ctx, made.type, place, first.type, span)
    args = tuple((n, inputs[n].expr) for n, _ in made.args)
    return replace(made, args=args, type=out, each=tuple(axes))


def _same_size(ctx: Context, info: LayerInfo, size: Dim, span: Span) -> None:
    if info.copies is None:
        build_from(ctx, [size], span, f"the number of copies of `{info.name}`")
        demand_sizes(ctx, size, span)
        info.copies = size
    elif info.copies != size:
        text = f"`{info.name}` is shared, and has {info.copies} copies"
        must_hold(ctx, size, info.copies, span, text)


def _found(node: tree.Expr, type: TensorType) -> int | None:
    """Where another input has the axis; it goes whole to every copy where it has none."""
    places = type.find(node.id) if isinstance(node, tree.Name) else ()
    return places[0] if len(places) == 1 and not type.lead else None


def _without(type: TensorType, axis: int | None) -> TensorType:
    if axis is None:
        return type
    return type.with_axes(type.axes[:axis] + type.axes[axis + 1 :])


def _with(
    ctx: Context, type: ir.Type, place: int, source: TensorType, span: Span
) -> ir.Type:
    """What all copies give together: the axis is where it was."""
    if isinstance(type, tuple):
        return like(type, (_with(ctx, t, place, source, span) for t in type))
    if isinstance(type, ListType):
        parts = (type.element, *(type.items or ()))
        element, *items = (_with(ctx, t, place, source, span) for t in parts)
        return ListType(element, type.count, type.items and tuple(items))  # type: ignore[arg-type]
    if type.lead or type.rank < place:
        ctx.fail("N303", "one copy gives too few axes", span, f"this is {type}")
    axes = (*type.axes[:place], source.axes[place], *type.axes[place:])
    return type.with_axes(axes)
