"""The structure of tensor expressions, for whoever walks them. Knows `ir` only."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import assert_never

from . import ir
from .record import replace
from .source import NOWHERE


def operands(expr: ir.Expr) -> tuple[ir.Expr, ...]:
    """The tensor expressions directly inside an expression, in the order of evaluation."""
    match expr:
        case ir.Var() | ir.Scalar():
            return ()
        case ir.Apply(args=args) | ir.ModelCall(args=args):
            return tuple(value for _, value in args)
        case ir.OpCall(inputs=inputs):
            return tuple(
                part
                for _, value in inputs
                for part in (value if isinstance(value, tuple) else (value,))
            )
        case ir.Operator(operands=parts) | ir.TupleOf(items=parts):
            return parts
        case ir.Subscript(value, items):
            return (value, *(i for i in items if isinstance(i, _EXPR)))
        case (
            ir.Reshape(value=value)
            | ir.Cast(value=value)
            | ir.Item(value=value)
            | ir.Element(value=value)
            | ir.ListPart(value=value)
            | ir.Invoke(value=value)
        ):
            return (value,)
        case ir.Choose(then=then, orelse=orelse):
            return then, orelse
        case ir.Let(value=value, body=body):
            return value, body
    assert_never(expr)


def walk(expr: ir.Expr) -> Iterator[ir.Expr]:
    """The expression and all below it."""
    rest = [expr]
    while rest:
        expr = rest.pop()
        yield expr
        rest.extend(reversed(operands(expr)))


def rebuilt(expr: ir.Expr, parts: Sequence[ir.Expr]) -> ir.Expr:
    """The expression over other children, in the order of `operands`."""
    rest = iter(parts)
    match expr:
        case ir.Var() | ir.Scalar():
            return expr
        case ir.Apply(args=args) | ir.ModelCall(args=args):
            return replace(expr, args=tuple((n, next(rest)) for n, _ in args))
        case ir.OpCall(inputs=inputs):
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
        case ir.Operator():
            return replace(expr, operands=tuple(rest))
        case ir.Subscript(_, items):
            value = next(rest)
            new_items = (next(rest) if isinstance(i, _EXPR) else i for i in items)
            return replace(expr, value=value, items=tuple(new_items))
        case (
            ir.Invoke()
            | ir.Reshape()
            | ir.Cast()
            | ir.Item()
            | ir.Element()
            | ir.ListPart()
        ):
            return replace(expr, value=next(rest))
        case ir.TupleOf():
            return replace(expr, items=tuple(rest))
        case ir.Choose():
            return replace(expr, then=next(rest), orelse=next(rest))
        case ir.Let():
            return replace(expr, value=next(rest), body=next(rest))
        case _:
            assert_never(expr)


_EXPR = (
    ir.Var,
    ir.Scalar,
    ir.Apply,
    ir.OpCall,
    ir.Invoke,
    ir.Operator,
    ir.Subscript,
    ir.Reshape,
    ir.Cast,
    ir.TupleOf,
    ir.Item,
    ir.Element,
    ir.ListPart,
    ir.Choose,
    ir.Let,
    ir.ModelCall,
)  # fmt: skip


def placeless(expr: ir.Expr) -> ir.Expr:
    """The expression without places: equal where the same is meant."""
    parts = [placeless(part) for part in operands(expr)]
    return replace(rebuilt(expr, parts), span=NOWHERE)
