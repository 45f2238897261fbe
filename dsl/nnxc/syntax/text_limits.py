"""Texts that there is no time for: what is too long is reported, and not read."""

from __future__ import annotations

from ..diagnostics import Sink
from ..source import Source, Span
from .lines import Line
from .mistakes.fault import line_span

MAX_SIZE = 1_000_000
MAX_ROW = 100_000
MAX_FILE = 150_000  # names, numbers, signs and so on in a file
MAX_ITEM = 20_000  # of them in one definition or section
MAX_STATEMENT = 2_000  # of them in one statement


def has_too_many(source: Source, lines: list[Line], sink: Sink) -> bool:
    """Whether there is more text than there is time for; reported. What a definition costs grows
    faster than its length, what a file costs does not."""
    whole = item = costs = 0
    for line in lines:
        words = len(line.tokens)
        if not line.indent:
            item, costs = 0, costs + item**2
        whole, item = whole + words, item + words
        if whole <= MAX_FILE and costs + item**2 <= MAX_ITEM**2:
            continue
        message = f"the file has more than {MAX_FILE:,} words and signs"
        help = "divide it, and `use` the parts"
        if whole <= MAX_FILE:
            message = "the definitions up to here are too long together"
            help = "divide them into blocks, or use loops"
        if item > MAX_ITEM:
            message = f"this has more than {MAX_ITEM:,} words and signs"
        sink.error("N251", message, line_span(source, line), help=help)
        return True
    return False


def has_long_row(source: Source, sink: Sink) -> bool:
    """Whether a row of the text is longer than any that is read; reported."""
    for number in range(1, len(source.starts) + 1):
        row = source.line(number)
        if len(row) > MAX_ROW:
            start = source.starts[number - 1]
            message = f"a line of more than {MAX_ROW:,} characters"
            place = Span(source, start, start + MAX_ROW)
            sink.error("N117", message, place, help="is this a spec?")
            return True
    return False


def is_too_long(source: Source, line: Line, sink: Sink) -> bool:
    """Whether a statement has more parts than there is time for; reported."""
    if len(line.tokens) <= MAX_STATEMENT:
        return False
    first, last = line.tokens[0], line.tokens[MAX_STATEMENT]
    message = f"a statement of more than {MAX_STATEMENT:,} words and signs"
    help = "write it as several, or as a loop"
    sink.error("N117", message, Span(source, first.start, last.end), help=help)
    return True
