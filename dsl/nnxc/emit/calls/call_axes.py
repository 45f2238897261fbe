"""Axes at call time: which input's shape tells them, and how."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from itertools import chain, repeat

from ... import ir
from ...dims import Dim, const, symbol
from ...dims_equation import linear
from ...dims_text import grouped
from ...record import Record, replace
from ...shapes import TensorType
from ..python.line_uses import Axis, Use
from ..python.suites import Line


class AxisSource(Record):
    """An axis is `(input.shape[index] - offset) // factor`. Where that input may be absent,
    `others` tell it as well."""

    input: str
    index: int
    factor: Dim = const(1)
    offset: Dim = const(0)
    optional: bool = False
    others: tuple[AxisSource, ...] = ()

    @property
    def plain(self) -> bool:
        """Whether the axis is one of the input as it is."""
        return self.factor.value == 1 and self.offset.value == 0

    def text(self, name: str, spelt: Callable[[str], str]) -> str:
        """The Python expression, over the input's Python name and those of parameters."""
        axis = f"{name}.shape[{self.index}]"

        def name_of(size: str) -> str:
            return axis if size == axis else spelt(size)

        text = (symbol(axis) - self.offset).render(name_of, python=True)
        if self.factor.value == 1:
            return text
        return f"{grouped(text)} // {grouped(self.factor.render(name_of, python=True))}"

    def at_once(self, names: Mapping[str, str], spelt: Callable[[str], str]) -> str:
        """The Python expression where nothing says which inputs are there: without any, 0."""
        if not self.optional:
            return self.text(names[self.input], spelt)
        parts = [
            f"{source.text(name, spelt)} if {name} is not None else "
            for source in (self, *self.others)
            for name in [names[source.input]]
        ]
        return "".join(parts) + "0"


def axis_sources(definition: ir.Definition) -> dict[str, AxisSource]:
    """Where each axis of a definition is found: in required inputs if possible, and plain there."""
    known = {p.name for p in definition.params}
    found: dict[str, AxisSource] = {}
    for optional in (False, True):
        inputs = [i for i in definition.inputs if i.optional == optional]
        for plain in chain((True,), repeat(False)):
            before = len(found)
            for item in inputs:
                for name, source in _sources(
                    item.name, item.type, known | found.keys()
                ):
                    if source.plain or not plain:
                        found.setdefault(name, source)
            if not plain and len(found) == before:
                break
    absent = {i.name: i.type for i in definition.inputs if i.optional}
    for name, source in found.items():
        if source.input in absent:
            rest = {n: t for n, t in absent.items() if n != source.input}
            others = _all_sources(rest, name, (known | found.keys()) - {name})
            found[name] = replace(source, optional=True, others=tuple(others))
    return found


def axis_texts(tensor: str, type_: ir.Type) -> Iterator[tuple[Dim, str]]:
    """How the sizes of a tensor that are no symbol by themselves are read from it."""
    if isinstance(type_, TensorType):
        for i, size in enumerate(type_.sizes, -type_.rank if type_.lead else 0):
            if size.value is None and size.name is None:
                yield size, f"{tensor}.shape[{i}]"


def source_in(
    types: Mapping[str, ir.Type], name: str, known: set[str]
) -> AxisSource | None:
    """Where an axis is found among tensors, whose other sizes are made of what is known."""
    found = _all_sources(types, name, known)
    return min(found, key=lambda source: not source.plain, default=None)


def _all_sources(
    types: Mapping[str, ir.Type], name: str, known: set[str]
) -> list[AxisSource]:
    tensors = [(n, t) for n, t in types.items() if isinstance(t, TensorType)]
    return [s for n, t in tensors for a, s in _sources(n, t, known) if a == name]


def _sources(
    tensor: str, type_: TensorType, known: set[str]
) -> Iterator[tuple[str, AxisSource]]:
    """The axes that a tensor tells: sizes that are linear in one unknown."""
    for i, size in enumerate(type_.sizes):
        if len(unknown := size.symbols - known) == 1:
            (name,) = unknown
            if found := linear(size, name):
                index = i - type_.rank if type_.lead else i
                yield name, AxisSource(tensor, index, *found)


def to_bind(uses: Iterable[Use], sources: Mapping[str, AxisSource]) -> frozenset[str]:
    """The axes that get a local name: of inputs whose shape is asked for more than once, or too
    late, when the input's name has another value; and those that one of several tells.
    """
    counts: Counter[str] = Counter()
    late: set[str] = set()
    asked: set[str] = set()
    for use in uses:
        if isinstance(use, Axis) and use.name in sources:
            asked.add(use.name)
            source = sources[use.name].input
            counts[source] += 1
            if use.late:
                late.add(source)
    return frozenset(
        n
        for n in asked
        if counts[sources[n].input] > 1 or sources[n].input in late or sources[n].others
    )


def unpack(
    definition: ir.Definition,
    bound: Mapping[str, str],
    sources: Mapping[str, AxisSource],
    inputs: Mapping[str, str],
    attribute: Callable[[str], str],
) -> list[Line]:
    """`b, t, _ = x.shape`, for the bound axes (name -> local)."""
    lines = []
    for item in definition.inputs:
        here = {n: s for n, s in sources.items() if n in bound and s.input == item.name}
        name = inputs[item.name]
        sure = {n: s for n, s in here.items() if s.plain and not s.optional}
        plain = {s.index: bound[n] for n, s in sure.items()}
        if len(plain) > 1:
            lines.append(Line(f"{_targets(item, plain)} = {name}.shape"))
            here = {n: s for n, s in here.items() if n not in sure}
        lines += [
            Line(f"{bound[n]} = {s.at_once(inputs, attribute)}")
            for n, s in here.items()
        ]
    return lines


def _targets(item: ir.ModelInput, names: Mapping[int, str]) -> str:
    rank = item.type.rank
    start = -rank if item.type.lead else 0
    targets = [names.get(start + i, "_") for i in range(rank)]
    return ", ".join((["*_"] if item.type.lead else []) + targets)
