"""What names and expressions stand for while a definition is being checked."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, Final, TypeAlias

from .. import ir
from ..dims import Dim, const
from ..ops.base import Kind, Op, Weight
from ..record import Record
from ..shapes import TensorType
from ..source import Span

# Of each `if` around, which of its sides.
Sides: TypeAlias = tuple[tuple[Span, bool], ...]


class Fault(Exception):
    """A mistake was reported; the value at hand cannot be known."""


class Bad(Record):
    """Stands for what a reported mistake made unknowable; silences what follows from it."""


BAD: Final = Bad()


@dataclass(slots=True, eq=False)
class Param:
    """A parameter of the definition; `kind` is found by its default or its first use."""

    name: str
    span: Span
    default: ir.Static | None
    kind: Kind | None = None
    optional: bool = False
    decided: bool = False  # a use, not merely the default, needs a whole number
    fraction: bool = False  # it is no whole number by default, or in a call or config
    fractions: bool = False  # a list whose numbers need not be whole, as a config shows
    given: Span | None = None  # of the default, where that has settled the kind
    place: Span | None = None  # of the use that has
    doubtful: bool = False  # a use took it for less than it may turn out to be
    element: Static | None = None  # of a list: what its elements are like
    number: bool = False  # the body computes with it, so it is no window
    bounds: tuple[float, float] | None = None  # between which its uses need it to be
    asked: bool = False  # a size that may be below 1, where nothing is made of it
    handed: bool = False  # one of the model that the block names: calls do not write it


class Static(Record):
    """A value known at construction. `flavor` is int, float, bool, text, none, window, list,
    function, init, or `unknown` for a parameter whose kind is still open."""

    node: ir.Static
    flavor: str
    dim: Dim | None = None  # of an int, where it has a canonical form
    value: Any = None  # where the compiler knows it: a literal
    known: bool = False
    items: tuple[Static, ...] = ()  # of a list whose elements are written down
    element: Static | None = None  # of any other list
    param: Param | None = None
    optional: bool = False  # on some side or in some place it is `none`
    below: Dim | None = None  # of a counter: what it never reaches


class Tensor(Record):
    """A tensor-valued expression; `optional` where it may be absent."""

    expr: ir.Expr
    optional: bool = False

    @property
    def type(self) -> TensorType:
        assert isinstance(self.expr.type, TensorType)
        return self.expr.type


class Several(Record):
    """Several values: of branches, or of a call with several outputs."""

    expr: ir.Expr
    types: tuple[ir.Type, ...]


class Listed(Record):
    """A list of tensors. `element` is what they have in common, a size that differs being a
    placeholder of `Context.varying`; `items` are the types one by one, where they are known.
    One that is `given` comes out of a call.
    """

    expr: ir.Expr
    element: TensorType | None = None
    items: tuple[TensorType, ...] | None = None
    count: Dim | None = None
    given: bool = False
    steady: frozenset[str] = frozenset()  # local sizes that stay while it grows


@dataclass(slots=True, eq=False)
class LayerInfo:
    """A layer under construction; its sizes become known when it is first applied."""

    name: str
    callee: Op | Signature
    args: dict[
        str, tuple[ir.Static, Any]
    ]  # by parameter: what was written, what a rule receives
    arg_spans: dict[str, Span]
    span: Span
    named: bool
    count: Static | None = None
    stream: str | None = None
    used: bool = False
    each: Any = None  # a tree.Expr: the axis along which there are copies
    copies: Dim | None = None  # how many, once it is applied
    pending: Any = None  # a calls.Written: inputs and axes given at construction
    bound_at: Span | None = None
    sizes: dict[str, Dim] = field(default_factory=dict)
    weights: dict[str, Weight] = field(default_factory=dict)
    gives: dict[Dim, str] = field(
        default_factory=dict
    )  # sizes that a block knows once it is built, and their names here
    sides: Sides = ()  # of every `if` around that the constructor decides
    at_call: Sides = ()  # of every other

    @property
    def has_state(self) -> bool:
        """Whether applying it in training changes it."""
        if isinstance(self.callee, Signature):
            return self.callee.has_state
        return any(weight.state for weight in self.weights.values())


class Applied(Record):
    """A declared layer as a value: `wte`."""

    layer: LayerInfo


class Method(Record):
    """A method of a declared layer: `wte.attend`."""

    layer: LayerInfo
    op: Op


class OpRef(Record):
    """An entry of the library, by name."""

    op: Op


class BlockRef(Record):
    """A block or model, by name."""

    signature: Signature


class ModelRef(Record):
    """`model` in a train, or one that is frozen there; `args` are its parameters here."""

    signature: Signature
    name: str = "model"
    args: Mapping[str, tuple[ir.Static, Any]] = MappingProxyType({})

    @property
    def frozen(self) -> bool:
        """Whether it does not learn."""
        return self.name != "model"


Value: TypeAlias = (
    Tensor
    | Static
    | Several
    | Listed
    | Applied
    | Method
    | OpRef
    | BlockRef
    | ModelRef
    | Bad
)


class Obligation(Record):
    """A fact about a definition's axes and parameters that its callers must prove."""

    left: Dim
    right: Dim
    relation: str
    message: str
    span: Span
    code: str = "N301"
    looped: bool = False  # sizes change in a loop: decided for each iteration


class Found(Record):
    """A size that follows from a loop, or has no form: a name, and what it depends on."""

    name: str
    roots: frozenset[str]


@dataclass(slots=True, eq=False)
class Signature:
    """What callers know of a checked definition."""

    definition: ir.Definition
    params: dict[str, Param]
    axes: frozenset[str]
    obligations: tuple[Obligation, ...]
    hard_streams: frozenset[str]  # drawn from in evaluation too
    has_weights: bool
    has_state: bool = False  # a call in training changes it
    broken: bool = False
    lossy: bool = False  # an input may be lost to a mistake
    found: Mapping[Dim, Found] = field(
        default_factory=dict
    )  # sizes of what is returned that callers cannot compute
    callees: Mapping[str, Signature] = field(
        default_factory=dict
    )  # blocks that it contains

    @property
    def written(self) -> list[str]:
        """The parameters that calls write, in order."""
        return [name for name, param in self.params.items() if not param.handed]


@dataclass(slots=True, eq=False)
class Binding:
    """A name in scope. `parents` are the bindings that this one joins (after `if`, in loops)."""

    name: str
    value: Value
    span: Span
    what: str  # "parameter", "input", "value", "layer", "axis", "loop variable", ...
    used: bool = False
    gives_way: bool = False  # a layer's by `as`: a value may take the name
    parents: list[Binding] = field(default_factory=list)

    def use(self) -> None:
        """Mark as read, and all that it joins."""
        waiting = [self]
        while waiting:
            binding = waiting.pop()
            if not binding.used:
                binding.used = True
                waiting += binding.parents


def number(value: int | float) -> Static:
    """A number as a static value."""
    if isinstance(value, int):
        return Static(ir.Literal(value), "int", const(value), value, True)
    return Static(ir.Literal(value), "float", None, value, True)


# The static node of an argument, and what a shape rule receives.
Converted: TypeAlias = tuple[ir.Static, Any]
