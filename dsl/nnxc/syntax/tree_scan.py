"""The nodes of `scan` and `init`; `tree` names them too."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..record import Record, field
from ..source import NOWHERE, Span
from .formatting.trivia import NO_TRIVIA, Trivia

if TYPE_CHECKING:
    from . import tree


class Carry(Record):
    """`name = value` in the head of a scan: what a step hands to the next, and its beginning."""

    name: str
    value: tree.Expr
    span: Span = field(default=NOWHERE, compare=False)
    name_span: Span = field(default=NOWHERE, compare=False)


class Scan(Record):
    """`scan targets in sources over axis with carries:`, the steps last to first if `reversed`.
    `over` is the axis, or without sources the number of steps."""

    targets: tuple[tree.Name, ...]
    sources: tuple[tree.Expr, ...]
    over: tree.Expr
    reversed: bool
    carries: tuple[Carry, ...]
    body: tuple[tree.Statement, ...]
    span: Span = field(default=NOWHERE, compare=False)
    trivia: Trivia = NO_TRIVIA


class Collect(Record):
    """`collect name = value` in a scan: the values of all steps."""

    name: str
    value: tree.Expr
    span: Span = field(default=NOWHERE, compare=False)
    name_span: Span = field(default=NOWHERE, compare=False)
    trivia: Trivia = NO_TRIVIA


class Initial(Record):
    """`path = value` after `init`; `c_proj.kernel` is a path of two names, none of them a value."""

    path: tuple[str, ...]
    value: tree.Expr
    span: Span = field(default=NOWHERE, compare=False)
    path_span: Span = field(default=NOWHERE, compare=False)


class Init(Record):
    """`init path = value, path = value`: what weights of a model begin as."""

    initials: tuple[Initial, ...]
    span: Span = field(default=NOWHERE, compare=False)
    trivia: Trivia = NO_TRIVIA
