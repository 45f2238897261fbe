"""A train section: the loss is checked like a model, against the batch."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from .. import ir
from ..diagnostics import Label, Sink, closest
from ..ops import OPTIMIZERS, SCHEDULES
from ..ops.base import Op
from ..shapes import TensorType, is_float
from ..source import Span
from ..syntax import tree
from . import types
from .context import Context
from .declarations import check_name
from .definition import finish
from .expressions import as_tensor, expr
from .selection import select
from .settings import between, count, independent, positive_number, precision, train_op
from .statements import abandon, mentioned, statement, targets
from .values import BAD, Bad, Binding, Fault, ModelRef, Signature, Tensor

SETTINGS = ("loss", "optimizer", "clip", "accumulate", "precision", "ema")


@dataclass(slots=True)
class Parts:
    """What a train says, as found so far."""

    batch: list[ir.ModelInput] = field(default_factory=list)
    loss: ir.Expr | None = None
    metrics: dict[str, ir.Expr] = field(default_factory=dict)
    optimizer: ir.TrainOp | None = None
    clip: ir.Static | None = None
    accumulate: ir.Static | None = None
    precision: str | None = None
    ema: ir.Static | None = None
    only: list[str] = field(default_factory=list)
    freeze: list[str] = field(default_factory=list)
    seen: dict[str, Span] = field(default_factory=dict)
    broken: bool = False


def check_train(
    node: tree.Train,
    sink: Sink,
    signature: Signature,
    functions: Mapping[str, Op],
    defaults: Mapping[str, Mapping[str, tree.Arg]],
) -> ir.Train | None:
    """Check a train of a sound model; None where it has mistakes."""
    ctx = Context(sink, "train", signature.definition.name, {}, functions, defaults)
    _model_names(ctx, signature)
    ctx.hints = dict.fromkeys(SETTINGS, "a setting is no value; name what goes into it")
    parts = Parts()
    _has_batch(ctx, node, parts)
    for item in node.body:
        try:
            _statement(ctx, item, parts, signature)
        except Fault:
            parts.broken = True
            abandon(ctx, item)
            for key in _setting(item):
                parts.seen.setdefault(key, item.span)
    _complete(ctx, node, parts)
    if parts.broken or parts.loss is None or parts.optimizer is None:
        return None
    return ir.Train(
        signature.definition.name,
        tuple(parts.batch),
        finish(ctx, ctx.body),
        parts.loss,
        tuple(parts.metrics.items()),
        parts.optimizer,
        parts.clip,
        parts.accumulate,
        parts.precision,
        parts.ema,
        tuple(parts.only),
        tuple(parts.freeze),
        tuple(sorted(ctx.streams)),
        tuple(sorted(ctx.hard_streams)),
        node.span,
    )


def _has_batch(ctx: Context, node: tree.Train, parts: Parts) -> None:
    """Without a batch, unknown names are taken for its fields."""
    if any(isinstance(s, tree.Declare) and s.keyword == "batch" for s in node.body):
        return
    help = "write `batch x: [B, ...], y: ...`"
    ctx.error("N512", "this train has no batch", node.model.span, help=help)
    ctx.forbidden = frozenset(mentioned(node.body))
    parts.broken = True


def _model_names(ctx: Context, signature: Signature) -> None:
    """The model's parameters, and `model` itself."""
    from . import statics

    for name, param in signature.params.items():
        ctx.params[name] = param
        ctx.scope[name] = Binding(
            name, statics.of_param(param), param.span, "parameter", True
        )
    ctx.bind("model", ModelRef(signature), signature.definition.span, "model").used = (
        True
    )


def _setting(item: tree.Statement) -> list[str]:
    match item:
        case tree.Metric(name):
            return [f"metric {name}"]
    return [t.id for t in targets(item)]


def _statement(
    ctx: Context, node: tree.Statement, parts: Parts, signature: Signature
) -> None:
    match node:
        case tree.Declare("batch"):
            _batch(ctx, node, parts)
        case tree.Metric():
            _metric(ctx, node, parts)
        case tree.Select():
            select(ctx, node, parts, signature)
        case tree.Assign(targets, "=") if (
            len(targets) == 1 and targets[0].id in SETTINGS
        ):
            _assign_setting(ctx, targets[0].id, node, parts)
        case tree.Assign():
            _suspect_setting(ctx, node, parts)
            statement(ctx, node)
        case (
            tree.Declare()
            | tree.Rngs()
            | tree.Return()
            | tree.For()
            | tree.Scan()
            | tree.If()
            | tree.Require()
        ):
            ctx.fail("N501", "this belongs in a model, not in a train", node.span)
        case _:
            statement(ctx, node)


