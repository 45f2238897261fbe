"""Values as the inputs of layers and functions."""

from __future__ import annotations

from collections.abc import Iterable

from ... import ir
from ...shapes import ListType, TensorType
from ...source import Span
from ...syntax import tree
from ..context import Context
from ..expressions.operands import as_tensor, static_or_name
from ..values import (
    BAD,
    Applied,
    Bad,
    BlockRef,
    Fault,
    Listed,
    Method,
    ModelRef,
    OpRef,
    Several,
    Static,
    Tensor,
    Value,
)


def check_arguments(ctx: Context, args: Iterable[tree.Arg]) -> None:
    """Look for mistakes in the arguments of something unknown."""
    for arg in args:
        chain = isinstance(arg.value, tree.Pipe) and arg.span.text[:1].isupper()
        if not chain and not isinstance(arg.value, (tree.Name, tree.ListOf)):
            ctx.attempt(lambda a=arg: static_or_name(ctx, a.value))  # type: ignore[misc]


def tensor_input(
    ctx: Context, name: str, optional: bool, given: Value | tree.Expr, span: Span
) -> Tensor | Bad | None:
    """One input: None where `none` was given to an optional one."""
    if isinstance(
        given,
        (
            Tensor,
            Static,
            Several,
            Listed,
            Applied,
            Method,
            OpRef,
            BlockRef,
            ModelRef,
            Bad,
        ),
    ):
        value, node = given, tree.Name(
            name,
            given.expr.span if isinstance(given, (Tensor, Several, Listed)) else span,
        )
    else:
        value, node = ctx.attempt(lambda: ctx.expr(given)), given  # type: ignore[assignment]
    if isinstance(value, Bad):
        return BAD
    if optional and isinstance(value, Static) and value.flavor == "none":
        return None
    if optional and isinstance(value, Tensor):
        return value
    try:
        return as_tensor(ctx, value, node, f"`{name}`")
    except Fault:
        return BAD


def wrap(made: ir.Expr) -> Tensor | Several | Listed:
    """An expression as a value: single, several, or a list."""
    match made.type:
        case TensorType():
            return Tensor(made)
        case ListType(element, count, items):
            return Listed(made, element, items, count, given=True)
    return Several(made, made.type)


def items(value: Several) -> list[Tensor | Several | Listed]:
    """The single values of several."""
    if isinstance(value.expr, ir.TupleOf):
        return [wrap(e) for e in value.expr.items]
    return [
        wrap(ir.Item(value.expr, i, t, value.expr.span))
        for i, t in enumerate(value.types)
    ]
