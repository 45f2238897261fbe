"""Chains of layers that begin with a layer: where what flows into them stands."""

from __future__ import annotations

import re

from ...diagnostics import Advice, Fix, write
from ...record import Record
from ...source import Span
from ...syntax import tree
from ..context import Context
from ..values import Tensor
from .arrows import has_arrow
from .function_objects import below_it
from .spelling import spell
from .tree_parts import path_to

_GIVEN = re.compile(r"\(([^()\n]*(?:\([^()\n]*\)[^()\n]*)*)\)")
"""What a name is applied to, as in `mlp(x)`."""


def begun(ctx: Context, node: Record) -> Advice:
    """`(LayerNorm -> relu)(x)`, `mlp = Linear(d) -> relu`, `return Linear(d) -> relu`."""
    chain = path_to(ctx.statement, node)
    if len(chain) < 2 or not isinstance(chain[-2], tree.Pipe):
        return {}
    pipe = chain[-2]
    if pipe.source is not node:
        return {}
    match chain[-3] if len(chain) > 2 else None:
        case tree.Call(func, (tree.Arg(None, value),), span) if func is pipe:
            return write(span, f"({value.span.text} -> {pipe.span.text})")
        case tree.Assign(targets, "+=" | "-=" | "*="):
            return write(pipe.span, f"{targets[0].id} -> {pipe.span.text}")
        case tree.Assign() as named:
            name = named.targets[0].id.title().replace("_", "")
            help = f"a chain has a name where it is a block: `block {name}():`"
            return inlined(ctx, named) or {"help": help}
        case tree.Return():
            return _with_input(ctx, pipe.span)
    return {}


def _with_input(ctx: Context, span: Span) -> Advice:
    """The value that was made last, or the only input, before a chain."""
    held = [b for b in ctx.scope.values() if b.what in ("value", "input")]
    tensors = [b.name for b in held if isinstance(b.value, Tensor)]
    if not tensors or (held[-1].what == "input" and len(tensors) > 1):
        return {}
    why = "an arrow begins with what flows"
    return write(span, f"{tensors[-1]} -> {span.text}", why)


def inlined(ctx: Context, node: tree.Assign, text: str | None = None) -> Advice | None:
    """Advice to write a value in the one place further down where its name stands, and not to give
    it that name; None where there are several."""
    source, name = node.span.source, node.targets[0].id
    line, below = below_it(node)
    used = [*re.finditer(rf"\b{name}\b", below)]
    if len(used) != 1:
        return None
    stop = below.find("\n", used[0].end())
    rest = below[: stop if stop >= 0 else len(below)]
    value = spell(ctx, node.value, node) if text is None else text
    if "\n" in value:
        if "#" in value:
            return None
        value = " ".join(value.split())
    begin, end = used[0].span()
    if has_arrow(value) and (given := _GIVEN.match(rest, end)):
        value, end = f"({given[1]} -> {value})", given.end()
    new = rest[:begin] + value + rest[end:]
    place = Span(source, line.start, line.end + len(rest))
    return {
        "help": f"write it where it is used: `{_line_of(new, value)}`",
        "fix": Fix(place, new),
    }


def _line_of(text: str, value: str) -> str:
    return next(line.strip() for line in text.split("\n") if value in line)
