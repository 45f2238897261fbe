"""A call of a block that lacks arguments: which, told by the names of those that are there."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from ...diagnostics import Advice, Fix
from ...source import Span
from ...syntax import tree
from ..context import Context
from ..values import Signature


def told(
    ctx: Context,
    signature: Signature,
    given: Mapping[str, tree.Expr],
    missing: Sequence[str],
    span: Span,
) -> None:
    """Report what a call lacks, of which `missing` are the parameters that got nothing."""
    for name in _left_out(signature, given, missing):
        text = f"`{signature.definition.name}` needs `{name}`"
        ctx.error("N211", text, span, **_give(ctx, span, name, given))


def _left_out(
    signature: Signature, given: Mapping[str, tree.Expr], missing: Sequence[str]
) -> Sequence[str]:
    """What was left out: `Layer(heads, eps)` for `Layer(heads, act, eps)` lacks `act`."""
    named = {e.id for e in given.values() if isinstance(e, tree.Name)}
    shifted = [
        name
        for name, expr in given.items()
        if name not in named and _belongs_to_another(signature, name, expr)
    ]
    return shifted[:1] if shifted and len(missing) == 1 else missing


def _belongs_to_another(signature: Signature, name: str, given: tree.Expr) -> bool:
    """Whether what a parameter got has the name of another one."""
    return isinstance(given, tree.Name) and given.id in {*signature.params} - {name}


def _give(
    ctx: Context, span: Span, name: str, given: Mapping[str, tree.Expr]
) -> Advice:
    """How a call gives what it lacks."""
    head, _, inside = span.text.partition("(")
    before = inside.removesuffix(")").strip()
    if name not in given:
        more = f"{before}, " if before else ""
        return {"help": f"give it: `{head}({more}{name}=...)`"}
    place = given[name].span
    help = f"it stands before `{place.text}`"
    if name not in ctx.scope:
        return {"help": help}
    fix = Fix(Span(place.source, place.start, place.start), f"{name}, ")
    return {"help": help, "fix": fix}
