"""Statements, and the layers that they declare."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypeAlias

from ..dims import Dim
from ..ops.base import Op, Weight
from ..record import Record
from ..shapes import TensorType
from ..source import Span
from .static import Static
from .tensors import Expr


class Layer(Record):
    """A declared layer: a library entry or a block, constructed. `args` are those the spec writes
    (or its `defaults`), in signature order; `sizes` are what is inferred: for an entry the sizes
    that `build` names, for a block its inferred sizes."""

    name: str  # attribute name, unique in its definition
    callee: Op | str  # an entry, or the name of a Definition of this program
    args: tuple[tuple[str, Static], ...]
    sizes: Mapping[str, Dim]
    weights: Mapping[str, Weight]  # of an entry; empty for a block
    span: Span
    count: Static | None = None  # a stack of so many: `Block(...) * n`
    named: bool = False  # by the spec's author, with `as` or by assignment
    copies: Dim | None = None  # for every entry of an axis: `Block(..., each=E)`
    stream: str | None = None  # overrides the entry's own stream
    gives: tuple[
        tuple[Dim, str], ...
    ] = ()  # sizes that a block knows once it is built, and their names here
    in_full: bool = False  # emission: gives float32, whatever the model's dtype


class Declare(Record):
    """A layer comes into being here (in this loop, under this condition)."""

    layer: Layer


BUFFER = "Buffer"  # the kind of a state that names none
OF_FLAX = ("BatchStat", "Cache")  # the kinds that Flax has


class Variable(Record):
    """`param` (a weight) or `state` (non-trained)."""

    name: str
    type: TensorType
    init: (
        Static | Expr
    )  # an Initializer, a number, or a tensor computed at construction
    state: bool
    span: Span
    kind: str = ""  # of a state: its class
    doc: str = ""  # what a comment says of the kind


class StaticLet(Record):
    """A static local: `head_dim = d // heads`. `dim` is its symbol's meaning where it is a size
    (types already have it substituted)."""

    name: str
    value: Static
    span: Span


class Computes(Record):
    """What is done at each call, and needs nothing of the constructor."""


class Assign(Computes):
    """Tensors get names; several targets take a tuple apart."""

    targets: tuple[str, ...]
    value: Expr
    span: Span


class NewList(Record):
    """`skips = []`, `hidden = [x]`: a list of tensors that will grow."""

    name: str
    span: Span
    items: tuple[Expr, ...] = ()


class Append(Record):
    """`skips.append(value)`."""

    name: str
    value: Expr
    span: Span


class Pop(Record):
    """`target = skips.pop()`; with an `index`, `target = skips[index]`, which leaves the list as it is.
    `sizes` are those that differ from one tensor of the list to the next: axis and symbol; from
    here on the symbol is the size of the tensor that was taken.
    """

    target: str
    name: str
    type: TensorType
    sizes: tuple[tuple[int, str], ...]
    span: Span
    index: Static | None = None


class Total(Record):
    """From here on `symbol` is the sum of the sizes of a list's tensors along an axis."""

    symbol: str
    name: str
    axis: int
    span: Span


class UpdateState(Computes):
    """A `state` gets its next value."""

    name: str
    value: Expr
    span: Span


class Carried(Record):
    """A static value that changes from iteration to iteration: before the first it is `entry`,
    within one it is the symbol, after one `next` (over the symbol and the loop's variables), and
    after the loop it is the symbol again."""

    symbol: str
    entry: Static
    next: Static


class For(Record):
    """A loop whose iterations are known at construction. Layers declared inside become lists."""

    targets: tuple[str, ...]
    iterable: Static
    body: tuple[Stmt, ...]
    carried: tuple[Carried, ...]
    span: Span
    over: str | None = None  # emission: the stack of which each iteration has a layer


class Step(Record):
    """What a scan steps along: `name` is an entry of `value` at `axis`, counted from the end
    where the rank is open."""

    name: str
    value: Expr
    axis: int


class Collected(Record):
    """The values that the steps of a scan give `local`, stacked at `axis` as `type`."""

    name: str
    local: str
    type: TensorType
    axis: int


class Scan(Record):
    """One computation in `length` steps. `carries` are names with what they begin as; a step
    changes them, and after the scan they are as the last step left them. `body` assigns carries
    and the locals that are collected; it constructs nothing, unless under a condition or in a loop.
    `within` is the layer that runs it, where one keeps its carries.
    """

    steps: tuple[Step, ...]
    carries: tuple[tuple[str, Expr], ...]
    collects: tuple[Collected, ...]
    length: Dim
    reverse: bool
    body: tuple[Stmt, ...]
    span: Span
    within: str | None = None

    @property
    def inner(self) -> tuple[str, ...]:
        """The names that a step begins with."""
        return (*(s.name for s in self.steps), *(name for name, _ in self.carries))

    @property
    def ends(self) -> tuple[str, ...]:
        """The names that a step ends with."""
        return (*(n for n, _ in self.carries), *(c.local for c in self.collects))

    @property
    def outer(self) -> tuple[str, ...]:
        """The names that the scan leaves behind."""
        return (*(name for name, _ in self.carries), *(c.name for c in self.collects))


class If(Record):
    """A choice made at construction (or by which optional inputs are given)."""

    condition: Static
    then: tuple[Stmt, ...]
    orelse: tuple[Stmt, ...]
    span: Span


class Require(Record):
    """A check in the constructor: written by the user, or an obligation of shapes. `call_time`
    marks one over axes, which no constructor can check: its callers have proven it, or, where its
    sizes change in a loop (`looped`), the model decides it for each of them."""

    condition: Static
    message: str
    span: Span
    call_time: bool = False
    looped: bool = False


class Return(Computes):
    """Ends a definition; several values make a tuple, or with `names` a named one."""

    values: tuple[Expr, ...]
    span: Span
    names: tuple[str, ...] = ()


Stmt: TypeAlias = (
    Declare | Variable | StaticLet | Assign | NewList | Append | Pop | Total | UpdateState
    | For | Scan | If | Require | Return
)  # fmt: skip
