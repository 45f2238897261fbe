"""Settings of a train: a loss, clipping, precision and so on."""

from __future__ import annotations

from typing import NoReturn

from ... import ir
from ...diagnostics import Advice, Label, write
from ...ops import OPTIMIZERS, SCHEDULES
from ...ops.base import Op
from ...shapes import TensorType, is_float
from ...source import Span
from ...syntax import tree
from ..context import Context
from ..expressions.operands import as_tensor
from ..foreign import argument_names, chains, foreign_names, spelling
from ..foreign.tree_parts import last_name
from ..values import Bad, Fault
from .settings import between, count, independent, positive_number, precision, train_op
from .train_parts import OWN, SETTINGS, Goal, Parts


def in_place(ctx: Context, node: tree.Statement, parts: Parts) -> None:
    """Each objective has what is its own; the train has the rest."""
    match node:
        case tree.Metric():
            what, own = "metric", True
        case tree.Select(keyword):
            what, own = keyword, True
        case tree.Declare("batch"):
            what, own = "batch", False
        case tree.Optimize():
            what, own = "optimize", False
        case tree.Adapt():
            what, own = "adapt", False
        case tree.Frozen():
            what, own = "frozen", False
        case tree.Assign((tree.Name(name),), "=") if name in SETTINGS:
            what, own = name, name in OWN
        case _:
            return
    if parts.inside and not own:
        text = f"`{what}` belongs to the whole train"
        ctx.fail("N515", text, node.span, help="move it out of this `optimize`")
    if parts.several and own and not parts.inside:
        text = f"`{what}` belongs to one objective"
        help = "move it into an `optimize`, for each has its own"
        ctx.fail("N515", text, node.span, help=help)


def suspect_setting(ctx: Context, node: tree.Assign, goal: Goal) -> None:
    """`optimiser = adam(...)`: an optimizer or schedule under another name."""
    head = node.value.func if isinstance(node.value, tree.Call) else node.value
    if (
        isinstance(head, tree.Name)
        and head.id in {**OPTIMIZERS, **SCHEDULES}
        and head.id not in ctx.functions
    ):
        name, place = node.targets[0].id, node.targets[0].span
        if head.id in SCHEDULES and (advice := chains.inlined(ctx, node)):
            ctx.fail("N502", f"a train has no `{name}`", place, **advice)
        if head.id in SCHEDULES:
            help = f"a schedule is a learning rate: `adam({node.value.span.text})`"
            ctx.fail("N502", f"a train has no `{name}`", place, help=help)
        goal.seen.setdefault("optimizer", node.span)
        ctx.fail(
            "N502",
            f"a train has no `{node.targets[0].id}`",
            node.targets[0].span,
            **ctx.suggest(
                node.targets[0].id,
                SETTINGS,
                node.targets[0].span,
                "write `optimizer = ...`",
            ),
        )


_ONCE = {"loss": "a train has one loss: add them, `loss = a + 0.1 * b`"}


def assign_setting(ctx: Context, name: str, node: tree.Assign, parts: Parts) -> None:
    goal = parts.goal
    if name in goal.seen:
        ctx.fail(
            "N202",
            f"`{name}` is given twice",
            node.targets[0].span,
            related=(Label(goal.seen[name], "the first"),),
            help=_ONCE.get(name, "leave one of them out"),
        )
    goal.seen[name] = node.targets[0].span
    if name != "loss":
        independent(ctx, node.value, name)
    match name:
        case "loss":
            if isinstance(node.value, tree.String):
                _named_loss(ctx, node.value, parts)
            _bare_loss(ctx, node.value, parts)
            goal.loss = scalar(ctx, node.value, "the loss")
            _has_gradient(ctx, goal.loss)
            if not _uses_model(goal.loss):
                _require_model(ctx, node, parts)
        case "optimizer":
            goal.optimizer = train_op(ctx, node.value, OPTIMIZERS, "optimizer")
        case "precision":
            parts.precision = precision(ctx, node.value)
        case "clip":
            goal.clip = positive_number(ctx, node.value, "clip")
        case "ema":
            parts.ema = between(ctx, node.value)
        case "accumulate":
            goal.accumulate = count(ctx, node.value)


