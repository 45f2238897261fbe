"""How many lines reference libraries take for a model: its class and what that names.

python -m benchmarks.reference_size SITE_PACKAGES REFERENCES

Counted are lines of code (no comments, blank lines or docstrings) of the class in
`meta.json` and of the classes, functions and constants of its file that it names, directly or
not. What it takes from other files is left out. Sources beside a reference are formatted first.
"""

from __future__ import annotations

import ast
import json
import sys
from collections.abc import Iterator
from pathlib import Path

import black

from .timing import save


def main(packages: Path, references: Path) -> None:
    found = {}
    for meta in sorted(references.glob("*/meta.json")):
        about = json.loads(meta.read_text())
        path = source_of(packages, meta.parent, about["kind"], about["cls"])
        found[meta.parent.name] = {
            "class": about["cls"],
            "library": about["kind"],
            "lines": Closure(path).lines(about["cls"]),
        }
        print(f"{meta.parent.name:<22} {found[meta.parent.name]}", flush=True)
    save("references", {"families": found})


def source_of(packages: Path, folder: Path, library: str, name: str) -> Path:
    """The file that defines a class; raises StopIteration where none does."""
    if library == "torch":
        return folder / "source.py"
    files = sorted((packages / library / "models").rglob("*.py"))
    head = f"\nclass {name}("
    return next(path for path in files if head in path.read_text())


class Closure:
    """A file, and how many of its lines a definition needs."""

    def __init__(self, path: Path):
        text = path.read_text()
        if path.name == "source.py":
            text = black.format_str(text, mode=black.Mode())
        self.code = code_lines(text)
        self.defined = {
            name: node for node in ast.parse(text).body for name in names_given(node)
        }
        self.needed: set[str] = set()

    def lines(self, name: str) -> int:
        """Lines of code of a definition and of what it names."""
        self._need(name)
        return sum(
            number in self.code
            for node in {id(n): n for n in map(self.defined.get, self.needed)}.values()
            if node is not None
            for number in range(first_line(node), (node.end_lineno or 0) + 1)
        )

    def _need(self, name: str) -> None:
        if name in self.needed or name not in self.defined:
            return
        self.needed.add(name)
        for used in ast.walk(self.defined[name]):
            if isinstance(used, ast.Name):
                self._need(used.id)


def first_line(node: ast.stmt) -> int:
    """Where a statement begins, its decorators included."""
    decorators = getattr(node, "decorator_list", [])
    lines: list[int] = [node.lineno, *(d.lineno for d in decorators)]
    return min(lines)


def names_given(node: ast.stmt) -> Iterator[str]:
    """The names that a top-level statement defines."""
    match node:
        case ast.ClassDef(name=name) | ast.FunctionDef(name=name):
            yield name
        case ast.Assign(targets=targets):
            yield from (t.id for t in targets if isinstance(t, ast.Name))


def code_lines(text: str) -> frozenset[int]:
    """The numbers of lines that hold code, docstrings aside."""
    strings = {
        line
        for node in ast.walk(ast.parse(text))
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
        for line in range(node.lineno, (node.end_lineno or node.lineno) + 1)
    }
    return frozenset(
        number
        for number, line in enumerate(text.splitlines(), 1)
        if line.strip() and not line.strip().startswith("#") and number not in strings
    )


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
