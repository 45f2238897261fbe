"""Drives the parser's tables over the tokens of one line."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

from ..record import Record
from ._tables import RULES, STARTS, STATES

END = "$END"
_ACCEPT = 0


class Token(NamedTuple):
    """A terminal with its spelling and place."""

    kind: str
    text: str
    start: int
    end: int


Builder = Callable[[list[Any], int, int], Any]


class Entry(NamedTuple):
    """What a symbol on the stack stands for: its value, place, and depth of nesting."""

    value: Any
    start: int
    end: int
    depth: int


class Failure(Record):
    """The token that fits nowhere, and the stack of states when the one before it was
    taken (reductions made in view of the wrong token would hide what fits)."""

    index: int
    states: tuple[int, ...]
    start: str = ""

    def accepts(self, kind: str) -> bool:
        """Whether a token of this kind could have stood there."""
        return _accepts(self.states, kind)

    def whole(self, tokens: Sequence[Token]) -> bool:
        """Whether these first tokens are a line by themselves."""
        return _accepts(_states_after(self.start, tokens), END)


class TooDeep(Exception):
    """Expressions are nested deeper than allowed; holds the range that is."""

    def __init__(self, start: int, end: int) -> None:
        self.start, self.end = start, end


def parse_tokens(
    start: str, tokens: Sequence[Token], build: Mapping[str, Builder], deepest: int
) -> Any | Failure:
    """The value that `build` makes of the tokens (the last is END), or where they fail.

    Raises TooDeep where values nest deeper than `deepest`.
    """
    states = [STARTS[start]]
    stack: list[Entry] = []
    for index, token in enumerate(tokens):
        kind = token.kind
        while True:
            action = STATES[states[-1]].get(kind)
            if action is None:
                return Failure(index, _states_after(start, tokens[:index]), start)
            if action > _ACCEPT:
                states.append(action)
                stack.append(Entry(token, token.start, token.end, 0))
                break
            if action == _ACCEPT:
                return stack[-1].value
            name, length, children, origin = RULES[~action]
            if name or length > 1:
                entry = _reduce(stack[-length:], name, children, build)
                if entry.depth > deepest:
                    raise TooDeep(entry.start, entry.end)
                stack[-length:] = [entry]
            del states[-length:]
            states.append(STATES[states[-1]][origin])
    raise AssertionError("tokens end with END")


def _reduce(
    parts: list[Entry], name: str, children: Sequence[int], build: Mapping[str, Builder]
) -> Entry:
    """What a rule makes of its parts; one without a name passes its children on."""
    start, end = parts[0].start, parts[-1].end
    values: list[Any] = []
    for child in children:
        value = parts[child].value if child >= 0 else None
        if type(value) is list:
            values = [*values, *value] if values else value
        else:
            values.append(value)
    if len(parts) == 1:
        return Entry(build[name](values, start, end), start, end, parts[0].depth)
    depth = max(part.depth for part in parts)
    if name:
        return Entry(build[name](values, start, end), start, end, depth + 1)
    return Entry(values[0] if len(values) == 1 else values, start, end, depth)


def _states_after(start: str, tokens: Sequence[Token]) -> tuple[int, ...]:
    states = [STARTS[start]]
    for token in tokens:
        state = _advance(states, token.kind)
        assert state is not None
        states.append(state)
    return tuple(states)


def _advance(states: list[int], kind: str) -> int | None:
    """Reduce for a token of this kind; the state after it, or None where it does not fit."""
    while True:
        action = STATES[states[-1]].get(kind)
        if action is None:
            return None
        if action >= _ACCEPT:
            return action
        _, length, _, origin = RULES[~action]
        del states[-length:]
        states.append(STATES[states[-1]][origin])


def _accepts(states: Sequence[int], kind: str) -> bool:
    return _advance(list(states), kind) is not None
