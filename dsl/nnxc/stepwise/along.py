"""Which axes of its inputs an entry works along, for one call."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from .. import ir
from ..dims import Dim
from ..ops.base import Along, Kind, Op
from ..shapes import TensorType
from .time import AHEAD

Given = Sequence[tuple[str, TensorType]]
Worked = list[tuple[TensorType, set[int]]]
_NONE = (Along.EACH, Along.MOVES, Along.FILLS, Along.COUNTS, Along.DRAWS)


ALONG = "this needs the whole sequence at once"
MIXED = "this mixes the sequences of a batch"


def works_along(op: Op, given: Given, args: Mapping[str, ir.Static]) -> Worked:
    """The inputs that a call works along, with the axes; all of them where nothing is known."""
    if not given or op.along in _NONE:
        return []
    first = given[0][1]
    match op.along:
        case Along.LAST | Along.NAMED:
            named = _named(op, first, args)
            last = {first.rank - 1} if op.along is Along.LAST else _all(first)
            return [(first, last if named is None else named)]
        case Along.LAST_TWO:
            return [(first, {first.rank - 1, first.rank - 2})]
        case Along.INNER | Along.LOOKS_BACK:
            return [(first, set(range(1 - first.lead, first.rank)))]
        case Along.PRODUCT:
            second = given[1][1]
            return [(first, {first.rank - 1}), (second, {max(second.rank - 2, 0)})]
        case Along.EQUATION:
            return _summed(given, args.get("pattern"))
    if op.origin:
        return [(type_, _declared(op, name, type_)) for name, type_ in given]
    return [(type_, _all(type_)) for _, type_ in given]


def _all(type_: TensorType) -> set[int]:
    return {AHEAD, *range(type_.rank)}


def _declared(op: Op, name: str, type_: TensorType) -> set[int]:
    """The axes that Python code declares: those that `...` stands for are left alone."""
    spec = op.input(name)
    return set(range(type_.rank - (spec.axes if spec else type_.rank), type_.rank))


def _named(op: Op, first: TensorType, args: Mapping[str, ir.Static]) -> set[int] | None:
    """The axes that arguments name; None where there is none."""
    found: set[int] = set()
    for param in op.params:
        if param.kind in (Kind.AXIS, Kind.AXES):
            value = args.get(param.name, param.default)
            if value is None or value == ir.Literal(None):
                continue
            places = numbers(value)
            if places is None:
                return _all(first)
            found |= {p % first.rank for p in places}
    return found or None


def numbers(value: object) -> list[int] | None:
    """The numbers in an argument; None where they are not known."""
    match value:
        case ir.Literal(inner):
            return numbers(inner)
        case ir.Size(Dim(value=int() as number)):
            return [number]
        case ir.StaticUnary("-", operand):
            inside = numbers(operand)
            return None if inside is None else [-p for p in inside]
        case ir.StaticList(items) | (tuple() as items):
            parts = [numbers(item) for item in items]
            return None if None in parts else [p for part in parts for p in part or ()]
        case bool():
            return None
        case int():
            return [value]
    return None


def _summed(given: Given, pattern: ir.Static | None) -> Worked:
    """The axes of operands that an `einsum` sums over."""
    if not isinstance(pattern, ir.Literal):
        return [(type_, _all(type_)) for _, type_ in given]
    before, after = str(pattern.value).split("->")
    kept = after.split()
    found: Worked = []
    for term, (_, type_) in zip(before.split(","), given, strict=True):
        names = term.split()
        free = type_.rank - len([n for n in names if n != "..."])
        spread = [m for n in names for m in ([n] * free if n == "..." else [n])]
        axes = {i for i, n in enumerate(spread) if n not in kept}
        found.append((type_, axes))
    return found
