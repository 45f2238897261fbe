"""Axes at call time: which input's shape tells them, and how."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping

from .. import ir
from ..dims import Dim
from ..record import Record
from .nodes import Line

AXIS, AXIS_LATE = "axis:", "axis!:"  # marks in the uses of lines


class AxisSource(Record):
    """An axis is `(input.shape[index] - offset) // factor`."""

    input: str
    index: int
    factor: int = 1
    offset: int = 0

    def text(self, name: str) -> str:
        """The Python expression, over the input's Python name."""
        text = f"{name}.shape[{self.index}]"
        if self.offset:
            sign, amount = (
                ("-", self.offset) if self.offset > 0 else ("+", -self.offset)
            )
            text = f"{text} {sign} {amount}"
        if self.factor == 1:
            return text
        return (
            f"({text}) // {self.factor}" if self.offset else f"{text} // {self.factor}"
        )


def axis_sources(definition: ir.Definition) -> dict[str, AxisSource]:
    """Where each axis of a definition is found: in plain axes of required inputs if possible."""
    known = {p.name for p in definition.params}
    found: dict[str, AxisSource] = {}
    inputs = sorted(definition.inputs, key=lambda i: i.optional)
    for plain in (True, False):
        for item in inputs:
            for i, size in enumerate(item.type.sizes):
                index = i - item.type.rank if item.type.lead else i
                solved = _solve(size, known)
                if solved and (size.name is not None) == plain:
                    name, factor, offset = solved
                    found.setdefault(name, AxisSource(item.name, index, factor, offset))
    return found


def _solve(size: Dim, known: set[str]) -> tuple[str, int, int] | None:
    """`(symbol, factor, offset)` of a size that is linear in one unknown."""
    match size.terms:
        case ((((str() as name, 1),), factor),) if name not in known:
            return name, factor, 0
        case ((((str() as name, 1),), factor), ((), offset)) if name not in known:
            return name, factor, offset
    return None


def to_bind(uses: Iterable[str], sources: Mapping[str, AxisSource]) -> frozenset[str]:
    """The axes that get a local name: of inputs whose shape is asked for more than once, or too
    late, when the input's name has another value."""
    counts: Counter[str] = Counter()
    late: set[str] = set()
    asked: set[str] = set()
    for use in uses:
        mark, _, name = use.partition(":")
        if mark in ("axis", "axis!") and name in sources:
            asked.add(name)
            counts[sources[name].input] += 1
            if mark == "axis!":
                late.add(sources[name].input)
    return frozenset(
        n for n in asked if counts[sources[n].input] > 1 or sources[n].input in late
    )


def unpack(
    definition: ir.Definition,
    bound: Mapping[str, str],
    sources: Mapping[str, AxisSource],
    inputs: Mapping[str, str],
) -> list[Line]:
    """`b, t, _ = x.shape`, for the bound axes (name -> local)."""
    lines = []
    for item in definition.inputs:
        here = {n: s for n, s in sources.items() if n in bound and s.input == item.name}
        name = inputs[item.name]
        plain = {
            s.index: bound[n] for n, s in here.items() if s.factor == 1 and not s.offset
        }
        if len(plain) > 1:
            lines.append(Line(f"{_targets(item, plain)} = {name}.shape"))
            here = {n: s for n, s in here.items() if s.index not in plain}
        lines += [Line(f"{bound[n]} = {s.text(name)}") for n, s in here.items()]
    return lines


def _targets(item: ir.ModelInput, names: Mapping[int, str]) -> str:
    rank = item.type.rank
    start = -rank if item.type.lead else 0
    targets = [names.get(start + i, "_") for i in range(rank)]
    return ", ".join((["*_"] if item.type.lead else []) + targets)
