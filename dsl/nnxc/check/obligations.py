"""Relations between sizes: proven, refuted, or left to be checked where the sizes are known."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from ..diagnostics import Advice, Label, closest, meant
from ..dims import Dim
from ..dims_compare import Comparison
from ..dims_compare import compare as compared
from ..dims_equation import reduced, without_cofactors
from ..ops.base import Kind
from ..source import Span
from .context import Context
from .values import Obligation


def compare(ctx: Context, left: Dim, right: Dim) -> Comparison:
    """Equal, different or unknown here."""
    return _compare(ctx, ctx.assume(left), ctx.assume(right))


def _compare(ctx: Context, left: Dim, right: Dim) -> Comparison:
    open_ = {p.name for p in ctx.params.values() if p.kind is not Kind.SIZE}
    zero, any_sign = frozenset(ctx.maybe_zero), frozenset(open_ | ctx.numbers)
    answer = compared(left, right, zero, any_sign)
    if answer is Comparison.UNKNOWN:
        for name in open_ & (left.symbols | right.symbols):
            ctx.params[name].doubtful = True
    return answer


def must_hold(
    ctx: Context,
    left: Dim,
    right: Dim,
    span: Span,
    message: str,
    *,
    code: str = "N301",
    relation: str = "==",
    label: str = "",
    related: Iterable[Label] = (),
    help: str | None = None,
    advise: Callable[[], Advice] | None = None,
) -> None:
    """Two sizes must stand in a relation: proven, refuted here, or left to be checked.
    `advise` is asked where they do not.

    Raises `Fault` where refuted, or where nobody could ever decide it.
    """
    if relation == "==":
        left, right = reduced(left, right)
    holds = verdict(ctx, left, right, relation)
    if holds is None and relation == "==":
        left, right = _without_cofactors(ctx, left, right)
        holds = verdict(ctx, left, right, relation)
    if holds is True:
        return
    if holds is False:
        advice: Advice = advise() if advise else {"help": help} if help else {}
        ctx.fail(code, message, span, label, related=related, **advice)
    looped = ctx.looped(left.symbols | right.symbols) and (
        ctx.kind == "block" or all(p.default is not None for p in ctx.params.values())
    )
    if not looped and _undecidable(ctx, left, right):
        ctx.fail(
            "N311",
            f"{message}: cannot tell whether {left} {relation} {right}",
            span,
            label,
            related=related,
            **(advise() if advise else {})
            or _alike(ctx, left, right)
            or {"help": help or _unknown_help(ctx, left, right)},
        )
    told = f"{message} ({label})" if label and message[-1] != ")" else message
    obligation = Obligation(left, right, relation, told, span, code, looped)
    if not any(same_fact(obligation, other) for other in ctx.body):
        ctx.body.append(obligation)
        _pass_on(ctx, obligation)


def _undecidable(ctx: Context, left: Dim, right: Dim) -> bool:
    """Whether nobody will know these sizes before the call: of a block, its callers may."""
    axes = ctx.call_time(left) | ctx.call_time(right)
    return bool(axes) and (ctx.kind != "block" or _both_axes(ctx, left, right))


def _both_axes(ctx: Context, left: Dim, right: Dim) -> bool:
    return left.name in ctx.axes and right.name in ctx.axes


def _alike(ctx: Context, left: Dim, right: Dim) -> Advice:
    """Advice where an axis has the name of a parameter, all but a letter."""
    for axis, name in ((left.name, right.name), (right.name, left.name)):
        known = axis in ctx.axes and name in ctx.params
        if known and closest(str(axis), [str(name)], 0.75):
            place = ctx.axes[str(axis)].place_of(str(axis))
            return meant(place, str(name))
    return {}


def _without_cofactors(ctx: Context, left: Dim, right: Dim) -> tuple[Dim, Dim]:
    axes = ctx.call_time(left) | ctx.call_time(right)
    return without_cofactors(left, right, sorted(axes - ctx.inferred.keys()))


def _pass_on(ctx: Context, obligation: Obligation) -> None:
    """Let callers prove it too, where they can understand it; else an instance decides."""
    symbols = obligation.left.symbols | obligation.right.symbols
    if not ctx.holding and symbols <= ctx.params.keys() | ctx.axes.keys():
        ctx.obligations.append(obligation)


def _unknown_help(ctx: Context, left: Dim, right: Dim) -> str:
    if _both_axes(ctx, left, right):
        return "use one name for both axes if they are always equal"
    axes = ctx.call_time(left) | ctx.call_time(right)
    names = ", ".join(f"`{a}`" for a in sorted(axes))
    return f"write the input's shape so that it follows, such as `[B, 8 * n]`, or make {names} a parameter"


def verdict(ctx: Context, left: Dim, right: Dim, relation: str) -> bool | None:
    """Whether the relation holds here; None where unknown."""
    left, right = ctx.assume(left), ctx.assume(right)
    if relation in (">=", ">"):
        difference, enough = left - right, 0 if relation == ">=" else 1
        if difference.value is not None:
            return difference.value >= enough
        least = _least(ctx, difference)
        return True if least is not None and least >= enough else None
    answer = _compare(ctx, left, right)
    if answer is Comparison.UNKNOWN:
        return None
    return (answer is Comparison.EQUAL) == (relation == "==")


def _least(ctx: Context, size: Dim) -> int | None:
    """What a sum of axes, each of one entry or more, is at least; None for other sizes."""
    for monomial, coefficient in size.terms:
        if any(atom not in ctx.axes for atom, _ in monomial):
            return None
        if monomial and coefficient < 0:
            return None
    return sum(coefficient for _, coefficient in size.terms)


def same_fact(one: Obligation, other: object) -> bool:
    """What is required once is not told twice."""
    if not isinstance(other, Obligation) or one.relation != other.relation:
        return False
    sides = (one.left, one.right), (other.left, other.right)
    return sides[0] == sides[1] or (one.relation == "==" and sides[0] == sides[1][::-1])
