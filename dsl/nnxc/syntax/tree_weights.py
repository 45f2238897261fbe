"""The part of the tree that is a weights section; `tree` names it too."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeAlias

from ..record import Record, field
from ..source import NOWHERE, Span

if TYPE_CHECKING:
    from .tree import Expr, Name, String, Trivia


class Ignore(Record):
    """`ignore "glob", "glob"`: tensors that no weight takes."""

    globs: tuple[String, ...]
    trivia: Trivia
    span: Span = field(default=NOWHERE, compare=False)


class Lacking(Record):
    """`optional "transformer."`: what names begin with, which a file may lack."""

    prefix: String
    trivia: Trivia
    span: Span = field(default=NOWHERE, compare=False)


class Rename(Record):
    """`rename "*.gamma" as "*.weight"`: what a file may call otherwise; old names, and new ones."""

    pairs: tuple[tuple[String, String], ...]
    trivia: Trivia
    span: Span = field(default=NOWHERE, compare=False)


class Read(Record):
    """`config vocab, d = "n_embd"`: None where a name stands alone, for its usual key."""

    names: tuple[Name, ...]
    values: tuple[Expr | None, ...]
    trivia: Trivia
    span: Span = field(default=NOWHERE, compare=False)


class Assume(Record):
    """`config require "hidden_act" == "silu", "tie" in [false, none]`."""

    conditions: tuple[Expr, ...]
    trivia: Trivia
    span: Span = field(default=NOWHERE, compare=False)


class Write(Record):
    """`config write "architectures" = ["NetForCausalLM"]`: keys that a file is given, and values."""

    entries: tuple[tuple[String, Expr], ...]
    trivia: Trivia
    span: Span = field(default=NOWHERE, compare=False)


class PassOver(Record):
    """`config ignore "key", "key"`: what cannot matter."""

    keys: tuple[String, ...]
    trivia: Trivia
    span: Span = field(default=NOWHERE, compare=False)


class Stored(Record):
    """`h[i].c_fc, ln_f = "h.{i}.mlp.c_fc" -> transpose, "ln_f"`."""

    paths: tuple[Expr, ...]
    values: tuple[Expr, ...]
    trivia: Trivia
    span: Span = field(default=NOWHERE, compare=False)


WeightsLine: TypeAlias = (
    Ignore | Lacking | Rename | Read | Assume | Write | PassOver | Stored
)


class Weights(Record):
    """`weights Model as "net", "NetForCausalLM" from "model.{path}":`, of which only the model has
    to be there. `broken` and `lost` as in a `tree.Definition`."""

    model: Name
    known: tuple[String, ...]  # the type of the model in `config.json`, its class
    rule: String | None
    body: tuple[WeightsLine, ...]
    trivia: Trivia
    span: Span = field(default=NOWHERE, compare=False)
    broken: bool = False
    lost: frozenset[str] = frozenset()
