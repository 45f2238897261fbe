"""Expressions: from the tree to values with meaning and type."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NoReturn, assert_never

from ... import ir
from ...diagnostics import Advice, Label, remove, write
from ...record import replace
from ...shapes import Outputs, is_float
from ...source import Span
from ...syntax import tree
from ...syntax.walk import nodes_in
from ..arguments import activation_values, types
from ..arguments.inputs import wrap
from ..context import Context
from ..control import lists
from ..control.listed import joined
from ..definitions.known_axes import known_here
from ..foreign import native, tables, tables_of_others
from ..foreign.tree_parts import last_name
from ..foreign.unknown_names import unknown_name
from ..train.held import held
from ..values import (
    BAD,
    Applied,
    Bad,
    BlockRef,
    Fault,
    Listed,
    Method,
    OpRef,
    Several,
    Static,
    Tensor,
    Value,
    number,
)
from . import operators, static_calls, statics
from .gradients import GRADIENT
from .invoke import call
from .operands import as_tensor, believed, no_tuple
from .pipes import pipe
from .subscripts import index


def expr(ctx: Context, node: tree.Expr) -> Value:
    """The value of an expression. Raises `Fault` where a mistake makes it unknowable."""
    known = statics.literal(ctx, node)
    if known is not None:
        return known
    match node:
        case tree.Name():
            return name(ctx, node)
        case tree.Binary():
            return operators.binary(ctx, node)
        case tree.Unary():
            return operators.unary(ctx, node)
        case tree.Pipe():
            return pipe(ctx, node)
        case tree.Call() | tree.Named():
            return call(ctx, node)
        case tree.Index():
            return index(ctx, node)
        case tree.Attribute():
            return attribute(ctx, node)
        case tree.IfElse():
            return operators.if_else(ctx, node)
        case tree.ListOf(items):
            no_tuple(ctx, node)
            return list_value(ctx, items)
        case tree.Starred(_, span):
            text = "`*` puts the tensors of a list into another"
            ctx.fail("N255", text, span, help="it stands in a list: `[*states, x]`")
        case tree.Assertion():
            return assertion(ctx, node)
        case tree.Branch(_, span):
            ctx.fail(
                "N212",
                "branches apply to what an arrow brings",
                span,
                help="write `x -> (f | g)`",
            )
        case tree.Dots(span):
            ctx.fail("N213", "`...` stands only in shapes and indices", span)
        case tree.Number() | tree.String() | tree.Constant() | tree.Window():
            raise AssertionError("a literal was handled above")
    assert_never(node)


def name(ctx: Context, node: tree.Name) -> Value:
    """What a name stands for: something in scope, an entry, a block, a constant."""
    binding = ctx.scope.get(node.id)
    if node.id == "_":
        text = "`_` stands for what nobody needs"
        ctx.fail("N200", text, node.span, help="give it a name of its own")
    if binding is not None:
        binding.use()
        declares = ctx.kind == "extern" or isinstance(ctx.statement, tree.Declare)
        if binding.what == "axis" and not declares:
            known_here(ctx, node)
        return _used_here(binding.value, node)
    if node.id in ctx.partial:
        _on_some_ways(ctx, node)
    if node.id in ctx.signatures:
        return BlockRef(ctx.signatures[node.id])
    if node.id in ctx.forbidden:
        ctx.faulty = True
        return BAD
    if node.id in ctx.functions:
        return OpRef(ctx.functions[node.id])
    if node.id in static_calls.CONSTANTS:
        return number(static_calls.CONSTANTS[node.id])
    unknown_name(ctx, node)
    return BAD


def _used_here(value: Value, node: tree.Name) -> Value:
    """A variable is where it is read, so that mistakes are shown there; a parameter what its uses so
    far make of it."""
    if isinstance(value, Static) and value.param is not None:
        return statics.of_param(value.param)
    if isinstance(value, Tensor) and isinstance(value.expr, ir.Var):
        return replace(value, expr=replace(value.expr, span=node.span))
    return value


def _on_some_ways(ctx: Context, node: tree.Name) -> NoReturn:
    """Report a name that only some of the ways here give a value."""
    ctx.count_used(node.id)
    place = ctx.partial[node.id]
    if any(b.name == node.id and b.what == "layer" for b in ctx.bindings):
        help = "apply the layer where it is constructed, or give it a name of its own"
    else:
        help = "give it a value before the `if` or `for`, or in `else`; out of a `scan`, `collect` it"
    ctx.bind(node.id, BAD, place, "value")  # told once
    ctx.fail(
        "N253",
        f"`{node.id}` has no value on every way here",
        node.span,
        related=(Label(place, "it gets one only here"),),
        help=help,
    )


def attribute(ctx: Context, node: tree.Attribute) -> Value:
    """`wte.attend`: a method of a declared layer; `model.head.kernel`: a weight."""
    weight = held(ctx, node)
    if weight is not None:
        return weight
    if isinstance(node.value, tree.Name):
        owner = name(ctx, node.value)
    else:
        owner = ctx.expr(node.value)
    if isinstance(owner, Bad):
        return BAD
    if isinstance(owner, Listed):
        lists.no_method(ctx, node)
    if isinstance(owner, Several) and isinstance(owner.types, Outputs):
        return output(ctx, owner.expr, owner.types, node)
    if isinstance(owner, Applied) and not isinstance(owner.layer.callee, tuple):
        methods = getattr(owner.layer.callee, "methods", {})
        if node.name in methods:
            return Method(owner.layer, methods[node.name])
        if node.name == GRADIENT.name:
            return Method(owner.layer, GRADIENT)
        owner.layer.used = True
        ctx.fail(
            "N214",
            f"`{owner.layer.name}` has no `{node.name}`",
            node.name_span,
            **_of_layer(ctx, node, methods),
        )
    tables_of_others.no_table(ctx, node)
    ctx.fail(
        "N214",
        f"`{node.value.span.text[:40]}` has no `{node.name}`",
        node.name_span,
        **native.advice(ctx, node, _part(node)),
    )


def _part(node: tree.Attribute) -> Advice:
    hint = tables.HINTS.get(node.name)
    called = isinstance(node.value, tree.Call) and last_name(node.value.func) == "model"
    if called:
        behind = Span(node.span.source, node.value.span.end, _call_end(node.name_span))
        return remove(behind, f"it gives one tensor: leave out `.{node.name}`")
    if hint is None and isinstance(node.value, tree.Name) and node.value.id == "config":
        hint = f"parameters stand by themselves: `model Net({node.name} = ...)`"
    return {"help": hint} if hint else {}


def _call_end(name: Span) -> int:
    """Where a method's call ends, or its name where it is not called."""
    text, depth = name.source.text, 0
    for at in range(name.end, len(text)):
        depth += (text[at] in "([") - (text[at] in ")]")
        if not depth:
            return at + 1 if at > name.end else name.end
    return name.end


