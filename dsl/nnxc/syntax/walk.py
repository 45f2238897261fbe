"""Walking a tree without knowing its nodes."""

from __future__ import annotations

from collections.abc import Iterator

from ..record import Record, names_of
from ..source import Span
from . import tree


def names_in(node: object) -> Iterator[tree.Name]:
    """Every `Name` in a piece of tree, in the order of the text."""
    if isinstance(node, tree.Name):
        yield node
    elif isinstance(node, tuple):
        for item in node:
            yield from names_in(item)
    elif isinstance(node, Record) and not isinstance(node, Span):
        for field in names_of(node):
            yield from names_in(getattr(node, field))
