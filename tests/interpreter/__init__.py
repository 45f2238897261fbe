"""The meaning of the language, executable: a spec is run from its tree, with sizes as they are.

Written from the pages of `tests/spec`. Of the compiler it knows the syntax alone. Weights are
given by path, as generated modules have them; nothing is fast.
"""

from __future__ import annotations

from collections.abc import Callable

from .program import Program, Result
from .values import Refused

__all__ = ["Program", "Refused", "Result", "load"]


def load(text: str, read: Callable[[str], bytes] | None = None) -> Program:
    """A spec; files that it uses come from `read`. Raises SyntaxError."""
    return Program(text, read)
