"""A train section: the loss is checked like a model, against the batch."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NoReturn

from ... import ir
from ...diagnostics import Advice, Label, Sink, write
from ...ir.outline import learns
from ...ops.base import Op
from ...record import replace
from ...source import Span
from ...syntax import tree
from ...syntax.walk import mentioned, targets
from ..arguments import types
from ..context import Context
from ..control.bodies import abandon, statement
from ..definitions.declarations import check_name
from ..definitions.finished import finish
from ..dispatch import DISPATCH
from ..documented import doc_of
from ..expressions import statics
from ..values import BAD, Binding, Fault, ModelRef, Signature, Tensor
from .adapted import adapt
from .batch_types import is_bare
from .completeness import complete
from .decaying import decay, decays, definitions_of, weights_of
from .elsewhere import elsewhere
from .frozen import freeze, undecided
from .held import unadapted
from .selection import select
from .train_parts import SETTINGS, Goal, Parts
from .train_settings import assign_setting, in_place, scalar, suspect_setting
from .whole_batch import weight_of


def check_train(
    node: tree.Train,
    sink: Sink,
    signature: Signature,
    functions: Mapping[str, Op],
    defaults: Mapping[str, Mapping[str, tree.Arg]],
    models: Mapping[str, Signature],
    doc: str,
) -> ir.Train | None:
    """Check a train of a sound model; None where it has mistakes. `doc` is what a comment says
    of it."""
    ctx = Context(
        DISPATCH, sink, "train", signature.definition.name, {}, functions, defaults
    )
    _model_names(ctx, signature)
    ctx.hints = dict.fromkeys(SETTINGS, "a setting is no value; name what goes into it")
    several = any(isinstance(item, tree.Optimize) for item in node.body)
    parts = Parts(Goal("", node.model.span, doc), several, models=models)
    _has_batch(ctx, node, parts)
    _statements(ctx, node.body, parts, signature)
    if not several:
        parts.goals.append(parts.goal)
    undecided(ctx, parts)
    complete(ctx, parts)
    if parts.broken:
        return None
    made = ir.Train(
        signature.definition.name,
        tuple(parts.batch),
        finish(ctx, ctx.body),
        tuple(_objective(ctx, goal, parts) for goal in parts.goals),
        parts.precision,
        parts.ema,
        tuple(sorted(ctx.streams)),
        tuple(sorted(ctx.hard_streams)),
        node.span,
        parts.adapters,
        tuple(parts.frozen),
        doc,
    )
    sound = (
        not parts.broken
        and _something_trains(ctx, node, made, signature)
        and decays(ctx, parts, made, signature)
        and unadapted(ctx, made)
    )
    return made if sound else None


def _something_trains(
    ctx: Context, node: tree.Train, made: ir.Train, signature: Signature
) -> bool:
    """Whether a weight learns by each objective; reports N518."""
    weights = weights_of(signature)
    if not weights:
        text = f"`{made.model}` has no weights that could train"
        ctx.error("N518", text, node.model.span, help="give it a layer or a `param`")
        return False
    for goal in made.objectives:
        alone = replace(made, objectives=(goal,))
        if not any(learns(alone, path) for path in weights):
            text = "nothing is left that trains"
            help = "`freeze` less, or name in `only` what has weights"
            ctx.error("N518", text, _selects(node.body, goal), help=help)
            return False
    return True


def _selects(body: tuple[tree.Statement, ...], goal: ir.Objective) -> Span:
    """Where an objective says what trains."""
    inner = [
        s.body for s in body if isinstance(s, tree.Optimize) and s.name == goal.name
    ]
    spans = [
        s.span
        for s in (inner or [body])[0]
        if isinstance(s, tree.Select) and s.keyword != "decays"
    ]
    return spans[0] if spans else goal.span


def _statements(
    ctx: Context, body: tuple[tree.Statement, ...], parts: Parts, signature: Signature
) -> None:
    for item in body:
        try:
            _statement(ctx, item, parts, signature)
        except Fault:
            parts.broken = True
            _doubt_field(ctx)
            abandon(ctx, item)
            for key in _setting(item):
                parts.goal.seen.setdefault(key, item.span)


def _doubt_field(ctx: Context) -> None:
    """A batch field that does not fit where it was used may be wrong everywhere: told once."""
    if not ctx.sink.found:
        return
    last = [*ctx.sink.found.values()][-1]
    field = ctx.scope.get(last.primary.span.text)
    if last.code in ("N301", "N302") and field and field.what == "batch field":
        field.value = BAD


def _weight(ctx: Context, goal: Goal, parts: Parts) -> ir.Expr | None:
    """What a batch weighs in a step of several; reports N519."""
    assert goal.loss is not None
    if goal.accumulate is None:
        return None
    body = (*parts.shared, *ctx.body, *goal.body)
    models = {"model": ctx.name, **{f.name: f.model for f in parts.frozen}}
    known = {
        name: definition
        for model in models.values()
        for name, definition in definitions_of(parts.models[model]).items()
    }
    mean, mixed = weight_of(goal.loss, body, parts.batch, models, known)
    if mean is not None:
        return mean.weight
    text = "the loss of several batches does not follow from their losses"
    help = "make it one mean over the batch: `mean(...)`, or a loss with `where=`"
    related: tuple[Label, ...] = ()
    if mixed is not None:
        help = "leave out `accumulate`, or compute this of each example"
        related = (Label(mixed, "this is of several examples at once"),)
    ctx.error("N519", text, goal.loss.span, help=help, related=related)
    parts.broken = True
    return None


def _objective(ctx: Context, goal: Goal, parts: Parts) -> ir.Objective:
    assert goal.loss is not None and goal.optimizer is not None
    return ir.Objective(
        goal.name,
        goal.body,
        goal.loss,
        tuple(goal.metrics.items()),
        goal.optimizer,
        goal.clip,
        goal.accumulate,
        tuple(goal.only),
        tuple(goal.freeze),
        goal.span,
        tuple(goal.decay),
        _weight(ctx, goal, parts),
        goal.doc,
    )


def _has_batch(ctx: Context, node: tree.Train, parts: Parts) -> None:
    """Without a batch, unknown names are taken for its fields."""
    if any(isinstance(s, tree.Declare) and s.keyword == "batch" for s in node.body):
        return
    if any(isinstance(s, tree.Declare) and s.keyword == "input" for s in node.body):
        ctx.forbidden = frozenset(mentioned(node.body))
        parts.broken = True
        return  # told there
    help = "write `batch x: [B, ...], y: ...`"
    ctx.error("N512", "this train has no batch", node.model.span, help=help)
    ctx.forbidden = frozenset(mentioned(node.body))
    parts.broken = True


def _model_names(ctx: Context, signature: Signature) -> None:
    """The model's parameters, and `model` itself."""
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
    ctx.statement = node
    in_place(ctx, node, parts)
    match node:
        case tree.Declare("batch"):
            _batch(ctx, node, parts)
        case tree.Optimize():
            _optimize(ctx, node, parts, signature)
        case tree.Metric():
            _metric(ctx, node, parts)
        case tree.Select("decays"):
            decay(ctx, node, parts)
        case tree.Select():
            select(ctx, node, parts, signature)
        case tree.Adapt():
            adapt(ctx, node, parts, signature)
        case tree.Frozen():
            freeze(ctx, node, parts, signature, parts.models)
        case tree.Assign(targets, "=", gathers=None) if (
            len(targets) == 1 and targets[0].id in SETTINGS
        ):
            assign_setting(ctx, targets[0].id, node, parts)
        case tree.Assign():
            _bare_setting(ctx, node)
            elsewhere(ctx, node, parts.goal)
            suspect_setting(ctx, node, parts.goal)
            statement(ctx, node)
        case tree.Evaluate() | tree.Collect():
            _bare_selection(ctx, node)
            statement(ctx, node)
        case _:
            _not_here(ctx, node, parts)


