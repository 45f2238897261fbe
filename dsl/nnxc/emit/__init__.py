"""Emission: from a checked program to the text of a Python module."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .options import Options

if TYPE_CHECKING:
    from .. import ir

__all__ = ["Options", "card", "emit", "files"]


def emit(program: ir.Program, options: Options | None = None) -> str:
    """The Python module of a program, from its docstring on."""
    return next(iter(files(program, "module", options or Options()).values()))


def files(program: ir.Program, name: str, options: Options) -> dict[str, str]:
    """The module of a program, called `name`, and those that it shares with others."""
    from .module import module_files

    return module_files(program, name, options)


def card(program: ir.Program, name: str, options: Options) -> dict[str, str]:
    """The card of a program's published models."""
    from .cards.card import card_files

    return card_files(program, name, options)
