"""What is needed to construct may not hang on what is passed at a call."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import NoReturn

from .. import ir
from ..diagnostics import Advice, Fix, Label
from ..dims import Dim
from ..ir.fold_static import givens, static_dims
from ..source import Span
from .context import Context


def build_from(
    ctx: Context,
    dims: Iterable[Dim],
    span: Span,
    what: str,
    advice: Advice | None = None,
) -> None:
    """Sizes are needed to construct: axes among them become inferred sizes of a block."""
    roots = ctx.roots(s for d in dims for s in d.symbols)
    for name in sorted(roots & ctx.at_call.keys()):
        _not_at_call(ctx, name, span, what)
    for name in sorted(roots & ctx.axes.keys()):
        if ctx.kind == "block":
            ctx.inferred.setdefault(name, span)
        else:
            ctx.fail(
                "N310",
                f"`{name}` is known only when the {ctx.kind} is called",
                span,
                f"{what} would depend on it",
                related=(Label(ctx.axes[name], f"`{name}` is an axis of this input"),),
                **(advice or _parameter_for(ctx, name)),
            )


def _not_at_call(ctx: Context, name: str, span: Span, what: str) -> NoReturn:
    own = name in ctx.temporaries
    subject = "a size of this" if own else f"`{name}`"
    help: str | None = None
    if own:
        help = "say the shape before, in parameters and numbers: `x -> [B, n]`"
    elif what == "the choice":
        head, _, asked = ctx.at_call[name].text.partition("=")
        if head.strip() == name and "\n" not in asked:
            help = f"write what it stands for in its place: `{asked.strip()}`"
    ctx.fail(
        "N310",
        f"{subject} is known only when the {ctx.kind} is called",
        span,
        f"{what} would depend on it",
        related=(Label(ctx.at_call[name], "it hangs on what is passed"),),
        help=help,
    )


def _parameter_for(ctx: Context, axis: str) -> Advice:
    """Advice to make an axis a parameter, so that it is known at construction."""
    span, name = ctx.axes[axis], axis.lower()
    help = f"make `{axis}` a parameter, or give the axis a fixed size"
    head = re.match(r"\w+[ \t]+\w+[ \t]*(\([^()#\n]*\))?[ \t]*:", ctx.head.text)
    if head is None or name in ctx.scope or name in ctx.written:
        return {"help": help}
    inside = (head[1] or "()")[1:-1].strip()
    params = f"{name}, {inside}" if inside else name
    start = ctx.head.start
    text, stop = span.source.text, ctx.head.end
    begin = head.start(1) if head[1] else head.end() - 1
    after = head.end(1) if head[1] else head.end() - 1
    rest = re.sub(rf"\b{axis}\b", name, text[start + after : stop])
    new = f"{head[0][:begin]}({params}){rest}"
    shown = f"{help}: `{head[0][:begin]}({params})`"
    return {"help": shown, "fix": Fix(Span(span.source, start, stop), new)}


def build_from_static(
    ctx: Context, node: ir.Static, span: Span, what: str, advice: Advice | None = None
) -> None:
    """A static value is needed to construct."""
    not_asked(ctx, node, span, what)
    build_from(ctx, static_dims(node), span, what, advice)


def not_asked(ctx: Context, node: ir.Static, span: Span, what: str) -> None:
    """What is needed to construct does not ask which inputs are there."""
    for name in sorted(givens(node)):
        ctx.fail(
            "N310",
            f"whether `{name}` is there is known only when the {ctx.kind} is called",
            span,
            f"{what} would depend on it",
            help="make it a parameter, or choose between values: "
            f"`(x -> f) if {name} != none else (x -> g)`",
        )
