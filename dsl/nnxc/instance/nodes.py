"""What a definition is at given values: a tree of layers with weights, shapes and FLOPs.

Knows `ir`, `evaluate`, `shapes`, `dims`.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping
from functools import cached_property
from typing import TypeAlias

from .. import ir
from ..dims import Dim, DimError, as_dim, const
from ..ir.static_values import Value
from ..ops.base import Weight
from ..record import Record
from ..shapes import Axis, ListType, TensorType, like
from ..source import NOWHERE, Span
from .evaluate import resolve

MAX_LAYERS = 20_000  # layers listed one by one
# Bytes of an element, where they are not the 4 of f32 and int.
BYTES = {"f64": 8, "i64": 8, "bf16": 2, "f16": 2, "i16": 2, "i8": 1, "u8": 1, "bool": 1}

Values: TypeAlias = Mapping[str, Value]


class InstanceError(Exception):
    """The definition cannot be constructed at these values, for a reason other than `require`.

    `chain` are the layers that led to the place, innermost first; `absent` names what is
    `none` where a value is needed.
    """

    def __init__(self, message: str, span: Span, absent: str | None = None):
        super().__init__(message)
        self.message, self.span, self.absent = message, span, absent
        self.chain: list[Span] = []


class TooLarge(InstanceError):
    """The definition is more than the compiler is willing to walk."""


class Failure(Record):
    """A requirement that does not hold; `chain` as in `InstanceError`."""

    message: str
    span: Span
    chain: tuple[Span, ...] = ()


class WeightOf(Record):
    """One variable; its sizes are numbers unless an axis was left open."""

    name: str
    weight: Weight
    dtype: str

    @property
    def sizes(self) -> tuple[Dim, ...]:
        """The sizes of its axes."""
        return self.weight.sizes

    @property
    def state(self) -> bool:
        """Whether it is not trained."""
        return self.weight.state

    @property
    def count(self) -> int | None:
        """The number of elements, where the sizes are known."""
        return _product(self.sizes)

    @property
    def bytes(self) -> int | None:
        """Its memory, where the sizes are known."""
        return None if self.count is None else self.count * BYTES.get(self.dtype, 4)


class Node:
    """A layer, or the whole definition, and the layers inside; `of` is what declares it.

    `outputs` are what its applications gave, one each. `flops` are its own, of all applications,
    without those of `children`; `repeat` is the length of a stack, whose copies share one
    description.
    """

    def __init__(
        self,
        name: str,
        of: ir.Layer | ir.Definition | None,
        outputs: tuple[ir.Type, ...] = (),
        weights: tuple[WeightOf, ...] = (),
        flops: tuple[Dim | None, ...] = (),
        children: tuple[Node, ...] = (),
        repeat: int | None = None,
    ):
        self.name, self.of, self.outputs = name, of, outputs
        self.weights, self.flops, self.children = weights, flops, children
        self.repeat = repeat

    @property
    def kind(self) -> str:
        """The name of its entry or block."""
        made = self.of.callee if isinstance(self.of, ir.Layer) else self.of
        return made if isinstance(made, str) else made.name if made else ""

    @property
    def span(self) -> Span:
        """Where it is declared."""
        return self.of.span if self.of else NOWHERE

    @property
    def type(self) -> ir.Type | None:
        """What its last application gave, None where it was never applied."""
        return self.outputs[-1] if self.outputs else None

    @property
    def copies(self) -> int:
        """How many layers the node stands for."""
        return 1 if self.repeat is None else self.repeat

    @cached_property
    def parameters(self) -> int | None:
        """Elements of all weights inside, copies included; None where a size is open."""
        own = (w.count for w in self.weights if not w.state)
        return self._over_copies(*own, *(c.parameters for c in self.children))

    @cached_property
    def statistics(self) -> int | None:
        """Elements of all state inside, likewise."""
        own = (w.count for w in self.weights if w.state)
        return self._over_copies(*own, *(c.statistics for c in self.children))

    @cached_property
    def weight_bytes(self) -> int | None:
        """Memory of all weights and state inside."""
        own = (w.bytes for w in self.weights)
        return self._over_copies(*own, *(c.weight_bytes for c in self.children))

    @cached_property
    def output_bytes(self) -> int | None:
        """Memory of what the layers inside give, those of a block in place of its own."""
        inside = [c.output_bytes for c in self.children]
        return self._over_copies(*(inside or map(type_bytes, self.outputs)))

    @cached_property
    def total_flops(self) -> int | Dim | None:
        """FLOPs of all applications inside, copies included; None where unknown."""
        parts = [*self.flops, *(c.total_flops for c in self.children)]
        numbers = [f.value if isinstance(f, Dim) else f for f in parts]
        if None not in numbers:
            return self._over_copies(*numbers)
        try:
            known = [as_dim(f) for f in parts if f is not None]
            total = self.copies * sum(known, const(0))
        except DimError:
            return None
        return total if len(known) == len(parts) else None

    def _over_copies(self, *parts: int | None) -> int | None:
        total = total_of(parts)
        return None if total is None else self.copies * total

    def often(self, count: Dim | None) -> Node:
        """Its description where every application runs so many times."""
        if count == const(1):
            return self
        return Node(
            self.name,
            self.of,
            self.outputs,
            self.weights,
            tuple(times(f, count) for f in self.flops),
            tuple(c.often(count) for c in self.children),
            self.repeat,
        )

    def merged(self, other: Node) -> Node:
        """One description of two applications of the same layer."""
        others = {c.name: c for c in other.children}
        mine = {
            c.name: c.merged(others.pop(c.name, NOTHING_INSIDE)) for c in self.children
        }
        weights = {w.name: w for w in (*self.weights, *other.weights)}
        return Node(
            self.name,
            self.of,
            self.outputs + other.outputs,
            tuple(weights.values()),
            self.flops + other.flops,
            (*mine.values(), *others.values()),
            self.repeat,
        )


NOTHING_INSIDE = Node("", None)


class Built:
    """A layer of a scope: declared, and what its applications add up to."""

    def __init__(
        self,
        layer: ir.Layer,
        path: str,
        args: dict[str, Value],
        repeat: int | None,
    ):
        self.layer, self.path, self.args, self.repeat = layer, path, args, repeat
        self.sizes: dict[str, Dim] = {}
        self.weights: tuple[WeightOf, ...] = ()
        self.open: set[str] = set()  # names in those sizes that are not known so far
        self.outputs: list[ir.Type] = []
        self.flops: list[Dim | None] = []
        self.inside: Node | None = None

    def node(self) -> Node:
        inside = self.inside or NOTHING_INSIDE
        return Node(
            self.path,
            self.layer,
            (*self.outputs,),
            self.weights + inside.weights,
            (*self.flops, *inside.flops),
            inside.children,
            self.repeat,
        )


class Row(Record):
    """One line of a listing. `path` names the attribute: `h.0.attn`."""

    path: str
    kind: str
    type: ir.Type | None
    weights: tuple[WeightOf, ...]
    flops: tuple[Dim | None, ...]


class Instance(Record):
    """A definition at given values."""

    name: str
    values: Values
    root: Node
    outputs: ir.Type
    failures: tuple[Failure, ...]

    def rows(self) -> tuple[Row, ...]:
        """Every layer, stacks written out; raises `TooLarge`."""
        rows: list[Row] = []
        for path, node in _expanded(self.root, ""):
            if len(rows) >= MAX_LAYERS:
                raise TooLarge(
                    f"this model has over {MAX_LAYERS:,} layers", self.root.span
                )
            rows.append(Row(path, node.kind, node.type, node.weights, node.flops))
        return tuple(rows)

    def weights(self) -> dict[str, WeightOf]:
        """Every variable by its path; raises `TooLarge`."""
        return {
            f"{row.path}.{weight.name}".lstrip("."): weight
            for row in self.rows()
            for weight in row.weights
        }


def _expanded(node: Node, path: str) -> Iterator[tuple[str, Node]]:
    copies = [path] if node.repeat is None else _elements(path, node.repeat)
    for copy in copies:
        yield copy, node
        for child in node.children:
            yield from _expanded(child, f"{copy}.{child.name}".lstrip("."))


def _elements(path: str, count: int) -> Iterator[str]:
    return (f"{path}.{index}" for index in range(count))


# --------------------------------------------------------------------- totals


def bind(type: ir.Type, values: Values) -> ir.Type:
    """A type with sizes put in, axes too where `values` has them; raises `EvaluationError`."""
    if isinstance(type, TensorType):
        axes = tuple(Axis(resolve(a.size, values), a.label) for a in type.axes)
        return type.with_axes(axes)
    if isinstance(type, ListType):
        element, *items = (bind(t, values) for t in (type.element, *(type.items or ())))
        count = type.count and resolve(type.count, values)
        return ListType(element, count, type.items and tuple(items))  # type: ignore[arg-type]
    return like(type, (bind(t, values) for t in type))


def times(work: Dim | None, count: Dim | None) -> Dim | None:
    """The product, None where a factor is, or where it is too large."""
    if work is None or count is None:
        return None
    try:
        return work * count
    except DimError:
        return None


def type_bytes(type: ir.Type) -> int | None:
    """The memory of a value, None where a size or the rank is open."""
    if isinstance(type, ListType):
        if type.items is not None:
            return total_of(map(type_bytes, type.items))
        each, count = type_bytes(type.element), type.count
        times = None if count is None else count.value
        return None if each is None or times is None else each * times
    if not isinstance(type, TensorType):
        return total_of(map(type_bytes, type))
    elements = None if type.lead else _product(type.sizes)
    return None if elements is None else elements * BYTES.get(type.dtype, 4)


def total_of(parts: Iterable[int | None]) -> int | None:
    """The sum, None where a part is."""
    total = 0
    for part in parts:
        if part is None:
            return None
        total += part
    return total


def _product(sizes: tuple[Dim, ...]) -> int | None:
    values = [s.value for s in sizes]
    return None if None in values else math.prod(v for v in values if v is not None)
