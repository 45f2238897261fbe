"""The lines of a text, read one after the other."""

from __future__ import annotations

import re
from itertools import takewhile

from ..source import Source, Span
from .lines import Line
from .mistakes.fault import line_span


class Cursor:
    """Lines, and the place of the one that is read next."""

    def __init__(self, source: Source, lines: list[Line]) -> None:
        self.source, self.lines, self.at = source, lines, 0

    def next(self) -> Line | None:
        return self.lines[self.at] if self.at < len(self.lines) else None

    def names(self, start: int) -> set[str]:
        """The names in the lines from `start` to the present one."""
        lines = self.lines[start : self.at]
        tokens = [token for line in lines for token in line.tokens]
        found = {token.text for token in tokens if token.kind == "NAME"}
        brought = (t for line in lines if line.word == "extern" for t in line.tokens)
        for token in brought:
            found |= {*re.findall(r"\w+", token.text)}
        return found

    def skipped(self, start: int) -> Span | None:
        """The lines below the one at `start`, up to the present, if any."""
        lines = self.lines[start + 1 : self.at]
        if not lines:
            return None
        begin = line_span(self.source, lines[0]).start
        return Span(self.source, begin, lines[-1].tokens[-1].end)

    def end_of_body(self, head: Line) -> int:
        """Where the lines below the present one end that are indented deeper."""
        at = self.at
        while at < len(self.lines) and self.lines[at].indent > head.indent:
            at += 1
        return (
            self.lines[at - 1].tokens[-1].end if at > self.at else head.tokens[-1].end
        )

    def skip_deeper(self, indent: int) -> None:
        while (line := self.next()) and line.indent > indent:
            self.at += 1

    def skip_weights(self, line: Line) -> None:
        """Lines of weights where statements belong are one mistake."""
        while line.seems_weights and (follows := self.next()) and follows.seems_weights:
            self.at += 1

    def grammar_of(self, head: Line, at: int) -> str:
        """What a head, or the line at `at` if it is deeper, seem to belong to."""
        ahead = self.lines[at : at + 8]
        below = [*takewhile(lambda line: line.indent > head.indent, ahead)]
        weights = any(line.seems_weights for line in (head, *below))
        return "weights_line" if weights else "body_line"
