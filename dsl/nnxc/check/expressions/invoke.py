"""Calls: of functions, layers, blocks, methods, and of `model` in a train."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import assert_never

from ...diagnostics import Label
from ...ir.static_functions import STATIC_FUNCTIONS
from ...ops.base import Op
from ...source import Span
from ...syntax import tree
from ..arguments import copied
from ..arguments.apply import construct
from ..arguments.binding import Written, sort_out
from ..arguments.block_arguments import sort_out_block
from ..arguments.given_inputs import no_input
from ..arguments.inputs import check_arguments
from ..context import Context
from ..control import lists
from ..control.targets import with_article
from ..definitions.naming import is_camel
from ..foreign.not_callable import no_layer_too, not_callable
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
    Signature,
    Static,
    Tensor,
    Value,
)
from . import static_calls
from .applying import apply, call_model
from .functions import function, invoke
from .operands import static

FUNCTIONS = ("function", "loss", "metric")
# What keeps its name where `as` gives it to a layer.
BESIDE_LAYERS = ("parameter", "input", "value", "axis")


def call(ctx: Context, node: tree.Call | tree.Named) -> Value:
    """A call that stands by itself, not after an arrow."""
    if isinstance(node, tree.Named):
        return _named(ctx, node)
    popped = lists.pop(ctx, node)
    if popped is not None:
        return popped
    if isinstance(node.func, tree.Name) and _is_static(ctx, node.func, node.args):
        args = tuple(_static_arg(ctx, a) for a in node.args)
        return static_calls.call(ctx, node.func.id, args, node.span)

    func = ctx.attempt(lambda: ctx.expr(node.func))
    return call_value(ctx, func, node, None)


def _named(ctx: Context, node: tree.Named) -> Value:
    value = ctx.attempt(lambda: _inner(ctx, node.value))
    layer = ctx.layers.get(node.name)
    if layer is None and not isinstance(value, Bad):
        ctx.fail(
            "N215",
            "`as` names a layer",
            node.name_span,
            help="name a value by `name = ...`",
        )
    bind_layer(ctx, node, layer)
    return value


def _inner(ctx: Context, node: tree.Expr) -> Value:

    return ctx.expr(node)


def bind_layer(ctx: Context, node: tree.Named, layer: LayerInfo | None) -> None:
    """Make `as name` usable further down, for sharing; a value of that name keeps it, and the
    name after `as` is then that of the attribute alone."""
    held = ctx.scope.get(node.name)
    if held is None or (isinstance(held.value, Applied) and held.value.layer is layer):
        if layer is not None:
            bound = ctx.bind(node.name, Applied(layer), node.name_span, "layer")
            bound.used = bound.gives_way = True
        elif held is None:  # what flows in was lost, and the layer with it
            ctx.bind(node.name, BAD, node.name_span, "layer").used = True
    elif held.what not in BESIDE_LAYERS or _may_be_applied(held.value):
        ctx.fail(
            "N202",
            f"`{node.name}` already names {with_article(held.what)}",
            node.name_span,
            related=(Label(held.span, "here"),),
        )


def _may_be_applied(value: Value) -> bool:
    """Whether an arrow may lead to a name of this value, as to a layer."""
    return isinstance(value, Static) and value.flavor == "function"


def _is_static(ctx: Context, func: tree.Name, args: Iterable[tree.Arg]) -> bool:
    if func.id not in STATIC_FUNCTIONS or func.id in (*ctx.scope, *ctx.partial):
        return False
    if func.id not in ctx.functions:
        return True
    return all(a.name is None and _looks_static(ctx, a.value) for a in args)


def _looks_static(ctx: Context, node: tree.Expr) -> bool:
    """Whether an expression is static, told by its names and without evaluating it; of names
    that nothing has, that is told at once."""
    match node:
        case tree.Number() | tree.Constant() | tree.Window() | tree.String():
            return True
        case tree.Name(name):
            held = ctx.scope.get(name)
            if held is None:
                return name not in (*ctx.functions, *ctx.signatures)  # or unknown
            return isinstance(held.value, Static)
        case tree.Binary("==" | "!=", _, tree.Constant(None)):
            return True
        case tree.Binary(_, a, b):
            return _looks_static(ctx, a) and _looks_static(ctx, b)
        case tree.Unary(_, a):
            return _looks_static(ctx, a)
        case tree.Index(value):
            return _looks_static(ctx, value)
        case tree.ListOf(items):
            return all(_looks_static(ctx, i) for i in items)
        case tree.IfElse(c, a, b):
            return all(_looks_static(ctx, n) for n in (c, a, b))
        case tree.Call(tree.Name() as func, args):
            return _is_static(ctx, func, args)
    return False


def _static_arg(ctx: Context, arg: tree.Arg) -> Static:
    if arg.name is not None:
        ctx.fail("N204", f"this function has no argument `{arg.name}`", arg.span)
    return static(ctx, arg.value, "this")


def call_value(
    ctx: Context, func: Value, node: tree.Call, piped: Value | None
) -> Value:
    """Call what `func` stands for."""
    match func:
        case OpRef(op) if op.group in FUNCTIONS:
            return function(ctx, op, node.args, node.span, piped)
        case OpRef(op):
            return Applied(declare(ctx, op, node.args, node)[0])
        case BlockRef(signature):
            return Applied(declare(ctx, signature, node.args, node)[0])
        case Applied(layer):
            return apply(ctx, layer, None, node.args, node.span, piped)
        case Method(layer, op):
            return apply(ctx, layer, op, node.args, node.span, piped)
        case ModelRef():
            return call_model(ctx, func, node.args, node.span, piped)
        case Bad():
            check_arguments(ctx, node.args)
            return BAD
        case Static() if func.flavor in ("function", "unknown"):
            no_layer_too(ctx, node.func)
            return invoke(ctx, func, node, piped)
        case Static() | Tensor() | Several() | Listed():
            not_callable(ctx, node.func)
    assert_never(func)


def declare(
    ctx: Context, callee: Op | Signature, args: Iterable[tree.Arg], node: tree.Expr
) -> tuple[LayerInfo, Written]:
    """Construct a layer; what is given to its inputs stays in the `Written`."""
    if isinstance(callee, Signature) and not is_camel(callee.definition.name):
        raise Fault  # told where it is declared
    name, named = _layer_name(ctx, node.span)
    known: Mapping[str, object] = {} if isinstance(callee, Op) else callee.params
    args, each = copied.taken_out(tuple(args), known)
    if isinstance(callee, Op):
        no_input(ctx, callee, args, node)
        written = sort_out(ctx, callee, args, piped=True)
    else:
        written = sort_out_block(ctx, callee, args, node.span)
    info = construct(ctx, callee, written, node.span, name, named)
    info.pending, info.each = written, each
    return info, written


def _layer_name(ctx: Context, span: Span) -> tuple[str, bool]:
    """The name settled for a layer constructed there, and whether the author gave it."""
    found = ctx.layer_names.get(span)
    if found is not None:
        return found
    if ctx.kind == "train":
        help = "declare it in the model"
        ctx.fail("N504", "a train declares no layers", span, help=help)
    ctx.fail("N231", "a layer cannot stand here", span)
