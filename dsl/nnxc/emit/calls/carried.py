"""What an iteration of a loop hands to the next."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from ... import ir
from ..python.loops import part
from ..python.scope import Scope
from ..python.suites import Line


def together(
    values: Sequence[tuple[str, ir.Static]], scope: Scope, name: Callable[[str], str]
) -> list[Line]:
    """Lines that give locals values which are told by those that they have: one for all where
    one of them tells another's."""
    made = [(symbol, *part(value, scope)) for symbol, value in values]
    named = [(name(symbol), text, uses) for symbol, text, uses in made]
    changed = [(n, text, uses) for n, text, uses in named if n != text]
    names = {n for n, _, _ in changed}
    if all(names.isdisjoint({*uses} - {n}) for n, _, uses in changed):
        return [
            Line(f"{n} = {text}", uses, frozenset((n,))) for n, text, uses in changed
        ]
    targets = ", ".join(n for n, _, _ in changed)
    texts = ", ".join(text for _, text, _ in changed)
    uses = tuple(u for _, _, part_uses in changed for u in part_uses)
    return [Line(f"{targets} = {texts}", uses, frozenset(names))]
