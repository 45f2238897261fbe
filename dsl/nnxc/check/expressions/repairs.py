"""Repairs of tensors that do not fit, found by trying: only one that fits is proposed."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from ...diagnostics import Advice, write
from ...dims import DimError, const
from ...ops import shape_of
from ...ops.base import Op, ShapeError
from ...record import Record
from ...shapes import Axis, TensorType, is_float, is_int
from ...source import Span
from ...syntax import tree
from ...syntax.walk import nodes_in
from ..context import Context
from ..foreign import native
from ..obligations import verdict
from .aligning import aligned

Types = tuple[Any, ...]


def repair(
    ctx: Context,
    op: Op,
    found: Types,
    args: Mapping[str, Any],
    spans: Mapping[str, Span],
    at: str | None,
    help: str | None,
) -> Advice:
    """What to write so that an entry takes its inputs of these types; `at` does not fit."""
    help = help or _of_rank(op, found)
    otherwise: Advice = {"help": help} if help else {}
    if swapped := _swapped(ctx, op, found, args, spans):
        return swapped
    if op.inputs and op.inputs[0].many and (named := _axis_by_name(ctx, op)):
        return named
    if op.group == "loss" and at and (filled := _filled(ctx, found, spans.get(at))):
        return filled
    if at == "mask" and at in spans and (kept := _attended(ctx, spans[at])):
        return kept
    names = [i.name for i in op.inputs]
    if at is None and (stretched := _stretched(ctx, names, found, spans)):
        return stretched
    if at not in names or at not in spans:
        return otherwise
    index, span = names.index(at), spans[at]
    if not isinstance(found[index], TensorType) or not _is_value(ctx, span):
        return otherwise
    shape = found[index].axes if _fits(ctx, op, found, args) else None  # it is at fault
    for changed, text in _changes(ctx, found[index], span, at):
        if changed.axes == shape:
            continue
        types = (*found[:index], changed, *found[index + 1 :])
        if _fits(ctx, op, types, args):
            advice = write(span, text)
            shown = help and _pattern(text, span) in help
            return {"help": help, "fix": advice["fix"]} if help and shown else advice
    return otherwise


def _filled(ctx: Context, found: Types, span: Span | None) -> Advice:
    """`binary_cross_entropy(logits, 1)`: as many labels as there are logits."""
    number = {"0": "zeros({})", "1": "ones({})", "0.0": "zeros({})", "1.0": "ones({})"}
    first = found[0] if found else None
    made = number.get(span.text) if span else None
    if made is None or span is None or not isinstance(first, TensorType) or first.lead:
        return {}
    shape = f"[{', '.join(map(str, first.sizes))}]"
    return write(span, made.format(shape), "a label for each")


def _of_rank(op: Op, found: Types) -> str | None:
    """What is said of a tensor with too few axes."""
    first = next((t for t in found if isinstance(t, TensorType)), None)
    if first is None or first.lead:
        return None
    if first.rank == 0:
        return (
            "a `mean` or `sum` without `axis` leaves no axis: name those to take away"
        )
    if op.name == "attend" and first.rank == 3:
        return "heads are an axis of their own: `Linear(heads, head_dim)`"
    return None


def _stretched(
    ctx: Context, names: Sequence[str], found: Types, spans: Mapping[str, Span]
) -> Advice:
    """Axes for the tensor that has fewer than the others."""
    pairs = zip(names, found, strict=False)
    sides = [
        (t, spans[n]) for n, t in pairs if isinstance(t, TensorType) and n in spans
    ]
    large = max(sides, key=lambda side: side[0].rank, default=None)
    for side in sides:
        if large and side[0].rank and (advice := aligned(ctx, (side, large))):
            return advice
    return {}


def _axis_by_name(ctx: Context, op: Op) -> Advice:
    """`concat([x, y], 1)`, `concat(x, y, 1)`: behind tensors, what follows has a name."""
    for call in nodes_in(ctx.statement, tree.Call):
        match call.args:
            case (
                tree.Arg(None, tree.ListOf()),
                tree.Arg(None, tree.Number() | tree.Unary()),
            ):
                if isinstance(call.func, tree.Name) and call.func.id == op.name:
                    return native.advice(ctx, call.args[1])
            case (*_, tree.Arg(None, tree.Number() | tree.Unary() as last)):
                if isinstance(call.func, tree.Name) and call.func.id == op.name:
                    return write(last.span, f"axis={last.span.text}")
    return {}


def _attended(ctx: Context, mask: Span) -> Advice:
    """`attention(x, y, y)`: advice where what is given as a mask is the context once more."""
    for call in nodes_in(ctx.statement, tree.Call):
        texts = [a.value.span.text for a in call.args if a.name is None]
        if len(texts) != len(call.args) or call.args[-1].value.span != mask:
            continue
        if len(texts) == 3 and texts[1] == texts[2]:
            kept = texts[:1] if texts[0] == texts[1] else texts[:2]
            text = f"{call.func.span.text}({', '.join(kept)})"
            return write(call.span, text, "keys and values are one input")
        if len(texts) == 3:
            return {"help": "keys and values are one input, the second"}
    return {}


def _pattern(text: str, span: Span) -> str:
    """What a repair adds, as helps show it: `[..., 0]`, `astype(x, int)`."""
    rest = text.removeprefix(span.text)
    return f"`{rest}`" if rest != text else f"`{text.replace(span.text, 'x', 1)}`"


def _fits(
    ctx: Context, op: Op, types: Types, args: Mapping[str, Any], surely: bool = False
) -> bool:
    """Whether an entry takes these types, as far as is known; `surely`: whatever is unknown."""
    try:
        shaped = shape_of(op, types, args)
    except (ShapeError, DimError):
        return False
    verdicts = (verdict(ctx, r.left, r.right, r.relation) for r in shaped.requires)
    return all(v is True or (v is None and not surely) for v in verdicts)


def _is_value(ctx: Context, span: Span) -> bool:
    """Whether a span is a whole value, not a stage of a pipeline."""
    stages = {stage.value.span for stage in nodes_in(ctx.statement, tree.Stage)}
    kinds = (tree.Name, tree.Call, tree.Index, tree.Binary)
    found = (n for n in nodes_in(ctx.statement, Record) if isinstance(n, kinds))
    whole = any(n.span == span for n in found)
    return whole and span not in stages


def _changes(
    ctx: Context, type: TensorType, span: Span, at: str
) -> Iterator[tuple[TensorType, str]]:
    """What a tensor may have been meant as, and how that is written."""
    text = span.text
    plain = re.fullmatch(r"[\w.]+(\[.*\]|\(.*\))?", text)
    whole = text if plain else f"({text})"
    for call in nodes_in(ctx.statement, tree.Call):
        named = isinstance(call.func, tree.Name) and call.func.id == "one_hot"
        if call.span == span and named and call.args:
            labels = type.with_axes(type.axes[:-1]).with_dtype("int")
            yield labels, call.args[0].value.span.text
        chosen = isinstance(call.func, tree.Name) and call.func.id == "argmax"
        if call.span == span and chosen and call.args:
            scores = type.with_axes((*type.axes, Axis(const(1)))).with_dtype("float")
            yield scores, call.args[0].value.span.text
    if is_float(type.dtype):
        if at == "mask" and _is_added(span):
            yield type.with_dtype("bool"), f"{text} == 0"
        yield type.with_dtype("int"), f"astype({text}, int)"
        yield type.with_dtype("bool"), f"{text} > 0"
    if is_int(type.dtype):
        yield type.with_dtype("float"), f"astype({text}, float)"
        yield type.with_dtype("bool"), f"{text} > 0"
    if type.dtype == "bool":
        yield type.with_dtype("float"), f"astype({text}, float)"
        yield type.with_dtype("int"), f"astype({text}, int)"
    if type.axes and type.sizes[-1].value == 1:
        yield type.with_axes(type.axes[:-1]), f"{whole}[..., 0]"
    one = Axis(const(1))
    if at != "mask":
        return
    if type.rank == 2:
        axes = (type.axes[0], one, one, type.axes[1])
        yield type.with_axes(axes), f"{whole}[:, none, none, :]"
    if type.rank == 3:
        yield type.with_axes((type.axes[0], one, *type.axes[1:])), f"{whole}[:, none]"


def _is_added(span: Span) -> bool:
    """Whether a mask is one of numbers that are added to scores: 0 for what is seen."""
    source = span.source.text[: span.start]
    made = re.findall(rf"(?m)^ *{re.escape(span.text)} *= *(.*)", source)
    return bool(made) and re.search(r"-\d*\.?\d*e|-inf|-1_?0{3}", made[-1]) is not None


def _swapped(
    ctx: Context,
    op: Op,
    found: Types,
    args: Mapping[str, Any],
    spans: Mapping[str, Span],
) -> Advice | None:
    """The first two arguments the other way round, where only that fits."""
    names = [i.name for i in op.inputs[:2]]
    if len(names) < 2 or op.inputs[0].many or not all(n in spans for n in names):
        return None
    first, second = (spans[n] for n in names)
    inside = first.source is second.source and first.end <= second.start
    between = Span(first.source, first.end, second.start)
    if not inside or between.text.strip() != ",":
        return None
    if not _fits(ctx, op, (found[1], found[0], *found[2:]), args, surely=True):
        return None
    whole = next(
        (c for c in nodes_in(ctx.statement, tree.Call) if _holds(c, first)), None
    )
    text = f"{second.text}{between.text}{first.text}"
    if whole is None:
        return write(first.to(second), text)
    start, end = first.start - whole.span.start, second.end - whole.span.start
    return write(whole.span, whole.span.text[:start] + text + whole.span.text[end:])


def _holds(call: tree.Call, first: Span) -> bool:
    return bool(call.args) and call.args[0].value.span == first
