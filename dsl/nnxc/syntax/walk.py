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
