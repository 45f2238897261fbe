"""What the changes of a family's settings came to."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any


@dataclass
class Tally:
    """How many changes were followed and refused, and which were neither."""

    followed: list[str] = field(default_factory=list)
    refused: list[str] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)

    @property
    def count(self) -> int:
        return len(self.followed) + len(self.refused) + len(self.wrong)

    def add(self, change: Any, kind: str | None) -> None:
        """What a change came to; None where the library made no reference."""
        if kind is not None:
            kind, _, why = kind.partition(": ")
            getattr(self, kind).append(f"{change}: {why}" if why else str(change))

    def __add__(self, other: Tally) -> Tally:
        return Tally(
            self.followed + other.followed,
            self.refused + other.refused,
            self.wrong + other.wrong,
        )

    def __str__(self) -> str:
        kinds = (len(self.followed), len(self.refused), len(self.wrong))
        return "{} followed, {} refused, {} silently wrong".format(*kinds)

    def row(self) -> dict[str, int]:
        """The counts alone."""
        return {kind: len(cases) for kind, cases in asdict(self).items()}
