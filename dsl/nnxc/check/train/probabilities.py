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
    if ctx.kind != "train" or op.group != "loss" or not op.inputs:
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
