"""`block Mlp(x, d):` as in Python: what is computed with is an input, not a parameter."""

from __future__ import annotations

import re
from itertools import takewhile

from ...diagnostics import Advice, Fix, write
from ...record import replace
from ...source import Span
from ...syntax import tree
from ...syntax.walk import names_in, nodes_in
from ..context import Context
from ..values import BAD

_USUAL = ("x", "inputs", "image", "images", "tokens", "hidden_states")


def with_inputs(ctx: Context, node: tree.Definition) -> tree.Definition:
    """A definition whose first lines declare inputs without `input`, which N250 tells, with it."""
    shapes = tuple(
        s
        for s in takewhile(lambda s: isinstance(s, tree.Rngs) or _shape(s), node.body)
        if not isinstance(s, tree.Rngs)
    )
    if not shapes or _declares(node) or node.broken:
        return node
    first, last = shapes[0].span, shapes[-1].span
    text = Span(first.source, first.start, last.end).text
    for shape in reversed(shapes):
        at = shape.span.start - first.start
        end = shape.span.end - first.start
        text = f"{text[:at]}input {text[at:end].strip('()')}{text[end:]}"
    ctx.error(
        "N250", f"`{node.name.id}` has no input", first, **write(first.to(last), text)
    )
    body = tuple(_declared(s) if s in shapes else s for s in node.body)
    return replace(node, body=body)


def _shape(node: tree.Statement) -> bool:
    """Whether a statement is `x: [B, d]`."""
    if not isinstance(node, tree.Evaluate) or not isinstance(
        node.value, tree.Assertion
    ):
        return False
    return isinstance(node.value.value, tree.Name)


def _declared(node: tree.Statement) -> tree.Declare:
    """`x: [B, d]` as an input."""
    assert isinstance(node, tree.Evaluate) and isinstance(node.value, tree.Assertion)
    name, kind = node.value.value, node.value.type
    assert isinstance(name, tree.Name)
    fields = (tree.Field(name.id, kind, None, node.span, name.span),)
    return tree.Declare("input", fields, node.span, node.trivia)


def _declares(node: tree.Definition) -> bool:
    """Whether a definition declares an input."""
    return any(isinstance(s, tree.Declare) and s.keyword == "input" for s in node.body)


def inputless(ctx: Context, node: tree.Definition) -> bool:
    """Whether a definition has no input, and a parameter for one; reported as N250."""
    bare = [p for p in node.params if p.default is None]
    flows = {n.id for p in nodes_in(node.body, tree.Pipe) for n in names_in(p.source)}
    meant = next((p for p in bare if p.name in flows or p.name in _USUAL), None)
    if _declares(node) or node.broken or meant is None:
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
