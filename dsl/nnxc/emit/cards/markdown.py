"""Pieces of Markdown."""

from __future__ import annotations

from collections.abc import Sequence


def code(text: str) -> str:
    """A name or value, as it stands."""
    ticks = "``" if "`" in text else "`"
    space = " " if "`" in text else ""
    return f"{ticks}{space}{text}{space}{ticks}"


def prose(text: str) -> str:
    """A comment of a spec as paragraphs: what is no text in Markdown is made so."""
    kept = "".join(c if c.isprintable() or c == "\n" else " " for c in text)
    return kept.replace("&", "&amp;").replace("<", "&lt;").strip()


def table(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A table; nothing where it has no rows."""
    if not rows:
        return ""
    lines = [heads, ["---"] * len(heads), *rows]
    return "\n".join(
        f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in line)} |"
        for line in lines
    )
