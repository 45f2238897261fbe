"""Functions that are given by name."""

from __future__ import annotations

from ...ops.base import Op
from ...syntax import tree
from ..context import Context


def by_name(ctx: Context, node: tree.Expr) -> None:
    """An activation as a value is its name; its arguments are what `defaults` say."""
    if not isinstance(node, tree.Call) or not isinstance(node.func, tree.Name):
        return
    name = node.func.id
    op = ctx.functions.get(name) if name not in ctx.scope else None
    if op is None or not is_activation(op):
        return
    names = (p.name for p in op.params if p.positional)
    texts = (f"{a.name or next(names, 'x')}={a.value.span.text}" for a in node.args)
    said = f"defaults {name}({', '.join(texts)})"
    help = f"write `{name}`" + (f", and at the top `{said}`" if node.args else "")
    ctx.fail("N207", "an activation is given by its name", node.span, help=help)


def is_activation(op: Op) -> bool:
    """Whether a function takes one tensor and needs nothing else."""
    required = [i for i in op.inputs if not i.optional]
    return op.group == "function" and len(required) == 1 and op.shape == "... -> ..."
