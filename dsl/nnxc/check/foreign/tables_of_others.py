"""`cfg.hidden`: settings that stand in an object elsewhere, and are parameters here."""

from __future__ import annotations

import re

from ...diagnostics import Advice, Fix
from ...source import Span
from ...syntax import tree
from ..context import Context
from ..values import BAD


def no_table(ctx: Context, node: tree.Attribute) -> None:
    """Report a parameter that is read as an object, once for all that is read of it."""
    name = node.value.id if isinstance(node.value, tree.Name) else ""
    held = ctx.scope.get(name)
    if held is None or held.what != "parameter":
        return
    held.use()
    held.value = BAD
    message = f"`{name}` has no `{node.name}`"
    ctx.fail("N214", message, node.name_span, **_as_parameters(ctx, name))


def _as_parameters(ctx: Context, name: str) -> Advice:
    """The head with a parameter for each, and their names as they are."""
    source = ctx.head.source
    start = source.text.rfind("\n", 0, ctx.head.start) + 1
    text = source.text[start : ctx.head.end]
    read = list(dict.fromkeys(re.findall(rf"\b{name}\.(\w+)", text)))
    listed = ", ".join(read)
    help = f"settings are parameters of their own: write `{ctx.name}({listed})`, and `{read[0]}`"
    alone = re.findall(rf"\b{name}\b(?!\.)", text)
    if len(alone) != 1 or not read:
        return {"help": help}
    end = max(m.end() for m in re.finditer(rf"\b{name}\.", text))
    taken = re.sub(rf"\b{name}\b(?!\.)", listed, text[:end])
    fixed = re.sub(rf"\b{name}\.", "", taken)
    return {"help": help, "fix": Fix(Span(source, start, start + end), fixed)}
