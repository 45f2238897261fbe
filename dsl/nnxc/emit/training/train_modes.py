"""The modes of layers: as in training where something trains, as in evaluation elsewhere."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from ... import ir
from ...ir.fold_statements import on_every_way
from ...ir.outline import Part, learns, outline, place_in
from ...ops.base import Op
from ..signature import Names
from .train_select import path_test, place_test


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
    whole = outline(program.definition(train.model), program.definition)
    frozen = list(_frozen(whole.parts, train))
    held = [part for top in frozen for part in top.inside()]
    live = any(p.modes and p not in held for p in whole.inside())
    views = [_every(program, train.model, False)] if live else []
    modes = {m for part in held for m in part.modes}
    certain = {m for part in held if part.certain for m in part.modes}
    partly = list(_partly(whole, train, names))
    modes |= {m for part, _ in partly for p in part.inside() for m in p.modes}
    keywords = _keywords(sorted(modes), certain, True)
    if keywords:
        paths = [".".join(p.path) for p in frozen]
        tests = [path_test(paths, train.model, names)] if paths else []
        only = " or ".join((*tests, *(f"({test})" for _, test in partly)))
        views.append(f"only=lambda path, _: {only}, {keywords}" if live else keywords)
    return tuple(v for v in views if v)


def _partly(whole: Part, train: ir.Train, names: Names) -> Iterator[tuple[Part, str]]:
    """Lists of layers with modes of which some are frozen, and whether `path` leads into those."""
    goal, root = train.objectives[0], names.signatures[train.model]
    if len(train.objectives) > 1:
        return  # what one leaves out, another may train
    listed: dict[tuple[str, ...], list[str]] = {}
    for path in goal.only or goal.freeze:
        names_, place = place_in(path)
        if place:
            listed.setdefault(names_, []).append(place_test(path, root, names))
    for part in whole.inside():
        tests = listed.get(part.path, [])
        if tests and any(p.modes for p in part.inside()):
            chosen = " or ".join(tests)
            inside = path_test([".".join(part.path)], train.model, names)
            yield part, f"{inside} and not ({chosen})" if goal.only else chosen


def _frozen(parts: Sequence[Part], train: ir.Train) -> Iterator[Part]:
    """The outermost parts that have modes and weights of which none trains. What has no weights,
    such as Dropout, is frozen where it stands in something frozen."""
    for part in parts:
        weights = list(part.paths())
        if weights and not any(learns(train, path) for path in weights):
            if any(p.modes for p in part.inside()):
                yield part
        else:
            yield from _frozen(part.parts, train)


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

    def modes(stmt: ir.Stmt) -> set[str]:
        match stmt:
            case ir.Declare(ir.Layer(callee=str() as name)):
                return _certain(program, program.definition(name).body)
            case ir.Declare(ir.Layer(callee=Op() as op)):
                return set(() if op.origin else op.modes)
        return set()

    return on_every_way(body, modes)
