"""What an iteration of a loop hands to the next."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from ... import ir
from ...dims import Dim, Func, divide_exactly, symbol
from ..python.loops import part
from ..python.scope import Scope
from ..python.static_text import static
from ..python.suites import Line
from .versions import name_of

_IN_PLACE = ("+", "-", "*", "/", "//", "%")


def together(
    values: Sequence[tuple[str, ir.Static]], scope: Scope, name: Callable[[str], str]
) -> list[Line]:
    """Lines that give locals values which are told by those that they have: one for all where
    one of them tells another's."""
    made = [(name(own), own, value, *part(value, scope)) for own, value in values]
    changed = [one for one in made if one[0] != one[3]]
    names = {n for n, *_ in changed}
    if all(names.isdisjoint({*uses} - {n}) for n, *_, uses in changed):
        return [
            Line(_assigned(n, own, value, scope), uses, frozenset((n,)))
            for n, own, value, _, uses in changed
        ]
    targets = ", ".join(n for n, *_ in changed)
    texts = ", ".join(text for *_, text, _ in changed)
    uses = tuple(u for *_, part_uses in changed for u in part_uses)
    return [Line(f"{targets} = {texts}", uses, frozenset(names))]


def _assigned(name: str, own: str, value: ir.Static, scope: Scope) -> str:
    """`n = ...`, or `n += 1` where a value is made of the one before, called `own`."""
    with scope.recording():
        match _step(own, value):
            case (operator, operand):
                return f"{name} {operator}= {static(operand, scope)}"
        return f"{name} = {static(value, scope)}"


def _step(own: str, value: ir.Static) -> tuple[str, ir.Static] | None:
    """What is done to a value, and with what, where its next one is told by it so."""
    match value:
        case ir.StaticBinary(op, left, right) if name_of(left) == own:
            return (op, right) if op in _IN_PLACE else None
        case ir.Size(dim):
            found = _size_step(symbol(own), dim)
            return found and (found[0], ir.Size(found[1]))
    return None


def _size_step(own: Dim, size: Dim) -> tuple[str, Dim] | None:
    if own.terms[0] in size.terms:
        rest = size - own
        fewer = all(coefficient < 0 for _, coefficient in rest.terms)
        return ("-", -rest) if fewer else ("+", rest)
    match size.atom:
        case Func("floordiv", (dividend, divisor)) if dividend == own:
            return "//", divisor
    factor = divide_exactly(size, own) if len(size.terms) == 1 else None
    return None if factor is None else ("*", factor)
