"""Applying blocks: axes bound, obligations proven, outputs in the terms of the caller."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from functools import partial
from typing import Any

from ... import ir
from ...diagnostics import Label
from ...dims import Dim, const, symbol
from ...dims_equation import linear
from ...shapes import Axis, ListType, TensorType, like
from ...source import Span
from ..construction import build_from
from ..context import Context
from ..definitions.existential_sizes import in_caller, named_here
from ..definitions.known_axes import axes_of
from ..obligations import must_hold, verdict
from ..values import Fault, LayerInfo, Obligation, Param, Signature, Tensor
from . import types
from .apply import draw, same_sizes


def apply_block(
    ctx: Context,
    info: LayerInfo,
    signature: Signature,
    inputs: Mapping[str, Tensor],
    span: Span,
) -> ir.Expr:
    """Apply a block: bind its axes, prove what it requires, and say what comes out."""
    if signature.broken:
        info.used = ctx.faulty = True
        raise Fault
    env = _argument_sizes(signature, info)
    labels: dict[str, str | None] = {}
    lead: tuple[tuple[Axis, ...], bool] = ((), False)
    definition = signature.definition
    _told_by_others(signature, inputs, env)
    for spec in definition.inputs:
        if spec.name in inputs:
            lead = _unify(ctx, signature, spec, inputs[spec.name], env, labels) or lead
    _prove(ctx, signature, env, span)
    _learn_block_sizes(ctx, info, signature, env, span)
    for stream in definition.streams:
        draw(ctx, stream, span, hard=stream in signature.hard_streams)
    ctx.modes.update(dict.fromkeys(definition.modes))
    names = named_here(ctx, info, signature, env)
    sized = partial(in_caller, env=env, names=names)
    out = output(definition.result, sized, labels, lead)
    info.used = True
    if info.count is not None:
        _check_stack(ctx, info, next(iter(inputs.values())), out, span)
    given = tuple((name, t.expr) for name, t in inputs.items())
    return ir.Apply(info.name, given, None, out, span, found=tuple(names.items()))


def _prove(
    ctx: Context, signature: Signature, env: Mapping[str, Any], span: Span
) -> None:
    """What a block requires of its callers. What its own constructor checks need only not be
    false here; what is known at the call alone must be proven."""
    definition = signature.definition
    for fact in signature.obligations:
        left, right = fact.left.substitute(env), fact.right.substitute(env)
        open_axes = (fact.left.symbols | fact.right.symbols) & signature.axes
        checked = open_axes <= frozenset(definition.inferred)
        if checked and verdict(ctx, left, right, fact.relation) is None:
            continue
        must_hold(
            ctx,
            left,
            right,
            span,
            fact.message,
            code=fact.code,
            relation=fact.relation,
            label=_meanings(fact, env),
            related=(Label(fact.span, f"required here, in `{definition.name}`"),),
        )


def _meanings(fact: Obligation, env: Mapping[str, Any]) -> str:
    """What the names in a block's requirement stand for here: `heads = 3, d = 4`."""
    names = sorted((fact.left.symbols | fact.right.symbols) & env.keys())
    return ", ".join(f"{n} = {env[n]}" for n in names if env[n] != symbol(n))


def _argument_sizes(signature: Signature, info: LayerInfo) -> dict[str, Any]:
    env: dict[str, Any] = {}
    for name, param in signature.params.items():
        value = info.args[name][1] if name in info.args else _default_value(param)
        if isinstance(value, (Dim, tuple)):
            env[name] = value
        elif isinstance(value, int) and not isinstance(value, bool):
            env[name] = const(value)
    return env


def _default_value(param: Param) -> Any:
    match param.default:
        case ir.Literal(bool()):
            return None
        case ir.Literal(int(n)):
            return const(n)
        case ir.Literal(tuple(values)):
            return tuple(const(v) for v in values)
        case ir.StaticList(items) if all(
            isinstance(i, ir.Literal) and isinstance(i.value, int) for i in items
        ):
            return tuple(const(i.value) for i in items if isinstance(i, ir.Literal))
    return None


def _told_by_others(
    signature: Signature, inputs: Mapping[str, Tensor], env: dict[str, Any]
) -> None:
    """Bind the axes of all inputs, those first that stand alone, then one unknown at a time."""
    pairs = [
        (have.size, want)
        for spec in signature.definition.inputs
        if spec.name in inputs and inputs[spec.name].type.rank >= spec.type.rank
        for have, want in zip(
            reversed(inputs[spec.name].type.axes),
            reversed(spec.type.sizes),
            strict=False,
        )
    ]
    for have, want in pairs:
        if want.name in signature.axes:
            env.setdefault(want.name, have)
    known = -1
    while len(env) > known:
        known = len(env)
        for have, want in pairs:
            _solve_one(signature, have, want, env)


