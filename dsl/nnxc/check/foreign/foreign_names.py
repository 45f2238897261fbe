"""What names of other libraries, and the arguments that they take, are here."""

from __future__ import annotations

import re
from collections.abc import Sequence

from ...ops import INITIALIZERS, LOSSES, METRICS, OPTIMIZERS, SCHEDULES
from ...ops.base import Kind, Op, Param
from ...ops.training.adapters import ADAPTERS
from ...shapes import DTYPES
from ...syntax import tree
from ..context import Context
from . import argument_names, tables
from .tensor_parts import type_of


def from_module(ctx: Context, node: object) -> str | None:
    """`softmax` of `torch.nn.functional.softmax`: what stands by itself here."""
    while isinstance(node, tree.Attribute) and node.name in tables.MODULES:
        node = node.value
    match node:
        case tree.Attribute(value, name):
            root: object = value
            while isinstance(root, tree.Attribute):
                root = root.value
            if isinstance(root, tree.Name) and _is_module(ctx, root.id):
                return name
    return None


def _is_module(ctx: Context, name: str) -> bool:
    return name in tables.MODULES and name not in ctx.scope and name not in ctx.axes


def known(ctx: Context, name: str) -> str:
    """What a name of others is here; the same where nothing is known of it."""
    if name in ctx.scope or name in ctx.functions or name in ctx.signatures:
        return name
    if name in tables.NAMES:
        return tables.NAMES[name]
    folded = re.sub(r"[123]d$", "", name.casefold().replace("_", ""))
    for op in entries(ctx).values():
        if folded in (n.casefold().replace("_", "") for n in (op.name, *op.aliases)):
            return op.name
    return name


def entries(ctx: Context) -> dict[str, Op]:
    """All that a call may name, what stands in the spec first."""
    rest = (INITIALIZERS, METRICS, LOSSES, SCHEDULES, ADAPTERS, OPTIMIZERS)
    found = dict(ctx.functions)
    for registry in rest:
        found = {**registry, **found}
    return found


def is_dtype(node: tree.Expr) -> bool:
    return isinstance(node, tree.Name) and node.id in DTYPES


def takes_sizes(params: Sequence[Param]) -> bool:
    return any(p.kind in (Kind.SIZES, Kind.INTS) for p in params)


def foreign_sizes(
    ctx: Context,
    op: Op,
    name: str,
    plain: Sequence[tree.Arg],
    named: Sequence[tree.Arg],
) -> int:
    """How many of the first arguments are sizes of the input, which are inferred here."""
    if op.group != "layer":
        return 0
    takes = len([p for p in op.params if p.positional])
    given = {argument_names.ARGUMENTS.get(a.name or "", a.name) for a in named}
    if not takes:
        return len(plain)
    if op.name == "GroupNorm" or op.name not in tables.INPUT_SIZES:
        return 0
    if op.name in ("Conv", "ConvTranspose"):
        place = [isinstance(a.value, tree.Window) for a in plain]
        if True in place:
            return max(place.index(True) - 1, 0)
        windows = "window" in given
        return int(len(plain) >= (2 if windows else 3))
    if len(plain) > 1 and type_of(ctx, plain[1].value) is None:
        return 1
    first = op.params[0].name
    return int(bool(plain) and first in given)


def is_number(text: str) -> bool:
    """Whether a text is one of a number."""
    try:
        float(text)
    except ValueError:
        return False
    return True


def attended(made: str, query: str, rest: Sequence[str]) -> str | None:
    """`attention(query, keys, values)`, where keys and values are one, or the query."""
    if not made.startswith("Attention(") or len(rest) != 2 or rest[0] != rest[1]:
        return None
    if rest[0] == query:
        return f"{query} -> {made}"
    return f"{query} -> {made.removesuffix(')')}, context={rest[0]})"
