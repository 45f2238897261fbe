"""Pieces of Markdown."""

from __future__ import annotations

from collections.abc import Sequence


def code(text: str) -> str:
    """A name or value, as it stands."""
    text = _printable(text)
    ticks = "``" if "`" in text else "`"
    space = " " if "`" in text else ""
    return f"{ticks}{space}{text}{space}{ticks}"


def prose(text: str) -> str:
    """A comment of a spec as paragraphs: what is no text in Markdown is made so."""
    kept = "\n".join(map(_printable, text.split("\n")))
    for sign, meant in _SIGNS.items():
        kept = kept.replace(sign, meant)
    return kept.strip()


# What opens tags, and code that nothing closes.
_SIGNS = {"&": "&amp;", "<": "&lt;", "```": r"\`\`\`", "~~~": r"\~\~\~"}


def _printable(line: str) -> str:
    return "".join(c if c.isprintable() else " " for c in line)


def table(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A table; nothing where it has no rows."""
    if not rows:
        return ""
    lines = [heads, ["---"] * len(heads), *rows]
    return "\n".join(
        f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in line)} |"
        for line in lines
    )
