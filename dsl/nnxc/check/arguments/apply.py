"""Constructing layers and applying them: the shape rules at work."""

from __future__ import annotations

import string
from collections.abc import Mapping
from typing import Any

from ... import ir
from ...diagnostics import Label
from ...dims import Dim, DimError
from ...ir.fold_static import static_dims
from ...ops import shape_of
from ...ops.base import Call, Kind, Op, Shaped, ShapeError
from ...record import replace
from ...shapes import TensorType
from ...source import Span
from ..construction import build_from, not_asked
from ..context import Context
from ..definitions.inferred import refuse_input_size
from ..definitions.parameter_kinds import demand_whole
from ..expressions.forms import named_size
from ..expressions.repairs import repair
from ..obligations import must_hold
from ..values import LayerInfo, Signature, Static, Tensor
from . import types
from .binding import Written, dims_of, evaluate_params, missing, with_defaults
from .block_arguments import evaluate_block_params
from .channels_first import refuse_channels_first
from .converters import OpenWindow

AXIS_KINDS = (Kind.AXIS, Kind.AXES)


def construct(
    ctx: Context,
    callee: Op | Signature,
    written: Written,
    span: Span,
    name: str,
    named: bool,
) -> LayerInfo:
    """Declare a layer where its construction is written."""
    with ctx.arguments_of(name):
        args = _construct_args(ctx, callee, written, span)
    spans = dict(written.spans)
    info = LayerInfo(
        name,
        callee,
        args,
        spans,
        span,
        named,
        sides=ctx.sides,
        at_call=ctx.at_call_sides,
    )
    if name in ctx.layers:
        _one_of_both(ctx, ctx.layers[name], info)
    if isinstance(callee, Op):
        info.stream = stream_of(callee, args)
    ctx.layers[name] = info
    ctx.body.append(info)
    symbols = [d for static, _ in args.values() for d in static_dims(static)]
    info.used = True  # a mistake in its construction must not bring a second message
    for static, _ in args.values():
        not_asked(ctx, static, span, "its construction")
    build_from(ctx, symbols, span, "its construction")
    info.used = False
    return info


def _one_of_both(ctx: Context, first: LayerInfo, second: LayerInfo) -> None:
    """The sides of an `if` may give one name to two layers that are used alike, of which one
    exists."""
    name, related = second.name, (Label(first.span, "the first"),)
    sides = dict(first.sides)
    if all(sides.get(span, holds) == holds for span, holds in second.sides):
        ctx.fail(
            "N202",
            f"there are two layers `{name}`",
            second.span,
            related=related,
            help=_shared(first, second),
        )
    if _use(first) != _use(second):
        ctx.fail(
            "N202",
            f"`{name}` is a layer of another kind on the other side",
            second.span,
            related=related,
            help="give one of them another name with `as`",
        )
    ctx.layers[f"{name} {len(ctx.layers)}"] = first


def _shared(first: LayerInfo, second: LayerInfo) -> str:
    """A choice that the call makes takes one layer, or two; the constructor does not know it."""
    sides = dict(first.at_call)
    if any(sides.get(span, holds) != holds for span, holds in second.at_call):
        made = f"`{second.name} = {second.span.text}`"
        return f"declare it once, before the `if`: {made}; or name two with `as`"
    return "give one of them another name with `as`"


def _use(info: LayerInfo) -> object:
    """What calls of a layer go by."""
    if isinstance(info.callee, Signature):
        definition = info.callee.definition
        inputs = [(i.name, i.optional) for i in definition.inputs]
        return inputs, set(definition.streams)
    return info.callee.inputs, info.callee.streams


def _construct_args(
    ctx: Context, callee: Op | Signature, written: Written, span: Span
) -> dict[str, tuple[ir.Static, Any]]:
    if isinstance(callee, Signature):
        return dict(evaluate_block_params(ctx, callee, written, span))
    with_defaults(ctx, callee, written)
    missing(ctx, callee, written, span)
    return dict(evaluate_params(ctx, callee, written, None, skip=AXIS_KINDS))


def stream_of(op: Op, args: Mapping[str, Any]) -> str | None:
    """The stream that a layer or function draws from."""
    if not op.streams:
        return None
    override = next((p for p in op.params if p.kind is Kind.STREAM), None)
    if override is not None and override.name in args:
        return str(args[override.name][1])
    return op.streams[0]


def stream_span(op: Op, spans: Mapping[str, Span], span: Span) -> Span:
    """Where the stream is named, or else `span`."""
    named = (p.name for p in op.params if p.kind is Kind.STREAM)
    return next((spans[n] for n in named if n in spans), span)


def draw(ctx: Context, stream: str | None, span: Span, *, hard: bool) -> None:
    """Note that a stream is drawn from."""
    if stream is not None:
        ctx.streams.setdefault(stream, span)
        if hard:
            ctx.hard_streams.add(stream)


# -------------------------------------------------------------------- entries


