"""Tensors that do not align at their ends: what stretches one to the other."""

from __future__ import annotations

from collections.abc import Sequence

from ...diagnostics import Advice, write
from ...dims_compare import Comparison
from ...shapes import TensorType
from ...source import Span
from ..context import Context
from ..obligations import compare


def aligned(ctx: Context, sides: Sequence[tuple[TensorType, Span]]) -> Advice:
    """Advice to give the tensor of fewer axes those that it lacks: `mask[..., none]`."""
    if len(sides) != 2 or sides[0][0].rank == sides[1][0].rank:
        return {}
    (small, span), (large, _) = sorted(sides, key=lambda side: side[0].rank)
    if small.lead or large.lead or not small.rank:
        return {}
    places = _places(ctx, small, large)
    if places is None or not span.text.replace("_", "a").isalnum():
        return {}
    items = [":" if i in places else "none" for i in range(places[0], large.rank)]
    while items and items[-1] == ":":
        items.pop()
    if items.count("none") == 1 and items[-1] == "none" and len(items) > 2:
        items = ["...", "none"]
    return write(span, f"{span.text}[{', '.join(items)}]") if items else {}


def _places(ctx: Context, small: TensorType, large: TensorType) -> list[int] | None:
    """Which axes of the larger tensor those of the smaller one are, in order."""
    found: list[int] = []
    for axis in small.axes:
        start = found[-1] + 1 if found else 0
        same = (
            i
            for i in range(start, large.rank)
            if compare(ctx, axis.size, large.axes[i].size) is Comparison.EQUAL
        )
        at = next(same, None)
        if at is None:
            return None
        found.append(at)
    return found
