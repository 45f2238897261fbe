"""Where axes of calls and of indices are."""

from __future__ import annotations

from collections.abc import Sequence

from .. import ir
from ..record import replace
from ..shapes import TensorType
from .time import AHEAD, LEAD, axis_of, carries


def one_copy(expr: ir.Apply) -> ir.Apply:
    """The call of one of several copies of a layer: without the axis along which they lie."""
    if not any(axis is not None for axis in expr.each):
        return expr
    args = []
    for (name, value), axis in zip(expr.args, expr.each, strict=True):
        if axis is not None:
            assert isinstance(value.type, TensorType)
            rest = list(value.type.axes)
            del rest[axis]
            value = ir.Var(name, value.type.with_axes(tuple(rest)), value.span)
        args.append((name, value))
    return replace(expr, args=tuple(args))


def unmerged(type_: ir.Type, batch: str) -> bool:
    """Whether a value has no batch, or one that is not merged with another axis."""
    place = axis_of(type_, batch)
    if place is None or place == AHEAD or not isinstance(type_, TensorType):
        return True
    return type_.sizes[place].name == batch


def declared_as(
    callee: ir.Definition, args: Sequence[tuple[str, ir.Type]], axis: str
) -> set[str | None]:
    """What a block calls an axis of the values that it gets."""
    found: set[str | None] = set()
    for name, type_ in args:
        if not carries(type_, axis):
            continue
        place = axis_of(type_, axis)
        declared = next(i.type for i in callee.inputs if i.name == name)
        if place is None or not isinstance(type_, TensorType):
            found.add(None)
            continue
        if place != AHEAD and declared.lead:
            place = max(place - type_.rank + declared.rank, AHEAD)
        elif place == AHEAD and not declared.lead:
            return {None}
        found.add(LEAD if place == AHEAD else declared.sizes[place].name)
    return found


def taken_apart(expr: ir.Subscript, type_: TensorType) -> set[int]:
    """The axes of which an index does not take all."""
    items = [i for i in expr.items if not isinstance(i, ir.NewAxis)]
    rest = next((n for n, i in enumerate(items) if isinstance(i, ir.Rest)), None)
    after = 0 if rest is None else len(items) - rest - 1
    found: set[int] = set()
    for n, item in enumerate(items):
        ahead = rest is None or n < rest
        if not isinstance(item, ir.Rest) and item != ir.SliceOf(None, None, None):
            found.add(n if ahead else type_.rank - after + (n - (rest or 0) - 1))
    return found
