"""What Lark calls as it parses a line: for the tokens, and at each rule that it finds.

The saved grammar names the two classes, so that they know nothing of it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextvars import ContextVar
from functools import partial
from typing import Any, NamedTuple, Protocol

import lark
from lark.lexer import Lexer

from .tokens import Token


class Part(NamedTuple):
    """What a rule has made, the place of its text, and how deep values nest in it."""

    value: Any
    start: int
    end: int
    depth: int


class Builder(Protocol):
    """What makes the nodes of a line."""

    def reduced(self, rule: str, parts: list[Any]) -> Part:
        """What a rule makes of its parts: those of other rules, Lark's tokens, and None for
        what was left out."""


BUILDER: ContextVar[Builder | None] = ContextVar("BUILDER", default=None)
"""That of the present line; without one nothing is made."""


class LineLexer(Lexer):
    """Lark's lexer: our own has found the tokens of the line."""

    def __init__(self, conf: object) -> None: ...

    def lex(self, tokens: Iterable[Token]) -> Iterator[lark.Token]:  # type: ignore[override]
        return map(as_lark, tokens)


def as_lark(token: Token) -> lark.Token:
    """A token as Lark has it."""
    kind, text, start, end = token
    return lark.Token(kind, text, start, None, None, None, None, end)


class Reductions:
    """Lark's transformer: gives each rule to the present builder."""

    def parentheses(self, parts: list[Any]) -> Part | None:
        """What stands inside, which takes up more room."""
        inner: Part | None
        left, inner, right = parts
        return inner and inner._replace(start=left.start_pos, end=right.end_pos)

    def __getattr__(self, rule: str) -> Callable[[list[Any]], Part | None]:
        if not rule[0].islower():  # a terminal, or a list within another rule
            raise AttributeError(rule)
        return partial(_reduced, rule)


def _reduced(rule: str, parts: list[Any]) -> Part | None:
    builder = BUILDER.get()
    return builder.reduced(rule, parts) if builder else None
