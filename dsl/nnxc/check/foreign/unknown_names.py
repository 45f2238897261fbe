"""Names that nothing has: what was meant."""

from __future__ import annotations

import re

from ...diagnostics import Advice, Fix, closest, meant, write
from ...ir.fold_statements import placed_items
from ...ir.static_functions import STATIC_FUNCTIONS
from ...ops import ALL, METRICS
from ...source import Span
from ...syntax import tree
from ...syntax.words import CONSTANTS
from ..context import Context
from ..definitions.naming import is_camel
from ..values import Applied, Binding, ModelRef
from . import native, tables
from .tree_parts import path_to


def unknown_name(ctx: Context, node: tree.Name) -> None:
    """Report a name that nothing has."""
    pool = ctx.names()
    if is_camel(node.id) and len(node.id) > 1:
        kind = "layer or block"
        pool = [n for n in pool if is_camel(n)]
    else:
        kind = "name"
    unread = _unread(ctx, node.id)
    if node.id in ctx.later:
        text = f"`{node.id}` is used before it has a value"
        ctx.meant(unread)
        advice = meant(node.span, unread) if unread else {}
        ctx.fail("N201", text, node.span, **advice)
    close = unread or _alike(ctx, node.id)
    if unread is None and ctx.kind != "train":
        _of_another(ctx, node, close)
    _at_the_end(ctx, node, close)
    if node.id == "batch":
        _of_batch(ctx, node)
    held = ctx.scope.get("model")
    if held and isinstance(held.value, ModelRef):
        close = _in_train(ctx, node, held.value, close)
    close = close or tables.CONSTANTS.get(node.id.casefold())
    if close is None:
        _out_of_place(ctx, node)
        if kind == "name":
            pool += [*STATIC_FUNCTIONS, *ctx.later, *CONSTANTS.values()]
        close = closest(node.id, pool)
    ctx.meant(close)
    ctx.fail(
        "N200",
        f"there is no {kind} `{node.id}`",
        node.span,
        **(meant(node.span, unread) if unread else _meant(ctx, node, close)),
    )


def _of_another(ctx: Context, node: tree.Name, close: str | None) -> None:
    """Report a name that another definition of the file has."""
    name, spec = re.escape(node.id), node.span.source.text
    message = f"there is no name `{node.id}`"
    if close is None and re.search(_PARAMETER.replace("NAME", name), spec):
        call = f"{ctx.name}(..., {node.id})"
        help = f"a block has parameters of its own: pass it, `{call}`"
        ctx.fail("N200", message, node.span, help=help)
    if re.search(_LOCAL.replace("NAME", name), spec):
        help = f"it is another definition's: a tensor is handed on as an `input` of `{ctx.name}`, a number as a parameter"
        ctx.fail("N200", message, node.span, help=help)


_PARAMETER = r"(?m)^(?:block|model)\b[^\n#]*[(,] *NAME *[=,)]"
_LOCAL = r"(?m)^ +(?:input\b[^\n#]*[ ,]NAME *:|(?:\w+, *)*NAME *(?:, *\w+)* = )"


def _in_train(
    ctx: Context, node: tree.Name, model: ModelRef, close: str | None
) -> str | None:
    """What was meant in a train, where names of the model and of the batch are looked for."""
    definition, text = model.signature.definition, f"there is no name `{node.id}`"
    own = definition.name.casefold() == node.id.casefold()
    close = "model" if own else close
    if any(layer.name == node.id for layer, _ in placed_items(definition.body)):
        whole = write(node.span, f"model.{node.id}", "it is the model's")
        ctx.fail("N200", text, node.span, **whole)
    match ctx.statement:
        case tree.Metric(name, tree.Call(func)) if func is node and name in METRICS:
            close = close or name
    fields = [n for n, one in ctx.scope.items() if one.what == "batch field"]
    if close is None and node.id in _TARGETS and fields:
        batch = "`, `".join(fields)
        help = f"the batch has `{batch}`; add `{node.id}: int[B]` to it"
        ctx.fail("N200", text, node.span, help=help)
    if node.id in SCORES and close is None:
        _scores(ctx, node, model)
    return close


def _meant(ctx: Context, node: tree.Name, close: str | None) -> Advice:
    """What an unknown name was meant as."""
    hint: Advice = {"help": ctx.hints[node.id]} if node.id in ctx.hints else {}
    if hint and node.id == "loss" and (named := _loss_named(ctx, node, hint)):
        return named
    if found := native.advice(ctx, node, hint):
        return found
    if node.id.upper() in ("SAME", "VALID", "CAUSAL", "CIRCULAR", "REFLECT"):
        return write(node.span, f'"{node.id.lower()}"', "a text stands in quotes")
    if node.id in tables.HINTS:
        return {"help": tables.HINTS[node.id]}
    if close:
        return meant(node.span, close)
    if node.id[:1].isupper() and len(node.id) > 1:
        return {"help": f"define it, `block {node.id}(...):`, or bring it by `use`"}
    return {}


