"""Losses of logits, and generation, that are given probabilities."""

from __future__ import annotations

import re
from typing import Final

from ... import ir
from ...diagnostics import Advice, Label, remove, write
from ...ops.base import Op
from ...source import Span
from ...syntax import tree
from ...syntax.walk import nodes_in
from ..context import Context
from ..values import ModelRef

MAKE_THEM: Final = ("softmax", "sigmoid")


def takes_logits(ctx: Context, made: ir.OpCall) -> None:
    """Refuse `cross_entropy(model(x), y)` of a model that ends with `softmax`: the loss computes
    it once more."""
    op = made.op
    if ctx.kind != "train" or not op.inputs:
        return
    _labels_behind(ctx, made)
    if op.group != "loss":
        return
    first = dict(made.inputs).get("logits")
    if op.inputs[0].name != "logits" or first is None or isinstance(first, tuple):
        return
    last = last_op(ctx, first)
    if last is None or last.op.name not in MAKE_THEM:
        return
    text = f"`{op.name}` takes logits, and this gives probabilities"
    related = (Label(made.span, "the loss"),)
    advice = without(ctx, last.op, last.span)
    ctx.fail("N520", text, last.span, related=related, **advice)


def _labels_behind(ctx: Context, made: ir.OpCall) -> None:
    """Refuse `binary_cross_entropy(y, model(x))`: the labels stand behind, and both may have one
    shape."""
    op, given = made.op, dict(made.inputs)
    if op.group not in ("loss", "metric") or op.inputs[0].name != "logits":
        return
    if len(op.inputs) < 2:
        return
    first, second = given.get("logits"), given.get(op.inputs[1].name)
    if not isinstance(first, ir.Var) or not isinstance(second, ir.Expr):
        return
    held = ctx.scope.get(first.name)
    if held is None or held.what != "batch field" or not _of_model(ctx, second):
        return
    place = first.span.to(second.span)
    text = f"`{op.name}` takes what the model gives first, then the labels"
    swapped = f"{second.span.text}, {first.span.text}"
    ctx.fail("N207", text, first.span, **write(place, swapped))


def _of_model(ctx: Context, value: ir.Expr) -> bool:
    """Whether a value is what the model gives, or is computed from it."""
    if any(True for _ in nodes_in(value, ir.ModelCall)):
        return True
    names = {var.name for var in nodes_in(value, ir.Var)}
    values = (_assigned(ctx.body, name) for name in names)
    return any(v is not None and _of_model(ctx, v) for v in values)


def last_op(ctx: Context, value: ir.Expr) -> ir.OpCall | None:
    """The function of the library that gives a value at last, in the model too."""
    while True:
        match value:
            case ir.OpCall():
                return value
            case ir.Reshape(inner) | ir.Subscript(inner):
                value = inner
            case ir.Var(name):
                found = _assigned(ctx.body, name)
                if found is None:
                    return None
                value = found
            case ir.ModelCall(model=name):
                held = ctx.scope.get(name)
                model = held.value if held else None
                if not isinstance(model, ModelRef):
                    return None
                returned = model.signature.definition.body[-1:]
                return last_of(returned[0]) if returned else None
            case _:
                return None


def last_of(statement: object) -> ir.OpCall | None:
    """That of a model with one output."""
    match statement:
        case ir.Return((value,)):
            while isinstance(value, ir.Reshape):
                value = value.value
            return value if isinstance(value, ir.OpCall) else None
    return None


def _assigned(body: list[ir.Stmt], name: str) -> ir.Expr | None:
    """The value that a name of a train was given last."""
    for statement in reversed(body):
        match statement:
            case ir.Assign((one,), value) if one == name:
                return value
    return None


def without(ctx: Context, op: Op, span: Span) -> Advice:
    """Advice to leave a function out that stands behind an arrow, or around its input."""
    before = re.search(r"\s*->\s*$", span.source.text[: span.start])
    if before is not None:
        place = Span(span.source, before.start(), span.end)
        return remove(place, f"leave out `{op.name}`")
    for call in nodes_in(ctx.statement, tree.Call):
        if call.span == span and call.args:
            inside = call.args[0].value.span.text
            return write(span, inside, f"leave out `{op.name}`")
    return {"help": f"leave out `{op.name}`"}