def _solve_one(signature: Signature, have: Dim, want: Dim, env: dict[str, Any]) -> None:
    """Bind the axis of a size that alone is unknown."""
    unbound = (want.symbols & signature.axes) - env.keys()
    if len(unbound) == 1:
        (name,) = unbound
        if solved := solve(have, want.substitute(env), name):
            env[name] = solved


def _unify(
    ctx: Context,
    signature: Signature,
    spec: ir.ModelInput,
    given: Tensor,
    env: dict[str, Any],
    labels: dict[str, str | None],
) -> tuple[tuple[Axis, ...], bool] | None:
    """Bind the axes of one input; returns the leading axes where the input has `...`."""
    what = f"`{spec.name}` of `{signature.definition.name}`"
    related = (Label(spec.span, f"declared as {spec.type}"),)
    got, want = given.type, spec.type
    place = given.expr.span
    types.check_dtype(ctx, got.dtype, want.dtype, place, what, cast=True)
    open_rank = got.lead and not want.lead
    if open_rank or got.rank < want.rank or (got.rank > want.rank and not want.lead):
        help = None
        if ctx.kind == "train" or got.rank == want.rank + 1:
            help = f"declare it as what comes: `{spec.name}: {got}`"
        text = f"{what} is {want}"
        label = f"this is {got}"
        ctx.fail("N303", text, place, label, related=related, help=help)
    split = got.rank - want.rank
    for have, wanted in zip(got.axes[split:], want.axes, strict=True):
        _bind_axis(
            ctx, signature, have, wanted.size, env, what, got, want, place, related
        )
        if wanted.label:
            labels.setdefault(wanted.label, have.label)
    return (got.axes[:split], got.lead) if want.lead else None


def _bind_axis(
    ctx: Context,
    signature: Signature,
    have: Axis,
    want: Dim,
    env: dict[str, Any],
    what: str,
    got: TensorType,
    wanted: TensorType,
    place: Span,
    related: Iterable[Label],
) -> None:
    unbound = sorted((want.symbols & signature.axes) - env.keys())
    if unbound:
        ctx.fail(
            "N317", f"{what} does not determine `{unbound[0]}`", place, related=related
        )
    must_hold(
        ctx,
        have.size,
        want.substitute(env),
        place,
        f"{what} is {wanted}",
        label=f"this is {got}",
        related=related,
    )


def solve(size: Dim, pattern: Dim, name: str) -> Dim | None:
    """The axis for which `pattern` equals `size`: `T` from `T + 1`, `n` from `8 * n`."""
    found = linear(pattern, name)
    return found and (size - found[1]) // found[0]


def _learn_block_sizes(
    ctx: Context,
    info: LayerInfo,
    signature: Signature,
    env: Mapping[str, Any],
    span: Span,
) -> None:
    definition = signature.definition
    for name in sorted({*definition.inferred} - env.keys()):
        item = next(i for i in definition.inputs if name in axes_of(i))
        text = f"`{definition.name}` has weights of size `{name}`, which `{item.name}` tells"
        at = Label(item.span, f"declared as {item.type}")
        help = f"give `{item.name}`, or make `{name}` a parameter of the block"
        ctx.fail("N317", text, span, "it is not given here", help=help, related=(at,))
    sizes = {name: env[name] for name in definition.inferred}
    build_from(ctx, sizes.values(), span, f"the weights of `{info.name}`")
    if info.bound_at is None:
        info.bound_at, info.sizes = span, sizes
    else:
        same_sizes(ctx, info, sizes, span)


def output(
    kind: ir.Type,
    sized: Callable[[Dim], Dim],
    labels: Mapping[str, str | None],
    lead: tuple[tuple[Axis, ...], bool],
) -> ir.Type:
    """A declared output in the terms of a caller; `lead` are the axes that `...` stands for."""
    if isinstance(kind, ListType):
        element, *items = (
            output(t, sized, labels, lead) for t in (kind.element, *(kind.items or ()))
        )
        count = kind.count and sized(kind.count)
        return ListType(element, count, kind.items and tuple(items))  # type: ignore[arg-type]
    if not isinstance(kind, TensorType):
        return like(kind, (output(k, sized, labels, lead) for k in kind))
    axes = tuple(
        Axis(
            sized(a.size),
            (labels.get(a.label) or a.label) if a.label else None,
        )
        for a in kind.axes
    )
    if kind.lead:
        return TensorType(kind.dtype, lead[0] + axes, lead[1])
    return TensorType(kind.dtype, axes)


def _check_stack(
    ctx: Context, info: LayerInfo, given: Tensor, out: ir.Type, span: Span
) -> None:
    if not isinstance(out, TensorType):
        ctx.fail(
            "N318", f"a stack passes one value on; `{info.name}` gives several", span
        )
    types.check_type(ctx, out, given.type, span, "what a stack's block returns")
