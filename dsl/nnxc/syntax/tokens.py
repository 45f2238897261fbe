"""What lines are made of."""

from __future__ import annotations

from typing import NamedTuple

END = "$END"
"""The kind of what ends a line, in Lark's spelling."""

RESERVED = "RESERVED"
"""The kind of a word of Python; no rule takes it."""


class Token(NamedTuple):
    """A terminal with its spelling and place."""

    kind: str
    text: str
    start: int
    end: int


class Row:
    """A physical line. `opaque`: not to be parsed; `broken`: parsed, then dropped;
    `swallowed`: an unterminated string ate its end; `tabs`: its indentation has some.
    """

    def __init__(self, start: int) -> None:
        self.start = start
        self.indent = 0
        self.tokens: list[Token] = []
        self.comment: str | None = None
        self.opaque = self.broken = self.swallowed = self.tabs = False
        self.measured = False
