"""Planned lines without those that nothing uses, their loops settled."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from .line_uses import Use
from .loops import clause
from .suites import For, Function, If, Line, Loop, Node, all_uses, flatten


def prune(nodes: Sequence[Node], needed: set[Use]) -> list[Node]:
    """The nodes without bindings that nothing uses, loops settled; `needed` gains what the rest
    uses."""
    kept: list[Node] = []
    for node in reversed(nodes):
        kept += reversed(_prune(node, needed))
    return kept[::-1]


def _prune(node: Node, needed: set[Use]) -> list[Node]:
    match node:
        case Line(uses=uses, binds=binds):
            if binds and binds.isdisjoint(needed):
                return []
            needed.update(uses)
            return [node]
        case If():
            return _sides(node, needed)
        case Function(head, body):
            inner = prune(body, needed)
            return [Function(head, tuple(inner))] if inner else []
        case Loop():
            return _settle(node, needed)
        case For():
            return [node]


def _sides(node: If, needed: set[Use]) -> list[Node]:
    """What is left of an `if`; sides that differ in what they construct alone are one in the call."""
    orelse = prune(node.orelse, needed)
    then = prune(node.then, needed)
    if _plain(then) == _plain(orelse):
        return then
    needed.update(node.uses)
    return [If(node.test, tuple(then), tuple(orelse), node.uses)]


def _plain(nodes: Iterable[Node]) -> list[str]:
    """The lines without their comments."""
    return [*flatten(nodes, 0, comments=False)]


def _settle(loop: Loop, needed: set[Use]) -> list[Node]:
    """The loop with its clause; what an iteration leaves for the next one counts as used."""
    body, before = prune(loop.body, needed), -1
    while len(needed) != before:
        before = len(needed)
        body = prune(loop.body, needed)
    if not body:
        return []
    text, uses = clause(loop.targets, loop.over, loop.elements, set(all_uses(body)))
    needed.update(uses)
    return [For(text, tuple(body), uses)]
