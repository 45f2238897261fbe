"""Text to rows: the tokens of each physical line, with mistakes in them reported.

The spellings come from the grammar; the expressions here are wider, so that what is
nearly a number or a string is named as such.
"""

from __future__ import annotations

import re

from ..diagnostics import Fix, Sink, meant, rename, write
from ..source import Source, Span
from .grammar import LITERALS, pattern
from .tokens import Token
from .words import CONSTANTS, HARD, INNER, KEYWORDS, PYTHON

RESERVED = "RESERVED"
"""The kind of a word of Python; no rule takes it."""

MAX_DIGITS = 300
TAB = 4

_OPERATORS = sorted((t for t in LITERALS if t not in KEYWORDS), key=len, reverse=True)
_FOREIGN = {
    "&&": ("write `and`", "and"),
    "||": ("write `or`", "or"),
    "!": ("write `not`", "not "),
    "~": ("write `not`", "not "),
    "/=": ("write `x = x / y`", None),
    "//=": ("write `x = x // y`", None),
    "%=": ("write `x = x % y`", None),
    "**=": ("write `x = x ** y`", None),
    ":=": ("write the assignment on a line of its own", None),
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


def _either(words: list[str]) -> str:
    return "|".join(re.escape(word) for word in words)


_SCANNER = re.compile(
    "|".join(
        (
            r"(?P<space>[ \t\r]+)",
            r"(?P<self>self\.(?=[A-Za-z_]))",
            r"(?P<word>[A-Za-z_]\w*)",
            r"(?P<number>(?:\d|\.\d)(?:[eE][+-](?=\d)|\w|\.(?!\.))*)",
            r"(?P<docstring>\"\"\"[^\0]*?\"\"\"|'''[^\0]*?''')",
            r"(?P<string>\"(?:[^\"\\\n]|\\[^\n])*\"|'(?:[^'\\\n]|\\[^\n])*')",
            r"(?P<open_string>[\"'][^\n]*)",
            r"(?P<comment>\#[^\n]*)",
            r"(?P<newline>\n)",
            r"(?P<foreign>&&|\|\||\|>|>>|===|!==|//=|/=|%=|\*\*=|:=|=>|<>|!(?!=)|~)",
            f"(?P<operator>{_either(_OPERATORS)})",
            r"(?P<null>\0+)",
            r"(?P<unknown>[^\x00-\x7f]+|.)",
        )
    ),
    re.ASCII,
)
_KINDS = {kind: re.compile(pattern(kind)) for kind in ("INT", "FLOAT", "WINDOW")}
_TABS = re.compile(r"(?m)^[ \t]+")
_ESCAPE = re.compile(r"\\(.)", re.DOTALL)
ESCAPES = {"n": "\n", "t": "\t", "r": "\r", "\\": "\\", '"': '"', "'": "'"}


class Row:
    """A physical line. `opaque`: not to be parsed; `broken`: parsed, then dropped;
    `swallowed`: an unterminated string ate its end; `tabs`: its indentation has some.
    """

    def __init__(self, start: int) -> None:
        self.start = start
        self.indent = 0
        self.tokens: list[Token] = []
        self.comment: str | None = None
        self.opaque = self.broken = self.swallowed = self.tabs = False
        self.measured = False


def scan(source: Source, sink: Sink) -> list[Row]:
    """All rows of a text. Reports N104, N106, N112 to N116, N123, N138."""
    return _Scanner(source, sink).rows()


def unescape(literal: str) -> str:
    """The value of a string literal; an unknown escape stands for itself."""
    return _ESCAPE.sub(lambda m: ESCAPES.get(m[1], m[0]), literal[1:-1])


class _Scanner:
    def __init__(self, source: Source, sink: Sink) -> None:
        self.source, self.sink = source, sink
        self.row = Row(0)
        self.tabs = self.has_self = False

    def rows(self) -> list[Row]:
        rows = [self.row]
        self.null_byte()
        bom = len(self.source.text) - len(self.source.text.removeprefix("\ufeff"))
        for match in _SCANNER.finditer(self.source.text, bom):
            kind, text = match.lastgroup, match.group()
            if kind == "space":
                continue
            if kind == "newline":
                self.row = Row(match.end())
                rows.append(self.row)
            elif kind == "docstring":
                self.docstring(text, match.start(), match.end())
            elif kind == "self":
                if not self.row.tokens:
                    self.measure(match.start())
                self.without_self(match.start())
            elif kind == "comment":
                self.row.comment = text.rstrip()
            else:
                if not (self.row.tokens or self.row.opaque or self.row.measured):
                    self.measure(match.start())
                self.token(kind, text, match.start(), match.end())
        return rows

    def measure(self, first: int) -> None:
        """Set the indentation of the row whose first token is at `first`."""
        lead = self.source.text[self.row.start : first].removeprefix("\ufeff")
        self.row.measured = True
        self.row.indent = len(lead.expandtabs(TAB))
        self.row.tabs = "\t" in lead
        if self.row.tabs and not self.tabs:
            self.sink.error(
                "N106",
                "tab in indentation",
                Span(self.source, self.row.start, first),
                help="indent with four spaces",
                fix=self.without_tabs(),
            )
        self.tabs = self.row.tabs

    def without_tabs(self) -> Fix:
        """Spaces in all indentation from here on."""
        span = Span(self.source, self.row.start, len(self.source.text))
        text = _TABS.sub(lambda m: m[0].expandtabs(TAB), span.text)
        return Fix(span, text)

    def token(self, group: str | None, text: str, start: int, end: int) -> None:
        match group:
            case "word":
                kind = self.word(text, start, end)
            case "operator":
                kind = LITERALS[text]
            case "number":
                kind = self.number(text, start, end)
            case "string":
                self.string(text, start)
                kind = "STRING"
            case _:
                self.unknown(group, text, start, end)
                self.row.opaque = True
                return
        self.row.tokens.append(Token(kind, text, start, end))

    def word(self, text: str, start: int, end: int) -> str:
        if text in PYTHON:
            return RESERVED
        if text in CONSTANTS:
            right = CONSTANTS[text]
            span = Span(self.source, start, end)
            self.sink.error(
                "N123",
                f"`{text}` is Python's spelling",
                span,
                **meant(span, right),
            )
            return KEYWORDS[right]
        if text in HARD or not (self.row.tokens or text in INNER):
            return KEYWORDS.get(text, "NAME")
        return "NAME"

    def number(self, text: str, start: int, end: int) -> str:
        for kind in ("INT", "FLOAT", "WINDOW"):
            if _KINDS[kind].fullmatch(text):
                if _too_large(kind, text):
                    self.fault("N115", "number too large", start, end)
                return kind
        help = _repair(text)
        said = re.fullmatch(r"did you mean `(.*)`\?", help)
        fix = Fix(Span(self.source, start, end), said[1]) if said else None
        self.fault("N114", "malformed number", start, end, help, fix)
        return "INT"

    def string(self, text: str, start: int) -> None:
        for escape in _ESCAPE.finditer(text, 1, len(text) - 1):
            if escape[1] not in ESCAPES:
                at = start + escape.start()
                self.sink.error(
                    "N113",
                    f"unknown escape `{escape[0]}`",
                    Span(self.source, at, at + 2),
                    help="known are " + ", ".join(f"`\\{c}`" for c in ESCAPES),
                    fix=Fix(Span(self.source, at, at + 1), "\\\\"),
                )

    def fault(
        self,
        code: str,
        message: str,
        start: int,
        end: int,
        help: str | None = None,
        fix: Fix | None = None,
    ) -> None:
        self.row.broken = True
        span = Span(self.source, start, end)
        self.sink.error(code, message, span, help=help, fix=fix)

    def unknown(self, group: str | None, text: str, start: int, end: int) -> None:
        match group:
            case "open_string":
                self.row.swallowed = True
                help = f"end it on this line with {text[0]}"
                fix = self.closed(text, start)
                self.fault("N112", "unterminated string", start, end, help, fix)
            case "null":
                self.row.broken = True
            case "foreign":
                message = f"`{text}` is no operator here"
                help, right = _FOREIGN[text]
                self.row.broken = True
                span = Span(self.source, start, end)
                fix = Fix(span, right) if right else self.updated(text, start, end)
                self.sink.error("N138", message, span, help=help, fix=fix)
            case _ if not self.row.opaque:
                self.unknown_character(text[0], start)

    def closed(self, text: str, start: int) -> Fix | None:
        """The quote that a string lacks, before what ends a line behind it."""
        inside = text[1:].partition(" #")[0].rstrip()
        kept = inside.rstrip(":,)]")
        end = start + 1 + len(kept)
        other = {"'": '"', '"': "'"}[text[0]]
        if kept.endswith(other):
            return Fix(Span(self.source, end - 1, end), text[0])
        return Fix(Span(self.source, end, end), text[0]) if kept else None

    def updated(self, operator: str, start: int, end: int) -> Fix | None:
        """`x = x / y` for `x /= y`."""
        tokens, text = self.row.tokens, self.source.text
        if len(tokens) != 1 or operator == ":=":
            return None
        stop = text.find("\n", end)
        stop = len(text) if stop < 0 else stop
        value = text[end:stop].partition("#")[0].strip()
        value = value if value.replace(".", "").isalnum() else f"({value})"
        name = tokens[0].text
        place = Span(
            self.source,
            tokens[0].start,
            end + len(text[end:stop].partition("#")[0].rstrip()),
        )
        return Fix(place, f"{name} = {name} {operator[:-1]} {value}")

    def docstring(self, text: str, start: int, end: int) -> None:
        """A docstring is read as the comment that it should be."""
        lines = [line.strip() for line in text[3:-3].strip().split("\n")]
        margin = " " * (start - self.source.text.rfind("\n", 0, start) - 1)
        comment = f"\n{margin}".join(f"# {line}".rstrip() for line in lines)
        span = Span(self.source, start, end)
        advice = write(span, comment, "comments begin with `#`")
        self.sink.error("N122", "a docstring is Python", span, **advice)

    def without_self(self, start: int) -> None:
        """`self.` is passed over, and told once."""
        span = Span(self.source, start, start + 4)
        if self.has_self:
            return
        self.has_self = True
        fix = rename(self.source, "self.", "")
        help = "names stand by themselves: leave out `self.`"
        self.sink.error("N122", "`self` is Python", span, help=help, fix=fix)

    def null_byte(self) -> None:
        """Report the first; a file that has one tends to have many."""
        at = self.source.text.find("\0")
        if at >= 0:
            span = Span(self.source, at, at + 1)
            help = "is this a text file, in UTF-8?"
            self.sink.error("N104", "null byte in the text", span, help=help)

    def unknown_character(self, char: str, start: int) -> None:
        shown = f"`{char}`" if char.isprintable() else f"U+{ord(char):04X}"
        help, right = _CHARACTERS.get(char, (None, None))
        if char == "?" and self.row.tokens[-1:] and self.row.tokens[-1].text in "[,":
            help = "an axis of any size has a name, such as `B`"
        if char == "{" and self.source.text.startswith("weights", self.row.start):
            help = "names of tensors stand in quotes"
        if help is None and char in _ALIKE:
            plain = _ALIKE[char]
            help, right = f"this is no Latin letter: write a plain `{plain}`", plain
        if help is None and char.isalpha():
            help = "names are made of ASCII letters, digits and `_`"
        span = Span(self.source, start, start + 1)
        fix = self.line_end(char, start) if right is None else self.plain(start)
        self.row.broken = True
        self.sink.error("N116", f"unknown character {shown}", span, help=help, fix=fix)

    def plain(self, start: int) -> Fix:
        """Plain characters for all such that stand from here to the end of the line."""
        text = self.source.text
        stop = text.find("\n", start)
        line = text[start : stop if stop >= 0 else len(text)].partition(" #")[0]
        plain = {c: right for c, (_, right) in _CHARACTERS.items() if right is not None}
        plain |= _ALIKE
        last = max(at for at, char in enumerate(line) if char in plain)
        span = Span(self.source, start, start + last + 1)
        return Fix(span, "".join(plain.get(char, char) for char in span.text))

    def choice(self, start: int) -> Fix | None:
        """`y = a if condition else b` for `y = condition ? a : b`."""
        text = self.source.text
        stop = text.find("\n", start)
        line = Span(self.source, self.row.start, stop if stop >= 0 else len(text))
        parts = re.fullmatch(r"(.*(?: = |return ))(.+?) *\? *(.+?) *: *(.+)", line.text)
        if parts is None or "?" in parts[4]:
            return None
        start_, test, *sides = parts.groups()
        yes, no = (f"({side})" if "->" in side else side for side in sides)
        return Fix(line, f"{start_}{yes} if {test} else {no}")

    def line_end(self, char: str, start: int) -> Fix | None:
        """Where other languages end or continue a line by a character."""
        text = self.source.text
        spaces = len(text) - start - 1 - len(text[start + 1 :].lstrip(" \t"))
        end = start + 1 + spaces
        ends = text[end : end + 1] in ("", "\n", "#")
        margin = "\n" + text[self.row.start : start][: self.row.indent]
        if char == "?":
            return self.choice(start)
        if char == ";":
            place = Span(self.source, start, start + 1 if ends else end)
            return Fix(place, "" if ends else margin)
        if char == "\\" and text[end : end + 1] == "\n":
            below = text[end:].lstrip()
            if below.startswith("->"):
                begin = len(text[:start].rstrip())
                return Fix(Span(self.source, begin, end), "")
            return Fix(Span(self.source, start, len(text) - len(below)), "")
        return None


def _too_large(kind: str, text: str) -> bool:
    if kind == "FLOAT":
        return float(text.replace("_", "")) == float("inf")
    return any(len(part.replace("_", "")) > MAX_DIGITS for part in text.split("x"))


def _repair(text: str) -> str:
    """What to write instead of a malformed number."""
    plain = re.sub("[xX]+", "x", re.sub("_+", "_", text)).strip("_x")
    if re.fullmatch(r"0[0-9_]*[0-9]", plain):
        plain = plain.lstrip("0_") or "0"
    elif plain.endswith("."):
        plain += "0"
    for kind in ("INT", "FLOAT", "WINDOW"):
        if plain != text and _KINDS[kind].fullmatch(plain):
            return f"did you mean `{plain}`?"
    if text[0] == "0" and text[1:2] in "xXbBoO":
        return "numbers are decimal"
    if re.fullmatch(r"\d+(x\w+)+", text):
        return "a window has fixed sizes; write `[...]` for others"
    return "numbers are written `1_000`, `0.5`, `1e-3`, windows `3x3`"
