"""Initialisers of other libraries with their arguments, as they are written here."""

from __future__ import annotations

from collections.abc import Sequence

from ...diagnostics import Advice, write
from ...ops.base import Op
from ...source import Span
from ...syntax import tree
from ..context import Context
from . import argument_names
from .tree_parts import path_to


def around(ctx: Context, op: Op, arg: tree.Arg) -> Advice | None:
    """Advice for the call in which an argument stands that an initialiser does not take."""
    chain = path_to(ctx.statement, arg)
    call = chain[-2] if len(chain) > 1 else None
    if not isinstance(call, tree.Call):
        return None
    return advice(ctx, op, call.args, call.span)


def advice(ctx: Context, op: Op, args: Sequence[tree.Arg], span: Span) -> Advice | None:
    """What to write for a call whose arguments are those of another library."""
    if any(a.name == "mode" for a in args) and not op.param("mode"):
        shape = "normal" if op.name.endswith("normal") else "uniform"
        mode = next(a.value.span.text for a in args if a.name == "mode")
        return write(span, f'variance_scaling(2.0, {mode}, "{shape}")')
    names = [p.name for p in op.params]
    plain = [a for a in args if a.name is None]
    if len(plain) > 1 and plain[0].value.span.text in ("0", "0.0"):
        plain = plain[1:]  # the mean, which is 0
    texts = [a.value.span.text for a in plain]
    for arg in args:
        if arg.name is None:
            continue
        own = (
            arg.name if arg.name in names else argument_names.argument(arg.name, names)
        )
        if own is not None:
            texts.append(f"{own}={arg.value.span.text}")
    text = f"{op.name}({', '.join(texts)})" if texts else op.name
    return write(span, text) if text != span.text else None
