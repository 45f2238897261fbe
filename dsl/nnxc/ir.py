"""The meaning of a checked spec. Frozen values in closed unions; every expression has its type.

Two worlds: `Static` values are known when a model is constructed (sizes, rates, switches, lists);
`Expr` values are tensors, known when it is called. Names are the spec's own; `emit` makes them
Python's. Sizes in types are canonical `Dim`s over the definition's parameters, axes, static
locals and loop variables.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeAlias

from .dims import Dim
from .ops.base import Kind, Op, Weight
from .record import Record
from .shapes import TensorType
from .source import Span

# -------------------------------------------------------------- static values


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
    """`range`, `enumerate`, `zip`, `len`, `min`, `max`, `sum`, `sqrt`, `log`, `int`, ...: see STATIC_FUNCTIONS."""

    name: str
    args: tuple[Static, ...]


class StaticList(Record):
    """`[a, b]`."""

    items: tuple[Static, ...]


class StaticIndex(Record):
    """`values[i]`."""

    value: Static
    index: Static


class Given(Record):
    """Whether an optional input was passed (`mask != none`); known at each call."""

    name: str


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
    | Given
    | Initializer
)
STATIC_FUNCTIONS = (
    "range", "enumerate", "zip", "len", "min", "max", "sum", "abs", "int", "float", "round",
    "sqrt", "log", "log2", "exp", "ceil", "floor", "reversed",
)  # fmt: skip

# --------------------------------------------------------------------- layers


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
    stream: str | None = None  # overrides the entry's own stream


# --------------------------------------------------------- tensor expressions

Type: TypeAlias = TensorType | tuple["Type", ...]


class Var(Record):
    """An input, a param, a state or a local value."""

    name: str
    type: Type
    span: Span


class Scalar(Record):
    """A static value among tensors: a number, a parameter, a size (axes such as T too)."""

    value: Static
    type: TensorType
    span: Span


class Apply(Record):
    """A declared layer applied. `layer` names a `Layer` of this definition (inside a loop: the
    one of this iteration). `args` by input name, absent optional inputs left out."""

    layer: str
    args: tuple[tuple[str, Expr], ...]
    method: str | None  # `attend` of an Embed
    type: Type
    span: Span
    flops: Dim | None = None  # of an entry; None for blocks (count theirs)


class OpCall(Record):
    """A library function. `inputs` by input name (a `many` input is a tuple); `args` as in Layer."""

    op: Op
    inputs: tuple[tuple[str, Expr | tuple[Expr, ...]], ...]
    args: tuple[tuple[str, Static], ...]
    sizes: Mapping[str, Dim]
    type: Type
    span: Span
    flops: Dim | None = None
    stream: str | None = None


class Invoke(Record):
    """A function-valued parameter (`activation = gelu`) applied elementwise."""

    function: Static
    value: Expr
    type: TensorType
    span: Span


class Operator(Record):
    """Elementwise `+ - * / // % **`, comparisons, `and`, `or`, `not`, unary `-` (one operand)."""

    op: str
    operands: tuple[Expr, ...]
    type: TensorType
    span: Span


class SliceOf(Record):
    """`lower:upper:step` of an index; absent parts are None."""

    lower: Static | None
    upper: Static | None
    step: Static | None


class NewAxis(Record):
    """`none` in an index."""


class Rest(Record):
    """`...` in an index."""


class Subscript(Record):
    """`value[items]`; an int item drops its axis, an Expr item (int tensor) gathers along it."""

    value: Expr
    items: tuple[Static | SliceOf | NewAxis | Rest | Expr, ...]
    type: TensorType
    span: Span


class Reshape(Record):
    """`value -> [shape]`; the sizes are proven equal, or required."""

    value: Expr
    type: TensorType
    span: Span


class Cast(Record):
    """A conversion to `type.dtype`."""

    value: Expr
    type: TensorType
    span: Span


class TupleOf(Record):
    """Several values: of branches, of a call with several outputs."""

    items: tuple[Expr, ...]
    type: tuple[Type, ...]
    span: Span


class Item(Record):
    """One of several values, by position."""

    value: Expr
    index: int
    type: Type
    span: Span


class Choose(Record):
    """`then if condition else orelse` over tensors, the condition being static."""

    condition: Static
    then: Expr
    orelse: Expr
    type: Type
    span: Span


class Let(Record):
    """A value used in several places of one expression (the input of branches): bound, then used
    as `Var(name)` in `body`."""

    name: str
    value: Expr
    body: Expr
    type: Type
    span: Span


class ModelCall(Record):
    """`model(x)` in a train."""

    args: tuple[tuple[str, Expr], ...]
    type: Type
    span: Span


Expr: TypeAlias = (
    Var | Scalar | Apply | OpCall | Invoke | Operator | Subscript | Reshape | Cast
    | TupleOf | Item | Choose | Let | ModelCall
)  # fmt: skip

# ----------------------------------------------------------------- statements


class Declare(Record):
    """A layer comes into being here (in this loop, under this condition)."""

    layer: Layer


class Variable(Record):
    """`param` (a weight) or `state` (non-trained)."""

    name: str
    type: TensorType
    init: Static  # Initializer, or a number
    state: bool
    span: Span


class StaticLet(Record):
    """A static local: `head_dim = d // heads`. `dim` is its symbol's meaning where it is a size
    (types already have it substituted)."""

    name: str
    value: Static
    span: Span


class Assign(Record):
    """Tensors get names; several targets take a tuple apart."""

    targets: tuple[str, ...]
    value: Expr
    span: Span


class UpdateState(Record):
    """A `state` gets its next value."""

    name: str
    value: Expr
    span: Span


class Carried(Record):
    """A size that changes from iteration to iteration: before the first it is `entry`, within one
    it is the symbol, after one `next` (over the symbol and the loop's variables), and after the
    loop it is the symbol again."""

    symbol: str
    entry: Dim
    next: Dim


class For(Record):
    """A loop whose iterations are known at construction. Layers declared inside become lists."""

    targets: tuple[str, ...]
    iterable: Static
    body: tuple[Stmt, ...]
    carried: tuple[Carried, ...]
    span: Span


class If(Record):
    """A choice made at construction (or by which optional inputs are given)."""

    condition: Static
    then: tuple[Stmt, ...]
    orelse: tuple[Stmt, ...]
    span: Span


class Require(Record):
    """A check in the constructor: written by the user, or an obligation of shapes. `call_time`
    marks one over axes, which no constructor can check: its callers have proven it."""

    condition: Static
    message: str
    span: Span
    call_time: bool = False


class Return(Record):
    """Ends a definition; several values make a tuple."""

    values: tuple[Expr, ...]
    span: Span


Stmt: TypeAlias = (
    Declare | Variable | StaticLet | Assign | UpdateState | For | If | Require | Return
)

# ---------------------------------------------------------------- definitions


class Parameter(Record):
    """A constructor argument. `kind` is SIZE, INT, NUMBER, BOOL, TEXT, WINDOW, SIZES (a list of
    sizes), INTS, FUNCTION; `optional` means `none` is allowed; `default` None means required.
    """

    name: str
    kind: Kind
    default: Static | None
    span: Span
    optional: bool = False


class ModelInput(Record):
    """An input of a definition, a batch field of a train."""

    name: str
    type: TensorType
    optional: bool
    span: Span


class Definition(Record):
    """A block or model. `inferred` are axes that weights depend on: constructor arguments ahead of
    the parameters, passed by the compiler of the caller. `streams` are what a call draws from,
    blocks inside included; `modes` likewise."""

    name: str
    is_model: bool
    doc: str
    params: tuple[Parameter, ...]
    inferred: tuple[str, ...]
    inputs: tuple[ModelInput, ...]
    outputs: tuple[Type, ...]
    body: tuple[Stmt, ...]
    streams: tuple[str, ...]
    modes: tuple[str, ...]
    span: Span


class Config(Record):
    """A named choice of a model's parameters."""

    name: str
    model: str
    args: tuple[tuple[str, Static], ...]
    span: Span


class TrainOp(Record):
    """An optimizer or schedule with its arguments; an argument may be a schedule again."""

    op: Op
    args: tuple[tuple[str, Static | TrainOp], ...]


class Train(Record):
    """A train section. `body` holds the assignments before the loss, in order."""

    model: str
    batch: tuple[ModelInput, ...]
    body: tuple[Stmt, ...]
    loss: Expr
    metrics: tuple[tuple[str, Expr], ...]
    optimizer: TrainOp
    clip: Static | None
    accumulate: Static | None
    precision: str | None  # a key of shapes.DTYPES
    ema: Static | None
    only: tuple[
        str, ...
    ]  # dotted attribute paths of the weights that train; empty means all
    freeze: tuple[str, ...]
    streams: tuple[str, ...]  # drawn from in training
    eval_streams: tuple[
        str, ...
    ]  # drawn from in evaluation too (explicit draws, not dropout)
    span: Span


class Program(Record):
    """One checked spec. `definitions` stand callees first."""

    path: str
    doc: str
    definitions: tuple[Definition, ...]
    configs: tuple[Config, ...]
    trains: tuple[Train, ...]

    def definition(self, name: str) -> Definition:
        """The definition of that name; KeyError where there is none."""
        return next(d for d in self.definitions if d.name == name)
