"""The structure of tensor expressions: the one place that knows which of them hold others."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import assert_never

from ..dims import Dim
from ..record import replace
from ..shapes import TensorType
from ..source import NOWHERE
from .tensors import (
    Apply,
    Cast,
    Choose,
    Element,
    Expr,
    Invoke,
    Item,
    Let,
    ListOf,
    ListPart,
    ModelCall,
    NewAxis,
    OpCall,
    Operator,
    Reshape,
    Rest,
    Scalar,
    Subscript,
    TupleOf,
    Var,
)


def operands(expr: Expr) -> tuple[Expr, ...]:
    """The tensor expressions directly inside an expression, in the order of evaluation."""
    match expr:
        case Var() | Scalar():
            return ()
        case Apply(args=args) | ModelCall(args=args):
            return tuple(value for _, value in args)
        case OpCall(inputs=inputs):
            return tuple(
                part
                for _, value in inputs
                for part in (value if isinstance(value, tuple) else (value,))
            )
        case Operator(operands=parts) | TupleOf(items=parts) | ListOf(items=parts):
            return parts
        case Subscript(value, items):
            return (value, *(i for i in items if isinstance(i, _EXPR)))
        case (
            Reshape(value=value)
            | Cast(value=value)
            | Item(value=value)
            | Element(value=value)
            | ListPart(value=value)
            | Invoke(value=value)
        ):
            return (value,)
        case Choose(then=then, orelse=orelse):
            return then, orelse
        case Let(value=value, body=body):
            return value, body
    assert_never(expr)


def walk(expr: Expr) -> Iterator[Expr]:
    """The expression and all below it."""
    rest = [expr]
    while rest:
        expr = rest.pop()
        yield expr
        rest.extend(reversed(operands(expr)))


def rebuilt(expr: Expr, parts: Sequence[Expr]) -> Expr:
    """The expression over other children, in the order of `operands`."""
    rest = iter(parts)
    match expr:
        case Var() | Scalar():
            return expr
        case Apply(args=args) | ModelCall(args=args):
            return replace(expr, args=tuple((n, next(rest)) for n, _ in args))
        case OpCall(inputs=inputs):
            new = (
                (
                    n,
                    (
                        tuple(next(rest) for _ in v)
                        if isinstance(v, tuple)
                        else next(rest)
                    ),
                )
                for n, v in inputs
            )
            return replace(expr, inputs=tuple(new))
        case Operator():
            return replace(expr, operands=tuple(rest))
        case Subscript(_, items):
            value = next(rest)
            new_items = (next(rest) if isinstance(i, _EXPR) else i for i in items)
            return replace(expr, value=value, items=tuple(new_items))
        case Invoke() | Reshape() | Cast() | Item() | Element() | ListPart():
            return replace(expr, value=next(rest))
        case TupleOf() | ListOf():
            return replace(expr, items=tuple(rest))
        case Choose():
            return replace(expr, then=next(rest), orelse=next(rest))
        case Let():
            return replace(expr, value=next(rest), body=next(rest))
        case _:
            assert_never(expr)


_EXPR = (
    Var,
    Scalar,
    Apply,
    OpCall,
    Invoke,
    Operator,
    Subscript,
    Reshape,
    Cast,
    TupleOf,
    Item,
    Element,
    ListPart,
    ListOf,
    Choose,
    Let,
    ModelCall,
)  # fmt: skip


def placeless(expr: Expr) -> Expr:
    """The expression without places: equal where the same is meant."""
    parts = [placeless(part) for part in operands(expr)]
    return replace(rebuilt(expr, parts), span=NOWHERE)


def indexed(items: Sequence[object], type_: TensorType) -> Iterator[tuple[object, Dim]]:
    """The items of an index, each with the size of its axis."""
    taken = [i for i in items if i != NewAxis()]
    rest = taken.index(Rest()) if Rest() in taken else len(taken)
    after = taken[rest + 1 :]
    if not type_.lead:
        yield from zip(taken[:rest], type_.sizes, strict=False)
    if after:
        yield from zip(after, type_.sizes[-len(after) :], strict=True)
