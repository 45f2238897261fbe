"""Source texts and places in them. Knows the standard library only."""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass, field

from .record import Record


@dataclass(frozen=True, slots=True, eq=False)
class Source:
    """One text with its path as the user wrote it; `text` has `\\n` line ends."""

    path: str
    text: str
    starts: tuple[int, ...] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        starts = [0]
        starts.extend(i + 1 for i, char in enumerate(self.text) if char == "\n")
        object.__setattr__(self, "starts", tuple(starts))

    def position(self, offset: int) -> tuple[int, int]:
        """Line and column of an offset, both counted from 1, in characters."""
        offset = min(max(offset, 0), len(self.text))
        line = bisect_right(self.starts, offset)
        return line, offset - self.starts[line - 1] + 1

    def line(self, number: int) -> str:
        """The text of line `number`, counted from 1, without its end."""
        start = self.starts[number - 1]
        end = self.starts[number] - 1 if number < len(self.starts) else len(self.text)
        return self.text[start:end]


class Span(Record):
    """A half-open range of characters of one source."""

    source: Source
    start: int
    end: int

    @property
    def text(self) -> str:
        """The characters covered."""
        return self.source.text[self.start : self.end]

    def place_of(self, text: str) -> Span:
        """The first place of a text within the span, or the span where it is not there."""
        at = self.text.find(text)
        start = self.start + at
        return Span(self.source, start, start + len(text)) if at >= 0 else self

    def whole_line(self) -> Span:
        """The line in which the span begins, with its end."""
        number, _ = self.source.position(self.start)
        start = self.source.starts[number - 1]
        return Span(self.source, start, start + len(self.source.line(number)) + 1)

    def contains(self, other: Span) -> bool:
        """Whether another place lies within this one."""
        same = self.source is other.source
        return same and self.start <= other.start and other.end <= self.end

    def to(self, other: Span) -> Span:
        """The range from the start of this span to the end of the other."""
        return Span(self.source, min(self.start, other.start), max(self.end, other.end))


NOWHERE = Span(Source("<none>", ""), 0, 0)
