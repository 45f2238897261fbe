"""What a train lacks at its end, and what it names for nothing."""

from __future__ import annotations

from ...diagnostics import closest, meant
from ...source import Span
from ..context import Context
from ..values import Binding
from .elsewhere import SETTINGS_OF_OTHERS
from .train_parts import SETTINGS, Goal, Parts


def complete(ctx: Context, parts: Parts) -> None:
    """Report what is missing or unused; then the train is broken."""
    unused = [b for b in ctx.bindings if not b.used]
    for binding in unused:
        if binding.what == "value":
            _no_setting(ctx, binding, parts)
    for goal in parts.goals:
        _has_its_parts(ctx, goal, parts)
    if parts.broken or ctx.lost:
        return
    for binding in unused:
        text = f"`{binding.name}` is not used"
        ctx.error("N260", text, binding.span, help="use it, or remove it")
        parts.broken = True


def _no_setting(ctx: Context, binding: Binding, parts: Parts) -> None:
    """A value that nothing uses is meant as a setting, where it has the name of one."""
    name, text = binding.name, f"a train has no `{binding.name}`"
    goal = _around(binding.span, parts)
    close = closest(name, [s for s in SETTINGS if s not in goal.seen])
    close = SETTINGS_OF_OTHERS.get(name, close)
    close = None if close in goal.seen else close
    if close:
        ctx.error("N502", text, binding.span, **meant(binding.span, close))
        goal.seen[close] = binding.span
        parts.broken = True


def _has_its_parts(ctx: Context, goal: Goal, parts: Parts) -> None:
    for key in ("loss", "optimizer"):
        if key not in goal.seen:
            what = f"`{goal.name}`" if goal.name else "this train"
            text, help = f"{what} has no {key}", f"write `{key} = ...`"
            ctx.error("N513", text, goal.span, help=help)
            parts.broken = True


def _around(span: Span, parts: Parts) -> Goal:
    """The objective in whose statements a place is."""
    before = [g for g in parts.goals if g.span.start <= span.start]
    return before[-1] if before else parts.goal