def _suspect_setting(ctx: Context, node: tree.Assign, parts: Parts) -> None:
    """`optimiser = adam(...)`: an optimizer or schedule under another name."""
    head = node.value.func if isinstance(node.value, tree.Call) else node.value
    if (
        isinstance(head, tree.Name)
        and head.id in {**OPTIMIZERS, **SCHEDULES}
        and head.id not in ctx.functions
    ):
        parts.seen.setdefault("optimizer", node.span)
        ctx.fail(
            "N502",
            f"a train has no `{node.targets[0].id}`",
            node.targets[0].span,
            **(
                ctx.suggest(node.targets[0].id, SETTINGS)
                or {"help": "write `optimizer = ...`"}
            ),
        )


def _batch(ctx: Context, node: tree.Declare, parts: Parts) -> None:
    for item in node.fields:
        try:
            _field(ctx, item, parts)
        except Fault:
            parts.broken = True
            if item.name not in ctx.scope:
                ctx.bind(item.name, BAD, item.name_span, "batch field")


def _field(ctx: Context, item: tree.Field, parts: Parts) -> None:
    check_name(ctx, item.name, item.name_span)
    if item.name in ctx.scope or item.name in SETTINGS:
        ctx.fail(
            "N202",
            f"`{item.name}` is taken",
            item.name_span,
            help="give the field another name",
        )
    if item.default is not None:
        ctx.fail("N217", "a batch field has no default", item.default.span)
    kind = types.bind_axes(ctx, item.type, expr)
    if kind.lead:
        ctx.fail("N314", "a batch field has a fixed number of axes", item.type.span)
    parts.batch.append(ir.ModelInput(item.name, kind, False, item.name_span))
    ctx.bind(
        item.name,
        Tensor(ir.Var(item.name, kind, item.name_span)),
        item.name_span,
        "batch field",
    )


# ------------------------------------------------------------------- settings


def _assign_setting(ctx: Context, name: str, node: tree.Assign, parts: Parts) -> None:
    if name in parts.seen:
        ctx.fail(
            "N202",
            f"`{name}` is given twice",
            node.targets[0].span,
            related=(Label(parts.seen[name], "the first"),),
        )
    parts.seen[name] = node.targets[0].span
    if name != "loss":
        independent(ctx, node.value, name)
    match name:
        case "loss":
            parts.loss = _scalar(ctx, node.value, "the loss")
            if not _uses_model(parts.loss):
                _require_model(ctx, node, parts)
        case "optimizer":
            parts.optimizer = train_op(ctx, node.value, OPTIMIZERS, "optimizer")
        case "precision":
            parts.precision = precision(ctx, node.value)
        case "clip":
            parts.clip = positive_number(ctx, node.value, "clip")
        case "ema":
            parts.ema = between(ctx, node.value)
        case "accumulate":
            parts.accumulate = count(ctx, node.value)


def _scalar(ctx: Context, node: tree.Expr, what: str) -> ir.Expr:
    value = expr(ctx, node)
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
    if not any(_uses_model(s.value) for s in ctx.body if isinstance(s, ir.Assign)):
        ctx.fail(
            "N505",
            "the loss does not call the model",
            node.value.span,
            help="write `model(x)` in it",
        )


def _uses_model(node: object) -> bool:
    if isinstance(node, ir.ModelCall):
        return True
    if isinstance(node, tuple):
        return any(_uses_model(n) for n in node)
    if hasattr(node, "__match_args__") and not isinstance(node, (Span, Op, TensorType)):
        return any(_uses_model(getattr(node, key)) for key in node.__match_args__)
    return False


# ------------------------------------------------------- metrics and selection


def _metric(ctx: Context, node: tree.Metric, parts: Parts) -> None:
    check_name(ctx, node.name, node.name_span)
    if node.name in parts.metrics or node.name == "loss":
        ctx.fail("N202", f"there are two metrics `{node.name}`", node.name_span)
    parts.metrics[node.name] = _scalar(ctx, node.value, "a metric")


def _complete(ctx: Context, node: tree.Train, parts: Parts) -> None:
    name = node.model.span
    unused = [b for b in ctx.bindings if not b.used]
    for binding in unused:
        meant = closest(binding.name, [s for s in SETTINGS if s not in parts.seen])
        if binding.what == "value" and meant:
            text = f"a train has no `{binding.name}`"
            ctx.error("N502", text, binding.span, help=f"did you mean `{meant}`?")
            parts.seen[meant] = binding.span
            parts.broken = True
    for key in ("loss", "optimizer"):
        if key not in parts.seen:
            ctx.error(
                "N513", f"this train has no {key}", name, help=f"write `{key} = ...`"
            )
            parts.broken = True
    if parts.broken:
        return
    for binding in unused:
        if not ctx.lost:
            ctx.error(
                "N260",
                f"`{binding.name}` is not used",
                binding.span,
                help="use it, or remove it",
            )
            parts.broken = True
