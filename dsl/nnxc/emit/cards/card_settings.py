"""What a card says of `config.json`: which keys are followed, and what others may be."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator

from ... import ir
from ..config_file import mentioned_keys
from ..signature import Signature
from .markdown import code


def followed(section: ir.Weights, model: Signature) -> list[tuple[str, ...]]:
    """Fields of the Config, and the keys that each is read from."""
    rows: list[tuple[str, ...]] = []
    for name, value in section.config:
        found = dict.fromkeys(_named(part) for part in _choices(value))
        rows.append((code(model.arguments[name]), ", else ".join(filter(None, found))))
    return [row for row in rows if row[-1]]


def _choices(value: ir.Recorded) -> Iterator[ir.Recorded]:
    """The values of which the first that is there counts."""
    match value:
        case ir.Computed("or", operands):
            for operand in operands:
                yield from _choices(operand)
        case _:
            yield value


def _named(value: ir.Recorded) -> str:
    return " and ".join(map(code, dict.fromkeys(mentioned_keys(value))))


def required(section: ir.Weights) -> list[tuple[str, ...]]:
    """Keys that nothing is read from, and what they may be."""
    return [
        (" or ".join(map(code, keys)), _listed(map(_allowed, values)))
        for keys, values in section.assumed
    ]


def _listed(texts: Iterable[str]) -> str:
    return " or ".join(dict.fromkeys(texts))


def _allowed(value: ir.Recorded) -> str:
    if mentioned_keys(value):
        return f"as follows from {_named(value)}"
    return code(json.dumps(_plain(value)))


def _plain(value: ir.Recorded) -> object:
    match value:
        case ir.Value(inner):
            return inner
        case ir.Computed(",", operands):
            return [_plain(operand) for operand in operands]
    return "a computed value"
