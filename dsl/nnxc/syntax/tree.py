"""The tree: a spec as it was written. Frozen values, one span each, no behaviour."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TypeAlias

from ..source import NOWHERE, Span

# ---------------------------------------------------------------- expressions


@dataclass(frozen=True, slots=True)
class Name:
    """A name, as it stands."""

    id: str
    span: Span = field(default=NOWHERE, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class Number:
    """An int or a float; `text` is its spelling (`1_000`, `1e-3`)."""

    value: int | float
    text: str
    span: Span = field(default=NOWHERE, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class String:
    """A string, escapes resolved."""

    value: str
    span: Span = field(default=NOWHERE, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class Constant:
    """`true`, `false` or `none`."""

    value: bool | None
    span: Span = field(default=NOWHERE, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class Window:
    """A window size such as `3x3`."""

    sizes: tuple[int, ...]
    span: Span = field(default=NOWHERE, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class Dots:
    """`...` in a shape or an index."""

    span: Span = field(default=NOWHERE, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class ListOf:
    """`[a, b, c]`: a list, and after `->` a shape."""

    items: tuple[Expr, ...]
    span: Span = field(default=NOWHERE, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class Arg:
    """An argument of a call; `name` is None where it is positional."""

    name: str | None
    value: Expr
    span: Span = field(default=NOWHERE, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class Call:
    """`func(args)`."""

    func: Expr
    args: tuple[Arg, ...]
    span: Span = field(default=NOWHERE, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class Attribute:
    """`value.name`; `name_span` covers the name alone."""

    value: Expr
    name: str
    span: Span = field(default=NOWHERE, compare=False, repr=False)
    name_span: Span = field(default=NOWHERE, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class Slice:
    """`lower:upper:step` inside an index; absent parts are None."""

    lower: Expr | None
    upper: Expr | None
    step: Expr | None
    span: Span = field(default=NOWHERE, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class Index:
    """`value[items]`; an item is an expression, a `Slice`, `Dots` or `none`."""

    value: Expr
    items: tuple[Expr | Slice, ...]
    span: Span = field(default=NOWHERE, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class Unary:
    """`-x` or `not x`."""

    op: str
    operand: Expr
    span: Span = field(default=NOWHERE, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class Binary:
    """`+ - * / // % **`, `== != < <= > >=`, `and or`."""

    op: str
    left: Expr
    right: Expr
    span: Span = field(default=NOWHERE, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class IfElse:
    """`then if condition else orelse`."""

    condition: Expr
    then: Expr
    orelse: Expr
    span: Span = field(default=NOWHERE, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class Named:
    """`value as name`; `name_span` covers the name alone."""

    value: Expr
    name: str
    span: Span = field(default=NOWHERE, compare=False, repr=False)
    name_span: Span = field(default=NOWHERE, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class Stage:
    """One arrow of a pipeline: what follows `->`, the comment at its line's end, and the
    comment lines above it. `new_line`: its arrow began a line."""

    value: Expr
    new_line: bool = field(default=False, compare=False)
    comment: str | None = None
    above: tuple[str, ...] = ()
    span: Span = field(default=NOWHERE, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class Pipe:
    """`source -> stage -> stage`; `comment` ends the source's own line."""

    source: Expr
    stages: tuple[Stage, ...]
    comment: str | None = None
    span: Span = field(default=NOWHERE, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class Branch:
    """`(f | g)`: each arm a pipeline of stages without a source."""

    arms: tuple[Expr, ...]
    span: Span = field(default=NOWHERE, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class TypeOf:
    """A type: `f32[B, T]`, `int`, `[..., d]`. `dims` is None where no bracket was written."""

    dtype: str | None
    dims: tuple[Expr, ...] | None
    span: Span = field(default=NOWHERE, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class Assertion:
    """`value : type`."""

    value: Expr
    type: TypeOf
    span: Span = field(default=NOWHERE, compare=False, repr=False)


Expr: TypeAlias = (
    Name
    | Number
    | String
    | Constant
    | Window
    | Dots
    | ListOf
    | Call
    | Attribute
    | Index
    | Unary
    | Binary
    | IfElse
    | Named
    | Pipe
    | Branch
    | Assertion
)

# ----------------------------------------------------------------- statements


@dataclass(frozen=True, slots=True)
class Trivia:
    """What surrounds a statement: comment lines above it (each starting with `#`, an empty
    string for a blank line among or after them), a blank line before it all, and the
    comment at its end (of its head, where it has a body)."""

    above: tuple[str, ...] = ()
    blank: bool = field(default=False, compare=False)
    after: str | None = None


NO_TRIVIA = Trivia()


@dataclass(frozen=True, slots=True)
class Rngs:
    """`rngs params, dropout`."""

    names: tuple[Name, ...]
    span: Span = field(default=NOWHERE, compare=False, repr=False)
    trivia: Trivia = NO_TRIVIA


@dataclass(frozen=True, slots=True)
class Field:
    """`name: type = default` in an input, a batch, a param or a state."""

    name: str
    type: TypeOf
    default: Expr | None
    span: Span = field(default=NOWHERE, compare=False, repr=False)
    name_span: Span = field(default=NOWHERE, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class Declare:
    """`input`, `batch`, `param` or `state` (in `keyword`) with its fields."""

    keyword: str
    fields: tuple[Field, ...]
    span: Span = field(default=NOWHERE, compare=False, repr=False)
    trivia: Trivia = NO_TRIVIA


@dataclass(frozen=True, slots=True)
class Assign:
    """`targets op value`, op being `=`, `+=`, `-=` or `*=`."""

    targets: tuple[Name, ...]
    op: str
    value: Expr
    span: Span = field(default=NOWHERE, compare=False, repr=False)
    trivia: Trivia = NO_TRIVIA


@dataclass(frozen=True, slots=True)
class For:
    """`for targets in iterable:`."""

    targets: tuple[Name, ...]
    iterable: Expr
    body: tuple[Statement, ...]
    span: Span = field(default=NOWHERE, compare=False, repr=False)
    trivia: Trivia = NO_TRIVIA


@dataclass(frozen=True, slots=True)
class If:
    """`if condition:` with `else:` (an `elif` is an If in `orelse`, alone)."""

    condition: Expr
    then: tuple[Statement, ...]
    orelse: tuple[Statement, ...]
    span: Span = field(default=NOWHERE, compare=False, repr=False)
    trivia: Trivia = NO_TRIVIA
    else_trivia: Trivia = NO_TRIVIA


@dataclass(frozen=True, slots=True)
class Require:
    """`require condition`, `require condition, "message"`."""

    condition: Expr
    message: str | None
    span: Span = field(default=NOWHERE, compare=False, repr=False)
    trivia: Trivia = NO_TRIVIA


@dataclass(frozen=True, slots=True)
class Return:
    """`return value, value`."""

    values: tuple[Expr, ...]
    span: Span = field(default=NOWHERE, compare=False, repr=False)
    trivia: Trivia = NO_TRIVIA


@dataclass(frozen=True, slots=True)
class Evaluate:
    """An expression that stands alone as a statement."""

    value: Expr
    span: Span = field(default=NOWHERE, compare=False, repr=False)
    trivia: Trivia = NO_TRIVIA


@dataclass(frozen=True, slots=True)
class Metric:
    """`metric name = value` in a train."""

    name: str
    value: Expr
    span: Span = field(default=NOWHERE, compare=False, repr=False)
    name_span: Span = field(default=NOWHERE, compare=False, repr=False)
    trivia: Trivia = NO_TRIVIA


@dataclass(frozen=True, slots=True)
class Select:
    """`freeze paths` or `only paths` in a train; a path is dotted: `encoder.wte`."""

    keyword: str
    paths: tuple[Expr, ...]
    span: Span = field(default=NOWHERE, compare=False, repr=False)
    trivia: Trivia = NO_TRIVIA


Statement: TypeAlias = (
    Rngs | Declare | Assign | For | If | Require | Return | Evaluate | Metric | Select
)

# ------------------------------------------------------------------ top level


@dataclass(frozen=True, slots=True)
class Use:
    """`use Name, Name from "path"`."""

    names: tuple[Name, ...]
    path: String
    span: Span = field(default=NOWHERE, compare=False, repr=False)
    trivia: Trivia = NO_TRIVIA


@dataclass(frozen=True, slots=True)
class Defaults:
    """`defaults Linear(bias=false), RMSNorm(eps=1e-5)`."""

    calls: tuple[Call, ...]
    span: Span = field(default=NOWHERE, compare=False, repr=False)
    trivia: Trivia = NO_TRIVIA


@dataclass(frozen=True, slots=True)
class Parameter:
    """A parameter of a block or model."""

    name: str
    default: Expr | None
    span: Span = field(default=NOWHERE, compare=False, repr=False)
    name_span: Span = field(default=NOWHERE, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class Definition:
    """`block Name(params):` or `model Name(params):`. `broken`: a mistake was reported in
    its body and what it stood in was left out."""

    kind: str
    name: Name
    params: tuple[Parameter, ...]
    body: tuple[Statement, ...]
    span: Span = field(default=NOWHERE, compare=False, repr=False)
    trivia: Trivia = NO_TRIVIA
    broken: bool = False


@dataclass(frozen=True, slots=True)
class Config:
    """`config name = Model(args)`."""

    name: Name
    value: Call
    span: Span = field(default=NOWHERE, compare=False, repr=False)
    trivia: Trivia = NO_TRIVIA


@dataclass(frozen=True, slots=True)
class Train:
    """`train Model:`. `broken` as in a `Definition`."""

    model: Name
    body: tuple[Statement, ...]
    span: Span = field(default=NOWHERE, compare=False, repr=False)
    trivia: Trivia = NO_TRIVIA
    broken: bool = False


Item: TypeAlias = Use | Defaults | Definition | Config | Train


@dataclass(frozen=True, slots=True)
class File:
    """A whole spec; `tail` holds the comments after the last item. `broken`: an item was
    left out because of a mistake in it, so that names may be missing."""

    items: tuple[Item, ...]
    tail: tuple[str, ...] = ()
    span: Span = field(default=NOWHERE, compare=False, repr=False)
    broken: bool = False
