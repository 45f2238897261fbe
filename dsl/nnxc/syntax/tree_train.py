"""The nodes of `train`; `tree` names them too."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..record import Record, field
from ..source import NOWHERE, Span
from .formatting.trivia import NO_TRIVIA, Trivia

if TYPE_CHECKING:
    from .tree import Call, Expr, Name, Statement, String, Zoo


class Train(Record):
    """`train Model:`, or with a `path` as the model of that file is trained, but for the lines of its
    own body. `broken` and `lost` as in a `Definition`."""

    model: Name
    body: tuple[Statement, ...]
    span: Span = field(default=NOWHERE, compare=False)
    trivia: Trivia = NO_TRIVIA
    broken: bool = False
    lost: frozenset[str] = frozenset()
    path: String | Zoo | None = None


class Metric(Record):
    """`metric name = value` in a train."""

    name: str
    value: Expr
    span: Span = field(default=NOWHERE, compare=False)
    name_span: Span = field(default=NOWHERE, compare=False)
    trivia: Trivia = NO_TRIVIA


class Select(Record):
    """`freeze paths`, `only paths` or `decays paths` in a train; a path is dotted: `encoder.wte`."""

    keyword: str
    paths: tuple[Expr, ...]
    span: Span = field(default=NOWHERE, compare=False)
    trivia: Trivia = NO_TRIVIA


class Adapt(Record):
    """`adapt lora(...) on paths` in a train: layers that get an adapter, which alone trains."""

    adapter: Name | Call
    paths: tuple[Expr, ...]
    span: Span = field(default=NOWHERE, compare=False)
    trivia: Trivia = NO_TRIVIA


class Frozen(Record):
    """`frozen name = Model(...)` in a train: a model that is used and does not learn."""

    name: str
    value: Name | Call
    span: Span = field(default=NOWHERE, compare=False)
    name_span: Span = field(default=NOWHERE, compare=False)
    trivia: Trivia = NO_TRIVIA


class Optimize(Record):
    """`optimize name:` in a train: what some of the weights learn by a loss of their own."""

    name: str
    body: tuple[Statement, ...]
    span: Span = field(default=NOWHERE, compare=False)
    name_span: Span = field(default=NOWHERE, compare=False)
    trivia: Trivia = NO_TRIVIA
