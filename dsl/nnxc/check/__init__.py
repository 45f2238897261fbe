"""Checking: from a parsed spec to its meaning. All mistakes of users end here."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..diagnostics import Sink
from ..syntax import tree

if TYPE_CHECKING:
    from .. import ir
    from .uses import Loader


def check(file: tree.File, sink: Sink, loader: Loader) -> ir.Program | None:
    """Check a parsed spec and what it uses; mistakes go to the sink, and then the result is None.

    `loader(path)` gives the parsed file that a `use` names, or None after reporting why it cannot.
    """
    from .spec import check_program

    return check_program(file, sink, loader)
