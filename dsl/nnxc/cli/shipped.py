"""Files that ship with the compiler: in the package, or beside it in a checkout."""

from __future__ import annotations

import os
from collections.abc import Iterator
from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import Path

_CHECKOUT = {"spec": "tests/spec"}


def shipped(folder: str) -> Iterator[Traversable]:
    """The files of a folder that ships; nothing where it does not."""
    place: Traversable = files("nnxc") / folder
    if not place.is_dir() and folder in _CHECKOUT:
        here = os.path.dirname(os.path.abspath(__file__))
        place = Path(here).parents[2] / _CHECKOUT[folder]
    if place.is_dir():
        yield from place.iterdir()
