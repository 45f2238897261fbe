"""What comments say of a file, a definition, a train."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import takewhile

from ..syntax import tree


def doc_of(trivia: tree.Trivia, opens: bool = False) -> str:
    """The comment right above an item, which documents it; where the item opens its file, the
    comment at the top is the file's."""
    lines = list(takewhile(_speaks, reversed(trivia.above)))
    if opens and len(lines) == len(trivia.above):
        return ""
    return _text(reversed(lines))


def file_doc(file: tree.File) -> str:
    """The comment at the top of a file."""
    above = file.items[0].trivia.above if file.items else ()
    return _text(takewhile(_speaks, above))


def _speaks(line: str) -> bool:
    return line.startswith("#")


def _text(lines: Iterable[str]) -> str:
    """What they say; a ruler, such as `# -----`, says nothing."""
    said = (line if any(map(str.isalnum, line)) else "" for line in lines)
    return "\n".join(
        line.removeprefix("#").removeprefix(" ").rstrip() for line in said
    ).strip("\n")
