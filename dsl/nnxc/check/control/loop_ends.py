"""What a loop leaves behind for the statements after it."""

from __future__ import annotations

from dataclasses import dataclass, field

from ... import ir
from ...diagnostics import Label
from ...dims import Dim
from ...shapes import TensorType
from ...source import Span
from ...syntax import tree
from ..arguments.flavors import describe
from ..context import Context
from ..expressions import statics
from ..obligations import must_hold
from ..values import BAD, Bad, Binding, Fault, Listed, Static, Tensor, Value
from . import list_types
from .scalars import repair


@dataclass(slots=True)
class Loop:
    """The loop being checked: what its variables look like as an iteration begins."""

    node: tree.For
    iterable: Static
    entry: dict[str, Binding]
    starts: dict[str, Value] = field(default_factory=dict)
    symbols: dict[tuple[Dim, Dim], str] = field(default_factory=dict)
    carried: dict[str, Dim] = field(default_factory=dict)  # symbol -> entry
    statics: dict[str, str] = field(default_factory=dict)  # local -> its symbol
    # What an iteration leaves in a symbol: the names that it is made of, and whether it is
    # known only when the model is called.
    roots: dict[str, frozenset[str]] = field(default_factory=dict)
    at_call: dict[str, Span] = field(default_factory=dict)


def left_behind(
    ctx: Context,
    loop: Loop,
    name: str,
    phi: Binding,
    last: Binding,
    nexts: dict[str, Dim],
) -> Value:
    start, value = phi.value, last.value
    if isinstance(start, Bad) or isinstance(value, Bad):
        return BAD
    if isinstance(start, Static) and isinstance(value, Static):
        same = statics.united(start, value)
        if same is None or same.flavor != start.flavor:
            label = f"{describe(value)} takes the place of {describe(start)}"
            _unsettled(ctx, loop.node.span, name, label, last)
            return BAD
        return start
    if isinstance(start, Listed) and isinstance(value, Listed):
        return list_types.after(ctx, start, value, loop.iterable)
    if not isinstance(start, Tensor) or not isinstance(value, Tensor):
        help = None
        if isinstance(loop.entry[name].value, Static) and isinstance(value, Tensor):
            help = repair(name, value, loop.entry)
        label = "it is another kind of thing"
        _unsettled(ctx, loop.node.span, name, label, last, help)
        return BAD
    return _tensor(ctx, loop, name, start.type, value.type, last, nexts)


def _tensor(
    ctx: Context,
    loop: Loop,
    name: str,
    a: TensorType,
    b: TensorType,
    last: Binding,
    nexts: dict[str, Dim],
) -> Value:
    """A tensor that is `a` as an iteration begins, and `b` as it ends."""
    if a.rank != b.rank or a.lead != b.lead or a.dtype != b.dtype:
        _unsettled(ctx, loop.node.span, name, f"{a} becomes {b}", last)
        return BAD
    for x, y in zip(a.sizes, b.sizes, strict=True):
        if x.name in loop.carried:
            held = nexts.setdefault(str(x.name), y)
            if held != y:
                _unsettled(ctx, loop.node.span, name, f"{a} becomes {b}", last)
                return BAD
        elif x != y:
            text = f"`{name}` changes its shape in this loop"
            try:
                must_hold(ctx, x, y, last.span, text, label=f"{a} becomes {b}")
            except Fault:
                return BAD
    return Tensor(ir.Var(name, a, last.span))


def _unsettled(
    ctx: Context,
    span: Span,
    name: str,
    label: str,
    last: Binding,
    help: str | None = None,
) -> None:
    ctx.error(
        "N252",
        f"`{name}` changes in this loop",
        last.span,
        label,
        related=(Label(span, ""),),
        help=help,
    )
