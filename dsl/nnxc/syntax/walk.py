"""Walking a tree: whatever its nodes are, and the one place that knows which statements hold others."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from operator import is_
from typing import Any, TypeVar

from ..record import Record, replace
from . import tree

Node = TypeVar("Node", bound=Record)

_PLAIN = {"tuple", "frozenset", "str", "int", "float", "bool", "None", "Span", "Trivia"}


class _Inner(dict[type, tuple[str, ...]]):
    """By kinds of nodes: the fields that may hold others."""

    def __missing__(self, kind: type[Record]) -> tuple[str, ...]:
        types = kind.__types__.items()
        found = (n for n, text in types if not {*re.findall(r"\w+", text)} <= _PLAIN)
        return self.setdefault(kind, tuple(found))


_INNER = _Inner()


def parts(node: object) -> Sequence[object]:
    """What a piece of tree holds directly, in the order of the text."""
    if isinstance(node, tuple):
        return node
    if isinstance(node, Record):
        return [getattr(node, name) for name in _INNER[type(node)]]
    return ()


def nodes_in(node: object, kind: type[Node]) -> Iterator[Node]:
    """Every node of one kind in a piece of tree, in the order of the text."""
    rest = [node]
    while rest:
        node = rest.pop()
        if isinstance(node, kind):
            yield node
        rest += reversed(parts(node))


def changed(node: Any, changes: Mapping[type, Callable[[Any], Any]]) -> Any:
    """A piece of tree with every node of some kinds replaced, inner ones first."""
    if isinstance(node, tuple):
        items = tuple([changed(item, changes) for item in node])
        return node if all(map(is_, node, items)) else items
    if not isinstance(node, Record):
        return node
    new = {}
    for name in _INNER[type(node)]:
        held = getattr(node, name)
        made = changed(held, changes)
        if made is not held:
            new[name] = made
    node = replace(node, **new) if new else node
    change = changes.get(type(node))
    return node if change is None else change(node)


def names_in(node: object) -> Iterator[tree.Name]:
    """Every `Name` in a piece of tree, in the order of the text."""
    return nodes_in(node, tree.Name)


Body = tuple[tree.Statement, ...]


def bodies(node: tree.Statement) -> tuple[Body, ...]:
    """The bodies directly inside a statement: two of an `if`, one of a loop, a scan, an `optimize`."""
    match node:
        case tree.For() | tree.Scan() | tree.Optimize():
            return (node.body,)
        case tree.If(then=then, orelse=orelse):
            return then, orelse
    return ()


def targets(node: tree.Statement) -> list[tree.Name]:
    """The names that a statement gives values to."""
    match node:
        case tree.Assign(names, gathers=first):
            return [*([first] if first else ()), *names]
        case tree.Declare(_, fields):
            return [tree.Name(f.name, f.name_span) for f in fields]
        case tree.Evaluate(tree.Call(tree.Attribute(tree.Name() as name, "append"))):
            return [name]
        case tree.Collect(name, name_span=span) | tree.Frozen(name, name_span=span):
            return [tree.Name(name, span)]
    own: list[tree.Name] = []
    if isinstance(node, tree.Scan):
        carries = (tree.Name(c.name, c.name_span) for c in node.carries)
        own = [*node.targets, *carries]
    return [*own, *(t for body in bodies(node) for s in body for t in targets(s))]


def mentioned(node: object) -> list[str]:
    """Every name in a piece of tree."""
    return [name.id for name in names_in(node)]
