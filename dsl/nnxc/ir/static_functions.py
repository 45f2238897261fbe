"""The functions of static values: one row for each says all that the compiler knows of it."""

from __future__ import annotations

import math
from collections.abc import Callable
from types import MappingProxyType
from typing import Final

from ..dims import Dim, as_dim, const, func, product
from ..record import Record
from .static_values import (
    MAX_ITEMS,
    EvaluationError,
    TooMuch,
    Undecided,
    Value,
    plain,
    sequence,
)


class StaticFunction(Record):
    """What it takes, from so many arguments to so many, and computes; as Python has it, in a module
    perhaps. `over_axes` is what it makes of sizes that only a call knows, where it makes anything.
    """

    name: str
    fewest: int
    most: int
    compute: Callable[..., Value]
    module: str = ""
    iterates: bool = False  # gives what a loop may go through
    over_axes: Callable[..., Value] | None = None

    @property
    def python(self) -> str:
        """What Python calls it."""
        return f"{self.module}{self.name}"


def _range(*bounds: Value) -> tuple[int, ...]:
    numbers = range(*bounds)
    # len() itself overflows on a range that is long enough.
    span = abs(numbers.stop - numbers.start) // abs(numbers.step)
    if span > MAX_ITEMS:
        raise TooMuch("this range is too long")
    return tuple(numbers)


def _enumerate(values: Value, start: int = 0) -> tuple[Value, ...]:
    return tuple(enumerate(sequence(values, "the argument of `enumerate`"), start))


def _reversed(values: Value) -> tuple[Value, ...]:
    return tuple(reversed(values))


def _zip(*lists: Value) -> tuple[Value, ...]:
    sequences = [sequence(v, "an argument of `zip`") for v in lists]
    if len({len(s) for s in sequences}) > 1:
        lengths = " and ".join(str(len(s)) for s in sequences)
        raise EvaluationError(f"`zip` needs lists of one length; these have {lengths}")
    return tuple(zip(*sequences, strict=True))


def _divisible(value: Value, by: Value, least: Value | None = None) -> int:
    """The nearest multiple, but at least `least` and no less than nine tenths of the value."""
    near: int = max(by if least is None else least, int(value + by / 2) // by * by)
    return near if near >= 0.9 * value else near + by


def _sum_over_axes(items: Value) -> Value:
    return plain(sum(_sizes(*sequence(items, "the argument of `sum`")), const(0)))


def _prod_over_axes(items: Value) -> Value:
    return plain(product(_sizes(*sequence(items, "the argument of `prod`"))))


def _min_over_axes(*sizes: Value) -> Value:
    return func("min", *_sizes(*sizes))


def _max_over_axes(*sizes: Value) -> Value:
    return func("max", *_sizes(*sizes))


def _sizes(*values: Value) -> tuple[Dim, ...]:
    if not all(isinstance(v, (Dim, int)) for v in values):
        raise Undecided
    return tuple(map(as_dim, values))


_ROWS = (
    StaticFunction("range", 1, 3, _range, iterates=True),
    StaticFunction("enumerate", 1, 1, _enumerate, iterates=True, over_axes=_enumerate),
    StaticFunction("zip", 2, 8, _zip, iterates=True, over_axes=_zip),
    StaticFunction("reversed", 1, 1, _reversed, iterates=True, over_axes=_reversed),
    StaticFunction("len", 1, 1, len, over_axes=len),
    StaticFunction("min", 1, 8, min, over_axes=_min_over_axes),
    StaticFunction("max", 1, 8, max, over_axes=_max_over_axes),
    StaticFunction("sum", 1, 1, sum, over_axes=_sum_over_axes),
    StaticFunction("prod", 1, 1, math.prod, "math.", over_axes=_prod_over_axes),
    StaticFunction("abs", 1, 1, abs),
    StaticFunction("int", 1, 1, int),
    StaticFunction("float", 1, 1, float),
    StaticFunction("round", 1, 1, round),
    StaticFunction("divisible", 2, 3, _divisible),
    StaticFunction("ceil", 1, 1, math.ceil, "math."),
    StaticFunction("floor", 1, 1, math.floor, "math."),
    StaticFunction("sqrt", 1, 1, math.sqrt, "math."),
    StaticFunction("log", 1, 1, math.log, "math."),
    StaticFunction("log2", 1, 1, math.log2, "math."),
    StaticFunction("exp", 1, 1, math.exp, "math."),
)
STATIC_FUNCTIONS: Final = MappingProxyType({row.name: row for row in _ROWS})
