"""Lines to nodes, by Lark; and what a line that fails could have gone on with."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import lark
from lark.parsers.lalr_interactive_parser import InteractiveParser

from ..record import Record
from .grammar import LARK
from .hooks import BUILDER, Builder, terminal
from .tokens import END, Token


class Failure(Record):
    """The token of a line that fits nowhere, and the kinds that would have fitted."""

    kind: str
    tokens: tuple[Token, ...]
    index: int
    accepted: frozenset[str]

    def accepts(self, kind: str) -> bool:
        """Whether a token of this kind could have stood there."""
        return kind in self.accepted

    def ends_before(self, kind: str) -> int | None:
        """Where the first token of a kind stands before which the line was whole."""
        parser = LARK.parse_interactive(start=self.kind)
        for index, token in enumerate(self.tokens[: self.index + 1]):
            if token.kind == kind and (index == 0 or _is_whole(parser)):
                return index
            if index < self.index:
                parser.feed_token(terminal(token))
        return None


def parse_line(kind: str, tokens: Sequence[Token], builder: Builder) -> Any | Failure:
    """What the builder makes of the tokens (the last is END), or where they fail.

    Raises what the builder raises.
    """
    outer = BUILDER.set(builder)
    try:
        return LARK.parse(tokens[:-1], kind).value  # type: ignore[arg-type, attr-defined]
    except lark.UnexpectedToken as error:
        wrong = error.token
    finally:
        BUILDER.reset(outer)
    return _failure(kind, tokens, wrong)


def _failure(kind: str, tokens: Sequence[Token], wrong: lark.Token) -> Failure:
    """Parses again up to the wrong token: with that in view, the parser has already
    reduced what others would have gone on with."""
    starts = [token.start for token in tokens]
    index = len(tokens) - 1 if wrong.type == END else starts.index(wrong.start_pos)
    parser = LARK.parse_interactive(start=kind)
    for token in tokens[:index]:
        parser.feed_token(terminal(token))
    return Failure(kind, tuple(tokens), index, frozenset(parser.accepts()))


def _is_whole(parser: InteractiveParser) -> bool:
    try:
        parser.copy(deepcopy_values=False).feed_eof()
    except lark.UnexpectedToken:
        return False
    return True
