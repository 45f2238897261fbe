"""Axes by name or by position."""

from __future__ import annotations

from typing import NoReturn

from ...diagnostics import Advice, did_you_mean, write
from ...ops.base import Param as OpParam
from ...shapes import TensorType
from ...source import Span
from ...syntax import tree
from ..context import Context
from ..values import Static, Value
from .wrong_kind import wrong


def spelled_axis(position: int, subject: TensorType | None) -> int:
    """As Python code writes it: the last axis as -1, all from the end where the rank is open."""
    if subject is None:
        return position
    return (
        position - subject.rank
        if subject.lead or position == subject.rank - 1
        else position
    )


def axis_position(
    ctx: Context, p: OpParam, node: tree.Expr, value: Value, subject: TensorType | None
) -> int:
    """Which of the axes of a type is meant, counted from the first that is known."""
    if subject is None:
        ctx.fail("N307", f"`{p.name}` needs an input to look in", node.span)
    if isinstance(node, tree.Name):
        return find_axis(ctx, node, subject)
    if (
        not isinstance(value, Static)
        or not isinstance(value.value, int)
        or value.flavor != "int"
    ):
        found = _of_size(value, subject)
        if len(found) == 1:
            return found[0]
        if found:
            _several(ctx, node, subject)
        wrong(ctx, p, node, value)
    rank, n = subject.rank, value.value
    if not -rank <= n < rank or (subject.lead and n >= 0):
        advice = _axis_meant(subject, n, node.span)
        ctx.fail("N307", f"{subject} has no axis {n}", node.span, **advice)
    return n % rank


def _axis_meant(subject: TensorType, n: int, span: Span) -> Advice:
    """The axis that has this size, or else the range of positions."""
    places = [i for i, size in enumerate(subject.sizes) if size.value == n]
    if len(places) == 1 and not subject.lead:
        return write(
            span, str(places[0]), f"the axis of size {n} is number {places[0]}"
        )
    if not subject.rank:
        return {}
    last = "-1" if subject.lead else f"{-subject.rank} to {subject.rank - 1}"
    why = f"positions are {last}, the last axis is -1"
    return write(span, "-1", why)


def find_axis(ctx: Context, node: tree.Name, subject: TensorType) -> int:
    """The position of the axis of that name, or else of the size that the name stands for."""
    binding = ctx.scope.get(node.id)
    found = subject.find(node.id) or _of_size(
        binding.value if binding else None, subject
    )
    if len(found) == 1:
        if binding:
            binding.use()
        return found[0]
    names = [n for a in subject.axes for n in (a.size.name, a.label) if n]
    if found:
        _several(ctx, node, subject)
    ctx.fail(
        "N307",
        f"{subject} has no axis `{node.id}`",
        node.span,
        **did_you_mean(
            node.span,
            node.id,
            names,
            "name an axis of the shape, or give its position",
        ),
    )


def _several(ctx: Context, node: tree.Expr, subject: TensorType) -> NoReturn:
    text = f"{subject} has several axes `{node.span.text}`"
    help = "say which by position, such as `axis=-1`"
    ctx.fail("N308", text, node.span, help=help)


def _of_size(value: Value | None, subject: TensorType) -> tuple[int, ...]:
    """The axes whose size a static value is, where its number is no position as well."""
    dim = value.dim if isinstance(value, Static) else None
    if dim is None or dim.value in range(-subject.rank, subject.rank):
        return ()
    return tuple(i for i, size in enumerate(subject.sizes) if size == dim)
