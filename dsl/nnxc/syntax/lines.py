"""Rows to lines: brackets matched, continuations joined, comments put in their places."""

from __future__ import annotations

from ..diagnostics import Diagnostic, Fix, Label, Sink
from ..record import Record
from ..source import Source, Span
from .grammar import LITERALS
from .tokens import END, RESERVED, Row, Token
from .tree import Trivia
from .words import HARD, KEYWORDS, WEIGHTS, WITHIN

MAX_NESTING = 100

SOFT = frozenset(kind for word, kind in KEYWORDS.items() if word not in HARD)
_CLOSES = {"RPAR": "LPAR", "RSQB": "LSQB"}
_CLOSING = {"LPAR": ")", "LSQB": "]"}
_OPERANDS = frozenset(("NAME", "INT", "FLOAT", "WINDOW", "STRING", RESERVED))
_BEFORE_NAME = ("ASSIGN", "COMMA", "FROM")
_AFTER_NAME = (
    frozenset(kind for text, kind in LITERALS.items() if not text.isalpha())
    | {"AND", "AS", "IF", "OR"}
) - {"COLON"}


_STARRED = [[star, "NAME", "COLON"] for star in ("STAR", "POWER")]
"""What follows `input` where several are meant, as in Python: `input *xs: [B, d]`."""


class Break(Record):
    """A line end before `->`: the comment at it, and those on lines of their own."""

    comment: str | None = None
    above: tuple[str, ...] = ()


NO_BREAK = Break()


class Line:
    """A logical line; its last token is END. For the flags see `Row`."""

    __slots__ = (
        *("breaks", "broken", "indent", "opaque", "tabs", "told", "tokens", "trivia"),
    )

    def __init__(self, state: _Open, trivia: Trivia) -> None:
        self.indent, self.tabs = state.first.indent, state.first.tabs
        self.tokens, self.breaks = state.tokens, state.breaks
        self.opaque = state.opaque or state.fault is not None
        self.broken = state.broken
        self.told = False  # its indentation was reported, so nothing else is
        self.trivia = trivia

    @property
    def opens(self) -> bool:
        """Whether a body belongs below; a rule for weights ends with its string instead, a train
        that is as another with a file."""
        from_file = self.word == "train" and any(t.kind == "FROM" for t in self.tokens)
        last = self.tokens[-2].kind
        return last == "COLON" if from_file else last != "STRING"

    @property
    def seems_weights(self) -> bool:
        """Whether it looks like a line of `weights`."""
        *_, before, last, _ = (None, None, *self.tokens)
        named = (
            last and before and last.kind == "STRING" and before.kind in _BEFORE_NAME
        )
        return self.word in WEIGHTS or (bool(named) and self.word != "require")

    def begin_with_keyword(self) -> None:
        """At the top level such a word is no name, whatever follows."""
        first = self.tokens[0]
        self.tokens[0] = first._replace(kind=KEYWORDS.get(first.text, first.kind))
        _settle_inner(self.tokens, WITHIN.get(first.text, ()))

    @property
    def word(self) -> str:
        """The first token as written."""
        return self.tokens[0].text


def join(
    source: Source, rows: list[Row], sink: Sink
) -> tuple[list[Line], tuple[str, ...]]:
    """All lines, and the comments after the last. Reports N110, N111, N117."""
    return _Joiner(source, rows, sink).lines()


class _Open:
    """A line while it is being joined."""

    def __init__(self, first: Row) -> None:
        self.first = first
        self.tokens: list[Token] = []
        self.brackets: list[Token] = []
        self.hoisted: list[str] = []
        self.breaks: dict[int, Break] = {}
        self.fault: Diagnostic | None = None
        self.opaque = self.broken = False


