"""Text to rows: the tokens of each physical line, with mistakes in them reported.

The spellings come from the grammar; the expressions here are wider, so that what is
nearly a number or a string is named as such.
"""

from __future__ import annotations

import re

from ..diagnostics import Advice, Fix, Sink, meant, rename, write
from ..source import Source, Span
from .grammar import LITERALS, pattern
from .mistakes.characters import OPERATORS, unknown, updated
from .mistakes.foreign.repeats import many
from .tokens import RESERVED, Row, Token
from .words import CONSTANTS, HARD, INNER, KEYWORDS, PYTHON

MAX_DIGITS = 300
TAB = 4

_OPERATORS = sorted((t for t in LITERALS if t not in KEYWORDS), key=len, reverse=True)


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
        if thousands := _thousands(self.source, self.row, text, end):
            self.fault("N114", "malformed number", start, end, **thousands)
            return "INT"
        if (
            text[-1] in "xX"
            and text[:-1].isdigit()
            and (layer := many(self.source.text, end))
        ):
            stop, made = layer
            advice = write(Span(self.source, start, stop), f"{made} * {text[:-1]}")
            self.row.opaque = True
            self.fault("N114", "malformed number", start, end, **advice)
            return "INT"
        help = _product(self.source, self.row, text) or _repair(text)
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
                help, right = OPERATORS[text]
                self.row.broken = True
                span = Span(self.source, start, end)
                fix = (
                    Fix(span, right)
                    if right
                    else updated(self.source, self.row, text, end)
                )
                self.sink.error("N138", message, span, help=help, fix=fix)
            case _ if not self.row.opaque:
                self.row.broken = True
                self.sink.add(unknown(self.source, self.row, start))

    def closed(self, text: str, start: int) -> Fix | None:
        """The quote that a string lacks, before what ends a line behind it."""
        inside = text[1:].partition(" #")[0].rstrip()
        kept = inside.rstrip(":,)]")
        end = start + 1 + len(kept)
        other = {"'": '"', '"': "'"}[text[0]]
        if kept.endswith(other):
            return Fix(Span(self.source, end - 1, end), text[0])
        return Fix(Span(self.source, end, end), text[0]) if kept else None

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


def _too_large(kind: str, text: str) -> bool:
    if kind == "FLOAT":
        return float(text.replace("_", "")) == float("inf")
    return any(len(part.replace("_", "")) > MAX_DIGITS for part in text.split("x"))


def _thousands(source: Source, row: Row, text: str, end: int) -> Advice | None:
    """`1,000`."""
    *_, number, comma = (None, None, *row.tokens)
    if number is None or comma is None or not re.fullmatch(r"0\d\d", text):
        return None
    joined = number.end == comma.start and comma.end == end - len(text)
    if number.kind != "INT" or comma.kind != "COMMA" or not joined:
        return None
    return write(Span(source, number.start, end), f"{number.text}_{text}")


def _product(source: Source, row: Row, text: str) -> str | None:
    """`2x`, where `x` is a name."""
    parts = re.fullmatch(r"(\d+(?:\.\d+)?)([A-Za-z_]\w*)", text)
    after = row.tokens[-1].kind if row.tokens else ""
    if parts is None or after == "COMMA":
        return None
    named = re.search(
        rf"(?<![\w.]){parts[2]} *[:=]|[\[,] *{parts[2]} *[,\]]", source.text
    )
    return f"did you mean `{parts[1]} * {parts[2]}`?" if named else None


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
