"""Operators over static values and tensors, with broadcasting."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import Any

from ... import ir
from ...diagnostics import Advice, write
from ...dims import Dim, const
from ...dims_compare import Comparison
from ...shapes import Axis, TensorType, is_float, promote
from ...source import Span
from ...syntax import tree
from ..arguments.activation_values import known
from ..context import Context
from ..control import lists
from ..control.branches import both, one_type
from ..foreign import native
from ..obligations import compare, must_hold
from ..values import (
    BAD,
    Applied,
    Bad,
    BlockRef,
    Fault,
    OpRef,
    Several,
    Static,
    Tensor,
    Value,
)
from . import statics
from .aligning import aligned
from .operands import as_tensor
from .pipes import constructs, stacked

COMPARISONS = statics.COMPARISONS


def binary(ctx: Context, node: tree.Binary) -> Value:
    """`left op right`."""
    if node.op == "@":
        between = Span(node.span.source, node.left.span.end, node.right.span.start)
        text, at = "`@` is no operator here", between.place_of("@")
        ctx.fail("N138", text, at, **native.advice(ctx, node))
    if node.op == "*" and constructs(ctx, node.left):
        return stacked(ctx, node.left, node.right)
    left = ctx.attempt(lambda: ctx.expr(node.left))
    with _after(ctx, node, left):
        right = ctx.attempt(lambda: ctx.expr(node.right))
    if isinstance(left, Bad) or isinstance(right, Bad):
        return BAD
    return combine(ctx, node.op, left, right, node)


def _after(ctx: Context, node: tree.Binary, left: Value) -> AbstractContextManager[Any]:
    """Within, the right of an `and` or `or` is checked, which the left may keep from being asked."""
    if node.op in ("and", "or") and isinstance(left, Static):
        held: AbstractContextManager[Any] = ctx.side(
            node.left.span, node.op == "and", at_call=False
        )
        return held
    return nullcontext()


def combine(
    ctx: Context, op: str, left: Value, right: Value, node: tree.Binary
) -> Value:
    """The operator over two values."""
    if op in ("==", "!=") and (given := _given(op, left, right)) is not None:
        return given
    if isinstance(left, Static) and isinstance(right, Static):
        return statics.binary(ctx, op, left, right, node.span)
    return Tensor(tensors(ctx, op, left, right, node))


def _given(op: str, left: Value, right: Value) -> Static | None:
    """`mask != none` of an optional input."""
    for side, other in ((left, right), (right, left)):
        match side, other:
            case Tensor(ir.Var(name), True), Static(flavor="none"):
                given = ir.Given(name)
                node = given if op == "!=" else ir.StaticUnary("not", given)
                return Static(node, "bool")
    return None


def tensors(
    ctx: Context, op: str, left: Value, right: Value, node: tree.Binary
) -> ir.Expr:
    """Elementwise over tensors."""
    _no_layers(ctx, op, left, right, node)
    if op == "in":
        text = "`in` looks for a value in a list, both known at construction"
        ctx.fail("N230", text, node.span, "one of these is a tensor")
    a = as_tensor(ctx, left, node.left, f"the left of `{op}`").expr
    b = as_tensor(ctx, right, node.right, f"the right of `{op}`").expr
    assert isinstance(a.type, TensorType) and isinstance(b.type, TensorType)
    sides = ((a.type, node.left.span), (b.type, node.right.span))
    _no_square(ctx, sides)
    shape = broadcast(ctx, a.type, b.type, node.span, lambda: aligned(ctx, sides))
    dtype = _dtype(ctx, op, a, b, node.span)
    return ir.Operator(op, (a, b), shape.with_dtype(dtype), node.span)


def _no_square(ctx: Context, sides: Sequence[tuple[TensorType, Span]]) -> None:
    """In a train, [B, 1] beside [B] would be [B, B]: all predictions beside all targets."""
    long, short = sorted(sides, key=lambda side: -side[0].rank)
    if ctx.kind != "train" or long[0].rank != short[0].rank + 1 or long[0].lead:
        return
    if not short[0].rank or long[0].sizes[-1].value != 1 or short[0].lead:
        return
    if (
        long[0].sizes[:-1] != short[0].sizes
        or not _plain(long[1])
        or not _plain(short[1])
    ):
        return
    whole = long[0].with_axes((*long[0].axes[:-1], short[0].axes[-1]))
    text = f"{long[0]} beside {short[0]} is {whole}"
    advice = write(long[1], f"{long[1].text}[..., 0]")
    ctx.fail("N301", text, long[1], **advice)


def _plain(span: Span) -> bool:
    """Whether a value is a name or a call, made without `none` of an index."""
    if not re.fullmatch(r"[\w.]+(\([\w., =]*\))?", span.text):
        return False
    made = rf"(?m)^ *{re.escape(span.text)} *=.*\bnone\b"
    return re.search(made, span.source.text) is None


def _no_layers(
    ctx: Context, op: str, left: Value, right: Value, node: tree.Binary
) -> None:
    for value, side in ((left, node.left), (right, node.right)):
        if isinstance(value, Applied):
            value.layer.used = True
        if isinstance(value, (OpRef, BlockRef, Applied)):
            message = f"`{side.span.text[:40]}` is not a tensor"
            advice = _applied(op, left, node)
            if isinstance(value, OpRef) and value.op.group == "function":
                advice = {"help": f"it is a function: `{value.op.name}(x)`"}
            other = right if value is left else left
            if isinstance(other, Static) and other.flavor == "text":
                advice = write(side.span, f'"{side.span.text}"', "texts have quotes")
            ctx.fail("N235", message, side.span, **advice)


def _applied(op: str, left: Value, node: tree.Binary) -> Advice:
    """Where a layer stands in place of what it makes of a tensor."""
    if op == "*":
        return {"help": "a stack stands alone after an arrow: `x -> Block(...) * n`"}
    if isinstance(left, Tensor) and isinstance(node.left, tree.Name):
        applied = f"({node.left.id} -> {node.right.span.text})"
        return write(node.right.span, applied, "apply it first")
    return {"help": "apply it first: `(x -> f) + y`"}


def _dtype(ctx: Context, op: str, a: ir.Expr, b: ir.Expr, span: Span) -> str:
    assert isinstance(a.type, TensorType) and isinstance(b.type, TensorType)
    left, right = _weak(a, b), _weak(b, a)
    if op in ("and", "or"):
        for side in (a, b):
            assert isinstance(side.type, TensorType)
            if side.type.dtype != "bool":
                ctx.fail(
                    "N302",
                    f"`{op}` needs bool tensors",
                    side.span,
                    f"this is {side.type.dtype}",
                    help="compare first, `x > 0`; numbers are joined by `*`, `+`, `maximum`",
                )
        return "bool"
    if op in COMPARISONS:
        return "bool"
    if left == right == "bool":
        ctx.fail(
            "N302",
            f"`{op}` needs numbers",
            span,
            "both sides are bool",
            help="use `and`, `or`, or `where`",
        )
    result = promote(left, right)
    if op == "/" and not is_float(result):
        return "float"
    return result


def _weak(side: ir.Expr, other: ir.Expr) -> str:
    """A number adapts to the tensor beside it, as in jax.numpy."""
    assert isinstance(side.type, TensorType) and isinstance(other.type, TensorType)
    if not isinstance(side, ir.Scalar) or isinstance(other, ir.Scalar):
        return side.type.dtype
    if is_float(other.type.dtype) or (
        side.type.dtype == "int" and other.type.dtype != "bool"
    ):
        return other.type.dtype
    return side.type.dtype


def broadcast(
    ctx: Context,
    left: TensorType,
    right: TensorType,
    span: Span,
    align: Callable[[], Advice] = dict,  # type: ignore[assignment]
) -> TensorType:
    """The shape of an elementwise result; axes are equal, or one of them is 1. `align` is asked
    how they could be."""
    if not left.lead and not left.axes:
        return right
    if not right.lead and not right.axes:
        return left
    if left.lead != right.lead:
        longer = max(left, right, key=lambda t: (t.lead, t.rank))
        shorter = right if longer is left else left
        if shorter.rank > longer.rank:
            ctx.fail("N301", f"{left} and {right} do not broadcast", span)
    rank = max(left.rank, right.rank)
    a = (None,) * (rank - left.rank) + left.axes
    b = (None,) * (rank - right.rank) + right.axes
    pairs = zip(a, b, strict=True)
    axes = tuple(_axis(ctx, x, y, left, right, span, align) for x, y in pairs)
    return TensorType(left.dtype, axes, left.lead or right.lead)


_EQUAL = "must be equal, or one of them 1"


def _axis(
    ctx: Context,
    a: Axis | None,
    b: Axis | None,
    left: TensorType,
    right: TensorType,
    span: Span,
    align: Callable[[], Advice],
) -> Axis:
    if a is None or b is None:
        found = a or b
        assert found is not None
        return found
    if b.size == const(1):
        return a
    if a.size == const(1):
        return b
    if compare(ctx, a.size, b.size) is not Comparison.EQUAL:
        must_hold(
            ctx,
            a.size,
            b.size,
            span,
            "shapes do not match",
            label=f"{left} and {right}",
            advise=lambda: align() or {"help": f"{a.size} and {b.size} {_EQUAL}"},
        )
    size = (
        b.size if _is_told_by(ctx, b.size) and not _is_told_by(ctx, a.size) else a.size
    )
    return Axis(size, a.label or b.label)


def _is_told_by(ctx: Context, size: Dim) -> bool:
    """Whether inputs and parameters alone say what a size is."""
    return size.symbols <= ctx.params.keys() | ctx.axes.keys()


def unary(ctx: Context, node: tree.Unary) -> Value:
    """`-x`, `not x`."""
    value = ctx.expr(node.operand)
    if isinstance(value, Bad):
        return BAD
    if isinstance(value, Static):
        return statics.unary(ctx, node.op, value, node.span)
    operand = as_tensor(ctx, value, node.operand).expr
    assert isinstance(operand.type, TensorType)
    if (node.op == "not") != (operand.type.dtype == "bool"):
        wanted = "a bool tensor" if node.op == "not" else "numbers"
        ctx.fail(
            "N302",
            f"`{node.op}` needs {wanted}",
            node.operand.span,
            f"this is {operand.type.dtype}",
        )
    return Tensor(ir.Operator(node.op, (operand,), operand.type, node.span))


def if_else(ctx: Context, node: tree.IfElse) -> Value:
    """`then if condition else orelse`, decided at construction."""
    lists.not_inside(ctx, (node.then, node.orelse))

    def side(holds: bool) -> Value:
        value = ctx.attempt(lambda: ctx.expr(node.then if holds else node.orelse))
        return value if isinstance(value, Bad) else known(ctx, value)

    choice, then, orelse = both(ctx, node, side)
    if isinstance(then, Bad) or isinstance(orelse, Bad):
        raise Fault
    if isinstance(then, Static) and isinstance(orelse, Static):
        condition = Static(choice.condition, "bool")
        return statics.choose(ctx, condition, then, orelse, node.span)
    layers = [v.layer for v in (then, orelse) if isinstance(v, Applied)]
    for layer in layers:
        layer.used = True
    if layers:
        first, other = node.then.span.text, node.orelse.span.text
        applied = f"(x -> {first}) if {node.condition.span.text} else (x -> {other})"
        ctx.fail(
            "N235",
            "`if` chooses between tensors, not layers",
            node.span,
            help=f"apply both: `{applied}`" if len(layers) == 2 else "apply the layer",
        )
    if isinstance(then, Several) or isinstance(orelse, Several):
        ctx.fail("N234", "`if` chooses between single tensors", node.span)
    a, b = as_tensor(ctx, then, node.then), as_tensor(ctx, orelse, node.orelse)
    either = one_type(ctx, choice, a.type, b.type)
    if either is None:
        ctx.fail(
            "N301",
            "the two values differ in shape",
            node.span,
            f"{a.type}, or {b.type}",
            help=_of_results(node, a.type, b.type),
        )
    return Tensor(ir.Choose(choice.condition, a.expr, b.expr, either, node.span))


def _of_results(node: tree.IfElse, then: TensorType, orelse: TensorType) -> str | None:
    """How a choice between a tensor and a number is written: of what is made of them."""
    if bool(then.rank or then.lead) is bool(orelse.rank or orelse.lead):
        return None
    first, other = node.then.span.text, node.orelse.span.text
    condition = node.condition.span.text
    return f"choose between results: `y * {first} if {condition} else y * {other}`"
