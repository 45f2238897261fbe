"""The structure of tensor expressions, for whoever walks them. Knows `ir` only."""

from __future__ import annotations

from typing import assert_never

from . import ir


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
            | ir.Invoke(value=value)
        ):
            return (value,)
        case ir.Choose(then=then, orelse=orelse):
            return then, orelse
        case ir.Let(value=value, body=body):
            return value, body
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
    ir.Choose,
    ir.Let,
    ir.ModelCall,
)  # fmt: skip
