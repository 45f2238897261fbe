"""Shared modules of a folder, and the generated modules there that import them."""

from __future__ import annotations

import os
from collections.abc import Collection

from . import files, fresh
from .diagnostics import Diagnostic
from .header import Owner, owner
from .specs import file_problem


def is_shared(path: str) -> bool:
    """Whether a file is one that several specs share."""
    return os.path.basename(path) in fresh.SHARED


def no_package(out: str, name: str) -> Diagnostic:
    """The error of a folder that cannot be the package of this name."""
    message = f"`{out}` cannot be the package `{name}`"
    help = "a package's dotted name is the end of its folder's path: `src/my/nets` is `my.nets`"
    return file_problem("N910", out, message, help)


def changed_under(path: str, made: Collection[str]) -> Diagnostic | None:
    """The error of a shared module that would change under generated modules that are not `made`
    in the same run: they may need it as it is."""
    others = [other for other in _importing(path) if other not in made]
    if not others:
        return None
    message = f"`{path}` would change under `{others[0]}`"
    if len(others) > 1:
        message += f" and {len(others) - 1} more"
    help = (
        "other options or another version of nnxc made it: build all specs of this folder "
        "together, pass `--force` to replace it, or build into another folder"
    )
    return file_problem("N909", path, message, help)


def _importing(path: str) -> list[str]:
    """The generated modules beside a shared one that import it."""
    folder, name = os.path.split(path)
    statement = f"{os.path.splitext(name)[0]} import "
    found = []
    for other in sorted(os.listdir(folder or ".")):
        beside = os.path.join(folder, other)
        if other.endswith(".py") and other != name and os.path.isfile(beside):
            text = files.read(beside).decode("utf-8", "replace")
            if statement in text and owner(text) is not Owner.USER:
                found.append(beside)
    return found