def _named_loss(ctx: Context, node: tree.String, parts: Parts) -> NoReturn:
    """A loss is a value of the batch, not the name of one."""
    names = [item.name for item in parts.batch]
    text = foreign_names.known(ctx, node.value)
    advice: Advice = {"help": f"call it: `{text}(model(x), y)`"}
    if len(names) == 2 and text in ctx.functions:
        advice = write(node.span, f"{text}(model({names[0]}), {names[1]})")
    ctx.fail("N233", "the loss must be a tensor", node.span, "this is a text", **advice)


_STEPS = {
    "accuracy": "cross_entropy",
    "binary_accuracy": "binary_cross_entropy",
    "f1": "binary_cross_entropy",
    "precision": "binary_cross_entropy",
    "recall": "binary_cross_entropy",
    "top_k_accuracy": "cross_entropy",
}
"""Metrics that count, and losses that are small where these are large."""


def _has_gradient(ctx: Context, loss: ir.Expr) -> None:
    """A metric that counts has no gradient."""
    if isinstance(loss, ir.OpCall) and loss.op.name in _STEPS:
        text = f"`{loss.op.name}` has no gradient, so that nothing would train"
        help = (
            f"a loss is `{_STEPS[loss.op.name]}(...)`; write `metric name = ...` for it"
        )
        ctx.fail("N505", text, loss.span, help=help)


def _bare_loss(ctx: Context, node: tree.Expr, parts: Parts) -> None:
    """`loss = nn.CrossEntropyLoss()`, `loss = cross_entropy`."""
    called = isinstance(node, tree.Call)
    func = node.func if isinstance(node, tree.Call) else node
    args = node.args if isinstance(node, tree.Call) else ()
    name = last_name(func)
    if not name or name in ctx.scope or any(a.name is None for a in args):
        return
    op = ctx.functions.get(foreign_names.known(ctx, name))
    takes = [i.name for i in op.inputs] if op else []
    given = [
        a.name if a.name in takes else argument_names.argument(a.name or "", takes)
        for a in args
    ]
    if op is None or op.group != "loss" or any(given):
        return
    names = [item.name for item in parts.batch]
    advice: Advice = {"help": f"apply it: `{op.name}(model(x), y)`"}
    if len(names) == 2:
        more = spelling.entry(ctx, name, args, True) or ""
        inside = more.partition("(")[2].removesuffix(")")
        values = [f"model({names[0]})", names[1], *([inside] if inside else [])]
        advice = write(node.span, f"{op.name}({', '.join(values)})", "apply it")
    shown = f"{name}()" if called else name
    ctx.fail("N235", f"`{shown}` is not applied", node.span, **advice)


def scalar(ctx: Context, node: tree.Expr, what: str) -> ir.Expr:
    value = ctx.expr(node)
    if isinstance(value, Bad):
        raise Fault
    made = as_tensor(ctx, value, node, what)
    kind = made.type
    if kind.axes or kind.lead:
        ctx.fail(
            "N503",
            f"{what} is one number",
            node.span,
            f"this is {kind}",
            help="take its `mean` or `sum`",
        )
    if what == "the loss" and not is_float(kind.dtype):
        ctx.fail("N302", "the loss is floating", node.span, f"this is {kind.dtype}")
    return made.expr


def _require_model(ctx: Context, node: tree.Assign, parts: Parts) -> None:
    before = (s for s in (*parts.shared, *ctx.body) if isinstance(s, ir.Assign))
    if not any(_uses_model(s.value) for s in before):
        ctx.fail(
            "N505",
            "the loss does not call the model",
            node.value.span,
            help="write `model(x)` in it",
        )


def _uses_model(node: object) -> bool:
    if isinstance(node, ir.ModelCall) and node.model == "model":
        return True
    if isinstance(node, tuple):
        return any(_uses_model(n) for n in node)
    if hasattr(node, "__match_args__") and not isinstance(node, (Span, Op, TensorType)):
        return any(_uses_model(getattr(node, key)) for key in node.__match_args__)
    return False
