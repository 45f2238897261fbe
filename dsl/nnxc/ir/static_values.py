"""What a static expression may be at given values: numbers, text, None, tuples for lists and windows, or a
`Dim` where axes that only a call knows take part; bounded in work and in size."""

from __future__ import annotations

from typing import Any, TypeAlias

from ..dims import Dim
from ..ops.base import Op

Value: TypeAlias = Any
MAX_ITEMS = 100_000
MAX_BITS = 2048
MAX_TEXT = 10_000


class EvaluationError(Exception):
    """A static value that cannot be; the message is a clause without an end mark."""


class TooMuch(EvaluationError):
    """A value that is too large to work with."""


class Absent(EvaluationError):
    """`none`, where something is computed with a value."""


class Undecided(Exception):
    """The value depends on what only a call knows."""


def show(value: Value) -> str:
    """A value as a spec would write it, cut where it is long."""
    match value:
        case None:
            return "none"
        case bool():
            return str(value).lower()
        case str():
            text = '"' + value + '"'
        case tuple():
            shown = [show(v) for v in value[:8]] + ["..."] * (len(value) > 8)
            text = f"[{', '.join(shown)}]"
        case int() if value.bit_length() > MAX_BITS:
            return "a huge number"
        case Op(name=name):
            return name
        case _:
            text = str(value)
    return text if len(text) <= 60 else text[:57] + "..."


def sequence(value: Value, name: str) -> tuple[Value, ...]:
    """The value as a list; `name` says in the error what is none."""
    if isinstance(value, tuple):
        return value
    kind = Absent if value is None else EvaluationError
    raise kind(f"{name} is {show(value)}, not a list")


def plain(dim: Dim) -> Value:
    """A size that is a number, as that number."""
    return dim if dim.value is None else dim.value
