"""Calls of what cannot be called."""

from __future__ import annotations

import re
from typing import NoReturn

from ... import ir
from ...diagnostics import Advice, Fix, Label, write
from ...source import Span
from ...syntax import tree
from ..context import Context
from ..control.targets import with_article
from ..values import Static, Value
from .arrows import placed
from .tree_parts import path_to


def no_layer_too(ctx: Context, node: tree.Expr) -> None:
    """What is applied must not be a value where a layer has its name."""
    layer = ctx.layers.get(node.id) if isinstance(node, tree.Name) else None
    if layer is None or not layer.named:
        return
    name = layer.name
    held = ctx.scope[name]
    ctx.fail(
        "N202",
        f"`{name}` is {with_article(held.what)} here, and a layer too",
        node.span,
        related=(Label(layer.span, "the layer"),),
        help="what is applied again needs a name of its own",
    )


def not_callable(ctx: Context, node: tree.Expr) -> NoReturn:
    no_layer_too(ctx, node)
    text = f"`{node.span.text[:40]}` cannot be called"
    held = ctx.scope.get(node.id) if isinstance(node, tree.Name) else None
    if held is None or held.name not in (*ctx.functions, *ctx.signatures):
        ctx.fail("N216", text, node.span, **_layer_of(ctx, node))
    ctx.fail(
        "N216",
        text,
        node.span,
        related=(Label(held.span, f"here `{held.name}` is {with_article(held.what)}"),),
        help=f"give it another name to use the library's `{held.name}`",
    )


def _layer_of(ctx: Context, node: tree.Expr) -> Advice:
    """`dropout(x)`, where `dropout` is the rate: the layer that has such a name."""
    made = layer_named(ctx, node)
    if made is None:
        return {"help": "a layer, a block or a function can be"}
    chain = path_to(ctx.statement, node)
    call = chain[-2] if len(chain) > 1 else None
    match call:
        case tree.Call(func, (tree.Arg(None, value),), span) if func is node:
            parent = chain[-3] if len(chain) > 2 else None
            source = value.span.text
            source = f"({source})" if isinstance(value, tree.Binary) else source
            return write(span, placed(f"{source} -> {made}", parent))
    return write(node.span, made)


def layer_named(ctx: Context, node: tree.Expr) -> str | None:
    """`Dropout(dropout)` for a parameter of that name."""
    if not isinstance(node, tree.Name):
        return None
    layers = (op for op in ctx.functions.values() if op.group == "layer")
    folded = node.id.replace("_", "")
    found = next((op for op in layers if op.name.lower() == folded and op.params), None)
    return f"{found.name}({node.id})" if found else None


def what_applies(ctx: Context, func: Value, node: tree.Expr) -> Advice:
    """What stands after an arrow; of a parameter that is a text, the activation of that name."""
    param = func.param if isinstance(func, Static) else None
    match param and param.default:
        case ir.Literal(str(text)) if param and text in ctx.functions:
            source, end = param.span.source, param.span.end
            found = re.compile(rf" *= *([\"']){text}\1").match(source.text, end)
            help = f"an activation has no quotes: write `{param.name} = {text}`"
            if found is None:
                return {"help": help}
            return {
                "help": help,
                "fix": Fix(Span(source, end, found.end()), f" = {text}"),
            }
    if made := layer_named(ctx, node):
        return write(node.span, made)
    return {"help": "after an arrow stands what is applied"}