class _Joiner:
    def __init__(self, source: Source, rows: list[Row], sink: Sink) -> None:
        self.source, self.rows, self.sink = source, rows, sink
        self.at = 0
        self.careful = False

    def lines(self) -> tuple[list[Line], tuple[str, ...]]:
        lines: list[Line] = []
        above: list[str] = []
        blank = False
        while self.at < len(self.rows):
            row = self.rows[self.at]
            if row.tokens or row.opaque:
                lines.append(self.line(above, blank))
                above, blank = [], False
                continue
            self.at += 1
            if row.comment:
                above.append(row.comment)
            elif not above:
                blank = True
            elif above[-1]:
                above.append("")
        while above and not above[-1]:
            above.pop()
        return lines, tuple(above)

    def line(self, above: list[str], blank: bool) -> Line:
        """Join the rows from the present one on.

        A bracket that stays open to the end of the text is taken for one forgotten:
        from then on a line ends where the next seems to begin.
        """
        start = self.at
        state = self.gather()
        if state.brackets and not self.careful:
            self.careful, self.at = True, start
            state = self.gather()
        if state.brackets:
            self.unclosed(state)
        if state.fault:
            self.sink.add(state.fault)
        tokens, last = state.tokens, self.rows[self.at - 1]
        end = tokens[-1].end if tokens else last.start
        _settle_first(tokens)
        if tokens and tokens[0].kind in SOFT:
            _settle_inner(tokens, WITHIN.get(tokens[0].text, ()))
        tokens.append(Token(END, "", end, end))
        trivia = Trivia((*above, *state.hoisted), blank, last.comment)
        return Line(state, trivia)

    def gather(self) -> _Open:
        state = _Open(self.rows[self.at])
        while True:
            row = self.rows[self.at]
            self.take(row, state)
            self.at += 1
            if not state.brackets:
                if not self.reaches_arrow(state, row.comment):
                    return state
            elif self.at == len(self.rows) or self.leaves(state, self.rows[self.at]):
                return state
            elif row.comment:
                state.hoisted.append(row.comment)

    def take(self, row: Row, state: _Open) -> None:
        outside = len(state.brackets)
        for index, token in enumerate(row.tokens):
            if token.kind in _CLOSES.values():
                state.brackets.append(token)
                if len(state.brackets) == MAX_NESTING + 1:
                    help = "name a part of it on a line of its own"
                    message = "brackets are nested too deeply"
                    self.fault(state, "N117", message, token, help)
            elif token.kind in _CLOSES:
                self.close(state, token, row.tokens[index + 1 : index + 2])
            elif index == 0 and state.tokens and token.text not in HARD:
                token = _plain(token)
            state.tokens.append(token)
        if row.swallowed:
            del state.brackets[outside:]
        state.opaque |= row.opaque
        state.broken |= row.broken

    def close(self, state: _Open, token: Token, follows: list[Token]) -> None:
        """Match a closing bracket with the nearest that it fits. One that fits none is taken
        for another that was meant, or for one too many where the text goes on at once.
        """
        wanted = _CLOSES[token.kind]
        while state.brackets:
            opening = state.brackets.pop()
            if opening.kind == wanted:
                return
            if any(bracket.kind == wanted for bracket in state.brackets):
                self.never_closed(state, opening)
                continue
            label = Label(self.span(opening), "opened here")
            message = f"`{token.text}` does not close `{opening.text}`"
            right = _CLOSING[opening.kind]
            fix = Fix(self.span(token), right)
            self.fault(
                state, "N111", message, token, f"write `{right}`", label, fix=fix
            )
            if follows and follows[0].kind in (*_OPERANDS, "ASSIGN"):
                state.brackets.append(opening)
            return
        help = "remove it, or open it before"
        text, fix = f"`{token.text}` closes nothing", Fix(self.span(token), "")
        self.fault(state, "N111", text, token, help, fix=fix)

    def unclosed(self, state: _Open) -> None:
        *others, last = state.brackets
        labels = (Label(self.span(token), "nor is this") for token in others)
        self.never_closed(state, last, *labels)

    def never_closed(self, state: _Open, token: Token, *related: Label) -> None:
        message = f"`{token.text}` is never closed"
        closing = _CLOSING[token.kind]
        fix = None
        if state.tokens and not related:
            last = state.tokens[-1]
            end = last.start if last.kind == "COLON" else last.end
            end = self.before_arrow(state, token) or end
            fix = Fix(Span(self.source, end, end), closing)
        self.fault(
            state,
            "N110",
            message,
            token,
            f"close it with `{closing}`",
            *related,
            fix=fix,
        )

    def before_arrow(self, state: _Open, token: Token) -> int | None:
        """Where `x -> Linear(16 -> relu` lacks its bracket: what is constructed takes no arrow."""
        at = state.tokens.index(token)
        made = state.tokens[at - 1] if at else token
        if made.kind != "NAME" or not made.text[:1].isupper() or at < 2:
            return None
        if state.tokens[at - 2].kind != "ARROW":
            return None
        rest = state.tokens[at:]
        arrow = next((i for i, t in enumerate(rest) if t.kind == "ARROW"), None)
        return rest[arrow - 1].end if arrow else None

    def fault(
        self,
        state: _Open,
        code: str,
        message: str,
        token: Token,
        help: str,
        *related: Label,
        fix: Fix | None = None,
    ) -> None:
        """Keep the first fault of a line; others tend to follow from it."""
        if state.fault is None:
            at = Label(self.span(token))
            state.fault = Diagnostic(code, message, at, related, help, fix)

    def span(self, token: Token) -> Span:
        return Span(self.source, token.start, token.end)

    def reaches_arrow(self, state: _Open, comment: str | None) -> bool:
        """Move to the next row with tokens if it continues this line."""
        above: list[str] = []
        for at in range(self.at, len(self.rows)):
            row = self.rows[at]
            if row.tokens and row.tokens[0].kind == "ARROW":
                arrow = row.tokens[0]
                state.breaks[arrow.start] = Break(comment, tuple(above))
                self.at = at
                return True
            if row.tokens or row.opaque:
                return False
            if row.comment:
                above.append(row.comment)
        return False

    def leaves(self, state: _Open, row: Row) -> bool:
        """Whether a row begins a new line although brackets are open."""
        if not row.tokens:
            return False
        if _begins_line(row.tokens):
            return True
        if not self.careful or row.tokens[0].kind in (*_CLOSES, "ARROW"):
            return False
        return row.indent <= state.first.indent or state.tokens[-1].kind == "COLON"


