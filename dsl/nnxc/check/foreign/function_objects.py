"""`act = GELU()`: objects of others that are functions here, as their uses are written."""

from __future__ import annotations

import re

from ...diagnostics import Advice, Fix
from ...record import Record
from ...source import Span
from ...syntax import tree
from ..context import Context
from .foreign_names import entries, known
from .spelling import spell
from .tree_parts import last_name, whole_line


def function_object(ctx: Context, node: tree.Assign, made: Record) -> Advice | None:
    """`act = GELU()`: a function has no object, it stands itself where that is applied."""
    if not isinstance(made, tree.Call) or not last_name(made.func)[:1].isupper():
        return None
    op = entries(ctx).get(known(ctx, last_name(made.func)))
    if op is None or op.group not in ("function", "loss", "metric"):
        return None
    text, name = spell(ctx, made, tree.Stage(made)), node.targets[0].id
    line, below = below_it(node)
    if not re.search(rf"\b{name}\b", below) or re.search(rf"\b{name}\b *=(?!=)", below):
        return None
    new = _applied(below.rstrip(), name, text)
    place = Span(line.source, line.start, line.end + len(below.rstrip()))
    help = f"a function is no object: write `{text}` for `{name}`"
    return {"help": help, "fix": Fix(place, new)}


def _applied(text: str, name: str, function: str) -> str:
    """A text in which a function stands for the object: `act(x)` is `leaky_relu(x, 0.1)`."""
    bare, _, inside = function.partition("(")
    for found in reversed([*re.finditer(rf"\b{name}\b(\()?", text)]):
        start, end = found.span()
        if found[1] and inside:
            depth, at = 1, end
            while depth and at < len(text):
                depth += (text[at] in "([") - (text[at] in ")]")
                at += 1
            given = f"{text[end : at - 1]}, {inside}"
            text = f"{text[:start]}{bare}({given}{text[at:]}"
        else:
            after = "(" if found[1] else ""
            text = f"{text[:start]}{function}{after}{text[end:]}"
    return text


def below_it(node: tree.Assign) -> tuple[Span, str]:
    """The line of an assignment, and the text from there to the end of what it stands in."""
    source, line = node.span.source, whole_line(node.span)
    end = re.compile(r"^\S", re.M).search(source.text, line.end)
    return line, source.text[line.end : end.start() if end else len(source.text)]
