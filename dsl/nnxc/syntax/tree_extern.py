"""The nodes of what a spec brings from elsewhere; `tree` names them too."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..record import Record, field
from ..source import NOWHERE, Span
from .formatting.trivia import NO_TRIVIA, Trivia

if TYPE_CHECKING:
    from .tree import Field, Name, Parameter, String, TypeOf


class Zoo(Record):
    """`zoo.bert`: a spec that ships, by its name."""

    name: str
    span: Span = field(default=NOWHERE, compare=False)

    @property
    def value(self) -> str:
        """As it is written."""
        return f"zoo.{self.name}"


class Extern(Record):
    """`extern "place" name(x: [B, d], size) -> [B, size]`: Python code. `taken` are its inputs
    and parameters in the order in which Python takes them."""

    place: String
    name: Name
    taken: tuple[Field | Parameter, ...]
    types: tuple[TypeOf, ...]
    span: Span = field(default=NOWHERE, compare=False)
    trivia: Trivia = NO_TRIVIA
