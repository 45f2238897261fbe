"""Layers and obligations under construction, as what became of them."""

from __future__ import annotations

from typing import Any

from ... import ir
from ...ops.base import Op
from ...record import replace
from ..context import Context
from ..values import LayerInfo, Obligation


def finish(ctx: Context, body: list[Any]) -> tuple[ir.Stmt, ...]:
    """Replace layers and obligations under construction by what became of them."""
    return tuple(made for item in body if (made := _finished(ctx, item)) is not None)


def _finished(ctx: Context, item: Any) -> ir.Stmt | None:
    match item:
        case LayerInfo():
            return ir.Declare(_layer(item))
        case Obligation():
            return _required(ctx, item)
        case ir.For(targets_, iterable, body, carried, span):
            return ir.For(targets_, iterable, finish(ctx, list(body)), carried, span)
        case ir.Scan(body=body):
            return replace(item, body=finish(ctx, list(body)))
        case ir.If(condition, then, orelse, span):
            return ir.If(
                condition, finish(ctx, list(then)), finish(ctx, list(orelse)), span
            )
    made: ir.Stmt = item
    return made


def _layer(info: LayerInfo) -> ir.Layer:
    callee = info.callee if isinstance(info.callee, Op) else info.callee.definition.name
    order = (
        [p.name for p in info.callee.params]
        if isinstance(info.callee, Op)
        else list(info.callee.params)
    )
    names = [n for n in order if n in info.args] + [
        n for n in info.args if n not in order
    ]
    count = info.count.node if info.count is not None else None
    args = tuple((n, info.args[n][0]) for n in names)
    return ir.Layer(
        info.name,
        callee,
        args,
        info.sizes,
        info.weights,
        info.span,
        count,
        info.named,
        info.copies,
        info.stream,
        tuple(info.gives.items()),
    )


def _required(ctx: Context, fact: Obligation) -> ir.Require:
    axes = ctx.call_time(fact.left) | ctx.call_time(fact.right)
    roots = ctx.roots(fact.left.symbols | fact.right.symbols)
    call_time = not axes <= ctx.inferred.keys() or not roots.isdisjoint(ctx.at_call)
    condition = ir.StaticBinary(fact.relation, ir.Size(fact.left), ir.Size(fact.right))
    return ir.Require(condition, fact.message, fact.span, call_time, fact.looped)