def output(ctx: Context, value: ir.Expr, types: Outputs, node: tree.Attribute) -> Value:
    """`out.logits`: one of the outputs that have names."""
    if node.name not in types.names:
        known = "it has " + ", ".join(f"`{n}`" for n in types.names)
        ctx.fail(
            "N214",
            f"`{types.owner}` returns no `{node.name}`",
            node.name_span,
            **ctx.suggest(node.name, types.names, node.name_span, known),
        )
    at = types.names.index(node.name)
    return wrap(ir.Item(value, at, types[at], node.span))


def _of_layer(
    ctx: Context, node: tree.Attribute, methods: Mapping[str, object]
) -> Advice:
    """What is meant by an attribute that a layer has elsewhere: its weights are its own."""
    own: Advice = {
        "help": "weights to compute with are declared: `param w: [d, n] = ...`"
    }
    if node.name in ("T", "mT", "tied", "transpose") and "attend" in methods:
        return write(node.name_span, "attend", "scores of every entry")
    if node.name in ("weight", "bias", "kernel", "data") and not methods:
        return native.advice(ctx, node, own)
    near = ctx.suggest(node.name, methods, node.name_span, _has(methods))
    return native.advice(ctx, node, near)


def _has(methods: Mapping[str, object]) -> str:
    return "it has " + ", ".join(f"`{m}`" for m in methods) if methods else ""


def list_value(ctx: Context, items: tuple[tree.Expr, ...]) -> Value:
    """`[a, b]`: a list of static values, or several tensors."""
    if any(isinstance(i, tree.Starred) for i in items):
        return joined(ctx, items)
    values = [ctx.attempt(lambda i=i: ctx.expr(i)) for i in items]  # type: ignore[misc]
    if any(isinstance(v, Bad) for v in values):
        raise Fault
    values = [activation_values.known(ctx, v) for v in values]
    if all(isinstance(v, Static) for v in values):
        return statics.list_of(tuple(v for v in values if isinstance(v, Static)))
    _no_layers(ctx, values, items)
    tensors = [as_tensor(ctx, v, i) for v, i in zip(values, items, strict=True)]
    kinds = tuple(t.expr.type for t in tensors)
    span = items[0].span.to(items[-1].span)
    return Several(ir.TupleOf(tuple(t.expr for t in tensors), kinds, span), kinds)


def _no_layers(ctx: Context, values: list[Value], items: tuple[tree.Expr, ...]) -> None:
    """Layers make a stack or a chain, not a list."""
    layers = [v.layer for v in values if isinstance(v, Applied)]
    if not layers or len(layers) < len(values):
        return
    for layer in layers:
        layer.used = True
    texts = [i.span.text for i in items]
    alike = f"{texts[0]} * {len(texts)}"
    chain = alike if len({*texts}) == 1 else " -> ".join(texts)
    span = items[0].span.to(items[-1].span)
    advice: Advice = {"help": f"apply them one after the other: `x -> {chain}`"}
    for around in nodes_in(ctx.statement, tree.Binary):
        counted = isinstance(around.left, tree.ListOf) and around.left.items == items
        if counted and around.op == "*" and len(items) == 1:
            text = f"{texts[0]} * {around.right.span.text}"
            advice = write(around.span, text, "layers are stacked as they are")
    ctx.fail("N235", "these are layers, not tensors", span, **advice)


def assertion(ctx: Context, node: tree.Assertion) -> Value:
    """`value : type`: checked; a named floating dtype converts a floating value."""
    value = ctx.expr(node.value)
    if isinstance(value, Bad):
        return BAD
    got = as_tensor(ctx, value, node.value)
    wanted = types.written(ctx, node.type)
    types.check_type(ctx, got.type, wanted, node.type.span, "the value")
    floating = is_float(got.type.dtype) and is_float(wanted.dtype)
    if node.type.dtype and floating and got.type.dtype != wanted.dtype:
        made = ir.Cast(got.expr, got.type.with_dtype(wanted.dtype), node.span)
        return Tensor(made)
    return believed(ctx, got, wanted)
