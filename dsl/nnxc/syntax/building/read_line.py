"""The node of a line; what is wrong with one that has none is told."""

from __future__ import annotations

from typing import Any

from ...diagnostics import Sink
from ...source import Span
from ..cursor import Cursor
from ..line_parser import Failure, parse_line
from ..lines import Line
from ..mistakes.fault import Fault
from ..mistakes.odd_statements import missing_colon
from ..mistakes.unexpected import explain
from ..tokens import Token
from .build_line import TooDeep
from .tree_builder import TreeBuilder


def read_line(cursor: Cursor, line: Line, start: str, sink: Sink) -> Any:
    """What the line before the present one is, by a rule of the grammar; None, and reported,
    where it is nothing."""
    source = cursor.source
    builder = TreeBuilder(source, line, sink)
    tokens = line.tokens
    try:
        result = parse_line(start, tokens, builder)
        if isinstance(result, Failure):
            fault = Fault(source, line, result, cursor.end_of_body(line))
            if not line.told:
                sink.add(explain(fault))
            if not missing_colon(fault):
                return None
            end = tokens[-1]
            tokens = [*tokens[:-1], Token("COLON", ":", end.start, end.end), end]
            result = parse_line(start, tokens, builder)
    except TooDeep as deep:
        help = "name a part of it on a line of its own"
        at = Span(source, deep.start, deep.end)
        sink.error("N117", "expression is nested too deeply", at, help=help)
        return None
    return None if builder.failed else result
