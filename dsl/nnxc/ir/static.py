"""Values known when a model is constructed: sizes, rates, switches, lists."""

from __future__ import annotations

from typing import Any, TypeAlias

from ..dims import Dim
from ..ops.base import Op
from ..record import Record


class Literal(Record):
    """An int, float, bool, str, None, or a window (a tuple of ints)."""

    value: Any


class Ref(Record):
    """A parameter, inferred size, static local or loop variable of the definition."""

    name: str


class Size(Record):
    """A size that the compiler found rather than the spec wrote."""

    dim: Dim


class StaticUnary(Record):
    """`-x`, `not x`."""

    op: str
    operand: Static


class StaticBinary(Record):
    """Arithmetic, comparison (`x == none` too), `and`, `or`."""

    op: str
    left: Static
    right: Static


class StaticIf(Record):
    """`then if condition else orelse`."""

    condition: Static
    then: Static
    orelse: Static


class StaticCall(Record):
    """`range`, `enumerate`, `zip`, `len`, `min`, `max`, `sum`, `sqrt`, `log`, `int`, ...: see `static_functions`."""

    name: str
    args: tuple[Static, ...]


class StaticList(Record):
    """`[a, b]`."""

    items: tuple[Static, ...]


class StaticIndex(Record):
    """`values[i]`."""

    value: Static
    index: Static


class StaticSlice(Record):
    """`values[start:stop:step]`; a part that is absent is None."""

    value: Static
    start: Static | None
    stop: Static | None
    step: Static | None

    @property
    def parts(self) -> tuple[Static, ...]:
        """The list and the bounds that are there."""
        bounds = (self.start, self.stop, self.step)
        return self.value, *(b for b in bounds if b is not None)


class Given(Record):
    """Whether an optional input was passed (`mask != none`); known at each call."""

    name: str


class Function(Record):
    """An activation as a value, with the arguments that depart from its own defaults."""

    op: Op
    args: tuple[tuple[str, Static], ...] = ()

    @property
    def name(self) -> str | None:
        """What it is called, where it has a name at these arguments."""
        if not all(isinstance(value, Literal) for _, value in self.args):
            return None
        given = (f"{n}={v.value}" for n, v in self.args if isinstance(v, Literal))
        return self.op.named.get(", ".join(given))


class Initializer(Record):
    """A jax.nn initialiser with its arguments."""

    op: Op
    args: tuple[tuple[str, Static], ...] = ()


Static: TypeAlias = (
    Literal
    | Ref
    | Size
    | StaticUnary
    | StaticBinary
    | StaticIf
    | StaticCall
    | StaticList
    | StaticIndex
    | StaticSlice
    | Given
    | Function
    | Initializer
)
