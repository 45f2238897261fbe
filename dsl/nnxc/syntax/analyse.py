"""Analyses the grammar, and saves Lark's parser in Lark's own form.

Run `python -m nnxc.syntax.analyse` after a change of the grammar; to analyse it takes longer
than a compile.
"""

from __future__ import annotations

from collections.abc import Sequence
from hashlib import sha256
from pathlib import Path

import lark

from .hooks import LineLexer, Reductions

LINES = ("body_line", "top_line", "weights_line")
"""The rules for lines."""

SAVED = Path(__file__).with_name("grammar.pickle")


def read_grammar() -> str:
    """The grammar: inside of the package where installed, else in the checkout.

    Raises FileNotFoundError where there is neither.
    """
    package = Path(__file__).parents[1]
    inside = package / "grammar"
    folder = inside if inside.is_dir() else package.parents[1] / "grammar"
    return (folder / "nnx.lark").read_text(encoding="utf-8")


def analysed(grammar: str, starts: Sequence[str] = LINES) -> lark.Lark:
    """Lark's parser for some rules. Raises lark's GrammarError where LALR(1) fails."""
    return lark.Lark(
        grammar,
        parser="lalr",
        lexer=LineLexer,
        transformer=Reductions(),
        start=[*starts],
        strict=True,
    )


def heading(grammar: str) -> bytes:
    """The first line of the saved form: the Lark that made it, and of what."""
    made = sha256(f"{grammar}{Path(__file__).read_text('utf-8')}".encode())
    return f"lark {lark.__version__} {made.hexdigest()}\n".encode()


def is_current(grammar: str) -> bool:
    """Whether the saved form is of this grammar, and of this Lark."""
    if not SAVED.is_file():
        return False
    with SAVED.open("rb") as file:
        return file.readline() == heading(grammar)


def save(grammar: str) -> None:
    """Write the saved form; its bytes are others each time."""
    with SAVED.open("wb") as file:
        file.write(heading(grammar))
        analysed(grammar).save(file)


if __name__ == "__main__":
    text = read_grammar()
    if not is_current(text):
        save(text)
