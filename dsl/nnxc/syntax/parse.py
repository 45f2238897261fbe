"""Text to tree. Never raises on any text; every mistake is reported, and costs its line.

Lines are parsed one by one, and put into blocks by their indentation.
"""

from __future__ import annotations

from ..diagnostics import Enough, Sink
from ..source import Source, Span
from . import tree
from .cursor import Cursor
from .lexer import scan
from .lines import join
from .mistakes.foreign import file_formats
from .nesting import Blocks
from .text_limits import MAX_SIZE, has_long_row, has_too_many, is_too_long


def parse(source: Source, sink: Sink) -> tree.File:
    """The tree of a text, less what mistakes were found in (then marked `broken`)."""
    try:
        return _parse(source, sink)
    except Enough:
        span = Span(source, 0, len(source.text))
        return tree.File((), (), span, broken=True)


def _parse(source: Source, sink: Sink) -> tree.File:
    text = source.text
    span = Span(source, 0, len(text))
    start = Span(source, 0, 0)
    if len(text) > MAX_SIZE:
        message = f"the file has more than {MAX_SIZE:,} characters"
        sink.error("N102", message, start, help="divide it, and `use` the parts")
        return tree.File((), (), span, broken=True)
    if has_long_row(source, sink):
        return tree.File((), (), span, broken=True)
    lines, tail = join(source, scan(source, sink), sink)
    if not lines:
        help = "a spec begins with `model Name(...):`"
        sink.error("N103", "the file is empty", start, help=help)
        return tree.File((), tail, span, broken=True)
    too_long = [line for line in lines if is_too_long(source, line, sink)]
    if too_long:
        return tree.File((), tail, span, broken=True)
    if has_too_many(source, lines, sink):
        return tree.File((), tail, span, broken=True)
    if file_formats.told(source, lines, sink):
        return tree.File((), tail, span, broken=True)
    blocks = Blocks(Cursor(source, lines), sink)
    items = blocks.items()
    lost = frozenset(blocks.file_lost)
    return tree.File(items, tail, span, blocks.file_broken, lost)
