"""Locals that get several values: each of these has a form or a name of its own, so that what was
made of one stays what it is."""

from __future__ import annotations

from typing import Any

from ... import ir
from ...dims import symbol
from ...ir.fold_static import asks_given
from ...record import Record, replace
from ...source import Span
from ..context import Context
from ..expressions.statics import united
from ..values import Static

PLAIN = 5  # parts of an expression that is written out wherever it is used


def version(ctx: Context, name: str, value: Static, span: Span) -> Static:
    """The next value of a local."""
    hangs = asks_given(value.node)
    if value.flavor == "int" and value.dim is not None and not hangs:
        if value.known or value.optional:
            return value
        return replace(value, node=ir.Size(value.dim))
    is_size = value.flavor in ("int", "unknown")
    plain = value.dim is not None or not is_size
    if plain and not hangs and parts(value.node) <= PLAIN:
        return value
    own = ctx.version(name)
    ctx.local(own, value.node, span)
    return named(own, value)


def named(name: str, value: Static) -> Static:
    """A value by its name; of a whole number that is always there, a size."""
    dim = symbol(name) if value.flavor in ("int", "unknown") else None
    is_size = value.flavor == "int" and not value.optional
    node = ir.Size(symbol(name)) if is_size else ir.Ref(name)
    return Static(
        node, value.flavor, dim, element=value.element, optional=value.optional
    )


def parts(node: object) -> int:
    """How long a static expression is."""
    match node:
        case tuple():
            return sum(map(parts, node))
        case ir.Function() | ir.Initializer() | ir.Literal() | ir.Ref() | ir.Size():
            return 1
        case Record():
            return 1 + sum(parts(getattr(node, n)) for n in node.__match_args__)
    return 0


def written(value: Static) -> ir.Static:
    """A value as an expression, of a size its form."""
    if value.flavor == "int" and value.dim is not None and not value.optional:
        return ir.Size(value.dim)
    return value.node


def joined(
    ctx: Context,
    name: str,
    condition: ir.Static,
    sides: tuple[list[Any], list[Any]],
    span: Span,
    x: Static,
    y: Static,
) -> Static | None:
    """A local after an `if` on whose sides it has two values; None where they differ in kind."""
    if x.node == y.node:
        return x
    if x.dim is not None and x.dim == y.dim and x.flavor == y.flavor == "int":
        return Static(ir.Size(x.dim), "int", x.dim)
    like = united(x, y)
    if like is None:
        return None
    own = ctx.version(name)
    if asks_given(condition):  # which inputs are given may look different from here on
        for side, value in zip(sides, (x, y), strict=True):
            ctx.local(own, written(value), span, side)
        ctx.at_call[own] = span
    else:
        ctx.local(own, ir.StaticIf(condition, written(x), written(y)), span)
    return named(own, like)