def _unread(ctx: Context, name: str) -> str | None:
    """A name that is much like this, and that nothing has read yet."""
    waits = [n for n, held in ctx.scope.items() if n != name and not _is_read(held)]
    return closest(name, waits, NEAR)


def _is_read(held: Binding) -> bool:
    if isinstance(held.value, Applied):
        return held.value.layer.used
    return held.used


NEAR = 0.8


def _alike(ctx: Context, name: str) -> str | None:
    """A name that is this but for its spelling, or what another library calls it."""
    same = {_folded(n): n for n in ctx.names()}
    others = {_folded(a): op.name for op in ctx.functions.values() for a in op.aliases}
    return {**others, **same}.get(_folded(name))


def _folded(name: str) -> str:
    return name.casefold().replace("_", "")


def _out_of_place(ctx: Context, node: tree.Name) -> None:
    """An entry of the library that stands elsewhere."""
    group = next((op.group for op in ALL if op.name == node.id), None)
    if group is not None:
        article = "an" if group[0] in "aeiou" else "a"
        ctx.fail(
            "N275",
            f"`{node.id}` is {article} {group}",
            node.span,
            help=(
                "it stands after `=` in `param` and `state`, or in an argument"
                if group == "initializer"
                else (
                    "it stands in place of a rate: `adam(cosine(1e-3, 1000))`"
                    if group == "schedule"
                    else "it belongs in a train"
                )
            ),
        )


_TARGETS = ("y", "label", "labels", "target", "targets", "y_true")
SCORES = ("logits", "logit", "pred", "preds", "y_pred", "y_hat", "output", "outputs")


def _scores(ctx: Context, node: tree.Name, model: ModelRef) -> None:
    """What a loss is often given by a name: what the model returns."""
    fields = [n for n, held in ctx.scope.items() if held.what == "batch field"]
    wanted = [i.name for i in model.signature.definition.inputs if not i.optional]
    if not fields or len(wanted) != 1:
        return
    text = f"model({fields[0]})"
    why = "call the model"
    ctx.fail(
        "N200",
        f"there is no name `{node.id}`",
        node.span,
        **write(node.span, text, why),
    )


def _of_batch(ctx: Context, node: tree.Name) -> None:
    """`batch.x`, `batch["x"]`: what a batch has stands by itself."""
    fields = [n for n, held in ctx.scope.items() if held.what == "batch field"]
    chain = path_to(ctx.statement, node)
    text, why = "there is no name `batch`", "fields of a batch stand by themselves"
    if not fields or len(chain) < 2:
        return
    match chain[-2]:
        case tree.Attribute(_, name, span) if name in fields:
            ctx.fail("N200", text, node.span, **write(span, name, why))
        case tree.Index(_, (tree.String(name),), span) if name in fields:
            ctx.fail("N200", text, node.span, **write(span, name, why))


def _loss_named(ctx: Context, node: tree.Name, hint: Advice) -> Advice:
    """`metric ppl = exp(loss)`: the value of the loss, with a name that both read."""
    source = node.span.source
    start = source.text.rfind("\ntrain ", 0, node.span.start) + 1
    above = source.text[start : node.span.start]
    found = [*re.finditer(r"(?m)^( *)loss = (.+)$", above)]
    metric = isinstance(ctx.statement, tree.Metric)
    if not metric or len(found) != 1 or "error" in ctx.scope:
        return {}
    margin, value = found[0].groups()
    rest = above[found[0].end() :]
    text = f"{margin}error = {value}\n{margin}loss = error{rest}error"
    place = Span(source, start + found[0].start(), node.span.end)
    return {
        "help": f"{hint['help']}: `error = {value}`, `loss = error`",
        "fix": Fix(place, text),
    }


def _at_the_end(ctx: Context, node: tree.Name, close: str | None) -> None:
    """`x -> Linear(d) -> out`: a value gets its name before it."""
    match ctx.statement:
        case tree.Evaluate(tree.Pipe(_, (_, *_, tree.Stage(last))) as whole, span) if (
            last is node and close is None and node.id.islower()
        ):
            pass
        case _:
            return
    source = span.source
    before = Span(source, whole.span.start, whole.stages[-2].value.span.end).text
    below = source.text[span.end : ctx.head.end]
    text = f"{node.id} = {before}" if below.strip() else f"return {before}"
    why = "a value has its name before it" if below.strip() else "what is returned"
    message = f"there is no name `{node.id}`"
    ctx.fail("N200", message, node.span, **write(span, text, why))
