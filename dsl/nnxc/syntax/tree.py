"""The tree: a spec as it was written. Frozen values, one span each, no behaviour."""

from __future__ import annotations

from typing import TypeAlias

from ..record import Record, field
from ..source import NOWHERE, Span
from .formatting.trivia import NO_TRIVIA as NO_TRIVIA
from .formatting.trivia import Trivia as Trivia
from .tree_extern import Extern as Extern
from .tree_extern import Zoo as Zoo
from .tree_scan import Carry as Carry
from .tree_scan import Collect as Collect
from .tree_scan import Init as Init
from .tree_scan import Initial as Initial
from .tree_scan import Scan as Scan
from .tree_train import Adapt as Adapt
from .tree_train import Frozen as Frozen
from .tree_train import Metric as Metric
from .tree_train import Optimize as Optimize
from .tree_train import Select as Select
from .tree_train import Train as Train
from .tree_weights import Weights as Weights

# ---------------------------------------------------------------- expressions


class Name(Record):
    """A name, as it stands."""

    id: str
    span: Span = field(default=NOWHERE, compare=False)


class Number(Record):
    """An int or a float; `text` is its spelling (`1_000`, `1e-3`)."""

    value: int | float
    text: str
    span: Span = field(default=NOWHERE, compare=False)


class String(Record):
    """A string, escapes resolved."""

    value: str
    span: Span = field(default=NOWHERE, compare=False)


class Constant(Record):
    """`true`, `false` or `none`."""

    value: bool | None
    span: Span = field(default=NOWHERE, compare=False)


class Window(Record):
    """A window size such as `3x3`."""

    sizes: tuple[int, ...]
    span: Span = field(default=NOWHERE, compare=False)


class Dots(Record):
    """`...` in a shape or an index."""

    span: Span = field(default=NOWHERE, compare=False)


class ListOf(Record):
    """`[a, b, c]`: a list, and after `->` a shape. `round`: in parentheses, which is refused."""

    items: tuple[Expr, ...]
    span: Span = field(default=NOWHERE, compare=False)
    round: bool = False


class Starred(Record):
    """`*states` in a list: what is in another."""

    value: Expr
    span: Span = field(default=NOWHERE, compare=False)


class Arg(Record):
    """An argument of a call; `name` is None where it is positional."""

    name: str | None
    value: Expr
    span: Span = field(default=NOWHERE, compare=False)


class Call(Record):
    """`func(args)`."""

    func: Expr
    args: tuple[Arg, ...]
    span: Span = field(default=NOWHERE, compare=False)


class Attribute(Record):
    """`value.name`; `name_span` covers the name alone."""

    value: Expr
    name: str
    span: Span = field(default=NOWHERE, compare=False)
    name_span: Span = field(default=NOWHERE, compare=False)


class Slice(Record):
    """`lower:upper:step` inside an index; absent parts are None."""

    lower: Expr | None
    upper: Expr | None
    step: Expr | None
    span: Span = field(default=NOWHERE, compare=False)


class Index(Record):
    """`value[items]`; an item is an expression, a `Slice`, `Dots` or `none`."""

    value: Expr
    items: tuple[Expr | Slice, ...]
    span: Span = field(default=NOWHERE, compare=False)


class Unary(Record):
    """`-x` or `not x`."""

    op: str
    operand: Expr
    span: Span = field(default=NOWHERE, compare=False)


class Binary(Record):
    """`+ - * / // % **`, `== != < <= > >=`, `and or`."""

    op: str
    left: Expr
    right: Expr
    span: Span = field(default=NOWHERE, compare=False)


class IfElse(Record):
    """`then if condition else orelse`."""

    condition: Expr
    then: Expr
    orelse: Expr
    span: Span = field(default=NOWHERE, compare=False)


class Named(Record):
    """`value as name`; `name_span` covers the name alone."""

    value: Expr
    name: str
    span: Span = field(default=NOWHERE, compare=False)
    name_span: Span = field(default=NOWHERE, compare=False)


class Stage(Record):
    """One arrow of a pipeline: what follows `->`, the comment at its line's end, and the
    comment lines above it. `new_line`: its arrow began a line."""

    value: Expr
    new_line: bool = field(default=False, compare=False)
    comment: str | None = None
    above: tuple[str, ...] = ()
    span: Span = field(default=NOWHERE, compare=False)


class Pipe(Record):
    """`source -> stage -> stage`; `comment` ends the source's own line."""

    source: Expr
    stages: tuple[Stage, ...]
    comment: str | None = None
    span: Span = field(default=NOWHERE, compare=False)


class Branch(Record):
    """`(f | g)`: each arm a pipeline of stages without a source. `alike`: written `f as (a, b)`, for
    `(f as a | f as b)`."""

    arms: tuple[Expr, ...]
    span: Span = field(default=NOWHERE, compare=False)
    alike: bool = False


class TypeOf(Record):
    """A type: `f32[B, T]`, `int`, `[..., d]`. `dims` is None where no bracket was written."""

    dtype: str | None
    dims: tuple[Expr, ...] | None
    span: Span = field(default=NOWHERE, compare=False)


class Assertion(Record):
    """`value : type`."""

    value: Expr
    type: TypeOf
    span: Span = field(default=NOWHERE, compare=False)


Expr: TypeAlias = (
    Name | Number | String | Constant | Window | Dots | ListOf | Starred | Call | Attribute | Index
    | Unary | Binary | IfElse | Named | Pipe | Branch | Assertion
)  # fmt: skip

