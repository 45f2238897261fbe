"""Values that a constructor keeps and does not read itself: attributes from the start."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence

from .suites import For, If, Line, Node, all_uses


def kept_at_once(nodes: Sequence[Node]) -> list[Node]:
    """Pruned nodes in which a local that only an attribute takes is that attribute."""
    read = Counter(use for use in all_uses(nodes) if isinstance(use, str))
    bound = Counter(name for line in _lines(nodes) for name in line.binds)
    taken = {
        name: attribute
        for node in nodes
        if isinstance(node, Line) and node.keeps
        for attribute, name in [node.keeps]
        if read[name] == bound[name] == 1
    }
    given = {n.gives[0] for n in nodes if isinstance(n, Line) and n.gives}
    return [
        made
        for node in nodes
        if (made := _at_once(node, {n: taken[n] for n in taken.keys() & given}))
    ]


def _at_once(node: Node, taken: dict[str, str]) -> Node | None:
    match node:
        case Line(keeps=(_, name)) if name in taken:
            return None
        case Line(gives=(name, value), uses=uses) if name in taken:
            return Line(f"{taken[name]} = {value}", uses)
    return node


def _lines(nodes: Sequence[Node]) -> Iterator[Line]:
    for node in nodes:
        match node:
            case Line():
                yield node
            case If(_, then, orelse):
                yield from _lines((*then, *orelse))
            case For(_, body):
                yield from _lines(body)
