"""What the installed Tunix has, and what it has not."""

from __future__ import annotations

from typing import Any


class Missing(Exception):
    """The installed Tunix lacks what a stage tries."""


def part(module: Any, name: str) -> Any:
    """What a module has under a name; raises Missing."""
    found = getattr(module, name, None)
    if found is None:
        raise Missing(f"{module.__name__}.{name}")
    return found
