"""Shapes after an arrow: what they say of sizes, and what they cannot say of axes."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import permutations

from ...diagnostics import Advice, write
from ...dims import Dim, product
from ...shapes import TensorType
from ...source import Span
from ...syntax import tree
from ..arguments import types
from ..context import Context
from ..foreign import tensor_parts

MOST = 6  # axes of which orders are tried
_LETTERS = "abcdefgh"


def open_size(
    ctx: Context, dims: Sequence[tree.Expr], source: TensorType | None
) -> None:
    """Report a size of -1, and write what it stands for."""
    open_ = [d for d in dims if _is_open(d)]
    if len(open_) != 1 or source is None or source.lead:
        return
    if any(isinstance(d, tree.Dots) for d in dims):
        return
    rest = [types.size_of(ctx, d) for d in dims if not _is_open(d)]
    size = tensor_parts.open_size(source.sizes, rest)
    if size is None:
        return
    text = "a size is at least 1, not -1"
    ctx.fail("N315", text, open_[0].span, **write(open_[0].span, str(size)))


def _is_open(node: tree.Expr) -> bool:
    return isinstance(node, tree.Unary) and node.span.text.replace(" ", "") == "-1"


def moves_nothing(
    ctx: Context,
    source: TensorType,
    target: TensorType,
    dims: Sequence[tree.Expr],
    span: Span,
) -> None:
    """Refuse `[B, T, d] -> [B, heads, T, d // heads]`: an axis that stands elsewhere among the
    elements would be no more what its name says."""
    moved = _moved(source.sizes, target.sizes)
    if moved is None or source.lead or target.lead or len(dims) != target.rank:
        return
    text = f"`{moved}` stands elsewhere, and a new layout moves no axis"
    ctx.fail(
        "N316",
        text,
        span,
        f"this was {source}",
        **_in_steps(source, target, dims, span),
    )


def _moved(source: Sequence[Dim], target: Sequence[Dim]) -> str | None:
    """An axis before and after which there are other elements than there were. Where other sizes
    follow from it, as in [T, 2 * T], what is meant cannot be told."""
    for at, size in enumerate(target):
        name = size.name
        if name is None or _mentions(source, name) != 1 or _mentions(target, name) != 1:
            continue
        was = list(source).index(size) if size in source else -1
        if was < 0:
            continue
        before = product(tuple(source[:was])), product(tuple(target[:at]))
        after = product(tuple(source[was + 1 :])), product(tuple(target[at + 1 :]))
        if before[0] != before[1] and after[0] != after[1]:
            return name
    return None


def _mentions(sizes: Sequence[Dim], name: str) -> int:
    return sum(name in size.symbols for size in sizes)


def _in_steps(
    source: TensorType, target: TensorType, dims: Sequence[tree.Expr], span: Span
) -> Advice:
    """The layout in which nothing moves, and a `rearrange` that moves its axes."""
    help: Advice = {"help": '`rearrange` moves axes: `rearrange("b t h -> b h t")`'}
    if target.rank > MOST:
        return help
    for order in permutations(range(target.rank)):
        sizes = [target.sizes[n] for n in order]
        if _moved(source.sizes, sizes) is not None:
            continue
        letters = " ".join(_LETTERS[n] for n in order)
        pattern = f'rearrange("{letters} -> {" ".join(_LETTERS[: target.rank])}")'
        if sizes == list(source.sizes):
            return write(span, pattern, "`rearrange` moves axes")
        shape = ", ".join(dims[n].span.text for n in order)
        return write(span, f"[{shape}] -> {pattern}", "`rearrange` moves axes")
    return help
