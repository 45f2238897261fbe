"""The settings of a train: optimizer, schedule, precision and numbers."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

from ... import ir
from ...diagnostics import Advice, write
from ...ir.static_functions import STATIC_FUNCTIONS
from ...ops import OPTIMIZERS, SCHEDULES
from ...ops.base import Kind, Op
from ...shapes import FLOATS
from ...source import Span
from ...syntax import tree
from ...syntax.walk import names_in
from ..arguments.binding import convert_one, missing, sort_out
from ..context import Context
from ..expressions.operands import static
from ..foreign import chains, foreign_names, native, tables
from ..foreign.tree_parts import last_name
from ..values import Static


def independent(ctx: Context, node: tree.Expr, what: str) -> None:
    """A setting holds for the module as a whole: it cannot depend on one model's parameters."""
    for name in names_in(node):
        if name.id in ctx.params or name.id in ctx.axes:
            ctx.fail(
                "N514",
                f"`{what}` cannot depend on `{name.id}`",
                name.span,
                **_default_of(ctx, name),
            )
        held = ctx.scope.get(name.id)
        if held is not None and held.what == "value" and isinstance(held.value, Static):
            text = f"`{what}` cannot depend on `{name.id}`"
            ctx.fail("N514", text, name.span, **_itself(ctx, name.id, held.span))


def _default_of(ctx: Context, name: tree.Name) -> Advice:
    """The default of a parameter, written where a setting reads it."""
    param = ctx.params.get(name.id)
    default = param.default if param else None
    number = isinstance(default, ir.Literal) and isinstance(default.value, (int, float))
    if not number or param is None:
        return {"help": "write the value itself"}
    text = param.span.source.text[param.span.end :].partition("=")[2]
    return write(
        name.span, re.split(r"[,)\n]", text)[0].strip(), "write the value itself"
    )


def _itself(ctx: Context, name: str, target: Span) -> Advice:
    """A number that a line above names, written where a setting reads it."""
    source = target.source
    end = source.text.find("\n", target.end)
    line = source.text[target.end : end if end >= 0 else len(source.text)]
    value = line.partition("=")[2].partition("#")[0].strip()
    span = Span(source, target.start, target.end + len(line.rstrip()))
    head = tree.Name(name, target)
    found = chains.inlined(ctx, tree.Assign((head,), "=", head, span), value)
    return found or {"help": "write the value itself"}


def precision(ctx: Context, node: tree.Expr) -> str:
    """`precision = bf16`: a key of `DTYPES`."""
    if isinstance(node, tree.Name) and node.id in FLOATS and node.id != "float":
        return node.id
    text = node.id if isinstance(node, tree.Name) else ""
    if isinstance(node, tree.String):
        text = node.value
    choices = [f for f in FLOATS if f != "float"]
    ctx.fail(
        "N506",
        "a precision is a floating dtype",
        node.span,
        **_dtype_meant(ctx, text, choices, node.span),
    )


def _dtype_meant(ctx: Context, text: str, choices: list[str], span: Span) -> Advice:
    known = tables.DTYPES.get(text, text)
    if known in choices:
        return write(span, known)
    return ctx.suggest(text, choices, span, "one of " + ", ".join(choices))


def positive_number(ctx: Context, node: tree.Expr, what: str) -> ir.Static:
    """A number above 0, such as `clip`."""
    match node:
        case tree.Call(func, (tree.Arg(_, tree.Number() as number),)):
            if last_name(func) not in STATIC_FUNCTIONS:
                text = f"`{what}` must be a number"
                ctx.fail("N207", text, node.span, **write(node.span, number.span.text))
    value = static(ctx, node, f"`{what}`")
    if value.flavor not in ("int", "float", "unknown"):
        text = node.value if isinstance(node, tree.String) else ""
        advice = write(node.span, text) if foreign_names.is_number(text) else {}
        ctx.fail("N207", f"`{what}` must be a number", node.span, **advice)
    if value.known and value.value <= 0:
        ctx.fail("N507", f"`{what}` must be above 0", node.span)
    return value.node


