"""Where sequences lie in a value: the axis along which their entries go, and the axis of the batch."""

from __future__ import annotations

from collections.abc import Container, Iterable, Iterator, Mapping

from .. import ir
from ..dims import Dim
from ..ir.fold_static import mentions
from ..record import Record
from ..shapes import ListType, TensorType

LEAD = "..."  # in place of a symbol: the axis is one of those that lead
AHEAD = -1  # its place in a tensor


class Axes(Record):
    """How a definition calls the axes of its sequences. The batch is `whole` where it holds each
    sequence once, rather than merged with another axis."""

    time: str
    batch: str
    whole: bool = True

    @property
    def both(self) -> tuple[str, str]:
        """Time first."""
        return self.time, self.batch


def carries(type_: ir.Type, symbol: str) -> bool:
    """Whether a size of a value is made of an axis."""
    if isinstance(type_, TensorType):
        if symbol == LEAD:
            return type_.lead
        return any(symbol in size.symbols for size in type_.sizes)
    if isinstance(type_, ListType):
        return carries(type_.element, symbol)
    return any(carries(part, symbol) for part in type_)


def axis_of(type_: ir.Type, symbol: str) -> int | None:
    """The one axis whose size is made of a symbol; None where it is not just one."""
    if isinstance(type_, ListType):
        type_ = type_.element
    if not isinstance(type_, TensorType):
        return None
    if symbol == LEAD:
        return AHEAD if type_.lead else None
    found = [i for i, size in enumerate(type_.sizes) if symbol in size.symbols]
    return found[0] if len(found) == 1 else None


def keeps(type_: ir.Type, axes: Axes) -> bool:
    """Whether every tensor of a value has each axis once or not at all, and time unchanged."""
    if isinstance(type_, ListType):
        return keeps(type_.element, axes)
    if not isinstance(type_, TensorType):
        return all(keeps(part, axes) for part in type_)
    places = [axis_of(type_, s) for s in axes.both if carries(type_, s)]
    return None not in places and (
        axes.time == LEAD
        or not carries(type_, axes.time)
        or type_.sizes[places[0] or 0].name == axes.time
    )


def in_front(type_: ir.Type, axes: Axes) -> bool:
    """Whether a value is [B, T, ...], of each sequence once."""
    return (
        axes.whole
        and isinstance(type_, TensorType)
        and not type_.lead
        and [size.name for size in type_.sizes[:2]] == [axes.batch, axes.time]
    )


def tensors(given: Iterable[tuple[str, object]]) -> Iterator[tuple[str, TensorType]]:
    """The inputs of a call one by one, each with its type; a list has that of its elements."""
    for name, value in given:
        for part in value if isinstance(value, tuple) else (value,):
            type_ = part.type
            type_ = type_.element if isinstance(type_, ListType) else type_
            if isinstance(type_, TensorType):
                yield name, type_


def depends(static: object, names: Container[str]) -> bool:
    """Whether a static value, a size, or parts of a subscript are made of one of these names."""
    match static:
        case Dim():
            return any(name in names for name in static.symbols)
        case ir.SliceOf(lower, upper, step):
            return any(depends(part, names) for part in (lower, upper, step))
        case ir.Literal(tuple() as items) | (tuple() as items):
            return any(depends(item, names) for item in items)
        case _ if isinstance(static, ir.Static):
            return any(name in names for name in mentions(static))
    return False


def decided(condition: ir.Static, missing: Container[str]) -> bool | None:
    """A condition where these optional inputs are not given; None where it stays open."""
    match condition:
        case ir.Given(name) if name in missing:
            return False
        case ir.StaticUnary("not", operand):
            inner = decided(operand, missing)
            return None if inner is None else not inner
        case ir.StaticBinary("and" | "or" as op, left, right):
            ends = op == "or"
            sides = decided(left, missing), decided(right, missing)
            if ends in sides:
                return ends
            return None if None in sides else not ends
    return None


def solved(
    declared: Iterable[ir.ModelInput], given: Mapping[str, ir.Type]
) -> dict[str, Dim]:
    """What the axes of a block's inputs are at a call."""
    found: dict[str, Dim] = {}
    for one in declared:
        type_ = given.get(one.name)
        if isinstance(type_, TensorType) and one.type.rank:
            sizes = type_.sizes[-one.type.rank :]
            for mine, theirs in zip(one.type.sizes, sizes, strict=False):
                if mine.name:
                    found.setdefault(mine.name, theirs)
    return found
