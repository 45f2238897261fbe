"""Values known when a model is called."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, TypeAlias

from ..dims import Dim
from ..ops.base import Op
from ..record import Record
from ..shapes import ListType, TensorType
from ..source import Span
from .static import Static

Type: TypeAlias = TensorType | ListType | tuple["Type", ...]


class Var(Record):
    """An input, a param, a state or a local value; in a train also a weight of the model, by its
    path: `model.head.kernel`."""

    name: str
    type: Type
    span: Span


class Scalar(Record):
    """A static value among tensors: a number, a parameter, a size (axes such as T too)."""

    value: Static
    type: TensorType
    span: Span


GRADIENT: Final = "gradient"


class Apply(Record):
    """A declared layer applied. `layer` names a `Layer` of this definition (inside a loop: the
    one of this iteration). `args` by input name, absent optional inputs left out."""

    layer: str
    args: tuple[tuple[str, Expr], ...]
    method: (
        str | None
    )  # `attend` of an Embed; GRADIENT, of the sum, to the first argument
    type: Type
    span: Span
    flops: Dim | None = None  # of an entry; None for blocks (count theirs)
    each: tuple[
        int | None, ...
    ] = ()  # of copies: the axis of each arg along which they lie
    found: tuple[
        tuple[Dim, str], ...
    ] = ()  # sizes of the output that a block finds, and their names here


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


class Element(Record):
    """A tensor of a list by a number that is known at construction."""

    value: Expr
    index: Static
    type: TensorType
    span: Span


class ListPart(Record):
    """`values[start:stop:step]` of a list of tensors; a part that is absent is None."""

    value: Expr
    start: Static | None
    stop: Static | None
    step: Static | None
    type: ListType
    span: Span


class ListOf(Record):
    """`[*values, x]`: tensors in a list; those of items that are lists themselves stand in it."""

    items: tuple[Expr, ...]
    type: ListType
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
    """`model(x)` in a train; `model` names one that is frozen."""

    args: tuple[tuple[str, Expr], ...]
    type: Type
    span: Span
    model: str = "model"


Expr: TypeAlias = (
    Var | Scalar | Apply | OpCall | Invoke | Operator | Subscript | Reshape | Cast
    | TupleOf | Item | Element | ListPart | ListOf | Choose | Let | ModelCall
)  # fmt: skip
