"""What the walks of a program share: its definitions, what each gave, and what it has cost."""

from __future__ import annotations

from collections.abc import Mapping

from .. import ir
from ..ir.static_values import Value
from ..record import Record
from ..source import Span
from .nodes import Failure, Node, TooLarge

MAX_WORK = 50_000  # statements and expressions walked, equal blocks counted once


class Entered(Record):
    """A definition walked once."""

    node: Node
    output: ir.Type
    failures: tuple[Failure, ...]
    env: Mapping[str, Value]


class Work:
    """What walks have cost so far."""

    def __init__(self) -> None:
        self.spent = 0


class Walk:
    """What all scopes of one walk share."""

    def __init__(self, program: ir.Program, work: Work):
        self.definitions = {d.name: d for d in program.definitions}
        self.known: dict[object, Entered] = {}
        self.work = work

    def spend(self, span: Span) -> None:
        self.work.spent += 1
        if self.work.spent > MAX_WORK:
            raise TooLarge("this model is too large to be checked", span)
