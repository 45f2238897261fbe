"""Lark's parser of lines, and the words and signs that the grammar knows."""

from __future__ import annotations

from io import BytesIO
from pkgutil import get_data

import lark

from .analyse import SAVED, analysed, read_grammar


def _load() -> lark.Lark:
    """The parser as it was saved, in a file that is trusted as the code beside it is; where
    another version of Lark is installed, the grammar is analysed anew."""
    saved = BytesIO(get_data("nnxc.syntax", SAVED.name) or b"")
    if saved.readline().startswith(f"lark {lark.__version__} ".encode()):
        return lark.Lark.load(saved)
    return analysed(read_grammar())


LARK = _load()

LITERALS = {t.pattern.value: t.name for t in LARK.terminals if t.pattern.type == "str"}
"""Spelling of a keyword, operator or bracket -> terminal."""


def pattern(terminal: str) -> str:
    """The regular expression of a terminal."""
    return LARK.get_terminal(terminal).pattern.value


def first(line: str) -> frozenset[str]:
    """What a kind of line may begin with: terminals, among others."""
    parser = LARK.parse_interactive(start=line)
    return frozenset(parser.choices())  # type: ignore[no-untyped-call]
