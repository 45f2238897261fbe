"""Walking a tree: whatever its nodes are, and the one place that knows which statements hold others."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TypeVar

from ..record import Record, names_of
from ..source import Span
from . import tree

Node = TypeVar("Node", bound=Record)


def nodes_in(node: object, kind: type[Node]) -> Iterator[Node]:
    """Every node of one kind in a piece of tree, in the order of the text."""
    rest = [node]
    while rest:
        node = rest.pop()
        if isinstance(node, kind):
            yield node
        if isinstance(node, tuple):
            rest += reversed(node)
        elif isinstance(node, Record) and not isinstance(node, Span):
            fields = [getattr(node, name) for name in reversed(names_of(node))]
            rest += [f for f in fields if isinstance(f, tuple | Record)]


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