def apply_entry(
    ctx: Context,
    info: LayerInfo,
    op: Op,
    method: str | None,
    inputs: Mapping[str, Tensor],
    written: Written,
    span: Span,
) -> Tensor | ir.Expr:
    """Apply a layer of the library (or one of its methods)."""
    first = next(iter(inputs.values())).type if inputs else None
    _close_windows(info, first)
    if method is None and op.name in ("Linear", "Conv"):
        refuse_input_size(ctx, info, first)
    if method is None and op.name == "Conv" and inputs:
        refuse_channels_first(ctx, next(iter(inputs.values())), span)
    args = dims_of(info.args)
    if method is None and any(
        p.kind in AXIS_KINDS and p.name in written.params for p in op.params
    ):
        info.args.update(evaluate_params(ctx, op, written, first, only=AXIS_KINDS))
        args = dims_of(info.args)
    shaped = shape(ctx, op, inputs, args, span, {**info.arg_spans, **_spans(inputs)})
    if method is None:
        info.callee = replace(op, build=shaped.build or op.build)
    if method is None or shaped.weights:
        assert isinstance(info.callee, Op)
        _learn_sizes(ctx, info, info.callee, shaped, span)
    if method is None:
        place = stream_span(op, info.arg_spans, span)
        draw(ctx, info.stream, place, hard=not op.modes)
    ctx.modes.update(dict.fromkeys(op.modes))
    info.used = True
    given = tuple((name, t.expr) for name, t in inputs.items())
    return ir.Apply(info.name, given, method, shaped.out, span, shaped.flops)


def _close_windows(info: LayerInfo, subject: TensorType | None) -> None:
    for name, (static, value) in info.args.items():
        if isinstance(value, OpenWindow) and subject is not None:
            info.args[name] = (static, value.over(subject))


def _spans(inputs: Mapping[str, Tensor]) -> dict[str, Span]:
    return {name: t.expr.span for name, t in inputs.items()}


def shape(
    ctx: Context,
    op: Op,
    inputs: Mapping[str, Any],
    args: Mapping[str, Any],
    span: Span,
    spans: Mapping[str, Span],
) -> Shaped:
    """Ask the entry's rule; its refusals become diagnostics, its requirements facts."""
    found = tuple(_type_in(inputs.get(i.name)) for i in op.inputs)
    try:
        shaped = shape_of(op, found, args)
    except ShapeError as error:
        place, related = _place(inputs, error.at, span, spans)
        advice = repair(ctx, op, found, args, spans, error.at, error.help)
        ctx.fail(error.code, error.message, place, related=related, **advice)
    except DimError as error:
        ctx.fail("N309", str(error), span)
    for r in shaped.requires:
        place, related = _place(inputs, r.at, span, spans)
        must_hold(
            ctx,
            r.left,
            r.right,
            place,
            r.message,
            relation=r.relation,
            code=r.code,
            related=related,
            advise=lambda r=r: repair(ctx, op, found, args, spans, r.at, r.help),  # type: ignore[misc]
        )
    return shaped


def _place(
    inputs: Mapping[str, Any], at: str | None, span: Span, spans: Mapping[str, Span]
) -> tuple[Span, tuple[Label, ...]]:
    """Where an argument is at fault: where it is written in the call, else the call, which an
    arrow leads to; then what it brings is shown too."""
    place = spans.get(at, span) if at else span
    inside = span.start <= place.start and place.end <= span.end
    if at is None or at not in inputs or inside or place.source is not span.source:
        return place, ()
    return span, (Label(place, f"this is {_type_in(inputs[at])}"),)


def _type_in(value: Any) -> Any:
    if value is None:
        return None
    if isinstance(value, tuple):
        return tuple(v.type for v in value)
    return value.type


def _learn_sizes(
    ctx: Context, info: LayerInfo, op: Op, shaped: Shaped, span: Span
) -> None:
    built = {n: d for n, d in shaped.sizes.items() if n in names_in_build(op)}
    weights = [d for w in shaped.weights.values() for d in w.sizes]
    build_from(ctx, [*built.values(), *weights], span, f"the weights of `{info.name}`")
    if info.bound_at is None:
        info.bound_at = span
        info.sizes, info.weights = dict(shaped.sizes), dict(shaped.weights)
        return
    same_sizes(ctx, info, built, span)


def same_sizes(
    ctx: Context, info: LayerInfo, sizes: Mapping[str, Dim], span: Span
) -> None:
    """A layer applied again must find the sizes that it was built for."""
    for name, size in sizes.items():
        before = info.sizes.get(name)
        if before is None or info.bound_at is None:
            continue
        must_hold(
            ctx,
            size,
            before,
            span,
            f"`{info.name}` is shared, and was built for {before}, not {size}",
            related=(Label(info.bound_at, f"first applied here, to {before}"),),
            help="declare a second layer if the weights are not to be shared",
        )


def names_in_build(op: Op) -> frozenset[str]:
    """Names of parameters, sizes and inputs that the construction refers to."""
    if isinstance(op.build, Call):
        return frozenset(op.build.args) | frozenset(op.build.kwargs.values())
    return frozenset(n for _, n, _, _ in string.Formatter().parse(op.build) if n)


# --------------------------------------------------------------------- blocks


def check_count(ctx: Context, count: Static, span: Span) -> Static:
    """How many layers a stack has: a size known at construction, by a name where it has no form."""
    if count.flavor not in ("int", "unknown"):
        ctx.fail("N207", "a stack has a whole number of layers", span)
    node, dim = named_size(ctx, count, "layers", span)
    types.positive(ctx, dim, span)
    demand_whole(ctx, dim, span)
    build_from(ctx, [dim], span, "the number of layers")
    return replace(count, node=node, dim=dim)
