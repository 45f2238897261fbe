"""Characters and operators that specs do not have, and what was meant by them."""

from __future__ import annotations

import re

from ...diagnostics import Advice, Diagnostic, Fix, Label, write
from ...source import Source, Span
from ..tokens import Row
from . import braces, habits_weights

OPERATORS = {
    "&&": ("write `and`", "and"),
    "||": ("write `or`", "or"),
    "!": ("write `not`", "not "),
    "~": ("write `not`", "not "),
    "/=": ("write `x = x / y`", None),
    "//=": ("write `x = x // y`", None),
    "%=": ("write `x = x % y`", None),
    "**=": ("write `x = x ** y`", None),
    ":=": ("write `=`, on a line of its own", None),
    "=>": ("arrows are written `->`", "->"),
    "|>": ("arrows are written `->`", "->"),
    ">>": ("arrows are written `->`", "->"),
    "<>": ("write `!=`", "!="),
    "===": ("write `==`", "=="),
    "!==": ("write `!=`", "!="),
}
"""Operators of others: the help, and what stands in their place."""

_QUOTES = ('write plain quotes: `"..."`', '"')
_CHARACTERS = {
    ";": ("put each statement on a line of its own", None),
    "\\": (
        "lines continue inside brackets and before a line that begins with `->`",
        None,
    ),
    "{": ("blocks are made by indentation, lists by `[...]`", None),
    "}": ("blocks are made by indentation, lists by `[...]`", None),
    "?": ("a choice is written `a if condition else b`", None),
    "&": ("write `and`", "and"),
    "^": ("a power is written `**`", "**"),
    "\u00a0": ("this is a no-break space; write a plain one", " "),
    "\u00b2": ("a power is written `**`", "**2"),
    "\u00b3": ("a power is written `**`", "**3"),
    "\u221a": ("a root is written `sqrt(x)`", None),
    "\u03a3": ("a sum is written `sum(x, axis=-1)`", None),
    "\u2211": ("a sum is written `sum(x, axis=-1)`", None),
    "\u00b7": ("a product is written `*`", "*"),
    "\u00d7": ("a product is written `*`, a window `3x3`", "*"),
    "\u2018": _QUOTES,
    "\u2019": _QUOTES,
    "\u201c": _QUOTES,
    "\u201d": _QUOTES,
    "\u2013": ("this is a dash; write `-`", "-"),
    "\u2014": ("this is a dash; write `-`", "-"),
    "\u2192": ("arrows are written `->`", "->"),
    "\u200b": ("this is an invisible space: leave it out", ""),
    "\ufeff": ("this is an invisible space: leave it out", ""),
    "\u2026": ("write `...`", "..."),
    "\u21d2": ("arrows are written `->`", "->"),
    "\u27f6": ("arrows are written `->`", "->"),
    "\u3000": ("this is a wide space; write a plain one", " "),
    "\u00f7": ("a quotient is written `/`", "/"),
    "\u2217": ("a product is written `*`", "*"),
    "\u22c5": ("a product is written `*`", "*"),
    "\u03c0": ("write `pi`", "pi"),
    **{chr(0xFEE0 + ord(c)): (f"write a plain `{c}`", c) for c in "()[],:=+-*/<>."},
    "\u2212": ("this is a typographic minus; write `-`", "-"),
    "\u2264": ("write `<=`", "<="),
    "\u2265": ("write `>=`", ">="),
    "\u2260": ("write `!=`", "!="),
}
"""Characters that no word has, likewise."""


_ALIKE = dict(zip("асеорхуіѕАВСЕНКМОРТХ", "aceopxyisABCEHKMOPTX", strict=True))
"""Letters of another alphabet that look like Latin ones."""


def updated(source: Source, row: Row, operator: str, end: int) -> Fix | None:
    """`x = x / y` for `x /= y`."""
    tokens, text = row.tokens, source.text
    if len(tokens) != 1:
        return None
    if operator == ":=":
        return Fix(Span(source, end - len(operator), end), "=")
    stop = text.find("\n", end)
    written = text[end : stop if stop >= 0 else len(text)].partition("#")[0].rstrip()
    value = written.strip()
    value = value if value.replace(".", "").isalnum() else f"({value})"
    name = tokens[0].text
    place = Span(source, tokens[0].start, end + len(written))
    return Fix(place, f"{name} = {name} {operator[:-1]} {value}")


