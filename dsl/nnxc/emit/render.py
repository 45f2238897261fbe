"""Views to text through templates, text through Black."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator, Sequence
from functools import lru_cache
from threading import Lock

from ..record import Record
from .python.suites import WIDTH
from .templates import environment

BETWEEN = "\n\n\n"  # top-level definitions
_PARSING = Lock()  # trees made in two threads at once fail (CPython's issue 106905)
_IMPORT = Lock()  # other threads see modules of Black, which is compiled, half made


class Part(Record):
    """A top-level piece of a module; `done` where it is as Black has it, as it stands."""

    text: str
    done: bool = False


def render(template: str, /, **variables: object) -> str:
    """The text of a template, such as `class` for `class.py.j2`.

    Raises what Jinja raises where there is no such template, or a variable is missing.
    """
    return environment().get_template(f"{template}.py.j2").render(variables)


def markdown(template: str, /, **variables: object) -> str:
    """The text of a template of Markdown."""
    return environment().get_template(f"{template}.md.j2").render(variables)


def parsed(text: str) -> ast.Module:
    """The tree of a text."""
    with _PARSING:
        return ast.parse(text)


def stable(part: Part) -> str:
    """The text as Black has it, which sees but the statements that do not stand on one line that
    fits: what else is written is as Black would, which looks at one statement at a time.
    """
    text = part.text.strip("\n")
    if part.done:
        return text
    lines = text.split("\n")
    module = parsed(text)
    for first, end, has_body in reversed([*_pieces(module.body)]):
        if end - first > 1 or len(lines[first]) > WIDTH:
            piece = lines[first:end]
            lines[first:end] = _laid_out(piece, has_body)
    return "\n".join(lines)


def _pieces(body: Iterable[ast.stmt]) -> Iterator[tuple[int, int, bool]]:
    """The lines of each statement, without those of its body, and whether it has one; docstrings,
    strings that stand alone, are left out."""
    for node in body:
        inner = [s for name in _BODIES for s in getattr(node, name, ())]
        if inner:
            yield _first(node), _first(inner[0]), True
            yield from _pieces(inner)
        elif not (isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)):
            yield _first(node), node.end_lineno or node.lineno, False


_BODIES = ("body", "handlers", "orelse", "finalbody")


def _first(node: ast.stmt) -> int:
    """The line where a statement begins, with its decorators, counted from 0."""
    heads = (head.lineno for head in getattr(node, "decorator_list", ()))
    return min(heads, default=node.lineno) - 1


def _laid_out(lines: Sequence[str], has_body: bool) -> list[str]:
    """A statement, or the head of one, as Black has it where it stands."""
    indent = " " * (len(lines[0]) - len(lines[0].lstrip(" ")))
    code = "\n".join(line.removeprefix(indent) for line in lines)
    before = "if _:\n    pass\n" if code.startswith("elif ") else ""
    after = "\n    pass" if has_body else ""
    made = _blackened(f"{before}{code}{after}", WIDTH - len(indent))
    made = made.removeprefix(before).removesuffix(after)
    return [indent + line if line else line for line in made.split("\n")]


@lru_cache(maxsize=1 << 14)
def _blackened(code: str, width: int) -> str:
    with _IMPORT:
        import black
        from black.mode import TargetVersion

    # Naming the version lets the last parameter after `*` have its comma.
    mode = black.Mode(target_versions={TargetVersion.PY311}, line_length=width)
    return black.format_str(code, mode=mode).rstrip("\n")
