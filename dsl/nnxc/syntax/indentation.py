"""Fixes of how far lines are indented."""

from __future__ import annotations

from ..diagnostics import Fix
from ..source import Source, Span
from .lines import Line
from .mistakes.fault import line_span


def deeper(source: Source, lines: list[Line]) -> Fix | None:
    """Indents lines by four spaces more."""
    if any(line.tabs for line in lines):
        return None
    start = line_span(source, lines[0]).start
    span = Span(source, start, lines[-1].tokens[-1].end)
    rows = span.text.split("\n")
    return Fix(span, "\n".join(f"    {row}" if row.strip() else row for row in rows))


def margin(source: Source, line: Line, indent: int) -> Fix:
    """Indents a line otherwise."""
    first = line.tokens[0].start
    start = source.text.rfind("\n", 0, first) + 1
    return Fix(Span(source, start, first), " " * indent)


def joined(source: Source, above: Line, line: Line) -> Fix | None:
    """Puts a value of two lines into brackets."""
    starts = [t.end for t in above.tokens if t.kind in ("ASSIGN", "RETURN")]
    if not line.opaque or not starts:
        return None
    place = Span(source, starts[0], line.tokens[-1].end)
    return Fix(place, f" ({place.text.strip()})")
