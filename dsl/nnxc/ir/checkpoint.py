"""Weights of a model in checkpoints of another making."""

from __future__ import annotations

from typing import Any, TypeAlias

from ..ops.base import Tensor
from ..record import Record
from ..source import Span
from .static import Static

# A variable of a model: names, positions, and None for every position of a list.
Path: TypeAlias = tuple[str | int | None, ...]


class Row(Record):
    """Weights and the tensors that hold them. `{0}` in a name is the position that the path's first
    None stands for, `{0+1}` the next; with `join` "stack", one more counts the weight's first axis.
    `{=0}` is the first of `holes`: of the positions by their names in `indices`, and of parameters.

    `join` is empty where one tensor is one weight. Several weights make up one tensor by "split"
    or "interleave"; several tensors one weight by "concat", "sum" or "stack". `axis` is the
    tensors'.
    """

    paths: tuple[Path, ...]
    names: tuple[str, ...]
    tensor: Tensor | None
    join: str = ""
    axis: int = 0
    holes: tuple[Static, ...] = ()
    indices: tuple[str, ...] = ()


class Key(Record):
    """A value of `config.json`, by its dotted path."""

    path: str


class Value(Record):
    """A number, bool, text or None."""

    value: Any


class Default(Record):
    """What the parameter is by default."""

    name: str


class Own(Record):
    """What the parameter is in the model that is saved."""

    name: str


class Computed(Record):
    """`left op right`; with `or`, the first that the file has; with a function's name, its call; with
    `if`, of three operands the second where the first holds, else the third; with `,`, the list of
    them; with `[]`, the entry of the first that the second says; with `listed`, the first as a list.
    """

    op: str
    operands: tuple[Recorded, ...]


Recorded: TypeAlias = Key | Value | Default | Own | Computed


class Weights(Record):
    """A weights section. The first rows go before later ones; `ignored` are globs; `optional` begins
    names that a file may have without it; `renamed` are old names and new ones, with `*` in both.
    """

    model: str
    rows: tuple[Row, ...]
    ignored: tuple[str, ...]
    optional: str
    renamed: tuple[tuple[str, str], ...]
    config: tuple[tuple[str, Recorded], ...]  # by parameter
    # by the places of one fact, what it may be
    assumed: tuple[tuple[tuple[str, ...], tuple[Recorded, ...]], ...]
    absent: tuple[
        tuple[str, Recorded], ...
    ]  # what it is where it stands in none of them
    written: tuple[tuple[str, Recorded], ...]  # by key
    immaterial: tuple[str, ...]  # keys
    unnamed: tuple[Path, ...]  # state that no row names
    span: Span

    @property
    def reads(self) -> bool:
        """Whether it says anything of `config.json`."""
        return bool(self.config or self.assumed or self.written or self.immaterial)
