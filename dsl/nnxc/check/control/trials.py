"""A pass over a body that may not count: all that it changes can be as it was."""

from __future__ import annotations

import copy
from dataclasses import fields
from typing import Any

from ...record import Record
from ..context import Context
from ..values import LayerInfo

# Of a definition: the kinds of parameters hold wherever they were found, and what a loop needs
# ahead of it is written there. The scope is the loop's own business, and who is told.
STAYS = frozenset({"sink", "scope", "params", "body", "functions", "signatures"})
# Of a layer: whatever reads it once will do so again.
READ = frozenset({"used"})


class Snapshot(Record):
    """Values by name, of a definition and of each of its layers."""

    own: dict[str, Any]
    layers: dict[str, tuple[LayerInfo, dict[str, Any]]]


def snapshot(ctx: Context) -> Snapshot:
    """All that checking a body may change, as it is now."""
    layers = {key: (info, _values(info, READ)) for key, info in ctx.layers.items()}
    return Snapshot(_values(ctx, STAYS), layers)


def restore(ctx: Context, before: Snapshot) -> None:
    """Let everything be as it was; layers stay the objects that names stand for."""
    _set(ctx, before.own)
    for info, values in before.layers.values():
        _set(info, values)


def _values(of: Any, but: frozenset[str]) -> dict[str, Any]:
    held = {f.name: getattr(of, f.name) for f in fields(of) if f.name not in but}
    return {
        name: copy.copy(value) if isinstance(value, dict | list | set) else value
        for name, value in held.items()
    }


def _set(of: Any, values: dict[str, Any]) -> None:
    for name, value in values.items():
        setattr(of, name, value)
