"""Lists that must be as long as the loops that count through them."""

from __future__ import annotations

from collections.abc import Sequence

from ... import ir
from ...dims import Dim, func, symbol
from ...source import Span
from ..context import Context
from ..obligations import same_fact, verdict
from ..values import Obligation, Static


def need_length(ctx: Context, values: Static, at: Static, span: Span) -> None:
    """A list that is a parameter has an element wherever a counter gets, unless an `if` decides
    whether it is asked; checked before anything is built."""
    if not isinstance(values.node, ir.Ref) or at.below is None or ctx.sides:
        return
    name = values.node.name
    length = func("len", symbol(name))
    if not (length - at.below).symbols <= ctx.params.keys() or values.optional:
        return
    if _known(ctx, length, at.below) or verdict(ctx, length, at.below, ">=") is True:
        return
    message = f"{name} must {_as_many(at.below)}"
    ahead(ctx, Obligation(length, at.below, ">=", message, span, "N222"))


def equal_lengths(ctx: Context, counts: Sequence[Dim | None], span: Span) -> None:
    """Lists that a loop goes through side by side, of which some are parameters, are equally
    long, unless an `if` decides whether it does."""
    known = [c for c in counts if c is not None and c.symbols <= ctx.params.keys()]
    known.sort(key=lambda count: count.value is None)  # numbers first
    for count in known[1:] if not ctx.sides else ():
        unknown = verdict(ctx, count, known[0], "==") is None
        if unknown and not _known(ctx, count, known[0]):
            names = [_list_of(c) for c in (known[0], count)]
            message = "the lists of `zip` must be equally long"
            if names[1] and (names[0] or known[0].value is not None):
                message = f"{names[1]} must {_equally_many(known[0])}"
            ahead(ctx, Obligation(count, known[0], "==", message, span, "N222"))


def ahead(ctx: Context, needed: Obligation) -> None:
    """Checked before anything is built."""
    if not any(same_fact(needed, other) for other in ctx.lengths):
        ctx.lengths.append(needed)
        ctx.obligations.append(needed)


def _known(ctx: Context, one: Dim, other: Dim) -> bool:
    """Whether a `require` above says that two lists are equally long."""
    return {_list_of(one), _list_of(other)} in ctx.equally_long


def _as_many(count: Dim) -> str:
    """Have as many values as a loop counts."""
    name = _list_of(count)
    return f"not be shorter than {name}" if name else f"have {count} values"


def _equally_many(count: Dim) -> str:
    name = _list_of(count)
    return f"be as long as {name}" if name else f"have {count} values"


def _list_of(count: Dim) -> str:
    """The list whose length this is."""
    lists = (n for n in count.symbols if count == func("len", symbol(n)))
    return next(lists, "")
