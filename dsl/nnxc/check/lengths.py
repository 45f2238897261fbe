"""Lists that must be as long as the loops that count through them."""

from __future__ import annotations

from .. import ir
from ..dims import Dim, func, symbol
from ..source import Span
from .context import Context, same_fact
from .values import Obligation, Static


def need_length(ctx: Context, values: Static, at: Static, span: Span) -> None:
    """A list that is a parameter has an element wherever a counter gets, unless an `if` decides
    whether it is asked; checked before anything is built."""
    if not isinstance(values.node, ir.Ref) or at.below is None or ctx.sides:
        return
    name = values.node.name
    length = func("len", symbol(name))
    if not (length - at.below).symbols <= ctx.params.keys() or values.optional:
        return
    if ctx.verdict(length, at.below, ">=") is True:
        return
    message = f"{name} must {_as_many(at.below)}"
    ahead(ctx, Obligation(length, at.below, ">=", message, span, "N222"))


def ahead(ctx: Context, needed: Obligation) -> None:
    """Checked before anything is built."""
    if not any(same_fact(needed, other) for other in ctx.lengths):
        ctx.lengths.append(needed)
        ctx.obligations.append(needed)


def _as_many(count: Dim) -> str:
    """Have as many values as a loop counts."""
    for name in count.symbols:
        if count == func("len", symbol(name)):
            return f"not be shorter than {name}"
    return f"have {count} values"
