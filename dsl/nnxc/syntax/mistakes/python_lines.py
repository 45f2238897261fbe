"""Statements of Python, and of later releases: one mistake each, body and all."""

from __future__ import annotations

from typing import Any

from ...diagnostics import Fix, Sink, remove, write
from ...record import replace
from ...source import Source, Span
from ..cursor import Cursor
from ..lines import Line
from ..tokens import RESERVED
from ..words import PYTHON, UNSUPPORTED
from . import python_imports
from .fault import line_span
from .odd_words import python


def begins(line: Line) -> bool:
    """Whether a line is such a statement, or the head of one."""
    first, follows = line.tokens[0], line.tokens[1:2]
    if line.opaque or not follows:
        return False
    if first.text in UNSUPPORTED:
        return follows[0].kind in ("NAME", "STRING", RESERVED)
    return first.kind == RESERVED and follows[0].kind != "ASSIGN"


def skip(cursor: Cursor, line: Line, sink: Sink) -> None:
    """Report the statement that the present line begins, and pass over what belongs to it."""
    word, source = line.word, cursor.source
    if word in UNSUPPORTED:
        first = line.tokens[0]
        place = Span(source, first.start, first.end)
        sink.error("N190", f"`{word}` is not supported yet", place)
    elif word == "import":
        sink.add(python_imports.explained(source, line))
    else:
        above = cursor.lines[cursor.at - 1] if cursor.at else None
        below = next(iter(cursor.lines[cursor.at + 1 : cursor.at + 2]), None)
        found = python(source, line, line.tokens[0])
        sink.add(replace(found, **_around(source, above, line, below)))
    start = cursor.at
    cursor.at += 1
    cursor.skip_deeper(line.indent)
    while (follows := cursor.next()) and follows.word in ("except", "finally"):
        cursor.at += 1
        cursor.skip_deeper(line.indent)
    if skipped := cursor.skipped(start):
        sink.forget(skipped)


def _around(
    source: Source, above: Line | None, line: Line, below: Line | None
) -> dict[str, Any]:
    """What a fix must change around a line of Python."""
    lone = not below or below.indent < line.indent
    if line.word == "pass" and above and lone and above.word in ("if", "else"):
        start = line_span(source, above).start
        lines = Span(source, start, line_span(source, line).end)
        if not below or below.word not in ("elif", "else"):
            return {**remove(lines, PYTHON["pass"])}
    if line.word == "yield" and len(line.tokens) == 3 and below:
        return _collected(source, line, below)
    return {}


def _collected(source: Source, line: Line, below: Line) -> dict[str, Any]:
    """`collect` for a `yield`, and what the line below returns then."""
    name = line.tokens[1].text
    place = Span(source, line.tokens[0].start, line.tokens[-1].end)
    text = f"collect {name}s = {name}"
    if [t.text for t in below.tokens[:-1]] != ["return", name]:
        return {**write(place, text, PYTHON["yield"])}
    end = below.tokens[-1].end
    between = source.text[place.end : below.tokens[1].start]
    fix = Fix(Span(source, place.start, end), f"{text}{between}{name}s")
    why = (
        f"`collect` gathers what each step gives: write `{text}`, and return `{name}s`"
    )
    return {"help": why, "fix": fix}