def between(ctx: Context, node: tree.Expr) -> ir.Static:
    """A decay between 0 and 1."""
    value = static(ctx, node, "`ema`")
    if value.flavor not in ("int", "float", "unknown"):
        help = "a decay, such as 0.999"
        ctx.fail("N207", "`ema` must be a number", node.span, help=help)
    if value.known and not 0 < value.value < 1:
        ctx.fail(
            "N507", "`ema` is a decay between 0 and 1", node.span, help="such as 0.999"
        )
    return value.node


def count(ctx: Context, node: tree.Expr) -> ir.Static | None:
    """How many batches one step gathers; None for one."""
    value = static(ctx, node, "`accumulate`")
    if value.flavor not in ("int", "unknown"):
        whole = value.known and value.flavor == "float" and value.value % 1 == 0
        advice = write(node.span, f"{value.value:.0f}") if whole else {}
        ctx.fail("N207", "`accumulate` must be a whole number", node.span, **advice)
    if value.known and value.value < 1:
        text = "`accumulate` must be at least 1"
        ctx.fail("N507", text, node.span, help="such as 4")
    return None if value.known and value.value == 1 else value.node


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
            such: Advice = {"help": f"such as `{next(iter(registry))}(...)`"}
            if isinstance(node, tree.String) and node.value.casefold() in registry:
                given = "1e-3" if what == "optimizer" else ""
                such = write(node.span, f"{node.value.casefold()}({given})")
            advice = native.advice(ctx, node, such)
            ctx.fail("N508", f"this is no {what}", node.span, **advice)
    op = registry.get(name)
    if op is None:
        ctx.fail(
            "N508",
            f"there is no {what} `{name}`",
            span,
            **_op_meant(ctx, node, name, registry, span),
        )
    written = sort_out(ctx, op, args, piped=False)
    missing(ctx, op, written, node.span)
    done: list[tuple[str, ir.Static | ir.TrainOp]] = []
    known: dict[str, Any] = {}
    for param in op.params:
        if param.name not in written.params:
            continue
        value = written.params[param.name]
        if param.kind is Kind.SCHEDULE and _is_schedule(ctx, value):
            done.append((param.name, train_op(ctx, value, SCHEDULES, "schedule")))
            continue
        if param.kind is Kind.SCHEDULE:
            positive_number(ctx, value, param.name)
        made, known[param.name] = convert_one(ctx, param, value, None)
        done.append((param.name, made))
    _fits(ctx, op, known, written.params)
    return ir.TrainOp(op, tuple(done))


def _op_meant(
    ctx: Context, node: tree.Expr, name: str, registry: Mapping[str, Op], span: Span
) -> Advice:
    if name in tables.HINTS:
        return {"help": tables.HINTS[name]}
    if name in SCHEDULES and registry is OPTIMIZERS:
        why = "it stands for the learning rate of an optimizer"
        return write(node.span, f"adam({node.span.text})", why)
    meant = ctx.suggest(name, registry, span)
    if registry is SCHEDULES and isinstance(node, tree.Name) and "fix" not in meant:
        return write(node.span, "1e-3", "a rate is a number or a schedule")
    layer = "lora" in registry and isinstance(node, (tree.Name, tree.Attribute))
    if layer and "fix" not in meant:
        return write(node.span, f"lora(rank=8) on {node.span.text}")
    return native.advice(ctx, node, meant)


def _fits(
    ctx: Context, op: Op, known: Mapping[str, Any], written: Mapping[str, tree.Expr]
) -> None:
    """What an entry requires of its numbers, such as a warm-up that ends before the last step."""
    for fact in op.shape((), known).requires if callable(op.shape) else ():
        difference = (fact.left - fact.right).value
        if difference is not None and difference < 0:
            assert fact.at is not None
            ctx.fail("N507", fact.message, written[fact.at].span, help=fact.help)


def _is_schedule(ctx: Context, node: tree.Expr) -> bool:
    head = node.func if isinstance(node, tree.Call) else node
    return isinstance(head, tree.Name) and head.id not in ctx.scope
