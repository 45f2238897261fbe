"""The weights that decay, by the ends of their names."""

from __future__ import annotations

from collections.abc import Sequence

from ... import ir
from ...ir.outline import ends_so, outline
from ..signature import Names
from .train_select import attribute_path


def decaying(
    program: ir.Program, model: str, goal: ir.Objective, names: Names
) -> Sequence[str]:
    """The ends of paths that a spec names, with the names of attributes; whole paths, where others
    would end so as well."""
    if not goal.decay:
        return ()
    root = names.signatures[model]
    weights = {
        path: ".".join(attribute_path(".".join(path), root, names))
        for path in outline(program.definition(model), program.definition).paths()
    }
    ends: dict[str, None] = {}
    for end in goal.decay:
        named = {w: a for w, a in weights.items() if ends_so(w, end)}
        size = end.count(".") + 1
        short = {".".join(a.split(".")[-size:]) for a in named.values()}
        others = (a for w, a in weights.items() if w not in named)
        exact = not any(ends_so((a,), s) for a in others for s in short)
        ends |= dict.fromkeys(sorted(short) if exact else named.values())
    return tuple(ends)
