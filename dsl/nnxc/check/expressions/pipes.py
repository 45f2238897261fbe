"""Pipelines: a value through stages."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import NoReturn

from ... import ir
from ...diagnostics import Advice, write
from ...shapes import TensorType
from ...source import Span
from ...syntax import tree
from ...syntax.walk import nodes_in
from ..arguments import types
from ..arguments.apply import check_count
from ..context import Context
from ..foreign.not_callable import no_layer_too, what_applies
from ..values import (
    BAD,
    Applied,
    Bad,
    BlockRef,
    Fault,
    LayerInfo,
    Listed,
    Method,
    ModelRef,
    OpRef,
    Several,
    Static,
    Tensor,
    Value,
)
from . import layouts
from .applying import apply, call_model
from .functions import function, invoke
from .invoke import FUNCTIONS, bind_layer, call_value, declare
from .operands import as_tensor, believed, static


def pipe(ctx: Context, node: tree.Pipe) -> Value:
    """`source -> stage -> stage`."""

    value = ctx.attempt(lambda: ctx.expr(node.source))
    value = ctx.attempt(lambda: _sourced(ctx, value, node.source))
    return _through(ctx, node.stages, value)


def _through(ctx: Context, stages: Iterable[tree.Stage], value: Value) -> Value:
    """What the stages make of a value, one after the other."""
    for step in stages:
        before = value
        value = ctx.attempt(lambda s=step, v=before: stage(ctx, s.value, v))  # type: ignore[misc]
    return value


def _sourced(ctx: Context, value: Value, node: tree.Expr) -> Value:
    """What flows is a tensor, or several; a number may."""
    if isinstance(value, (Several, Listed, Bad)) or (
        isinstance(value, Tensor) and not value.optional
    ):
        return value
    return as_tensor(ctx, value, node, "what an arrow takes")


def stage(ctx: Context, node: tree.Expr, value: Value) -> Value:
    """Apply one stage to what flows in; `BAD` flows through, its arguments checked all the same."""
    match node:
        case tree.Named(inner, name):
            result = ctx.attempt(lambda: stage(ctx, inner, value))
            layer = ctx.layers.get(name)
            if layer is None and not isinstance(result, Bad):
                help = "name a value by `name = ...`"
                ctx.fail("N215", "`as` names a layer", node.name_span, help=help)
            bind_layer(ctx, node, layer)
            return result
        case tree.ListOf(dims):
            _side_by_side(ctx, node, dims)
            return _reshape(ctx, dims, value, node.span)
        case tree.Branch():
            return _branch(ctx, node, value)
        case tree.Binary("*", left, right) if constructs(ctx, left):
            return _stack(ctx, left, right, value, node.span)
        case tree.Call():
            return _call_stage(ctx, node, value)
        case tree.Name() | tree.Attribute():
            return _name_stage(ctx, node, value)
        case tree.Pipe(source, stages):
            return _through(ctx, stages, ctx.attempt(lambda: stage(ctx, source, value)))
        case tree.Assertion(inner, written):
            result = stage(ctx, inner, value)
            return _asserted(ctx, result, written)
    _no_stage(ctx, node)


def _no_stage(ctx: Context, node: tree.Expr) -> NoReturn:
    outside = _outside(ctx, node)
    if isinstance(node, tree.Index) and not outside:
        _known_list(ctx, node)
    if isinstance(node, tree.IfElse):
        _choice_of_stages(ctx, node)
    advice: Advice = {
        "help": "a layer, a block, a function or a shape can; arithmetic stands before the arrow, "
        "or outside: `(x -> f) + y`"
    }
    if text := _stack_meant(ctx, node):
        advice = write(node.span, text)
    advice = outside or advice
    ctx.fail("N216", "this cannot stand after an arrow", node.span, **advice)


def _outside(ctx: Context, node: tree.Expr) -> Advice:
    """`x -> LSTM(n)[:, -1]`, `x -> f + y`: what is done with what the arrows give."""
    match node:
        case tree.Index(inner):
            pass
        case tree.Binary("+" | "-" | "*" | "/", inner):
            pass
        case _:
            return {}
    for one in nodes_in(ctx.statement, tree.Pipe):
        if any(step.value is node for step in one.stages) and applies(ctx, inner):
            source, start = one.span.source, one.span.start
            before = Span(source, start, inner.span.end).text
            rest = Span(source, inner.span.end, one.span.end).text
            return write(one.span, f"({before}){rest}")
    return {}


def _known_list(ctx: Context, node: tree.Index) -> None:
    """`x -> layers[i]`: a list of layers was told where it was made."""

    if isinstance(ctx.attempt(lambda: ctx.expr(node.value)), Bad):
        raise Fault


def _choice_of_stages(ctx: Context, node: tree.IfElse) -> NoReturn:
    """`x -> f if a else g`: arrows bind more loosely than `if`, which chooses between values."""
    text, help = (
        "this cannot stand after an arrow",
        "choose between values: `(x -> f) if ",
    )
    condition = node.condition.span.text
    for one in nodes_in(ctx.statement, tree.Pipe):
        places = [n for n, step in enumerate(one.stages) if step.value is node]
        if not places:
            continue
        source, start, end = one.span.source, one.span.start, one.span.end
        before = Span(source, start, node.then.span.end).text
        rest = Span(source, node.span.end, end).text
        other = node.orelse.span.text
        if applies(ctx, node.orelse):
            begun = Span(source, start, node.then.span.start).text
            new = f"(({before}) if {condition} else ({begun}{other})){rest}"
        else:
            other = f"({other}{rest})" if rest else other
            new = f"({before}) if {condition} else {other}"
        ctx.fail("N216", text, node.span, **write(one.span, new))
    ctx.fail("N216", text, node.span, help=f"{help}{condition} else (x -> g)`")


def applies(ctx: Context, node: tree.Expr) -> bool:
    """Whether an expression is what an arrow brings a value to."""
    head = node.func if isinstance(node, tree.Call) else node
    known = isinstance(head, tree.Name) and head.id in ctx.functions
    return constructs(ctx, node) or (known and head.id not in ctx.scope)  # type: ignore[union-attr]


def _stack_meant(ctx: Context, node: tree.Expr) -> str | None:
    """`n * Block(d)`, `[Block(d)] * n`: a stack has its layer first, and alone."""
    match node:
        case tree.Binary("*", tree.ListOf((layer,)), count) if constructs(ctx, layer):
            pass
        case tree.Binary("*", count, layer) if constructs(ctx, layer):
            pass
        case _:
            return None
    return f"{layer.span.text} * {count.span.text}"


def _asserted(ctx: Context, result: Value, written: tree.TypeOf) -> Value:
    if not isinstance(result, Tensor):
        return result
    wanted = types.written(ctx, written)
    types.check_type(ctx, result.type, wanted, written.span, "the value")
    return believed(ctx, result, wanted)


def constructs(ctx: Context, node: tree.Expr) -> bool:
    """Whether an expression is a construction: `Block(...)`, not an axis such as `T`."""
    head = node.func if isinstance(node, tree.Call) else node
    if not isinstance(head, tree.Name):
        return False
    return head.id[:1].isupper() and head.id not in ctx.scope


def _side_by_side(
    ctx: Context, node: tree.ListOf, items: tuple[tree.Expr, ...]
) -> None:
    """`x -> [Linear(d), Linear(d)]`: arms that get the same stand between bars."""
    if items and all(isinstance(i, tree.Call) and constructs(ctx, i) for i in items):
        text = f"({' | '.join(i.span.text for i in items)})"
        why = "arms that get the same stand between bars"
        ctx.fail(
            "N313",
            "these are layers, not sizes",
            node.span,
            **write(node.span, text, why),
        )


def _reshape(
    ctx: Context, dims: tuple[tree.Expr, ...], value: Value, span: Span
) -> Value:
    known = value.type if isinstance(value, Tensor) else None
    layouts.open_size(ctx, dims, known)
    axes, lead = types.axes_of(ctx, dims)
    if isinstance(value, Bad):
        return BAD
    source = as_tensor(ctx, value, tree.Name("", span), "what is reshaped")
    made = types.reshape(ctx, source, axes, lead, span)
    assert isinstance(made.type, TensorType)
    layouts.moves_nothing(ctx, source.type, made.type, dims, span)
    return Tensor(made)


def _arms(ctx: Context, node: tree.Branch, value: Value) -> Iterator[Value]:
    """What each arm makes; a mistake in arms that are alike is told of the first."""
    before = len(ctx.sink.found)
    for arm in node.arms:
        if node.alike and len(ctx.sink.found) > before:
            assert isinstance(arm, tree.Named)
            bind_layer(ctx, arm, None)
            yield BAD
        else:
            yield ctx.attempt(lambda a=arm: stage(ctx, a, value))  # type: ignore[misc]


def _branch(ctx: Context, node: tree.Branch, value: Value) -> Value:
    """`(f | g)`: every arm gets the same input."""
    span = node.span
    shared, name = value, None
    if isinstance(value, Tensor) and not isinstance(value.expr, (ir.Var, ir.Scalar)):
        name = ctx.unused_name("branch")
        shared = Tensor(ir.Var(name, value.type, value.expr.span))
    results = [*_arms(ctx, node, shared)]
    exprs: list[ir.Expr] = []
    for result in results:
        if isinstance(result, Bad):
            raise Fault
        assert isinstance(result, (Tensor, Several, Listed))
        exprs.append(result.expr)
    kinds = tuple(e.type for e in exprs)
    made: ir.Expr = ir.TupleOf(tuple(exprs), kinds, span)
    if name is not None:
        assert isinstance(value, Tensor)
        made = ir.Let(name, value.expr, made, kinds, span)
    return Several(made, kinds)


def _stack(
    ctx: Context, left: tree.Expr, right: tree.Expr, value: Value, span: Span
) -> Value:
    """`x -> Block(...) * n`."""
    layer = stacked(ctx, left, right)
    if isinstance(layer, Bad) or isinstance(value, Bad):
        _silence(layer)
        return BAD
    assert isinstance(layer, Applied)
    return apply(ctx, layer.layer, None, (), span, value)


def _count(ctx: Context, left: tree.Expr, right: tree.Expr) -> Static:
    """How many layers there are; what is no such number was meant to scale what the arrows give."""
    value = ctx.expr(right)
    if not isinstance(value, Tensor) and getattr(value, "flavor", "") != "float":
        return static(ctx, right, "the number of layers")
    pipes = nodes_in(ctx.statement, tree.Pipe)
    mine = [
        p for p in pipes if any(s.value.span.contains(right.span) for s in p.stages)
    ]
    advice: Advice = {}
    if mine and isinstance(left, (tree.Call, tree.Name, tree.Named)):
        whole = Span(right.span.source, mine[-1].span.start, right.span.end)
        before = Span(right.span.source, mine[-1].span.start, left.span.end)
        why = "arithmetic stands outside of arrows"
        advice = write(whole, f"({before.text}) * {right.span.text}", why)
    if isinstance(value, Tensor):
        text = "the number of layers must be known when the model is built"
        ctx.fail("N230", text, right.span, "this is a tensor", **advice)
    text = "a stack has a whole number of layers"
    ctx.fail("N207", text, right.span, **advice)


def stacked(ctx: Context, left: tree.Expr, right: tree.Expr) -> Value:
    """`Block(...) * n`, declared and not applied yet."""
    try:  # first, for what it computes stands before the layer
        count = check_count(ctx, _count(ctx, left, right), right.span)
    except Fault:
        _silence(ctx.attempt(lambda: _declare_only(ctx, left)))
        raise
    layer = ctx.attempt(lambda: _declare_only(ctx, left))
    if isinstance(layer, Applied):
        if layer.layer.each is not None:
            help = "put the copies into a block, and stack that"
            ctx.fail("N216", "copies cannot be stacked", left.span, help=help)
        layer.layer.count = count
    return layer


def _silence(layer: Value) -> None:
    if isinstance(layer, Applied):
        layer.layer.used = True


def _declare_only(ctx: Context, node: tree.Expr) -> Value:
    func = ctx.expr(node.func) if isinstance(node, tree.Call) else ctx.expr(node)
    args = node.args if isinstance(node, tree.Call) else ()
    match func:
        case OpRef(op):
            return Applied(declare(ctx, op, args, node)[0])
        case BlockRef(signature):
            return Applied(declare(ctx, signature, args, node)[0])
        case Bad():
            return BAD
    ctx.fail("N216", "only a layer or a block can be stacked", node.span)


def _call_stage(ctx: Context, node: tree.Call, value: Value) -> Value:

    func = ctx.attempt(lambda: ctx.expr(node.func))
    if isinstance(func, (OpRef, BlockRef)) and _is_layer(func):
        layer = _declare_only_from(ctx, func, node)
        return _flow(ctx, layer, node.span, value)
    if isinstance(value, Bad) and not isinstance(func, Bad):
        if isinstance(func, (Applied, Method)):
            func.layer.used = True
        return (
            function(ctx, func.op, node.args, node.span, value)
            if isinstance(func, OpRef)
            else BAD
        )
    return call_value(ctx, func, node, value)


def _is_layer(func: OpRef | BlockRef) -> bool:
    return isinstance(func, BlockRef) or func.op.group not in FUNCTIONS


def _declare_only_from(
    ctx: Context, func: OpRef | BlockRef, node: tree.Expr
) -> LayerInfo:
    args = node.args if isinstance(node, tree.Call) else ()
    callee = func.op if isinstance(func, OpRef) else func.signature
    return declare(ctx, callee, args, node)[0]


def _flow(ctx: Context, layer: LayerInfo, span: Span, value: Value) -> Value:
    if isinstance(value, Bad):
        layer.used = True
        return BAD
    return apply(ctx, layer, None, (), span, value)


def _name_stage(ctx: Context, node: tree.Name | tree.Attribute, value: Value) -> Value:
    """A stage without parentheses."""

    func = ctx.expr(node)
    match func:
        case OpRef(op) if op.group in FUNCTIONS:
            return function(ctx, op, (), node.span, value)
        case OpRef() | BlockRef():
            return _flow(ctx, _declare_only_from(ctx, func, node), node.span, value)
        case Applied(layer):
            return _flow(ctx, layer, node.span, value)
        case Method(layer, op):
            if isinstance(value, Bad):
                layer.used = True
                return BAD
            return apply(ctx, layer, op, (), node.span, value)
        case ModelRef():
            return call_model(ctx, func, (), node.span, value)
        case Bad():
            return BAD
        case Static() if func.flavor in ("function", "unknown"):
            if isinstance(value, Bad):
                return BAD
            no_layer_too(ctx, node)
            return invoke(ctx, func, tree.Call(node, (), node.span), value)
    no_layer_too(ctx, node)
    ctx.fail(
        "N216",
        f"`{node.span.text[:40]}` is a value, not a layer or function",
        node.span,
        **what_applies(ctx, func, node),
    )
