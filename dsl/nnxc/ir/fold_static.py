"""The structure of static values: the one place that knows which of them hold others."""

from __future__ import annotations

from collections.abc import Iterator

from ..dims import Dim, symbol
from .static import (
    Function,
    Given,
    Initializer,
    Ref,
    Size,
    Static,
    StaticBinary,
    StaticCall,
    StaticIf,
    StaticIndex,
    StaticList,
    StaticSlice,
    StaticUnary,
)


def parts(value: Static) -> tuple[Static, ...]:
    """The static values directly inside one, in the order of evaluation."""
    match value:
        case StaticUnary(operand=operand):
            return (operand,)
        case StaticBinary(left=left, right=right):
            return left, right
        case StaticIndex(value=whole, index=index):
            return whole, index
        case StaticIf(condition, then, orelse):
            return condition, then, orelse
        case StaticCall(args=items) | StaticList(items=items):
            return items
        case StaticSlice():
            return value.parts
        case Function(args=args) | Initializer(args=args):
            return tuple(inner for _, inner in args)
    return ()


def walk_static(value: Static) -> Iterator[Static]:
    """The static value and all below it."""
    rest = [value]
    while rest:
        value = rest.pop()
        yield value
        rest.extend(reversed(parts(value)))


def mentions(value: Static) -> set[str]:
    """The static names that a static value refers to."""
    found: set[str] = set()
    for part in walk_static(value):
        match part:
            case Ref(name):
                found.add(name)
            case Size(dim):
                found |= dim.symbols
    return found


def givens(value: Static) -> set[str]:
    """The optional inputs whose presence a static value asks for."""
    return {part.name for part in walk_static(value) if isinstance(part, Given)}


def asks_given(node: Static) -> bool:
    """Whether a condition asks which optional inputs are passed, hence is known only at the call."""
    return bool(givens(node))


def alternatives(value: Static) -> Iterator[Static]:
    """The values that a static value may be, whichever way its conditions go."""
    match value:
        case StaticIf(_, then, orelse):
            yield from alternatives(then)
            yield from alternatives(orelse)
        case _:
            yield value


def static_dims(value: Static) -> list[Dim]:
    """Sizes on which a static value depends, those of parameters left out."""
    found: list[Dim] = []
    for part in walk_static(value):
        match part:
            case Size(dim):
                found.append(dim)
            case Ref(name):
                found.append(symbol(name))
    return found
