"""Files that ship with the compiler: in the package, or beside it in a checkout."""

from __future__ import annotations

import os
from collections.abc import Iterator
from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import Path

from .fresh import SUFFIX

ZOO = ("zoo/pretrained", "zoo")
"""Where the specs lie; of two that have one name, the first is meant."""

_CHECKOUT = {"spec": "tests/spec"}


def shipped(folder: str) -> Iterator[Traversable]:
    """The files of a folder that ships; nothing where it does not."""
    place: Traversable = files("nnxc") / folder
    if not place.is_dir() and folder in _CHECKOUT:
        here = os.path.dirname(os.path.abspath(__file__))
        place = Path(here).parents[1] / _CHECKOUT[folder]
    if place.is_dir():
        yield from place.iterdir()


def zoo_spec(name: str) -> bytes | None:
    """The spec of that name, which is an identifier; None where none ships."""
    for folder in ZOO:
        place = files("nnxc") / folder / f"{name}{SUFFIX}"
        if place.is_file():
            return place.read_bytes()
    return None


def zoo_names() -> list[str]:
    """The names of the specs that ship."""
    found = (file.name for folder in ZOO for file in shipped(folder))
    return sorted({n.removesuffix(SUFFIX) for n in found if n.endswith(SUFFIX)})
