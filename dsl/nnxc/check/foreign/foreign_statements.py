"""Statements of other libraries that are statements of another kind here."""

from __future__ import annotations

from collections.abc import Sequence

from ...diagnostics import Advice, Fix, remove, write
from ...ops import INITIALIZERS
from ...source import Span
from ...syntax import tree
from ..context import Context
from . import foreign_names
from .foreign_arguments import listed
from .spelling import spell
from .tree_parts import last_name, whole_line

_INITIAL = {"randn": "normal", "normal": "normal", "empty": "zeros", "rand": "uniform"}
_KEYS = ("jax.random.split", "random.split", "jax.random.fold_in")
_DECLARES = {
    "Parameter": "param",
    "Param": "param",
    "param": "param",
    "get_parameter": "param",
    "add_weight": "param",
    "Variable": "state",
    "variable": "state",
    "BatchStat": "state",
    "register_buffer": "state",
    "register_parameter": "param",
}


def statement(ctx: Context, node: object) -> Advice | None:
    """A whole statement, as it is written here; None where it is not known."""
    match node:
        case tree.Assign(
            targets, "=", tree.Name("batch"), span
        ) if ctx.kind == "train" and all(t.id in ctx.scope for t in targets):
            why = "the fields of `batch` are names already: leave it out"
            return remove(whole_line(span), why)
        case tree.Assign(_, "=", tree.Call(func)) if func.span.text in _KEYS:
            return {"help": "streams split by themselves: draw with `rng=noise`"}
        case tree.Assign((name,), "=", tree.Call(func, args), span):
            called = last_name(func)
            if called in ("Input", "input"):
                return _input(ctx, name.id, args, span)
            if ctx.kind == "train" and called.endswith(("LR", "Scheduler")):
                return {
                    "help": "a schedule stands for the rate: `adam(cosine(1e-3, 10_000))`"
                }
            if called == "chain" and ctx.kind == "train":
                return _chained(ctx, name.id, args, span)
            if called in _DECLARES:
                return _declared(ctx, _DECLARES[called], name.id, args, span)
        case tree.Evaluate(tree.Call(func, args), span):
            return _called(ctx, last_name(func), args, span)
    return None


def _called(
    ctx: Context, called: str, args: Sequence[tree.Arg], span: Span
) -> Advice | None:
    if called.endswith("_") and foreign_names.known(ctx, called[:-1]) in INITIALIZERS:
        named = foreign_names.known(ctx, called[:-1])
        why = f"initialisers are arguments, `kernel_init={named}`: leave it out"
        return remove(whole_line(span), why)
    match called, args:
        case "freeze" | "only", [_, *_] if ctx.kind == "train":
            paths = ", ".join(a.span.text.strip("[]") for a in args)
            return write(span, f"{called} {paths}")
        case "register_buffer" | "register_parameter", [
            tree.Arg(_, tree.String(name)),
            *rest,
        ]:
            return _declared(ctx, _DECLARES[called], name, rest, span)
        case "clip_grad_norm_" | "clip_grad_norm", [_, most, *_] if ctx.kind == "train":
            return write(span, f"clip = {most.value.span.text}")
    return None


def _input(
    ctx: Context, name: str, args: Sequence[tree.Arg], span: Span
) -> Advice | None:
    """`x = Input(shape=(8,))`: the shape there is one without the batch."""
    for arg in args:
        if arg.name in (None, "shape") and isinstance(arg.value, tree.ListOf):
            items = [spell(ctx, i) for i in arg.value.items]
            items = items if "B" in items else ["B", *items]
            axes = iter("THWDEFG")
            sizes = [next(axes) if i.casefold() == "none" else i for i in items]
            return write(span, f"input {name}: [{', '.join(sizes)}]")
    return {"help": f"an input is declared: `input {name}: [B, d]`"}


def _declared(
    ctx: Context, word: str, name: str, args: Sequence[tree.Arg], span: Span
) -> Advice | None:
    """`w = nn.Parameter(torch.zeros(8))`, `self.param("w", init, shape)`."""
    values = [a.value for a in args if not isinstance(a.value, tree.String)]
    shape = next((v for v in values if isinstance(v, tree.ListOf)), None)
    begins = next((v for v in values if not isinstance(v, tree.ListOf)), None)
    if shape is not None:
        items: Sequence[tree.Expr] = shape.items
    elif isinstance(begins, tree.Call) and begins.args:
        items = [a.value for a in begins.args if a.name is None]
        if len(items) == 1 and isinstance(items[0], tree.ListOf):
            items = items[0].items
    else:
        return None
    init = _initial(ctx, begins)
    return write(_whole(span), f"{word} {name}: {listed(ctx, spell, items)} = {init}")


def _initial(ctx: Context, node: tree.Expr | None) -> str:
    made = node.func if isinstance(node, tree.Call) else node
    name = last_name(made).rstrip("_") or "zeros"
    return _INITIAL.get(name, foreign_names.known(ctx, name))


def _whole(span: Span) -> Span:
    """A statement with the `self.` before it, which the text has and the tree has not."""
    before = span.source.text[: span.start]
    lead = len("self.") if before.endswith("self.") else 0
    return Span(span.source, span.start - lead, span.end)


def _chained(
    ctx: Context, name: str, args: Sequence[tree.Arg], span: Span
) -> Advice | None:
    """`optax.chain(optax.clip_by_global_norm(1.0), optax.adamw(1e-3))`."""
    lines, step = [], None
    for arg in args:
        match arg.value:
            case tree.Call(func, (most,)) if last_name(func) == "clip_by_global_norm":
                lines.append(f"clip = {most.value.span.text}")
            case tree.Call() as call if step is None:
                step = spell(ctx, call)
            case _:
                return None
    if step is None:
        return None
    margin = "\n" + " " * (span.source.position(span.start)[1] - 1)
    text = margin.join([f"{name} = {step}", *lines])
    why = "settings stand beside the optimizer"
    return {**write(span, text, why), "fix": Fix(span, text)}
