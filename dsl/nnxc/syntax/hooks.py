"""What Lark calls as it parses a line: for the tokens, and at each rule that it finds.

Its saved form names the two classes, so that they know nothing of the grammar.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextvars import ContextVar
from functools import partial
from typing import Any, NamedTuple, Protocol

from lark import Token as Terminal
from lark.lexer import Lexer

from .tokens import Token


class Part(NamedTuple):
    """What a rule has made, the place of its text, and how deep values nest in it."""

    value: Any
    start: int
    end: int
    depth: int = 0


class Builder(Protocol):
    """What makes the nodes of a line."""

    def reduced(self, rule: str, parts: list[Any]) -> Part:
        """What a rule makes of its parts: others', terminals, None for what was left out."""


BUILDER: ContextVar[Builder | None] = ContextVar("BUILDER", default=None)
"""The present line's; without one nothing is made."""


class LineLexer(Lexer):
    """Lark's lexer: the tokens of a line are there already."""

    def __init__(self, conf: object) -> None: ...

    def lex(self, tokens: Iterable[Token]) -> Iterator[Terminal]:  # type: ignore[override]
        return map(terminal, tokens)


def terminal(token: Token) -> Terminal:
    """A token as Lark has it."""
    kind, text, start, end = token
    return Terminal(kind, text, start, None, None, None, None, end)


class Reductions:
    """Lark's transformer: gives each rule to the present builder."""

    def parentheses(self, parts: list[Any]) -> Part | None:
        """What stands inside, which takes up more room."""
        left, inner, right = parts
        return inner and inner._replace(start=left.start_pos, end=right.end_pos)

    def __getattr__(self, rule: str) -> Callable[[list[Any]], Part | None]:
        if not rule[0].islower():  # a list inside of another rule, a terminal
            raise AttributeError(rule)
        return partial(_reduced, rule)


def _reduced(rule: str, parts: list[Any]) -> Part | None:
    builder = BUILDER.get()
    return builder and builder.reduced(rule, parts)
