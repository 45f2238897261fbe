"""Inputs that stand side by side, not in a tuple or a list."""

from __future__ import annotations

from ...diagnostics import write
from ...syntax import tree
from ..context import Context


def one_by_one(ctx: Context, arg: tree.Arg, free: int) -> None:
    """`cell(x, (h, c))`: inputs stand side by side."""
    value = arg.value
    if not isinstance(value, tree.ListOf) or arg.name or len(value.items) < 2:
        return
    if len(value.items) <= free:
        inside = ", ".join(item.span.text for item in value.items)
        code, text = "N234", "each input stands by itself"
        if value.round:
            code, text = "N122", "a tuple is Python"
        ctx.fail(code, text, arg.span, **write(arg.span, inside))
