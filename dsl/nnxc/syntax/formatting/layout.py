"""Puts text on lines of limited width, after Wadler's "A prettier printer"."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeAlias, assert_never

from ...record import Record

STEP = 4


class Soft(Record):
    """A line end where the group around it is broken, else `flat`."""

    flat: str = " "


class Fill(Record):
    """A line end where what follows, up to the next, does not fit, else a space; a space too
    where the group around it is not broken."""


class Hard(Record):
    """A line end."""


class Comment(Record):
    """Text at a line's end."""

    text: str


class IfBroken(Record):
    """Text that stands only where the group around it is broken."""

    text: str


class Nest(Record):
    """Line ends inside are followed by one more step of indentation."""

    body: Doc


class Group(Record):
    """Stands on one line where that has room, else every `Soft` inside ends a line."""

    body: Doc


Doc: TypeAlias = (
    "str | tuple[Doc, ...] | Soft | Fill | Hard | Comment | IfBroken | Nest | Group"
)

_Todo: TypeAlias = tuple[int, bool, Doc]


def render(doc: Doc, indent: int, width: int) -> str:
    """The text of a document that begins at column `indent`."""
    out: list[str] = []
    column = indent
    todo: list[_Todo] = [(indent, True, doc)]
    while todo:
        nest, broken, part = todo.pop()
        match part:
            case str() | Comment():
                text = part if isinstance(part, str) else part.text
                out.append(text)
                column += len(text)
            case tuple():
                todo += [(nest, broken, child) for child in reversed(part)]
            case Nest(body):
                todo.append((nest + STEP, broken, body))
            case Group(body):
                fits = _fits(width - column, body, todo)
                todo.append((nest, not fits, body))
            case IfBroken(text):
                if broken:
                    out.append(text)
                    column += len(text)
            case Soft(flat) if not broken:
                out.append(flat)
                column += len(flat)
            case Fill() if not broken or _fits(width - column - 1, "", todo):
                out.append(" ")
                column += 1
            case Soft() | Fill() | Hard():
                out.append("\n" + " " * nest)
                column = nest
            case _:
                assert_never(part)
    return "".join(out)


def _fits(room: int, first: Doc, todo: Sequence[_Todo]) -> bool:
    """Whether `first` on one line, and then what is to do, has room up to the next line
    end that is possible."""
    rest = len(todo)
    stack: list[_Todo] = [(0, False, first)]
    while room >= 0:
        if not stack:
            if not rest:
                return True
            rest -= 1
            stack.append(todo[rest])
        nest, broken, part = stack.pop()
        match part:
            case str():
                room -= len(part)
            case Comment(text):
                room -= len(text)
            case tuple():
                stack += [(nest, broken, child) for child in reversed(part)]
            case Nest(body):
                stack.append((nest, broken, body))
            case Group(body):
                stack.append((nest, False, body))
            case Soft(flat) if not broken:
                room -= len(flat)
            case Fill() if not broken:
                room -= 1
            case IfBroken(text):
                room -= len(text) if broken else 0
            case Soft() | Fill() | Hard():
                return True
            case _:
                assert_never(part)
    return False
