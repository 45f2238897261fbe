"""What one of several is called."""

from __future__ import annotations


def singular(name: str) -> str:
    """What one of `blocks` is called; a name that may be no plural stays."""
    plain = name.endswith("s") and not name.endswith(("ss", "us", "is", "as"))
    return name[:-1] if plain and len(name) > 3 else name
