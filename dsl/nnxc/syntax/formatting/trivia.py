"""Comments and blank lines around a statement."""

from __future__ import annotations

from ...record import Record, field


class Trivia(Record):
    """What surrounds a statement: comment lines above it (each starting with `#`, an empty
    string for a blank line among or after them), a blank line before it all, and the
    comment at its end (of its head, where it has a body)."""

    above: tuple[str, ...] = ()
    blank: bool = field(default=False, compare=False)
    after: str | None = None


NO_TRIVIA = Trivia()
