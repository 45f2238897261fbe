"""Specs of which a line is lost, cut short, said twice, moved or indented otherwise: what is left
compiles to Python, or is told as a mistake; it never ends in an error of the compiler itself.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from itertools import islice
from pathlib import Path

import pytest
from test_diagnostics import cases
from test_spec import BLOCKS, reader
from test_zoo import ZOO

import nnxc

MISTAKES = sorted((Path(__file__).parent / "mistakes").glob("*.txt"))
SAMPLE = 150  # specs, of which one edit each is tried
EVERY = 5
Edit = Callable[[list[str]], Iterator[list[str]]]


def sources() -> list[tuple[str, object]]:
    """Every page's blocks, every mistake, and the zoo, with what reads their other files."""
    pages = [(b.text, reader(b)) for b in BLOCKS if "times" not in b.said]
    mistakes = [(case.spec, None) for path in MISTAKES for case in cases(path)]
    return [*pages, *mistakes, *((path.read_text(), None) for path in ZOO.values())]


def begun(lines: list[str]) -> Iterator[list[str]]:
    yield from (lines[:i] for i in range(1, len(lines)))


def lost(lines: list[str]) -> Iterator[list[str]]:
    yield from (lines[:i] + lines[i + 1 :] for i in range(len(lines)))


def twice(lines: list[str]) -> Iterator[list[str]]:
    yield from (lines[: i + 1] + lines[i:] for i in range(len(lines)))


def swapped(lines: list[str]) -> Iterator[list[str]]:
    for i in range(len(lines) - 1):
        yield [*lines[:i], lines[i + 1], lines[i], *lines[i + 2 :]]


def indented(lines: list[str]) -> Iterator[list[str]]:
    for i, line in enumerate(lines):
        for other in (f"    {line}", line.removeprefix("    ")):
            yield [*lines[:i], other, *lines[i + 1 :]]


def cut(lines: list[str]) -> Iterator[list[str]]:
    for i, line in enumerate(lines):
        yield [*lines[:i], line[: len(line) // 2]]


EDITS: tuple[Edit, ...] = (begun, lost, twice, swapped, indented, cut)


def holds(text: str, read: object) -> None:
    """It compiles to Python, or has mistakes."""
    options = nnxc.Options(black=False)
    output = nnxc.compile(text, read=read, options=options)  # type: ignore[arg-type]
    assert bool(output.files) == output.ok
    for module in output.files.values():
        compile(module, "module", "exec", dont_inherit=True)


@pytest.mark.parametrize("edit", EDITS, ids=lambda e: e.__name__)
def test_some_specs_with_other_lines(edit: Edit) -> None:
    draw = random.Random(edit.__name__)
    for text, read in draw.sample(sources(), SAMPLE):
        made = draw.choice([*edit(text.split("\n")), [text]])
        holds("\n".join(made), read)


@pytest.mark.heavy
@pytest.mark.parametrize("edit", EDITS, ids=lambda e: e.__name__)
def test_every_spec_with_other_lines(edit: Edit) -> None:
    """All edits took six minutes and passed; one of five is tried each time."""
    made = ((lines, read) for t, read in sources() for lines in edit(t.split("\n")))
    for lines, read in islice(made, 0, None, EVERY):
        holds("\n".join(lines), read)
