"""Which weights decay: `decays kernel, wte.embedding`."""

from __future__ import annotations

from ... import ir
from ...diagnostics import write
from ...ir.outline import Weight, ends_so, learns, outline
from ...ops.training.optimizers import DECAYS, decay_of
from ...syntax import tree
from ..context import Context
from ..values import Fault, Signature
from .selection import dotted
from .train_parts import Goal, Parts


def decay(ctx: Context, node: tree.Select, parts: Parts) -> None:
    """`decays paths`: the ends of paths of weights."""
    if parts.adapters:
        text = "`decays` and `adapt` exclude each other"
        ctx.fail("N517", text, node.span, help="only adapters train")
    for path in node.paths:
        name = dotted(ctx, path)
        if name in parts.goal.decay:
            ctx.fail("N202", f"`{name}` is named twice", path.span)
        parts.goal.decay[name] = path.span


def decays(ctx: Context, parts: Parts, made: ir.Train, signature: Signature) -> bool:
    """Whether what `decays` names are weights that learn, by an optimizer that lets them decay."""
    weights = [path for path in weights_of(signature) if learns(made, path)]
    for goal in parts.goals:
        try:
            _optimizer_decays(ctx, goal)
            for name in goal.decay:
                _is_weight(ctx, goal, name, weights, signature)
        except Fault:
            return False
    return True


def _optimizer_decays(ctx: Context, goal: Goal) -> None:
    assert goal.optimizer is not None
    if not goal.decay:
        return
    op, args = goal.optimizer.op, dict(goal.optimizer.args)
    span = next(iter(goal.decay.values()))
    amount = decay_of(op)
    if amount is None:
        text = f"`{op.name}` has no decay for some weights"
        names = ", ".join(f"`{name}`" for name in DECAYS[:6])
        ctx.fail("N522", text, span, help=f"such as {names}")
    value = args.get(amount.name, ir.Literal(amount.default))
    if value in (ir.Literal(0), ir.Literal(0.0), ir.Literal(None)):
        text = f"`{op.name}` decays nothing here"
        help = f"say how much: `{op.name}(..., {amount.name}=0.1)`"
        ctx.fail("N522", text, span, help=help)


def _is_weight(
    ctx: Context, goal: Goal, name: str, weights: list[Weight], signature: Signature
) -> None:
    if any(ends_so(weight, name) for weight in weights):
        return
    span = goal.decay[name]
    last = dict.fromkeys(".".join(w).rsplit(".", 1)[-1] for w in weights)
    model = signature.definition.name
    if any(ends_so(weight, name) for weight in weights_of(signature)):
        ctx.fail("N511", f"no `{name}` of `{model}` trains", span)
    advice = ctx.suggest(name, [*last, *(".".join(w[-2:]) for w in weights)], span)
    inside = [n for n in last if any(ends_so(w, f"{name}.{n}") for w in weights)]
    if inside:
        paths = ", ".join(f"{name}.{n}" for n in inside)
        advice = write(span, paths, "a path ends with the name of a weight")
    elif not advice:
        advice = {"help": "it has " + ", ".join(f"`{n}`" for n in [*last][:6])}
    ctx.fail("N511", f"`{model}` has no weight `{name}`", span, **advice)


def weights_of(signature: Signature) -> list[Weight]:
    """The paths of all weights of a model."""
    lookup = definitions_of(signature).__getitem__
    return list(outline(signature.definition, lookup).paths())


def definitions_of(signature: Signature) -> dict[str, ir.Definition]:
    """What it defines, and the blocks that are somewhere inside, by name."""
    found = {signature.definition.name: signature.definition}
    for inner in signature.callees.values():
        found |= definitions_of(inner)
    return found
