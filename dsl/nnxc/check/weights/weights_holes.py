"""What stands in braces in the name of a tensor: `{i}`, `{i + 1}`, `{2 * i + len(widths)}`."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from ... import ir
from ...diagnostics import Sink
from ...ir.fold_static import static_dims
from ...source import NOWHERE, Source, Span
from ...syntax import tree
from ...syntax.parse import parse
from ..context import Context
from ..expressions import statics
from ..expressions.operands import static
from ..values import Binding, Fault, Param, Static

WHOLE = "path"  # the hole that takes the rest of a path
HOLE = re.compile(r"\{([^{}]*)\}")
_PLAIN = re.compile(r"(\w*)(?: *(\+ *[0-9]{1,9}))?")


def plain(hole: str) -> tuple[str, str] | None:
    """A position and what is added to it; None for any other expression."""
    match = _PLAIN.fullmatch(hole.strip())
    return match and (match[1], (match[2] or "").replace(" ", ""))


def computed(
    ctx: Context,
    hole: str,
    indices: Sequence[str],
    params: Mapping[str, Param],
    span: Span,
) -> ir.Static:
    """The number that a hole stands for, of positions and of the model's parameters."""
    sink = Sink()
    inner = Context(ctx.dispatch, sink, "weights", ctx.name, {}, {}, {})
    for name, param in params.items():
        inner.scope[name] = Binding(name, statics.of_param(param), NOWHERE, "parameter")
    for index in indices:
        value = statics.loop_variable(index, Static(ir.Literal(0), "int"))
        inner.scope[index] = Binding(index, value, NOWHERE, "position")
    found = inner.attempt(
        lambda: static(inner, _expression(hole, sink), "what stands in braces")
    )
    told = sink.diagnostics
    if told or not isinstance(found, Static) or found.flavor not in ("int", "unknown"):
        ctx.fail(
            "N604",
            f"`{{{hole}}}` is no whole number",
            span,
            told[0].message if told else "",
            help="write arithmetic on positions of the left side and parameters of the model",
        )
    return found.node


def mentioned(hole: str, values: Sequence[ir.Static]) -> set[str]:
    """The names in a hole, which may be one of `values`: `=0` is the first."""
    if hole.startswith("="):
        dims = static_dims(values[int(hole[1:])])
        return {name for dim in dims for name in dim.symbols}
    return {(plain(hole) or ("",))[0]}


def _expression(text: str, sink: Sink) -> tree.Expr:
    """The expression of a text without line ends."""
    file = parse(Source("", f"defaults X(x={text})\n"), sink)
    match file.items:
        case (tree.Defaults((tree.Call(_, (tree.Arg("x", value),)),)),):
            return value
    raise Fault


def in_holes(name: str, names: Mapping[str, str]) -> str:
    """The name of a tensor with other names for positions."""
    word = re.compile(rf"\b(?:{'|'.join(names)})\b")
    return re.sub(r"\{[^{}]*\}", lambda m: word.sub(lambda n: names[n[0]], m[0]), name)
