"""The names that Python text takes from around it, as Python itself resolves them."""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache
from itertools import count
from symtable import SymbolTable, symtable


@lru_cache(maxsize=4096)
def free_names(code: str) -> frozenset[str]:
    """The names that statements or an expression read and do not bind: those of the module around
    them, and of Python. Attributes, keywords, strings and comments are none.

    Raises SyntaxError where the text is no Python.
    """
    top = symtable(code, "<generated>", "exec")
    found = {s.get_name() for s in top.get_symbols() if s.is_referenced()}
    waiting = top.get_children()
    while waiting:
        table: SymbolTable = waiting.pop()
        waiting += table.get_children()
        found |= {s.get_name() for s in table.get_symbols() if s.is_global()}
    return frozenset(found)


def names_of(texts: Iterable[str]) -> frozenset[str]:
    """The names that several texts take from around them."""
    return frozenset().union(*map(free_names, texts))


def bound_name(stem: str, texts: Iterable[str]) -> str:
    """A name for the argument of a function around texts, which none of them takes from elsewhere."""
    taken = names_of(texts)
    if stem not in taken:
        return stem
    return next(name for i in count(2) if (name := f"{stem}{i}") not in taken)
