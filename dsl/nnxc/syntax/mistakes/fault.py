"""A line that no rule fits, and the places in it that explanations point at."""

from __future__ import annotations

from ...diagnostics import Advice, Diagnostic, Label
from ...record import Record
from ...source import Source, Span
from ..line_parser import Failure
from ..lines import Line
from ..tokens import END, Token

DECLARES = frozenset(("INPUT", "BATCH", "PARAM", "STATE"))


class Fault(Record):
    """A line, and where it fails."""

    source: Source
    line: Line
    failure: Failure
    body_end: int = 0  # of the lines below that are indented deeper

    @property
    def first(self) -> Token:
        return self.line.tokens[0]

    @property
    def token(self) -> Token:
        return self.line.tokens[self.failure.index]

    @property
    def kind(self) -> str:
        return self.token.kind

    @property
    def before(self) -> Token | None:
        index = self.failure.index
        return self.line.tokens[index - 1] if index else None

    @property
    def after(self) -> Token | None:
        tokens, index = self.line.tokens, self.failure.index
        return tokens[index + 1] if index + 1 < len(tokens) else None

    @property
    def inside(self) -> bool:
        """Whether a bracket is open."""
        kinds = [token.kind for token in self.line.tokens[: self.failure.index]]
        opened = kinds.count("LPAR") + kinds.count("LSQB")
        return opened > kinds.count("RPAR") + kinds.count("RSQB")

    def comes_after(self, *kinds: str) -> bool:
        return self.before is not None and self.before.kind in kinds

    def accepts(self, kind: str) -> bool:
        return self.failure.accepts(kind)

    def report(
        self,
        code: str,
        message: str,
        advice: str | Advice = "",
        *,
        at: Token | None = None,
        label: str = "",
    ) -> Diagnostic:
        span = self.span(at or self.token)
        more: Advice = {"help": advice} if isinstance(advice, str) else advice
        if not more.get("help"):
            more = {}
        return Diagnostic(code, message, Label(span, label), **more)

    def closed(self, index: int) -> int:
        """Where the bracket ends that the token of that index opens."""
        depth = 0
        for token in self.line.tokens[index:]:
            depth += (token.kind in ("LPAR", "LSQB")) - (token.kind in ("RPAR", "RSQB"))
            if depth == 0:
                return token.end
        return self.line.tokens[-1].end

    def rest(self, token: Token) -> Span:
        """From a token to the end of the line."""
        return Span(self.source, token.start, self.line.tokens[-1].end)

    @property
    def whole_line(self) -> Span:
        return line_span(self.source, self.line)

    def span(self, token: Token) -> Span:
        """The token's place; the end of a line is shown by its last character."""
        if token.kind == END:
            return Span(self.source, token.end, token.end)
        return Span(self.source, token.start, token.end)


def line_span(source: Source, line: Line) -> Span:
    """A line with its indentation and its end."""
    start = source.text.rfind("\n", 0, line.tokens[0].start) + 1
    end = source.text.find("\n", line.tokens[-1].end) + 1 or len(source.text)
    return Span(source, start, end)
