"""Which layers `adapt` gives an adapter."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

from ... import ir
from ...diagnostics import write
from ...ir.fold_statements import layers
from ...ops.base import Op
from ...ops.training.adapters import ADAPTABLE, ADAPTERS
from ...source import Span
from ...syntax import tree
from ..context import Context
from ..values import Signature
from .selection import dotted, told_where_whole
from .settings import independent, positive_number, train_op

if TYPE_CHECKING:
    from .train_parts import Parts

Layers = Mapping[str, tuple[ir.Layer, bool]]  # by path; whether there are copies of it


def adapt(ctx: Context, node: tree.Adapt, parts: Parts, signature: Signature) -> None:
    """`adapt lora(rank=8) on paths`, where a path names a layer, or all whose paths end so."""
    _alone(ctx, node, parts)
    independent(ctx, node.adapter, "adapt")
    made = train_op(ctx, node.adapter, ADAPTERS, "adapter")
    args = node.adapter.args if isinstance(node.adapter, tree.Call) else ()
    for param, arg in zip(made.op.params, args, strict=False):
        positive_number(ctx, arg.value, arg.name or param.name)
    layers = dict(_layers(signature))
    paths: list[str] = []
    if not node.paths:
        told_where_whole(signature)
        fitting = [p for p, (layer, copied) in layers.items() if _fits(layer, copied)]
        end = Span(node.span.source, node.span.end, node.span.end)
        text = f"{node.span.text} on {', '.join(fitting[:8])}"
        advice = write(node.span, text, "name the layers") if fitting else {}
        ctx.fail("N120", "missing `on`", end, **advice)
    for path in node.paths:
        found = _found(ctx, path, layers, signature)
        if set(found) & set(paths):
            ctx.fail("N202", f"`{dotted(ctx, path)}` is named twice", path.span)
        paths += found
    parts.adapters = ir.Adapters(made, tuple(paths))


def _alone(ctx: Context, node: tree.Adapt, parts: Parts) -> None:
    """Only adapters train, so that nothing else says what does."""
    goal = parts.goal
    given = {
        "only": bool(goal.only),
        "freeze": bool(goal.freeze),
        "decays": bool(goal.decay),
        "adapt": parts.adapters is not None,
        "optimize": parts.several,
    }
    for other, is_given in given.items():
        if is_given:
            text = f"`adapt` and `{other}` exclude each other"
            if other == "adapt":
                text = "a train has one `adapt`"
            help = "only adapters train; name all layers that get one here"
            ctx.fail("N517", text, node.span, help=help)


def _layers(
    signature: Signature, prefix: str = "", copied: bool = False
) -> Iterator[tuple[str, tuple[ir.Layer, bool]]]:
    for layer in layers(signature.definition.body):
        copies = copied or layer.copies is not None
        yield prefix + layer.name, (layer, copies)
        inner = signature.callees.get(str(layer.callee))
        if isinstance(layer.callee, str) and inner:
            yield from _layers(inner, f"{prefix}{layer.name}.", copies)


def _found(
    ctx: Context, node: tree.Expr, layers: Layers, signature: Signature
) -> list[str]:
    """The layers that a path names: one from the model on, else all that it ends."""
    name = dotted(ctx, node)
    ending = [p for p in layers if p.endswith(f".{name}")]
    found = [name] if name in layers else ending
    fitting = [p for p, (layer, copied) in layers.items() if _fits(layer, copied)]
    if not found:
        told_where_whole(signature)
        short = [p.rsplit(".", 1)[-1] for p in fitting]
        model = signature.definition.name
        hint = ctx.suggest(name, [*short, *fitting], node.span)
        ctx.fail("N511", f"`{model}` has no layer `{name}`", node.span, **hint)
    for path in found:
        if path not in fitting:
            _unfit(ctx, node, path, fitting, layers[path])
    return found


def _fits(layer: ir.Layer, copied: bool) -> bool:
    match layer.callee:
        case Op(name, origin=None):
            return name in ADAPTABLE and not copied
    return False


def _unfit(
    ctx: Context,
    node: tree.Expr,
    path: str,
    fitting: list[str],
    at: tuple[ir.Layer, bool],
) -> None:
    layer, copied = at
    callee = layer.callee
    kind = callee.name if isinstance(callee, Op) else callee
    what = "copies (`each=`) of it" if copied else f"a `{kind}`"
    inside = [p for p in fitting if p.startswith(f"{path}.")]
    choices = ", ".join(f"`{p}`" for p in (inside or fitting)[:4])
    help = f"a `Linear` can be: {choices}" if choices else "a `Linear` can be adapted"
    text = f"`{path}` cannot be adapted, for there are {what}"
    if not copied:
        text = f"`{path}` is {what}, which cannot be adapted"
    ctx.fail("N516", text, node.span, help=help)
