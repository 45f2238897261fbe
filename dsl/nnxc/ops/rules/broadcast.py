"""Broadcasting of types, as NumPy does it, over symbolic sizes."""

from __future__ import annotations

from collections.abc import Sequence
from functools import reduce

from ...shapes import Axis, TensorType, promote
from ..base import Requirement, ShapeError
from .pattern import equal, ordinal


def broadcast(
    types: Sequence[TensorType],
) -> tuple[TensorType, tuple[Requirement, ...]]:
    """The type of an elementwise result, and what must hold for it to exist.

    A size of 1 stretches; other sizes must be equal. Raises `ShapeError` where they differ.
    """
    requires: list[Requirement] = []
    out = reduce(lambda left, right: _pair(left, right, requires), types)
    return out, tuple(requires)


def _pair(
    left: TensorType, right: TensorType, requires: list[Requirement]
) -> TensorType:
    rank = max(left.rank, right.rank)
    for type in (left, right):
        if type.lead and type.rank < rank:
            raise ShapeError(
                f"cannot align {left} with {right}",
                code="N303",
                help="name the axes that `...` stands for",
            )
    axes = [_axis(left, right, index - rank, requires) for index in range(rank)]
    dtype = promote(left.dtype, right.dtype)
    return TensorType(dtype, tuple(axes), left.lead or right.lead)


def _axis(
    left: TensorType, right: TensorType, index: int, requires: list[Requirement]
) -> Axis:
    if -index > left.rank:
        return right.axes[index]
    if -index > right.rank:
        return left.axes[index]
    mine, theirs = left.axes[index], right.axes[index]
    if mine.size.value == 1:
        return theirs
    if theirs.size.value != 1:
        place = ordinal(index + left.rank, left.rank)
        requires += equal(
            mine.size,
            theirs.size,
            f"{left} and {right} differ in their {place} axis",
            help="make the sizes equal, or one of them 1",
        )
    return mine
