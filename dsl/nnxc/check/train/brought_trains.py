"""Trains as another file has them: `train Mistral from "llama.nnx"`, also with lines of their own."""

from __future__ import annotations

from collections.abc import Set

from ...diagnostics import Label
from ...record import replace
from ...syntax import tree
from ...syntax.walk import Body, mentioned, targets
from ..uses import Files, called, load
from .train_parts import SETTINGS


def with_trains(files: Files, file: tree.File) -> tree.File:
    """The file with the lines of such trains as if they stood there; one with a mistake is left out."""
    items = (_brought(files, item) for item in file.items)
    return replace(file, items=tuple(item for item in items if item is not None))


def _brought(files: Files, item: tree.Item) -> tree.Item | None:
    if not isinstance(item, tree.Train) or item.path is None:
        return item
    file = files.loader(item.path)
    if file is None or load(files, item.path, file) is None:
        return None
    trains = [i for i in file.items if isinstance(i, tree.Train)]
    if len(trains) != 1 or trains[0].path is not None:
        if not file.broken:
            _refuse(files, item.path, trains)
        return None
    (there,) = trains
    return replace(
        there,
        model=item.model,
        body=merged(there.body, item.body),
        trivia=item.trivia,
        broken=item.broken or there.broken,
        lost=item.lost | there.lost,
    )


def _refuse(
    files: Files, path: tree.String | tree.Zoo, trains: list[tree.Train]
) -> None:
    """Report a file that does not say how its model is trained, or of several models."""
    name, related = called(path), tuple(Label(t.span, "here") for t in trains[:2])
    text = f"{name} has several trains" if len(trains) > 1 else f"{name} has no train"
    help = "write the train out: `train Model:`"
    if len(trains) == 1:
        text = f"{name} has its train from another file"
        help = "name that one"
    files.sink.error("N270", text, path.span, related=related, help=help)


def merged(there: Body, own: Body) -> Body:
    """The lines of a train, and those of another's own: what gives a name a value takes the place
    of what did, and settings are all of one of them."""
    if not own:
        return there
    settings = [line for line in own if _is_setting(line)]
    rest = [line for line in own if not _is_setting(line)]
    gone = {key for line in rest for key in _given(line)}
    kept = [line for line in there if not (settings and _is_setting(line))]
    body: list[tree.Statement] = []
    for line in _needed(kept, gone, own):
        keys = _given(line)
        if keys.isdisjoint(gone):
            body.append(line)
        places = [n for n, one in enumerate(rest, 1) if _given(one) & keys]
        body += rest[: max(places, default=0)]
        rest = rest[max(places, default=0) :]
    return (*body, *rest, *settings)


def _needed(
    lines: list[tree.Statement], gone: Set[tuple[str, str]], own: Body
) -> list[tree.Statement]:
    """Without lines of which nothing that is left reads what they compute."""
    for at, line in enumerate(lines):
        names = [name for kind, name in _given(line) if kind == "value"]
        others = [o for o in lines[:at] + lines[at + 1 :] if _given(o).isdisjoint(gone)]
        read = {*mentioned((*others, *own)), *SETTINGS}
        if names and _given(line).isdisjoint(gone) and read.isdisjoint(names):
            return _needed(lines[:at] + lines[at + 1 :], gone, own)
    return lines


def _given(line: tree.Statement) -> set[tuple[str, str]]:
    """What a line of a train gives a value to, each with what it is."""
    match line:
        case tree.Declare("batch"):
            return {("batch", "")}
        case tree.Metric(name):
            return {("metric", name)}
        case tree.Optimize(name):
            return {("optimize", name)}
    return {("value", target.id) for target in targets(line)}


def _is_setting(line: tree.Statement) -> bool:
    """Whether a line says how weights learn, not what."""
    match line:
        case tree.Assign((tree.Name(name),)):
            return name in SETTINGS and name != "loss"
    return isinstance(line, tree.Select | tree.Adapt)
