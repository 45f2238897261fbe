"""What a model is made of: its layers and blocks by path, their weights, and which of them train."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TypeAlias

from ..ops.base import Op
from ..record import Record
from .fold_statements import placed_items, repeats
from .program import Definition, Objective, Train
from .statements import Layer, Variable

UNKNOWN = "*"  # the weights of Python code
Weight: TypeAlias = tuple[str, ...]  # its path; the name of a layer's may have dots


class Part(Record):
    """A layer or block at its path from the model on: its own modes and weights, what it is made
    of, and whether no condition can leave it out."""

    path: tuple[str, ...]
    modes: tuple[str, ...]
    weights: tuple[str, ...]
    parts: tuple[Part, ...]
    certain: bool = True

    def inside(self) -> Iterator[Part]:
        """It and all that it is made of."""
        yield self
        for part in self.parts:
            yield from part.inside()

    def paths(self) -> Iterator[tuple[str, ...]]:
        """The weights in it, from the model on."""
        for part in self.inside():
            yield from ((*part.path, weight) for weight in part.weights)


def outline(model: Definition, lookup: Callable[[str], Definition]) -> Part:
    """The model as a part, with an empty path; `lookup` finds the blocks."""
    return _block(model, lookup, (), True)


def _block(
    definition: Definition,
    lookup: Callable[[str], Definition],
    path: tuple[str, ...],
    certain: bool,
) -> Part:
    own: list[str] = []
    parts: list[Part] = []
    for item, around in placed_items(definition.body):
        sure = certain and repeats(around) == len(around)
        match item:
            case Variable(name, state=False):
                own.append(name)
            case Layer(name, str() as callee):
                parts.append(_block(lookup(callee), lookup, (*path, name), sure))
            case Layer(name, Op() as op):
                parts.append(_layer(item, op, (*path, name), sure))
    return Part(path, (), tuple(own), tuple(parts), certain)


def _layer(layer: Layer, op: Op, path: tuple[str, ...], certain: bool) -> Part:
    if op.origin:
        return Part(path, op.modes, (UNKNOWN,), (), False)
    weights = tuple(n for n, weight in layer.weights.items() if not weight.state)
    return Part(path, op.modes, weights, (), certain)


def learns(train: Train, weight: tuple[str, ...]) -> bool:
    """Whether a weight learns by some objective, or has an adapter that does."""
    if train.adapters:
        return ".".join(weight[:-1]) in train.adapters.paths
    return any(_learns(goal, weight) for goal in train.objectives)


def _learns(goal: Objective, weight: tuple[str, ...]) -> bool:
    named = [place_in(path) for path in goal.only or goal.freeze]
    inside = [place for path, place in named if weight[: len(path)] == path]
    # Of some layers in a list, others learn or do not.
    return bool(inside) if goal.only else all(inside)


def ends_so(weight: Weight, path: str) -> bool:
    """Whether the path of a weight ends with these names: `c_proj.kernel`."""
    return f".{'.'.join(weight)}".endswith(f".{path}")


def place_in(path: str) -> tuple[tuple[str, ...], str]:
    """The names of a path of `only` or `freeze`, and the places in a list: `h[-2:]`, `-2:`."""
    names, _, place = path.partition("[")
    return tuple(names.split(".")), place.removesuffix("]")