def _begins_line(tokens: list[Token]) -> bool:
    first = tokens[0]
    if first.text in ("return", "require"):
        return True
    follows = tokens[1].kind if len(tokens) > 1 else END
    return first.kind in SOFT and follows in _OPERANDS


def _settle_first(tokens: list[Token]) -> None:
    """A word that may begin a line is a name where an operator follows it."""
    starred = [t.kind for t in tokens[1:4]] in _STARRED
    if tokens and tokens[0].kind in ("INPUT", "BATCH") and starred:
        return
    if len(tokens) > 1 and tokens[0].kind in SOFT and tokens[1].kind in _AFTER_NAME:
        tokens[0] = _plain(tokens[0])


def _settle_inner(tokens: list[Token], words: tuple[str, ...]) -> None:
    """Some lines have keywords of their own, which are names on the left of `=`."""
    depth = 0
    follows = (*(token.kind for token in tokens[1:]), END)
    for i, token in enumerate(tokens):
        depth += (token.kind in _CLOSING) - (token.kind in _CLOSES)
        named = follows[i] in ("ASSIGN", "COMMA")
        if depth == 0 and token.text in words and not named:
            tokens[i] = token._replace(kind=KEYWORDS[token.text])


def _plain(token: Token) -> Token:
    return token._replace(kind="NAME") if token.kind in SOFT else token
