"""Checking: from a parsed spec to its meaning. All mistakes of users end here."""

from __future__ import annotations

from collections.abc import Callable

from .. import ir
from ..diagnostics import Sink
from ..source import Span
from ..syntax import tree

Loader = Callable[[str, Span], "tree.File | None"]


def check(file: tree.File, sink: Sink, loader: Loader) -> ir.Program | None:
    """Check a parsed spec and what it uses; mistakes go to the sink, and then the result is None.

    `loader(path, span)` gives the parsed file that a `use` at `span` names, or None after
    reporting why it cannot.
    """
    from .program import check_program

    return check_program(file, sink, loader)