def _not_here(ctx: Context, node: tree.Statement, parts: Parts) -> NoReturn:
    """What belongs in a model; some stands for what a train has instead."""
    advice: Advice = {}
    match node:
        case tree.For():
            advice = {"help": "the loop over batches is yours, and calls `train_step`"}
        case tree.Return((value,)) if "loss" not in parts.goal.seen:
            advice = write(node.span, f"loss = {value.span.text}")
            parts.goal.seen["loss"] = node.span
        case tree.Declare("input"):
            word = Span(node.span.source, node.span.start, node.span.start + 5)
            advice = write(word, "batch")
    ctx.fail("N501", "this belongs in a model, not in a train", node.span, **advice)


def _bare_setting(ctx: Context, node: tree.Assign) -> None:
    """`freeze = fc`."""
    match node:
        case tree.Assign((tree.Name(name),), "+=" | "-=" | "*=", span=span) if (
            name in SETTINGS
        ):
            text, help = f"`{name}` is given once", f"write one value: `{name} = a + b`"
            ctx.fail("N202", text, span, help=help)
        case tree.Assign(
            (tree.Name("only" | "freeze" | "adapt" as word),), "=", value, span
        ):
            _bare_word(ctx, word, value.span.text, span)


def _bare_selection(ctx: Context, node: tree.Statement) -> None:
    """`only [head]`."""
    match node:
        case tree.Evaluate(
            tree.Index(tree.Name("only" | "freeze" as word), items, span)
        ):
            _bare_word(ctx, word, ", ".join(i.span.text for i in items), span)


