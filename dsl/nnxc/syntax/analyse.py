"""Analyses the grammar, and saves Lark's parser in its own form.

Run `python -m nnxc.syntax.analyse` after a change of the grammar: analysing it takes longer
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
    """The grammar: inside the package where installed, else in the checkout.

    Raises OSError where there is neither.
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
    """The first line of the saved form: what it was made by, and of."""
    digest = sha256(grammar.encode()).hexdigest()
    return f"lark {lark.__version__} {digest}\n".encode()


def save(grammar: str) -> None:
    """Write the saved form anew."""
    with SAVED.open("wb") as file:
        file.write(heading(grammar))
        analysed(grammar).save(file)


if __name__ == "__main__":
    save(read_grammar())
