"""What stands by position behind the input of a reduction, and is no axis."""

from __future__ import annotations

from typing import Final

from ...diagnostics import Advice, write
from ...ops.base import Kind, Op
from ...ops.base import Param as OpParam
from ...syntax import tree
from ..context import Context
from ..foreign.tensor_parts import type_of
from ..foreign.tree_parts import path_to

_OF_TWO: Final = {"max": "maximum", "min": "minimum"}


def no_axis(ctx: Context, op: Op, param: OpParam, arg: tree.Arg) -> None:
    """Refuse `max(x, 0)`, which is the larger of two elsewhere, and `mean(x, H, W)`."""
    if op.name in _OF_TWO and param.kind is Kind.AXES:
        _of_two(ctx, op, arg)
    if param.name == "keepdims" and param.kind is Kind.BOOL:
        _several_axes(ctx, op, arg)


def _of_two(ctx: Context, op: Op, arg: tree.Arg) -> None:
    zero = isinstance(arg.value, tree.Number) and not arg.value.value
    number = isinstance(arg.value, tree.Number) and isinstance(arg.value.value, float)
    if not (zero or number or type_of(ctx, arg.value)):
        return
    other = _OF_TWO[op.name]
    call = _call(ctx, arg)
    advice: Advice = {"help": f"`{other}(x, y)` is of two"}
    if call is not None:
        given = ", ".join(a.span.text for a in call.args)
        text = f"{other}({given})"
        why = (
            f"an axis has a name, `axis={arg.span.text}`; of two" if zero else "of two"
        )
        advice = write(call.span, text, why)
    text = f"`{op.name}` goes over axes of one tensor"
    ctx.fail("N207", text, arg.span, **advice)


def _several_axes(ctx: Context, op: Op, arg: tree.Arg) -> None:
    axis = isinstance(arg.value, tree.Name) and arg.value.id in ctx.axes
    if not axis and not isinstance(arg.value, tree.Number):
        return
    call = _call(ctx, arg)
    plain = [a for a in call.args if a.name is None] if call else []
    at = 1 if plain and type_of(ctx, plain[0].value) else 0
    advice: Advice = {"help": "several axes are a list: `axis=[H, W]`"}
    if call is not None and len(plain) == len(call.args):
        first = [a.span.text for a in plain[:at]]
        axes = ", ".join(a.span.text for a in plain[at:])
        text = f"{op.name}({', '.join([*first, f'axis=[{axes}]'])})"
        advice = write(call.span, text, "several axes are a list")
    ctx.fail("N207", "`axis` is one argument", arg.span, **advice)


def _call(ctx: Context, arg: tree.Arg) -> tree.Call | None:
    chain = path_to(ctx.statement, arg)
    call = chain[-2] if len(chain) > 1 else None
    return call if isinstance(call, tree.Call) else None
