"""The modes of layers: as in training where something trains, as in evaluation elsewhere."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from .. import ir
from ..ops.base import Op
from ..record import Record
from .signature import Names
from .train_select import path_test


class _Part(Record):
    """A layer or block at its path from the model on: its own modes, what it is made of, whether
    it holds weights itself, and whether no condition can leave it out."""

    path: tuple[str, ...]
    modes: tuple[str, ...]
    weights: tuple[str, ...]
    parts: tuple[_Part, ...]
    certain: bool


def evaluation(program: ir.Program, model: str) -> str | None:
    """The keywords of `nnx.view` for evaluation; None where the model has no modes."""
    return _every(program, model, True)


def _every(program: ir.Program, model: str, value: bool) -> str | None:
    definition = program.definition(model)
    certain = _certain(program, definition.body)
    return _keywords(definition.modes, certain, value)


def training(program: ir.Program, train: ir.Train, names: Names) -> tuple[str, ...]:
    """The arguments of `nnx.view`, call by call, that let a step find the model's layers in
    training, and those of which no weight trains in evaluation."""
    parts = _parts(program, train.model)
    frozen = list(_frozen(parts, train))
    held = list(_all(frozen))
    live = any(p.modes and p not in held for p in _all(parts))
    views = [_every(program, train.model, False)] if live else []
    modes = {m for part in held for m in part.modes}
    certain = {m for part in held if part.certain for m in part.modes}
    keywords = _keywords(sorted(modes), certain, True)
    if keywords:
        only = path_test([".".join(p.path) for p in frozen], train.model, names)
        views.append(f"only=lambda path, _: {only}, {keywords}" if live else keywords)
    return tuple(v for v in views if v)


def _parts(
    program: ir.Program,
    model: str,
    above: tuple[str, ...] = (),
    certain: bool = True,
) -> list[_Part]:
    definition = program.definition(model)
    found = []
    for layer, sure in _layers(definition.body, certain):
        path = (*above, layer.name)
        match layer.callee:
            case str() as block:
                inner = _parts(program, block, path, sure)
                own = tuple(_variables(program.definition(block).body))
                found.append(_Part(path, (), own, tuple(inner), sure))
            case Op() as op:
                weights = [n for n, w in layer.weights.items() if not w.state]
                if op.origin:  # Python code, of which nothing is known
                    weights, sure = ["*"], False
                found.append(_Part(path, op.modes, tuple(weights), (), sure))
    return found


def _layers(
    body: Sequence[ir.Stmt], certain: bool
) -> Iterator[tuple[ir.Layer, bool]]:
    """The layers that a body declares, and whether no condition leaves them out."""
    for stmt in body:
        match stmt:
            case ir.Declare(layer):
                yield layer, certain
            case ir.For(body=inner) | ir.Scan(body=inner):
                yield from _layers(inner, certain)
            case ir.If(then=then, orelse=orelse):
                yield from _layers((*then, *orelse), False)


def _variables(body: Sequence[ir.Stmt]) -> Iterator[str]:
    for stmt in body:
        match stmt:
            case ir.Variable(name, state=False):
                yield name
            case ir.For(body=inner) | ir.Scan(body=inner):
                yield from _variables(inner)
            case ir.If(then=then, orelse=orelse):
                yield from _variables((*then, *orelse))


def _all(parts: Sequence[_Part]) -> Iterator[_Part]:
    for part in parts:
        yield from _inside(part)


def _inside(part: _Part) -> Iterator[_Part]:
    yield part
    yield from _all(part.parts)


def _frozen(
    parts: Sequence[_Part], train: ir.Train
) -> Iterator[_Part]:
    """The outermost parts that have modes and weights of which none trains. What has no weights,
    such as Dropout, is frozen where it stands in something frozen."""
    for part in parts:
        weights = [(*p.path, w) for p in _inside(part) for w in p.weights]
        if weights and not any(trains(train, path) for path in weights):
            if any(p.modes for p in _inside(part)):
                yield part
        else:
            yield from _frozen(part.parts, train)


def trains(train: ir.Train, weight: tuple[str, ...]) -> bool:
    """Whether a weight learns by some objective, or has an adapter that does."""
    if train.adapters:
        return ".".join(weight[:-1]) in train.adapters.paths
    return any(_learns(goal, weight) for goal in train.objectives)


def _learns(goal: ir.Objective, weight: tuple[str, ...]) -> bool:
    named = [tuple(p.split(".")) for p in goal.only or goal.freeze]
    inside = any(weight[: len(path)] == path for path in named)
    return inside if goal.only else not inside


def _keywords(modes: Sequence[str], certain: set[str], value: bool) -> str | None:
    """`deterministic=True, use_running_average=True`; Flax refuses a mode that no layer has."""
    if not modes:
        return None
    keywords = [f"{mode}={value}" for mode in modes]
    if not set(modes) <= certain:
        keywords.append("raise_if_not_found=False")
    return ", ".join(keywords)


def _certain(program: ir.Program, body: Sequence[ir.Stmt]) -> set[str]:
    """The modes of layers that no condition can leave out."""
    found: set[str] = set()
    for stmt in body:
        match stmt:
            case ir.Declare(ir.Layer(callee=str() as name)):
                found |= _certain(program, program.definition(name).body)
            case ir.Declare(ir.Layer(callee=Op() as op)):
                found |= set(() if op.origin else op.modes)
            case ir.For(body=inner) | ir.Scan(body=inner):
                found |= _certain(program, inner)
            case ir.If(_, then, orelse):
                found |= _certain(program, then) & _certain(program, orelse)
    return found
