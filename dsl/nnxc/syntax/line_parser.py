"""Lines to nodes, by Lark; and how a line that fails could have gone on."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import lark
from lark.parsers.lalr_interactive_parser import InteractiveParser

from ..record import Record
from .grammar import LARK
from .hooks import BUILDER, Builder, as_lark
from .tokens import END, Token


class Failure(Record):
    """The token of a line that fits nowhere, and the kinds that fit there."""

    line: str
    tokens: tuple[Token, ...]
    index: int
    accepted: frozenset[str]

    def accepts(self, kind: str) -> bool:
        """Whether a token of this kind could have stood there."""
        return kind in self.accepted

    def ends_before(self, kind: str) -> int | None:
        """Where the first token of a kind stands before which the line was whole or empty."""
        read = self.tokens[: self.index + 1]
        places = [index for index, token in enumerate(read) if token.kind == kind]
        parser, fed = LARK.parse_interactive(start=self.line), 0
        for place in places:
            _feed(parser, read[fed:place])
            if place == 0 or _is_whole(parser):
                return place
            fed = place
        return None


def parse_line(line: str, tokens: Sequence[Token], builder: Builder) -> Any | Failure:
    """What the builder makes of the tokens (the last is END) of a kind of line, or where
    they fail. Raises what the builder raises."""
    before = BUILDER.set(builder)
    try:
        part: Any = LARK.parse(tokens[:-1], line)
        return part.value
    except lark.UnexpectedToken as error:
        wrong = error.token
    finally:
        BUILDER.reset(before)
    return _failure(line, tokens, wrong)


def _failure(line: str, tokens: Sequence[Token], wrong: lark.Token) -> Failure:
    """Parses again up to the wrong token. The parser that met it has made reductions in view of
    it, which hide what fits."""
    at_end = wrong.type == END
    places = (i for i, token in enumerate(tokens) if token.start == wrong.start_pos)
    index = len(tokens) - 1 if at_end else next(places)
    parser = LARK.parse_interactive(start=line)
    _feed(parser, tokens[:index])
    accepted = frozenset(parser.accepts())  # type: ignore[no-untyped-call]
    return Failure(line, tuple(tokens), index, accepted)


def _feed(parser: InteractiveParser, tokens: Iterable[Token]) -> None:
    for token in tokens:
        parser.feed_token(as_lark(token))


def _is_whole(parser: InteractiveParser) -> bool:
    """Whether the line could end here."""
    copy = parser.copy(deepcopy_values=False)  # type: ignore[no-untyped-call]
    try:
        copy.feed_eof()
    except lark.UnexpectedToken:
        return False
    return True
