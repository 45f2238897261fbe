"""Trains as another file has them: `train Mistral from "llama.nnx"`."""

from __future__ import annotations

from ...diagnostics import Label
from ...record import replace
from ...syntax import tree
from ..uses import Files, called, load


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
    return replace(trains[0], model=item.model, trivia=item.trivia)


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
