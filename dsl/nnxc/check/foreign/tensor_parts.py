"""What is known of the tensors in a piece of tree."""

from __future__ import annotations

import re
from collections.abc import Sequence

from ...dims import Dim, DimError, floordiv, product
from ...shapes import TensorType
from ...syntax import tree
from ..context import Context
from ..values import Tensor
from .tree_parts import whole_number


def is_layer(ctx: Context, node: tree.Expr) -> bool:
    held = ctx.scope.get(node.id) if isinstance(node, tree.Name) else None
    return held is not None and held.what == "layer"


def type_of(ctx: Context, node: object) -> TensorType | None:
    held = ctx.scope.get(node.id) if isinstance(node, tree.Name) else None
    value = held.value if held else None
    return value.type if isinstance(value, Tensor) else None


def open_size(sizes: Sequence[Dim], rest: Sequence[Dim]) -> Dim | None:
    """What -1 stands for beside the other sizes of a new layout."""
    left, others = [*sizes], []
    for size in rest:
        if size in left:
            left.remove(size)
        else:
            others.append(size)
    try:
        return floordiv(product(tuple(left)), product(tuple(others)))
    except DimError:
        return None


def axis_size(ctx: Context, value: tree.Expr, item: object) -> str | None:
    """The size of an axis of a tensor."""
    kind, at = type_of(ctx, value), whole_number(item)
    if kind is None or at is None or not -kind.rank <= at < kind.rank:
        return None
    text = str(kind.sizes[at])
    names = re.findall(r"[A-Za-z_]\w*", text)
    return text if all(n in ctx.scope or n in ctx.axes for n in names) else None
