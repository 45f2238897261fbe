"""A mistake is told once, where it is, in specs of any size: a name that nothing has, an argument
that a block's call lacks.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from pathlib import Path

import pytest

import nnxc
from nnxc.diagnostics import Diagnostic, Sink
from nnxc.source import Source
from nnxc.syntax import tree
from nnxc.syntax.parse import parse
from nnxc.syntax.walk import nodes_in

ZOO = Path(nnxc.__file__).parent / "zoo"
SMALL = sorted(ZOO.glob("*.nnx"))
LARGE = sorted(ZOO.glob("pretrained/*.nnx"))
MOST = 4  # mistakes in one spec


def told(text: str, path: Path) -> tuple[Diagnostic, ...]:
    def read(name: str) -> bytes:
        return (path.parent / name).read_bytes()

    options = nnxc.Options(black=False)
    return nnxc.compile(text, path=str(path), read=read, options=options).diagnostics


def definitions(path: Path) -> Iterator[tree.Definition]:
    file = parse(Source(str(path), path.read_text("utf-8")), Sink())
    yield from (i for i in file.items if isinstance(i, tree.Definition))


def read_names(path: Path) -> Iterator[tuple[int, int]]:
    """Where names are read, but for the names of what is returned."""
    for definition in definitions(path):
        given = {n.span.start for n in nodes_in(definition.body, tree.Field)}
        for stmt in nodes_in(definition.body, tree.Assign | tree.For | tree.Scan):  # type: ignore[arg-type]
            given |= {t.span.start for t in stmt.targets}
        for stmt in nodes_in(definition.body, tree.Return):
            given |= {n.span.start for n in stmt.names}
        for stmt in nodes_in(definition.body, tree.Declare):
            given |= {
                n.span.start for f in stmt.fields for n in nodes_in(f.type, tree.Name)
            }
        for name in nodes_in(definition.body, tree.Name):
            if name.span.text == name.id and name.span.start not in given:
                yield name.span.start, name.span.end


def arguments(path: Path) -> Iterator[tuple[int, int]]:
    """Arguments in the middle of calls of blocks that have names alone."""
    blocks = {d.name.id: d for d in definitions(path)}
    for definition in blocks.values():
        for call in nodes_in(definition.body, tree.Call):
            names = [isinstance(a.value, tree.Name) and not a.name for a in call.args]
            block = blocks.get(getattr(call.func, "id", ""))
            if block is None or not all(names) or len(names) < 3:
                continue
            same = [p.name for p in block.params] == [a.value.id for a in call.args]
            if same and all(p.default is None for p in block.params):
                yield call.args[0].span.end, call.args[1].span.end


MISTAKES = {"name": (read_names, "zz9"), "argument": (arguments, "")}


def more_than_once(path: Path, mistake: str) -> dict[str, list[str]]:
    """Specs with one mistake of which something else was told, or more."""
    places, instead = MISTAKES[mistake]
    found = sorted(places(path))
    wrong: dict[str, list[str]] = {}
    text = path.read_text("utf-8")
    for start, end in random.Random(1).sample(found, min(MOST, len(found))):
        new = f"{text[:start]}{instead}{text[end:]}"
        line = text.count("\n", 0, start)
        diagnostics = told(new, path)
        lines = [new.count("\n", 0, d.primary.span.start) for d in diagnostics]
        if lines != [line]:
            said = [f"{d.code} {d.message}" for d in diagnostics]
            wrong[f"{line + 1}: {new.splitlines()[line]}"] = said
    return wrong


@pytest.mark.parametrize("mistake", MISTAKES)
@pytest.mark.parametrize("path", SMALL, ids=lambda p: p.stem)
def test_a_mistake_is_told_once(path: Path, mistake: str) -> None:
    assert more_than_once(path, mistake) == {}


@pytest.mark.heavy
@pytest.mark.parametrize("mistake", MISTAKES)
@pytest.mark.parametrize("path", LARGE, ids=lambda p: p.stem)
def test_so_it_is_in_published_models(path: Path, mistake: str) -> None:
    assert more_than_once(path, mistake) == {}
