"""What lines are made of."""

from __future__ import annotations

from typing import NamedTuple

END = "$END"
"""The kind of what ends a line, in Lark's spelling."""


class Token(NamedTuple):
    """A terminal with its spelling and place."""

    kind: str
    text: str
    start: int
    end: int