# ----------------------------------------------------------------- statements


class Rngs(Record):
    """`rngs params, dropout`."""

    names: tuple[Name, ...]
    span: Span = field(default=NOWHERE, compare=False)
    trivia: Trivia = NO_TRIVIA


class Field(Record):
    """`name: type = default` in an input, a batch, a param or a state; a state's may have a
    kind, `as Codebook`. One of a batch that is only named has a type without dtype and dims.
    """

    name: str
    type: TypeOf
    default: Expr | None
    span: Span = field(default=NOWHERE, compare=False)
    name_span: Span = field(default=NOWHERE, compare=False)
    kind: str = ""
    kind_span: Span = field(default=NOWHERE, compare=False)


class Declare(Record):
    """`input`, `batch`, `param` or `state` (in `keyword`) with its fields."""

    keyword: str
    fields: tuple[Field, ...]
    span: Span = field(default=NOWHERE, compare=False)
    trivia: Trivia = NO_TRIVIA


class Assign(Record):
    """`targets op value`, op being `=`, `+=`, `-=` or `*=`; `*gathers, target = value` gathers what
    flows through a stack, or a loop."""

    targets: tuple[Name, ...]
    op: str
    value: Expr
    span: Span = field(default=NOWHERE, compare=False)
    trivia: Trivia = NO_TRIVIA
    gathers: Name | None = None


class For(Record):
    """`for targets in iterable:`."""

    targets: tuple[Name, ...]
    iterable: Expr
    body: tuple[Statement, ...]
    span: Span = field(default=NOWHERE, compare=False)
    trivia: Trivia = NO_TRIVIA


class If(Record):
    """`if condition:` with `else:` (an `elif` is an If in `orelse`, alone)."""

    condition: Expr
    then: tuple[Statement, ...]
    orelse: tuple[Statement, ...]
    span: Span = field(default=NOWHERE, compare=False)
    trivia: Trivia = NO_TRIVIA
    else_trivia: Trivia = NO_TRIVIA


class Require(Record):
    """`require condition`, `require condition, "message"`."""

    condition: Expr
    message: str | None
    span: Span = field(default=NOWHERE, compare=False)
    trivia: Trivia = NO_TRIVIA


class Return(Record):
    """`return value, value`, or `return name=value, name=value` with as many `names`."""

    values: tuple[Expr, ...]
    names: tuple[Name, ...] = ()
    span: Span = field(default=NOWHERE, compare=False)
    trivia: Trivia = NO_TRIVIA


class Evaluate(Record):
    """An expression that stands alone as a statement."""

    value: Expr
    span: Span = field(default=NOWHERE, compare=False)
    trivia: Trivia = NO_TRIVIA


Simple: TypeAlias = (
    Rngs | Declare | Init | Assign | Collect | Require | Return | Evaluate
    | Metric | Select | Adapt | Frozen
)  # fmt: skip
Statement: TypeAlias = Simple | For | Scan | If | Optimize

# ------------------------------------------------------------------ top level


class Use(Record):
    """`use Name, Name from "path"`, or `from zoo.bert`."""

    names: tuple[Name, ...]
    path: String | Zoo
    span: Span = field(default=NOWHERE, compare=False)
    trivia: Trivia = NO_TRIVIA


class Defaults(Record):
    """`defaults Linear(bias=false), RMSNorm(eps=1e-5)`."""

    calls: tuple[Call, ...]
    span: Span = field(default=NOWHERE, compare=False)
    trivia: Trivia = NO_TRIVIA


class Parameter(Record):
    """A parameter of a block or model. `handed`: it is one of the model that the block names, with
    the default `like` there."""

    name: str
    default: Expr | None
    span: Span = field(default=NOWHERE, compare=False)
    name_span: Span = field(default=NOWHERE, compare=False)
    handed: bool = False
    like: Expr | None = None


class Group(Record):
    """`*Model` among the parameters of a block: those of that model."""

    model: Name
    span: Span = field(default=NOWHERE, compare=False)


class Definition(Record):
    """`block Name(*Model, params):` or `model Name(params):`. `broken`: a mistake was reported in
    its body and what it stood in was left out; `lost`: the names that stood there too; `seen`: those of
    the parameters of the model that it names.
    """

    kind: str
    name: Name
    params: tuple[Parameter, ...]
    body: tuple[Statement, ...]
    span: Span = field(default=NOWHERE, compare=False)
    trivia: Trivia = NO_TRIVIA
    broken: bool = False
    lost: frozenset[str] = frozenset()
    groups: tuple[Group, ...] = ()
    seen: frozenset[str] = frozenset()


class Config(Record):
    """`config name = Model(args)`."""

    name: Name
    value: Call
    span: Span = field(default=NOWHERE, compare=False)
    trivia: Trivia = NO_TRIVIA


class Generate(Record):
    """`generate Model`: code that samples from a language model, token by token."""

    model: Name
    trivia: Trivia
    span: Span = field(default=NOWHERE, compare=False)


Item: TypeAlias = (
    Use | Extern | Defaults | Definition | Config | Train | Weights | Generate
)  # fmt: skip


class File(Record):
    """A whole spec; `tail` holds the comments after the last item. `broken`: an item was
    left out because of a mistake in it; `lost`: the names in such items."""

    items: tuple[Item, ...]
    tail: tuple[str, ...] = ()
    span: Span = field(default=NOWHERE, compare=False)
    broken: bool = False
    lost: frozenset[str] = frozenset()
