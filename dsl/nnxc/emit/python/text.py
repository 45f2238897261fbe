"""Python text with its precedence, and literals as a person writes them."""

from __future__ import annotations

import math
import re
import textwrap
from collections.abc import Iterable, Sequence
from typing import Any

from ...record import Record

TERNARY, OR, AND, NOT, COMPARE, BITOR, BITAND, ADD, MULTIPLY, UNARY, POWER, ATOM = (
    range(12)
)
_WORDS = 62  # columns of a line of words
_SIMPLE_POWER = re.compile(r"-?[A-Za-z_][\w.]*|-?\d[\d_.]*")


class Text(Record):
    """An expression and how tightly its outermost operator binds."""

    text: str
    level: int = ATOM

    def at(self, level: int) -> str:
        """The text, in parentheses where it binds less tightly than `level`."""
        return self.text if self.level >= level else f"({self.text})"

    def __str__(self) -> str:
        return self.text


_LEVELS = {
    "or": OR, "and": AND, "|": BITOR, "&": BITAND, "+": ADD, "-": ADD,
    "*": MULTIPLY, "/": MULTIPLY, "//": MULTIPLY, "%": MULTIPLY,
}  # fmt: skip
COMPARISONS = ("==", "!=", "<", "<=", ">", ">=", "is", "is not", "in", "not in")


def binary(op: str, left: Text, right: Text) -> Text:
    """`left op right` with the parentheses that it needs."""
    if op in COMPARISONS:
        return Text(f"{left.at(BITOR)} {op} {right.at(BITOR)}", COMPARE)
    if op == "**":
        return _power(left.at(ATOM), right.at(UNARY))
    level = _LEVELS[op]
    grouped = level + (op not in ("and", "or"))  # these are the same in any grouping
    return Text(f"{left.at(level)} {op} {right.at(grouped)}", level)


def _power(base: str, exponent: str) -> Text:
    simple = _SIMPLE_POWER.fullmatch(base) and _SIMPLE_POWER.fullmatch(exponent)
    space = "" if simple else " "
    return Text(f"{base}{space}**{space}{exponent}", POWER)


def ternary(condition: Text, then: Text, orelse: Text) -> Text:
    """`then if condition else orelse`."""
    return Text(f"{then.at(OR)} if {condition.at(OR)} else {orelse.text}", TERNARY)


def opaque(text: str) -> Text:
    """Python text from a template, its precedence found by looking."""
    return Text(text, ATOM if is_atom(text) else TERNARY)


def is_atom(text: str) -> bool:
    """Whether `text` is one name, literal, call or subscript chain."""
    depth = 0
    for char in text:
        if char in "([{":
            depth += 1
        elif char in ")]}":
            depth -= 1
        elif depth == 0 and not (char.isalnum() or char in "_.\"'"):
            return False
    return True


def literal(value: Any) -> Text:
    """A number, string, bool, None or tuple of them."""
    match value:
        case None | bool():
            return Text(str(value))
        case int():
            return _signed(f"{value:_}" if abs(value) >= 100_000 else str(value))
        case math.pi:
            return Text("math.pi")
        case float():
            return _float(value)
        case str():
            return Text(quoted(value))
        case tuple() | list():
            return tuple_of([literal(v).text for v in value])
    raise TypeError(f"no literal: {value!r}")


def _signed(digits: str) -> Text:
    return Text(digits, UNARY if digits.startswith("-") else ATOM)


def _float(value: float) -> Text:
    if not math.isfinite(value):
        return Text(f'float("{value}")')
    plain = repr(value)
    large = abs(value) >= 1e5 and plain.endswith("000.0")
    if large or "e" in plain or plain.lstrip("-").startswith("0.00"):
        return _signed(_scientific(value))
    return _signed(plain)


def _scientific(value: float) -> str:
    """`6e-4`, `2.5e-3`, `1e9`: as few digits as tell the value."""
    for digits in range(17):
        text = f"{value:.{digits}e}"
        if float(text) == value:
            break
    mantissa, exponent = text.split("e")
    return f"{mantissa}e{int(exponent)}"


def quoted(value: str) -> str:
    """A string literal, in double quotes unless that needs more escapes."""
    text = repr(value)
    return f'"{text[1:-1]}"' if text[0] == "'" and '"' not in value else text


def formatted(parts: Iterable[str | Text]) -> str:
    """An f-string: texts as they are, and expressions whose values stand between them."""
    parts = [*parts]
    code = "".join(part.text for part in parts if isinstance(part, Text))
    quote = "'" if '"' in code else '"'
    return f"f{quote}{''.join(_formatted(part, quote) for part in parts)}{quote}"


def _formatted(part: str | Text, quote: str) -> str:
    if isinstance(part, Text):
        return f"{{{part.text}}}"
    escaped = "".join(f"\\{c}" if c == quote else repr(c)[1:-1] for c in part)
    return escaped.replace("{", "{{").replace("}", "}}")


def tuple_of(items: list[str]) -> Text:
    """`(a, b)`, `(a,)`, `()`."""
    return Text(f"({items[0]},)" if len(items) == 1 else f"({', '.join(items)})")


def alternatives(keys: Sequence[str]) -> str:
    """Keys that mean the same: words of one line, else a tuple."""
    short = len(" ".join(keys)) <= _WORDS
    return words(keys) if short else literal(tuple(keys)).text


def words(keys: Sequence[str], room: int = _WORDS) -> str:
    """Keys as one text of words, in lines if there is no room for it in one; a tuple where one
    is no word."""
    if any(key.split() != [key] for key in keys):
        return literal(tuple(keys)).text
    if len(" ".join(keys)) <= room:
        return quoted(" ".join(keys))
    wrapper = textwrap.TextWrapper(
        _WORDS, break_long_words=False, break_on_hyphens=False
    )
    lines = wrapper.wrap(" ".join(keys)) or [""]
    texts = [quoted(f"{line} ") for line in lines[:-1]]
    texts.append(quoted(lines[-1]))
    return f"({' '.join(texts)})" if len(texts) > 1 else texts[0]
