"""Static values as sizes: one that has no form of its own gets a name, the same one each time."""

from __future__ import annotations

import operator

from ... import ir
from ...dims import Dim, DimError, func, symbol
from ...ir.fold_static import static_dims
from ...source import Span
from ..context import Context
from ..control.conditions import size
from ..definitions.parameter_kinds import demand_whole
from ..values import Binding, Converted, Static

_ARITHMETIC = {
    "+": operator.add,
    "-": operator.sub,
    "*": operator.mul,
    "//": operator.floordiv,
    "%": operator.mod,
}


def form(ctx: Context, node: ir.Static, base: str, span: Span) -> Dim:
    """A whole number as a size; parts such as `1 if i == 0 else 2` become locals. Raises
    `Fault`."""
    known = size(ctx, node)
    if known is not None:
        return known
    match node:
        case ir.StaticBinary(op, left, right) if op in _ARITHMETIC:
            a, b = form(ctx, left, base, span), form(ctx, right, base, span)
            try:
                made: Dim = _ARITHMETIC[op](a, b)
            except DimError as error:
                ctx.fail("N309", str(error), span)
            return made
        case ir.StaticUnary("-", operand):
            return -form(ctx, operand, base, span)
        case ir.StaticIndex(ir.Ref(values), index):
            return func("index", symbol(values), form(ctx, index, base, span))
    return named(ctx, node, None, base, span)


def named(
    ctx: Context, node: ir.Static, name: str | None, base: str, span: Span
) -> Dim:
    """The local that such a value is; where there is none yet, one of that name, or of one made
    from `base`."""
    key = (node, *_meanings(ctx, node))
    if key not in ctx.sized:
        _demand_branches(ctx, node, span)
        if name is not None:
            ctx.spelled[name] = name
        name = name or ctx.argument_name(base)
        ctx.sized[key] = ctx.local_size(name, node, span)
    return ctx.sized[key]


def _meanings(ctx: Context, node: ir.Static) -> list[Binding | None]:
    """What the names in a value stand for here."""
    names = sorted({name for dim in static_dims(node) for name in dim.symbols})
    return [ctx.scope.get(name) for name in names]


def _demand_branches(ctx: Context, node: ir.Static, span: Span) -> None:
    """Both values of a choice of sizes are whole."""
    match node:
        case ir.StaticIf(_, then, orelse):
            _demand_branches(ctx, then, span)
            _demand_branches(ctx, orelse, span)
        case ir.Ref(name) if name in ctx.params:
            demand_whole(ctx, symbol(name), span)


def named_size(ctx: Context, value: Static, base: str, span: Span) -> Converted:
    """A size's node and form; parts without a form (`1 if i == 0 else 2`) become locals."""
    if value.dim is not None:
        return value.node, value.dim
    dim = form(ctx, value.node, base, span)
    return ir.Size(dim) if dim.name is None else ir.Ref(dim.name), dim
