"""What stands word for word in several modules of the published models:
`python -m benchmarks.repeats [FOLDER]`, of a folder of modules, or else of a build of them.

Imports, docstrings, comments and blank lines do not count, and a model is called the same in all
modules. A run is of at least five lines of one definition that another module has as well.
"""

from __future__ import annotations

import ast
import re
import sys
import tempfile
from collections import defaultdict
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

import nnxc

from .reference_size import code_lines, first_line
from .timing import ZOO

RUN = 5


Key = tuple[str, ...]  # lines


class Part(NamedTuple):
    """A top-level statement: its module, what it defines, and its lines of code."""

    module: str
    name: str
    lines: Key

    def runs(self) -> list[Key]:
        """All lines of a number that follow each other."""
        ends = range(RUN, len(self.lines) + 1)
        return [self.lines[end - RUN : end] for end in ends]


class Repeated(NamedTuple):
    """What definitions of one name have in common with those of other modules."""

    name: str
    lines: int  # in runs
    modules: int
    whole: int  # definitions that are in another module as they are


def parts(module: str, text: str) -> Iterator[Part]:
    """The definitions of a module; its model, the last class, is called `Model`."""
    tree, lines, code = ast.parse(text), text.splitlines(), code_lines(text)
    classes = [node.name for node in tree.body if isinstance(node, ast.ClassDef)]
    model = re.compile(rf"\b{classes[-1]}\b")
    for node in tree.body:
        if not isinstance(node, ast.Import | ast.ImportFrom | ast.Expr):
            rows = range(first_line(node), (node.end_lineno or 0) + 1)
            own = [model.sub("Model", lines[r - 1].strip()) for r in rows if r in code]
            is_class = isinstance(node, ast.ClassDef)
            yield Part(module, "classes" if is_class else defined(own), tuple(own))


def defined(lines: list[str]) -> str:
    """What a function or a statement defines."""
    first, *others = re.findall(r"\w+", next(s for s in lines if s[0] != "@"))
    return str(others[0] if first == "def" else first)


def repeated(found: list[Part]) -> list[Repeated]:
    """By what is defined, the most lines first."""
    runs = holders((part, run) for part in found for run in part.runs())
    wholes = holders((part, part.lines) for part in found)
    by_name = defaultdict[str, list[tuple[Part, int]]](list)
    for part in found:
        starts = [i for i, run in enumerate(part.runs()) if len(runs[run]) > 1]
        lines = {start + k for start in starts for k in range(RUN)}
        by_name[part.name] += [(part, len(lines))] if lines else []
    rows = [
        Repeated(
            name,
            sum(lines for _, lines in several),
            len({part.module for part, _ in several}),
            sum(len(wholes[part.lines]) > 1 for part, _ in several),
        )
        for name, several in by_name.items()
    ]
    return sorted((row for row in rows if row.lines), key=lambda row: -row.lines)


def holders(texts: Iterable[tuple[Part, Key]]) -> dict[Key, set[str]]:
    """The modules in which each text is."""
    found = defaultdict[Key, set[str]](set)
    for part, text in texts:
        found[text].add(part.module)
    return found


def in_others(found: list[Part]) -> tuple[int, int]:
    """How many lines another module has too, and how many there are."""
    each = [(part, (line,)) for part in found for line in part.lines]
    modules = holders(each)
    return sum(len(modules[line]) > 1 for _, line in each), len(each)


def read(folder: Path) -> list[Part]:
    """The definitions of all modules of a folder but those that all share."""
    files = [f for f in sorted(folder.glob("*.py")) if not f.stem.startswith("nnx_")]
    return [part for file in files for part in parts(file.stem, file.read_text())]


def main() -> None:
    with tempfile.TemporaryDirectory() as made:
        folder = Path(*sys.argv[1:2] or [made])
        if len(sys.argv) == 1:
            assert nnxc.build(sorted((ZOO / "pretrained").glob("*.nnx")), folder).ok
        found = read(folder)
    shared, every = in_others(found)
    print(f"{every:,} lines of code, {shared / every:.0%} are in another module too")
    rows = repeated(found)
    print(f"{sum(row.lines for row in rows):,} in runs of {RUN} lines and more:")
    for row in rows:
        whole = f", {row.whole} as a whole" if row.whole else ""
        print(f"{row.lines:6,} {row.name}: {row.modules} modules{whole}")


if __name__ == "__main__":
    main()
