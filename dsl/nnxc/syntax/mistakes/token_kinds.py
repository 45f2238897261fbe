"""Kinds of tokens that stand alike in a line."""

from __future__ import annotations

from ..grammar import LITERALS
from ..tokens import END

COMPARE = frozenset(("EQ", "NE", "LT", "LE", "GT", "GE"))
VALUES = frozenset(("INT", "FLOAT", "WINDOW", "STRING", "TRUE", "FALSE", "NONE"))
OPERANDS = VALUES | {"NAME", "LSQB"}
ENDS = frozenset((END, "RPAR", "RSQB", "COMMA", "COLON", "VBAR"))
OPERATORS = COMPARE | frozenset(
    ("PLUS", "MINUS", "STAR", "SLASH", "FLOOR", "PERCENT", "POWER", "AND", "OR", "IF")
) | frozenset(("ARROW", "AS", "DOT", "LPAR", "LSQB"))  # fmt: skip
SPELLING = {kind: text for text, kind in LITERALS.items()}
KINDS = {text: kind for text, kind in LITERALS.items() if text.isalpha()}
CONTINUES = (COMPARE | OPERATORS | {"COMMA", "ASSIGN", "VBAR"}) - {
    "AS",
    "IF",
    "LPAR",
    "LSQB",
    "ARROW",
}
"""What begins no line, and shows that it goes on with the one above."""
