"""Which inputs tell the axes of a definition."""

from __future__ import annotations

from collections.abc import Iterable

from ... import ir
from ...diagnostics import Label
from ...dims_equation import linear
from ...syntax import tree
from ..context import Context


def untold(inputs: Iterable[ir.ModelInput], axes: Iterable[str]) -> set[str]:
    """The axes that do not follow from the shapes of these inputs, one unknown at a time."""
    open_axes, inputs = set(axes), tuple(inputs)
    while told := {
        name
        for item in inputs
        for size in item.type.sizes
        if len(unknown := size.symbols & open_axes) == 1
        for name in unknown
        if linear(size, name)
    }:
        open_axes -= told
    return open_axes


def determined(ctx: Context) -> None:
    """Nobody passes a model its axes: each follows from the shapes of its inputs."""
    open_axes = untold(ctx.inputs, ctx.axes)
    for item in ctx.inputs:
        for name in sorted(open_axes & axes_of(item)):
            text = f"`{item.name}: {item.type}` does not determine `{name}`"
            ctx.error("N317", text, item.span)
            open_axes.discard(name)


def needed_inputs(ctx: Context) -> None:
    """An input without which an axis that is read would be unknown is used, as one that is read."""
    held = {b.name: b for b in reversed(ctx.bindings) if b.what == "input"}
    wanted = {b.name for b in ctx.bindings if b.what == "axis" and b.used}
    wanted |= {n for i in ctx.inputs if held[i.name].used for n in axes_of(i)}
    kept = list(ctx.inputs)
    known = wanted - untold(kept, ctx.axes)
    unread = [item for item in ctx.inputs if not held[item.name].used]
    unread.reverse()
    for item in sorted(unread, key=lambda item: not item.optional):
        others = [other for other in kept if other is not item]
        if known & untold(others, ctx.axes):
            held[item.name].use()
        else:
            kept = others


def known_here(ctx: Context, node: tree.Name) -> None:
    """An axis that is read is one that an input tells which is there."""
    given = {condition for condition, holds in ctx.holding if holds}
    absent = [i for i in ctx.inputs if i.optional and ir.Given(i.name) not in given]
    tells = next((i for i in absent if node.id in axes_of(i)), None)
    if tells is None:
        return
    if node.id in untold((i for i in ctx.inputs if i not in absent), ctx.axes):
        text = f"`{node.id}` is not known where `{tells.name}` is absent"
        at = Label(tells.span, f"`{node.id}` is an axis of this input")
        help = f"guard it: `if {tells.name} != none:`"
        ctx.fail("N232", text, node.span, related=(at,), help=help)


def axes_of(item: ir.ModelInput) -> set[str]:
    """The names in the shape of an input."""
    return {name for size in item.type.sizes for name in size.symbols}
