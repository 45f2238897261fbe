"""A train section: the loss is checked like a model, against the batch."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from .. import ir
from ..diagnostics import Label, Sink, closest
from ..ops import OPTIMIZERS, SCHEDULES
from ..ops.base import Kind, Op
from ..shapes import FLOATS, TensorType, is_float
from ..source import Span
from ..syntax import tree
from . import types
from .calls import convert_one, missing, sort_out
from .context import Context
from .definition import finish
from .expressions import as_tensor, expr, static
from .statements import abandon, check_name, mentioned, statement, targets
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
    node: tree.Train, sink: Sink, signature: Signature, functions: Mapping[str, Op]
) -> ir.Train | None:
    """Check a train of a sound model; None where it has mistakes."""
    ctx = Context(sink, "train", signature.definition.name, {}, functions, {})
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
            _select(ctx, node, parts, signature)
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
    match name:
        case "loss":
            parts.loss = _scalar(ctx, node.value, "the loss")
            if not _uses_model(parts.loss):
                _require_model(ctx, node, parts)
        case "optimizer":
            parts.optimizer = train_op(ctx, node.value, OPTIMIZERS, "optimizer")
        case "precision":
            parts.precision = _precision(ctx, node.value)
        case "clip":
            parts.clip = _positive(ctx, node.value, "clip")
        case "ema":
            parts.ema = _between(ctx, node.value)
        case "accumulate":
            parts.accumulate = _count(ctx, node.value)


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
    if hasattr(node, "__match_args__") and not isinstance(
        node, (Span, Op, TensorType)
    ):
        return any(_uses_model(getattr(node, key)) for key in node.__match_args__)
    return False


def _precision(ctx: Context, node: tree.Expr) -> str:
    if isinstance(node, tree.Name) and node.id in FLOATS and node.id != "float":
        return node.id
    text = node.id if isinstance(node, tree.Name) else ""
    choices = [f for f in FLOATS if f != "float"]
    ctx.fail(
        "N506",
        "a precision is a floating dtype",
        node.span,
        **(ctx.suggest(text, choices) or {"help": "one of " + ", ".join(choices)}),
    )


def _positive(ctx: Context, node: tree.Expr, what: str) -> ir.Static:
    value = static(ctx, node, f"`{what}`")
    if value.flavor not in ("int", "float", "unknown"):
        ctx.fail("N207", f"`{what}` must be a number", node.span)
    if value.known and value.value <= 0:
        ctx.fail("N507", f"`{what}` must be above 0", node.span)
    return value.node


def _between(ctx: Context, node: tree.Expr) -> ir.Static:
    value = static(ctx, node, "`ema`")
    if value.flavor not in ("int", "float", "unknown"):
        ctx.fail("N207", "`ema` must be a number", node.span)
    if value.known and not 0 < value.value < 1:
        ctx.fail(
            "N507", "`ema` is a decay between 0 and 1", node.span, help="such as 0.999"
        )
    return value.node


def _count(ctx: Context, node: tree.Expr) -> ir.Static:
    value = static(ctx, node, "`accumulate`")
    if value.flavor not in ("int", "unknown"):
        ctx.fail("N207", "`accumulate` must be a whole number", node.span)
    if value.known and value.value < 1:
        ctx.fail("N507", "`accumulate` must be at least 1", node.span)
    return value.node


def train_op(
    ctx: Context, node: tree.Expr, registry: Mapping[str, Op], what: str
) -> ir.TrainOp:
    """`adamw(warmup_cosine(...), weight_decay=0.1)`."""
    match node:
        case tree.Name(name, span):
            args: Iterable[tree.Arg] = ()
        case tree.Call(tree.Name(name, span), args):
            pass
        case _:
            ctx.fail(
                "N508",
                f"this is no {what}",
                node.span,
                help=f"such as `{next(iter(registry))}(...)`",
            )
    op = registry.get(name)
    if op is None:
        ctx.fail(
            "N508", f"there is no {what} `{name}`", span, **ctx.suggest(name, registry)
        )
    written = sort_out(ctx, op, args, node.span, piped=False)
    missing(ctx, op, written, node.span)
    done: list[tuple[str, ir.Static | ir.TrainOp]] = []
    for param in op.params:
        if param.name not in written.params:
            continue
        value = written.params[param.name]
        if param.kind is Kind.SCHEDULE and _is_schedule(ctx, value):
            done.append((param.name, train_op(ctx, value, SCHEDULES, "schedule")))
        else:
            done.append((param.name, convert_one(ctx, param, value, None)[0]))
    return ir.TrainOp(op, tuple(done))


def _is_schedule(ctx: Context, node: tree.Expr) -> bool:
    head = node.func if isinstance(node, tree.Call) else node
    return isinstance(head, tree.Name) and head.id not in ctx.scope


# ------------------------------------------------------- metrics and selection


def _metric(ctx: Context, node: tree.Metric, parts: Parts) -> None:
    check_name(ctx, node.name, node.name_span)
    if node.name in parts.metrics or node.name == "loss":
        ctx.fail("N202", f"there are two metrics `{node.name}`", node.name_span)
    parts.metrics[node.name] = _scalar(ctx, node.value, "a metric")


def _select(
    ctx: Context, node: tree.Select, parts: Parts, signature: Signature
) -> None:
    other = "freeze" if node.keyword == "only" else "only"
    if getattr(parts, other):
        ctx.fail("N509", "`only` and `freeze` exclude each other", node.span)
    chosen = getattr(parts, node.keyword)
    for path in node.paths:
        try:
            chosen.append(_chosen(ctx, path, chosen, signature))
        except Fault:
            parts.broken = True


def _chosen(
    ctx: Context, path: tree.Expr, chosen: list[str], signature: Signature
) -> str:
    dotted = _dotted(ctx, path)
    _exists(ctx, path, dotted.split("."), signature)
    if dotted in chosen:
        ctx.fail("N202", f"`{dotted}` is named twice", path.span)
    return dotted


def _dotted(ctx: Context, node: tree.Expr) -> str:
    match node:
        case tree.Name(name):
            return name
        case tree.Attribute(value, name):
            return f"{_dotted(ctx, value)}.{name}"
    ctx.fail(
        "N510", "a path of weights is dotted names, such as `encoder.wte`", node.span
    )


def _exists(
    ctx: Context, node: tree.Expr, path: list[str], signature: Signature
) -> None:
    """Follow the path through the model's layers."""
    here: Signature | None = signature
    for position, name in enumerate(path):
        if here is None:
            return
        layers, variables = _members(here)
        if name not in layers and name not in variables:
            ctx.fail(
                "N511",
                f"`{here.definition.name}` has no layer `{name}`",
                node.span,
                **ctx.suggest(name, [*layers, *variables]),
            )
        inner = layers.get(name)
        here = here.callees.get(inner) if isinstance(inner, str) else None
        if here is None and position + 1 < len(path):
            weights = inner if isinstance(inner, tuple) else ()
            rest = ".".join(path[position + 1 :])
            if rest not in weights:
                ctx.fail(
                    "N511",
                    f"`{name}` has no `{rest}`",
                    node.span,
                    **ctx.suggest(rest, weights),
                )
            return


def _members(signature: Signature) -> tuple[dict[str, str | tuple[str, ...]], set[str]]:
    """Layers (the block's name, or the names of weights) and variables of a definition."""
    layers: dict[str, str | tuple[str, ...]] = {}
    variables: set[str] = set()
    todo: list[ir.Stmt] = list(signature.definition.body)
    while todo:
        match todo.pop():
            case ir.Declare(layer):
                block = isinstance(layer.callee, str)
                layers[layer.name] = (
                    str(layer.callee) if block else tuple(layer.weights)
                )
            case ir.Variable(name):
                variables.add(name)
            case ir.For(body=body):
                todo.extend(body)
            case ir.If(then=then, orelse=orelse):
                todo.extend((*then, *orelse))
    return layers, variables


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
