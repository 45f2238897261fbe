"""Whole lists of tensors as inputs of functions that take any number of them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ... import ir
from ...dims import symbol
from ...ops.base import Op, Shaped
from ...record import replace
from ...shapes import Axis, TensorType
from ...source import Span
from ..arguments.apply import shape
from ..context import Context
from ..values import Listed, Tensor
from .list_types import one_by_one, uniform, whole


def as_input(ctx: Context, value: Listed, span: Span) -> Listed:
    """A list as an input."""
    if value.items:
        return value
    type = whole(ctx, value, span)
    return replace(value, expr=replace(value.expr, type=type))


def shape_of_list(
    ctx: Context,
    op: Op,
    inputs: Mapping[str, Any],
    args: Mapping[str, Any],
    span: Span,
    spans: Mapping[str, Span],
) -> Shaped:
    """What a function makes of a list. Where the number of tensors is a symbol, the rule is asked
    for two and for three of them: what grows does so evenly."""
    name, value = next((n, v) for n, v in inputs.items() if isinstance(v, Listed))

    def ask(tensors: tuple[Tensor, ...]) -> Shaped:
        return shape(ctx, op, {**inputs, name: tensors}, args, span, spans)

    if value.items:
        return ask(tuple(one_by_one(value, span)))
    if (out := _end_to_end(ctx, op, value, args, span)) is not None:
        return Shaped(out)
    element = uniform(ctx, value, span).element
    if value.count is None:
        help = "append outside of `if`, in loops over `range(n)` or a list"
        text = "cannot tell how many tensors this list has"
        ctx.fail("N311", text, span, help=help)
    one = Tensor(ir.Item(value.expr, 0, element, span))
    two, three = ask((one,) * 2), ask((one,) * 3)
    assert isinstance(two.out, TensorType) and isinstance(three.out, TensorType)
    axes = tuple(
        Axis(a.size + (b.size - a.size) * (value.count - 2), a.label)
        for a, b in zip(two.out.axes, three.out.axes, strict=True)
    )
    return replace(two, out=two.out.with_axes(axes), flops=None)


def _end_to_end(
    ctx: Context, op: Op, value: Listed, args: Mapping[str, Any], span: Span
) -> TensorType | None:
    """Tensors that differ in the axis along which they are joined make one as long as all."""
    element = value.element
    assert element is not None
    differ = [i for i, a in enumerate(element.axes) if a.size.name in ctx.varying]
    if op.name != "concat" or len(differ) != 1 or value.given:
        return None
    axis = args.get("axis", element.rank - 1)
    if differ != [axis]:
        return None
    assert isinstance(value.expr, ir.Var)
    name = ctx.unused_name(f"{value.expr.name}_{element.axis_name(axis)}")
    ctx.locals[name] = element.axes[axis].size.symbols
    ctx.body.append(ir.Total(name, value.expr.name, axis, span))
    axes = list(element.axes)
    axes[axis] = Axis(symbol(name), axes[axis].label)
    return element.with_axes(tuple(axes))
