"""Emission: from a checked program to the text of a Python module."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .options import Options

if TYPE_CHECKING:
    from .. import ir

__all__ = ["Options", "emit"]


def emit(program: ir.Program, options: Options | None = None) -> str:
    """The Python module of a program, from its docstring on."""
    from .module import module_text

    return module_text(program, options or Options())
