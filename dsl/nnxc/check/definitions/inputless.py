"""`block Mlp(x, d):` as in Python: what is computed with is an input, not a parameter."""

from __future__ import annotations

import re

from ...diagnostics import Advice, Fix
from ...source import Span
from ...syntax import tree
from ...syntax.walk import names_in, nodes_in
from ..context import Context
from ..values import BAD

_USUAL = ("x", "inputs", "image", "images", "tokens", "hidden_states")


def inputless(ctx: Context, node: tree.Definition) -> bool:
    """Whether a definition has no input, and a parameter for one; reported as N250."""
    declared = any(
        isinstance(s, tree.Declare) and s.keyword == "input" for s in node.body
    )
    bare = [p for p in node.params if p.default is None]
    flows = {n.id for p in nodes_in(node.body, tree.Pipe) for n in names_in(p.source)}
    meant = next((p for p in bare if p.name in flows or p.name in _USUAL), None)
    if declared or node.broken or meant is None:
        return False
    name = meant.name
    text = f"`{node.name.id}` has no input"
    label = f"`{name}` is a parameter"
    ctx.error("N250", text, meant.name_span, label, **_as_input(node, name))
    ctx.broken = ctx.broken_inputs = ctx.lost = True
    for param in node.params:
        ctx.bind(param.name, BAD, param.name_span, "parameter")
    return True


def _as_input(node: tree.Definition, name: str) -> Advice:
    """What declares the input; a model's has sizes that only its author knows."""
    if node.kind == "model":
        return {
            "help": f"tensors come by a line below the head: `input {name}: [B, 8]`"
        }
    taken = {p.name for p in node.params}
    size = next(n for n in ("d", "c", "size", f"{name}_size") if n not in taken)
    line = f"input {name}: [..., {size}]"
    help = f"tensors come by a line below the head: `{line}`"
    source, start = node.span.source, node.span.start
    head = re.compile(r"\w+ +\w+ *\(([^()]*)\) *:").match(source.text, start)
    if head is None:
        return {"help": help}
    kept = [p for p in head[1].split(",") if p.strip() != name]
    inside = ", ".join(p.strip() for p in kept)
    text = f"{node.kind} {node.name.id}({inside}):\n    {line}"
    return {"help": help, "fix": Fix(Span(source, start, head.end()), text)}
