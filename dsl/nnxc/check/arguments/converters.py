"""What a spec writes for each kind of argument, converted."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from ... import ir
from ...diagnostics import Advice, closest, meant, write
from ...dims import Dim, const, func, symbol
from ...ops import INITIALIZERS
from ...ops.base import Kind
from ...ops.base import Param as OpParam
from ...record import Record, replace
from ...shapes import DTYPES, TensorType
from ...source import Span
from ...syntax import tree
from ..context import Context
from ..definitions.parameter_kinds import demand_sizes, demand_whole
from ..definitions.streams import expect_stream
from ..expressions.forms import named_size
from ..expressions.numbers import numbers
from ..expressions.operands import static_or_name
from ..foreign import initials
from ..foreign.foreign_arguments import value as spelled
from ..foreign.spelling import spell
from ..values import Converted, OpRef, Param, Static, Value, number
from . import types
from .activation_names import is_activation
from .activation_values import activation
from .axis_positions import axis_position, spelled_axis
from .binding import entry_args
from .wrong_kind import NUMBERS, wrong


def _size(ctx: Context, p: OpParam, node: tree.Expr, value: Value, _: Any) -> Converted:
    if not isinstance(value, Static) or value.flavor not in ("int", "unknown"):
        wrong(ctx, p, node, value)
    base = "features" if p.name == "out" else p.name
    static, dim = named_size(ctx, value, base, node.span)
    _counted(ctx, p, value, dim, node.span)
    if p.kind is Kind.SIZE:
        if not p.empty:
            types.positive(ctx, dim, node.span)
        demand_sizes(ctx, dim, node.span)
    else:
        demand_whole(ctx, dim, node.span)
    return static, dim


def _sizes(
    ctx: Context, p: OpParam, node: tree.Expr, value: Value, _: Any
) -> Converted:
    kind = Kind.SIZE if p.kind is Kind.SIZES else Kind.INT
    single = OpParam(p.name, kind, bounds=p.bounds)
    if isinstance(value, Static) and value.flavor == "list" and value.items:
        parts = [_size(ctx, single, node, item, None) for item in value.items]
        return ir.StaticList(tuple(s for s, _ in parts)), tuple(d for _, d in parts)
    if isinstance(value, Static) and value.value == () and p.kind is Kind.INTS:
        return ir.StaticList(()), ()
    if isinstance(value, Static) and value.flavor == "list":
        wrong(ctx, p, node, value)
    static, dim = _size(ctx, single, node, value, None)
    return static, (dim,)


def _number(
    ctx: Context, p: OpParam, node: tree.Expr, value: Value, _: Any
) -> Converted:
    if not isinstance(value, Static) or value.flavor not in NUMBERS:
        wrong(ctx, p, node, value)
    _in_bounds(ctx, p, value, node.span)
    return value.node, value.value if value.known else None


def _in_bounds(ctx: Context, p: OpParam, value: Static, span: Span) -> None:
    """A number, or that which a parameter has by default; its callers keep to the bounds."""
    default = value.param.default if value.param is not None else None
    number = default.value if isinstance(default, ir.Literal) else value.value
    if value.param is not None and p.bounds is not None:
        value.param.bounds = _both(p.bounds, value.param.bounds or p.bounds)
    if (text := p.beyond(number)) is not None:
        label = f"this is {number}" + ("" if value.known else " by default")
        whole = value.known and isinstance(number, int)
        percent = p.bounds == (0, 1) and whole and 1 < number <= 100
        advice = write(span, f"{number / 100:g}") if percent else {}
        ctx.fail("N305", text, span, label, **advice)


def _counted(ctx: Context, p: OpParam, value: Static, dim: Dim, span: Span) -> None:
    """A whole number within bounds, as those of windows and their steps are. What parameters have
    by default is left to `decide`: a condition may rule it out."""
    if p.bounds is None:
        return
    if (text := p.beyond(dim.value)) is not None:
        ctx.fail("N305", text, span, f"this is {dim.value}")
    if p.bounds[0] >= 1:
        demand_sizes(ctx, dim, span)
    elif value.param is not None:
        value.param.bounds = _both(p.bounds, value.param.bounds or p.bounds)


def _both(one: tuple[float, float], other: tuple[float, float]) -> tuple[float, float]:
    return max(one[0], other[0]), min(one[1], other[1])


def _bool(ctx: Context, p: OpParam, node: tree.Expr, value: Value, _: Any) -> Converted:
    if not isinstance(value, Static) or value.flavor not in ("bool", "unknown"):
        wrong(ctx, p, node, value)
    return value.node, value.value if value.known else None


def _text(
    ctx: Context, p: OpParam, node: tree.Expr, value: Value, subject: Any
) -> Converted:
    if not isinstance(value, Static) or value.flavor != "text":
        wrong(ctx, p, node, value)
    if p.choices is not None and value.known and value.value not in p.choices:
        ctx.fail(
            "N208",
            f'`{p.name}` cannot be "{value.value[:40]}"',
            node.span,
            **_choice(value.value, p.choices, node.span),
        )
    return value.node, value.value


def _choice(text: str, choices: Iterable[str], span: Span) -> Advice:
    """What was meant by a text that is none of the choices."""
    close = closest(text, choices)
    if close:
        return meant(span, f'"{close}"')
    return {"help": "one of " + ", ".join(f'"{c}"' for c in choices)}


def _window(
    ctx: Context, p: OpParam, node: tree.Expr, value: Value, _: Any
) -> Converted:
    if not isinstance(value, Static):
        wrong(ctx, p, node, value)
    if p.choices and value.flavor == "text":
        _, text = _text(ctx, p, node, value, None)
        return ir.Literal(text), text
    if value.flavor == "window" and value.param is not None and p.bounds:
        value.param.bounds = _both(p.bounds, value.param.bounds or p.bounds)
    if value.flavor == "window" and value.known:
        for n in value.value:
            _counted(ctx, p, value, const(n), node.span)
        return value.node, tuple(const(n) for n in value.value)
    if value.flavor == "window" and value.element is not None:
        ref = _named_window(ctx, value, p.name, node.span)
        return ref, window_sizes(ref.name, value.element.value)
    if value.flavor == "window" and value.param is not None:
        return value.node, OpenWindow(value.param)
    if value.flavor == "window":
        ctx.fail("N305", "these windows have different numbers of sizes", node.span)
    if value.flavor == "list" and value.items:
        return _sizes(ctx, replace(p, kind=Kind.INTS), node, value, None)
    number = value.flavor == "float" and value.param is not None
    if value.flavor not in ("int", "unknown") and not number:
        wrong(ctx, p, node, value)
    static, dim = named_size(ctx, value, p.name, node.span)
    _counted(ctx, p, value, dim, node.span)
    return static, (dim,)


def _named_window(ctx: Context, value: Static, base: str, span: Span) -> ir.Ref:
    """A window by its name; a choice of windows gets one."""
    if isinstance(value.node, ir.Ref):
        return value.node
    name = ctx.argument_name(base)
    ctx.local(name, value.node, span)
    return ir.Ref(name)


class OpenWindow(Record):
    """A window that is a parameter without a default; its rank follows from what it slides over:
    along a single axis it is a size."""

    param: Param

    def over(self, subject: TensorType) -> tuple[Dim, ...]:
        """Its sizes over the inner axes of `[batch, ..., channels]`."""
        rank = subject.rank - 2
        if rank < 2:
            self.param.kind = Kind.SIZE
            return (symbol(self.param.name),)
        return self.of(rank)

    def of(self, rank: int) -> tuple[Dim, ...]:
        """Its sizes over so many axes."""
        self.param.element = number(rank)
        return window_sizes(self.param.name, rank)


def window_sizes(name: str, rank: int) -> tuple[Dim, ...]:
    """The sizes of a window that a parameter gives."""
    return tuple(func("index", symbol(name), const(i)) for i in range(rank))


def _axis(
    ctx: Context, p: OpParam, node: tree.Expr, value: Value, subject: TensorType | None
) -> Converted:
    position = axis_position(ctx, p, node, value, subject)
    return ir.Literal(spelled_axis(position, subject)), position


def _axes(
    ctx: Context, p: OpParam, node: tree.Expr, value: Value, subject: TensorType | None
) -> Converted:
    nodes = node.items if isinstance(node, tree.ListOf) else (node,)
    positions: list[int] = []
    for item in nodes:
        position = axis_position(ctx, p, item, static_or_name(ctx, item), subject)
        if position in positions:
            ctx.fail("N308", "this axis is named twice", item.span)
        positions.append(position)
    spelled = tuple(spelled_axis(i, subject) for i in positions)
    if len(spelled) == 1:
        return ir.Literal(spelled[0]), tuple(positions)
    return ir.StaticList(tuple(ir.Literal(i) for i in spelled)), tuple(positions)


def _shape(
    ctx: Context, p: OpParam, node: tree.Expr, value: Value, _: Any
) -> Converted:

    dims = node.items if isinstance(node, tree.ListOf) else (node,)
    axes, lead = types.axes_of(ctx, dims)
    if lead:
        ctx.fail(
            "N314", "`...` has no size of its own", node.span, help="write every axis"
        )
    return ir.StaticList(tuple(ir.Size(a.size) for a in axes)), axes


def _dtype(
    ctx: Context, p: OpParam, node: tree.Expr, value: Value, _: Any
) -> Converted:
    if not isinstance(node, tree.Name):
        wrong(ctx, p, node, value)
    if node.id not in DTYPES:
        ctx.fail(
            "N320",
            f"there is no dtype `{node.id}`",
            node.span,
            **types.dtype_meant(node.id, node.span),
        )
    return ir.Literal(node.id), node.id


def _stream(
    ctx: Context, p: OpParam, node: tree.Expr, value: Value, _: Any
) -> Converted:
    if not isinstance(node, tree.Name):
        wrong(ctx, p, node, value)
    if node.id not in ctx.declared_streams:
        expect_stream(ctx, node.id, node.span)
    return ir.Literal(node.id), node.id


def _init(ctx: Context, p: OpParam, node: tree.Expr, value: Value, _: Any) -> Converted:
    return initializer(ctx, node), None


_DRAWS = {"randn": "normal", "rand": "uniform", "empty": "zeros", "constant": "zeros"}


def _initial_meant(ctx: Context, node: tree.Expr, name: str, span: Span) -> Advice:
    """What an unknown initialiser was meant as; one that draws gets no shape here."""
    known = _DRAWS.get(name.rstrip("_"))
    if known is not None:
        return write(node.span, known)
    near = ctx.suggest(name, INITIALIZERS, span)
    fix = near.get("fix")
    op = INITIALIZERS.get(fix.text) if fix else None
    if op is None or not isinstance(node, tree.Call) or not node.args:
        return near
    return initials.advice(ctx, op, node.args, node.span) or near


def initializer(ctx: Context, node: tree.Expr) -> ir.Static:
    """`normal(0.02)`, `zeros`, or a number."""
    match node:
        case tree.Name(name, span) | tree.Call(tree.Name(name, span)):
            op = INITIALIZERS.get(name)
            if op is None:
                ctx.fail(
                    "N209",
                    f"there is no initialiser `{name}`",
                    span,
                    **_initial_meant(ctx, node, name, span),
                )
            args = node.args if isinstance(node, tree.Call) else ()
            written = entry_args(ctx, op, args, node.span, None)
            return ir.Initializer(op, tuple((k, v[0]) for k, v in written.items()))
    value = static_or_name(ctx, node)
    if isinstance(value, Static) and value.flavor in NUMBERS:
        return value.node
    text = spelled(ctx, spell, node, OpParam("", Kind.INIT))
    advice = write(node.span, text) if text != node.span.text else {}
    text = "an initialiser such as `normal(0.02)` must stand here"
    ctx.fail("N207", text, node.span, **advice)


def _function(
    ctx: Context, p: OpParam, node: tree.Expr, value: Value, _: Any
) -> Converted:
    if isinstance(value, OpRef) and is_activation(value.op):
        return activation(ctx, value.op), value.op
    if isinstance(value, Static) and value.flavor == "function":
        return value.node, None
    wrong(ctx, p, node, value)


def _schedule(
    ctx: Context, p: OpParam, node: tree.Expr, value: Value, _: Any
) -> Converted:
    return _number(ctx, p, node, value, None)


def _list(ctx: Context, p: OpParam, node: tree.Expr, value: Value, _: Any) -> Converted:
    if not isinstance(value, Static) or value.flavor != "list":
        wrong(ctx, p, node, value)
    if value.param is not None:
        return value.node, symbol(value.param.name)
    if value.items and all(item.dim is not None for item in value.items):
        return _sizes(ctx, OpParam(p.name, Kind.INTS), node, value, None)
    return value.node, value.value


_CONVERT: dict[Kind, Callable[..., Converted]] = {
    Kind.SIZE: _size,
    Kind.INT: _size,
    Kind.SIZES: _sizes,
    Kind.INTS: _sizes,
    Kind.NUMBER: _number,
    Kind.BOOL: _bool,
    Kind.TEXT: _text,
    Kind.WINDOW: _window,
    Kind.AXIS: _axis,
    Kind.AXES: _axes,
    Kind.SHAPE: _shape,
    Kind.DTYPE: _dtype,
    Kind.STREAM: _stream,
    Kind.INIT: _init,
    Kind.FUNCTION: _function,
    Kind.SCHEDULE: _schedule,
    Kind.LIST: _list,
    Kind.NUMBERS: numbers,
}
