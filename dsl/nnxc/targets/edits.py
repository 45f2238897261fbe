"""Edits of Python text at places that its syntax tree tells."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator

from ..record import Record

Place = tuple[int, int]  # a line, from 1, and a byte of it, from 0


class Edit(Record):
    """What stands from one place to another becomes `text`."""

    start: Place
    end: Place
    text: str


def edited(text: str, edits: Iterable[Edit]) -> str:
    """The text with all edits made; they do not overlap."""
    lines = [line.encode() for line in text.split("\n")]
    for edit in sorted(edits, key=lambda edit: edit.start, reverse=True):
        (first, start), (last, end) = edit.start, edit.end
        middle = lines[first - 1][:start] + edit.text.encode() + lines[last - 1][end:]
        lines[first - 1 : last] = middle.split(b"\n")
    return b"\n".join(lines).decode()


def start_of(node: ast.expr | ast.keyword) -> Place:
    """Where a node begins."""
    return node.lineno, node.col_offset


def end_of(node: ast.expr | ast.keyword) -> Place:
    """Where a node ends."""
    return node.end_lineno or 0, node.end_col_offset or 0


def named(node: ast.expr) -> str:
    """`nnx.scan` for such a node, nothing for what is no name of a module's."""
    match node:
        case ast.Attribute(ast.Name() | ast.Attribute() as owner, attr):
            return f"{named(owner)}.{attr}"
        case ast.Name(name):
            return name
    return ""


def calls(tree: ast.AST, functions: Iterable[str]) -> Iterator[ast.Call]:
    """The calls of functions, each named as `nnx.scan`."""
    names = frozenset(functions)
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and named(node.func) in names:
            yield node


def arguments(call: ast.Call) -> list[ast.expr | ast.keyword]:
    """The arguments of a call in the order of the text."""
    return sorted((*call.args, *call.keywords), key=start_of)
