"""The layout of a tensor, said by names: `rearrange("o i h w -> h w i o")`."""

from __future__ import annotations

import re

from ...ops.base import Tensor
from ...record import Record

_AXIS = re.compile(r"\(([^()]*)\)|([^()\s]+)")


class Layout(Record):
    """The axes of a tensor, each of names, and the names of the weight's; `1` is an axis of size 1."""

    tensor: tuple[tuple[str, ...], ...]
    weight: tuple[str, ...]

    def form(self, flipped: bool) -> Tensor:
        """Which axes of the weight make up each of the tensor."""
        places = {name: i for i, name in enumerate(self.weight) if name != "1"}
        groups = [tuple(places[n] for n in names if n != "1") for names in self.tensor]
        lone = tuple(i for i, name in enumerate(self.weight) if name == "1")
        groups[:1] = [lone + group for group in groups[:1]] or [lone]
        return Tensor(tuple(groups), flipped)


def layout_of(pattern: str) -> Layout | None:
    """What a pattern says; None where it is none."""
    left, arrow, right = pattern.partition("->")
    tensor = tuple(
        tuple((inside or alone).split()) for inside, alone in _AXIS.findall(left)
    )
    weight = tuple(right.split())
    names = [n for group in tensor for n in group if n != "1"]
    wanted = [n for n in weight if n != "1"]
    rest = _AXIS.sub("", left).strip()
    sound = all(n.isidentifier() for n in wanted) and len(set(wanted)) == len(wanted)
    if not arrow or rest or not sound or sorted(names) != sorted(wanted):
        return None
    return Layout(tensor, weight)
