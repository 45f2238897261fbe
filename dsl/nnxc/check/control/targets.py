"""What a name may be given a value for."""

from __future__ import annotations

from ...diagnostics import Label
from ...source import Span
from ...syntax import tree
from ..context import Context
from ..values import Bad


def bindable(ctx: Context, target: tree.Name) -> None:
    """A target must not name what keeps its value."""
    held = ctx.scope.get(target.id)
    if held is None and (target.id in ctx.functions or target.id in ctx.signatures):
        return
    if held is not None and held.what in (
        "parameter",
        "axis",
        "param",
        "layer",
        "loop variable",
    ):
        if held.gives_way or (held.what == "layer" and isinstance(held.value, Bad)):
            return
        ctx.fail(
            "N202",
            f"`{target.id}` already names {with_article(held.what)}",
            target.span,
            related=(Label(held.span, "here"),),
        )


def keeps_state(ctx: Context, what: str, span: Span, help: str) -> None:
    """The steps of a scan change no state of the module: JAX would drop it."""
    if ctx.scan is not None:
        ctx.fail(
            "N265",
            f"{what} would change in a scan",
            span,
            related=(Label(ctx.scan.span, "the scan"),),
            help=help,
        )


def with_article(what: str) -> str:
    """`an input`, `a layer`."""
    return f"an {what}" if what[0] in "aeiou" else f"a {what}"
