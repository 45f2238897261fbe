"""Lark's parser of lines, and the words and signs that the grammar knows."""

from __future__ import annotations

from io import BytesIO
from pkgutil import get_data

import lark

from .analyse import SAVED, analysed, read_grammar


def _load() -> lark.Lark:
    """Lark's saved parser, which is as trusted as the code beside it; other versions of Lark
    than that which saved it analyse the grammar anew."""
    saved = BytesIO(get_data(__package__, SAVED.name) or b"")
    version = saved.readline().split()[1].decode()
    return (
        lark.Lark.load(saved)
        if version == lark.__version__
        else analysed(read_grammar())
    )


LARK = _load()

LITERALS = {t.pattern.value: t.name for t in LARK.terminals if t.pattern.type == "str"}
"""Spelling of a keyword, operator or bracket -> terminal."""


def pattern(terminal: str) -> str:
    """The regular expression of a terminal."""
    return LARK.get_terminal(terminal).pattern.value


def first(line: str) -> frozenset[str]:
    """The terminals that a kind of line may begin with."""
    return frozenset(LARK.parse_interactive(start=line).choices())