def _bare_word(ctx: Context, word: str, rest: str, span: Span) -> NoReturn:
    """The word stands before what it is about."""
    text = f"`{word}` stands before what it is about"
    if word == "adapt":
        ctx.fail("N502", text, span, help="write `adapt lora(rank=8) on head`")
    ctx.fail("N502", text, span, **write(span, f"{word} {rest}"))


def _optimize(
    ctx: Context, node: tree.Optimize, parts: Parts, signature: Signature
) -> None:
    """`optimize name:`; names that it gives values to are its own."""
    check_name(ctx, node.name, node.name_span)
    for other in parts.goals:
        if other.name == node.name:
            first = (Label(other.span, "the first"),)
            text = f"there are two objectives `{node.name}`"
            ctx.error("N202", text, node.name_span, related=first)
            parts.broken = True
    outer, scope = parts.goal, dict(ctx.scope)
    parts.goal = Goal(node.name, node.name_span, doc_of(node.trivia))
    parts.goals.append(parts.goal)
    parts.shared = ctx.body
    with ctx.nested() as body:
        _statements(ctx, node.body, parts, signature)
        undecided(ctx, parts)
    parts.goal.body = finish(ctx, body)
    if not parts.goal.only and not parts.goal.freeze:
        path = tree.Name(node.name, node.name_span)
        select(ctx, tree.Select("only", (path,), node.name_span), parts, signature)
    parts.goal, ctx.scope = outer, scope


def _batch(ctx: Context, node: tree.Declare, parts: Parts) -> None:
    for item in node.fields:
        try:
            _field(ctx, item, parts)
        except Fault:
            parts.broken = True
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
    if is_bare(item):
        text = f"`{item.name}` has no type"
        help = f"write the shape: `{item.name}: [B, d]`, `{item.name}: int[B]`"
        label = f"no input of `{ctx.name}` says one for it"
        ctx.fail("N523", text, item.name_span, label, help=help)
    kind = types.bind_axes(ctx, item.type)
    if kind.lead:
        ctx.fail("N314", "a batch field has a fixed number of axes", item.type.span)
    parts.batch.append(ir.ModelInput(item.name, kind, False, item.name_span))
    ctx.bind(
        item.name,
        Tensor(ir.Var(item.name, kind, item.name_span)),
        item.name_span,
        "batch field",
    )


def _metric(ctx: Context, node: tree.Metric, parts: Parts) -> None:
    check_name(ctx, node.name, node.name_span)
    named = {name for goal in (*parts.goals, parts.goal) for name in goal.metrics}
    if node.name in named or node.name == "loss":
        ctx.fail("N202", f"there are two metrics `{node.name}`", node.name_span)
    parts.goal.metrics[node.name] = scalar(ctx, node.value, "a metric")