def unknown(source: Source, row: Row, start: int) -> Diagnostic:
    """N116, for the character at `start`, which no word has."""
    char = source.text[start]
    shown = f"`{char}`" if char.isprintable() else f"U+{ord(char):04X}"
    help, right = _meant(source, row, char)
    fix = _line_end(source, row, start) if right is None else _plain(source, start)
    transposed = re.compile(r"\^T\b").match(source.text, start)
    if transposed and row.tokens and row.tokens[-1].kind == "NAME":
        token, before = row.tokens[-1], row.tokens[-2:-1]
        place = Span(source, token.start, start + 2)
        text = f"swapaxes({token.text}, -1, -2)"
        if before and before[0].kind == "NAME":  # a product without a sign
            place = Span(source, before[0].start, place.end)
            text = f"matmul({before[0].text}, {text})"
        advice = write(place, text)
        help, fix = advice.get("help"), advice.get("fix")
    begins = {
        "{": _in_weights,
        "?": braces.optional,
        ";": braces.counted,
    }.get(char)
    if begins and (found := begins(source, start)):
        help, fix = found.get("help"), found.get("fix")
    label = Label(Span(source, start, start + 1))
    message = f"unknown character {shown}"
    return Diagnostic("N116", message, label, help=help, fix=fix)


def _in_weights(source: Source, start: int) -> Advice | None:
    """`fc[i] = layers.{i}.fc`, or what else a `{` begins."""
    begin = source.text.rfind("\n", 0, start) + 1
    stop = source.text.find("\n", start)
    line = Span(source, begin, stop if stop >= 0 else len(source.text))
    if habits_weights.in_weights(source, start):
        indent = len(line.text) - len(line.text.lstrip())
        return habits_weights.stored(source, Span(source, begin + indent, line.end))
    return braces.dictionary(source, start)


def _meant(source: Source, row: Row, char: str) -> tuple[str | None, str | None]:
    """The help, and what stands in the place of a character."""
    if char == "?" and row.tokens[-1:] and row.tokens[-1].text in "[,":
        return "an axis of any size has a name, such as `B`", None
    if char == "{" and source.text.startswith("weights", row.start):
        return "names of tensors stand in quotes", None
    if char in _CHARACTERS:
        return _CHARACTERS[char]
    if char in _ALIKE:
        plain = _ALIKE[char]
        return f"this is no Latin letter: write a plain `{plain}`", plain
    if char.isalpha():
        return "names are made of ASCII letters, digits and `_`", None
    return None, None


def _plain(source: Source, start: int) -> Fix:
    """Plain characters for all such that stand from here to the end of the line."""
    text = source.text
    stop = text.find("\n", start)
    line = text[start : stop if stop >= 0 else len(text)].partition(" #")[0]
    plain = {c: right for c, (_, right) in _CHARACTERS.items() if right is not None}
    plain |= _ALIKE
    last = max(at for at, char in enumerate(line) if char in plain)
    span = Span(source, start, start + last + 1)
    return Fix(span, "".join(plain.get(char, char) for char in span.text))


def _choice(source: Source, row: Row, start: int) -> Fix | None:
    """`y = a if condition else b` for `y = condition ? a : b`."""
    text = source.text
    stop = text.find("\n", start)
    line = Span(source, row.start, stop if stop >= 0 else len(text))
    parts = re.fullmatch(r"(.*(?: = |return ))(.+?) *\? *(.+?) *: *(.+)", line.text)
    if parts is None or "?" in parts[4]:
        return None
    start_, test, *sides = parts.groups()
    yes, no = (f"({side})" if "->" in side else side for side in sides)
    return Fix(line, f"{start_}{yes} if {test} else {no}")


def _line_end(source: Source, row: Row, start: int) -> Fix | None:
    """Where other languages end or continue a line by a character."""
    text, char = source.text, source.text[start]
    spaces = len(text) - start - 1 - len(text[start + 1 :].lstrip(" \t"))
    end = start + 1 + spaces
    ends = text[end : end + 1] in ("", "\n", "#")
    margin = "\n" + text[row.start : start][: row.indent]
    if char == "?":
        return _choice(source, row, start)
    if char == ";":
        place = Span(source, start, start + 1 if ends else end)
        return Fix(place, "" if ends else margin)
    if char == "\\" and text[end : end + 1] == "\n":
        below = text[end:].lstrip()
        if below.startswith("->"):
            begin = len(text[:start].rstrip())
            return Fix(Span(source, begin, end), "")
        return Fix(Span(source, start, len(text) - len(below)), "")
    return None
