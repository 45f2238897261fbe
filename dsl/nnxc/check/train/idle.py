"""Trains of which nothing is left at the model's defaults: layers of another side, places beyond a list."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from ... import ir
from ...instance.nodes import Instance, TooLarge
from ...ir.fold_statements import layers
from ...ir.outline import place_in
from ...ops.base import Op

Path = Sequence[str]


def idle(program: ir.Program, instance: Instance) -> Iterator[ir.Objective]:
    """The objectives by which no weight of a model learns."""
    trains = [t for t in program.trains if t.model == instance.name and not t.adapters]
    if any(map(_brings_code, program.definitions)):
        return  # what weights are inside of it is not known
    try:
        found = instance.weights().items() if trains else ()
        paths = [path.split(".") for path, weight in found if not weight.state]
    except TooLarge:
        return
    for goal in (goal for train in trains for goal in train.objectives):
        if not any(_learns(goal, path, paths) for path in paths):
            yield goal


def _brings_code(definition: ir.Definition) -> bool:
    callees = (layer.callee for layer in layers(definition.body))
    return any(isinstance(c, Op) and c.origin for c in callees)


def _learns(goal: ir.Objective, path: Path, paths: Sequence[Path]) -> bool:
    chosen = any(_within(named, path, paths) for named in goal.only or goal.freeze)
    return chosen if goal.only else not chosen


def _within(named: str, path: Path, paths: Sequence[Path]) -> bool:
    """Whether a path of `only` or `freeze` leads to a weight."""
    names, place = place_in(named)
    at = _after(names, path)
    if at is None or not place:
        return at is not None
    if at == len(path) or not path[at].isdigit():
        return False
    count = len({p[at] for p in paths if p[:at] == path[:at]})
    first, *more = (int(n) if n else None for n in place.split(":"))
    places = range(count)[slice(first, *more)] if more else [(first or 0) % count]
    inside = more or -count <= (first or 0) < count
    return bool(inside) and int(path[at]) in places


def _after(names: Path, path: Path) -> int | None:
    """Where a path goes on after these names, places left out; None where it has others."""
    at = 0
    for name in names:
        while at < len(path) and path[at].isdigit():
            at += 1
        if at == len(path) or path[at] != name:
            return None
        at += 1
    return at
