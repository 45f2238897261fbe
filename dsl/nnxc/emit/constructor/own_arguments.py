"""What a model checks of its own arguments: conditions, and what is said where they fail."""

from __future__ import annotations

import math
from collections.abc import Sequence

from ... import ir
from . import rates


def sizes(names: Sequence[str], lists: Sequence[str]) -> tuple[ir.Static, str]:
    """Sizes, and lists of them, are at least 1: one check for all."""
    refs: list[ir.Static] = [*map(ir.Ref, names)]
    refs += [ir.StaticCall("*", (ir.Ref(name),)) for name in lists]
    if lists and len(names) < 2:
        refs.insert(0, ir.Literal(1))
    condition = ir.StaticBinary(">=", _of("min", refs), ir.Literal(1))
    return condition, "sizes must be at least 1"


def optional_size(name: str) -> tuple[ir.Static, str]:
    """A size that may be none is at least 1 otherwise."""
    absent = ir.StaticBinary("==", ir.Ref(name), ir.Literal(None))
    enough = ir.StaticBinary(">=", ir.Ref(name), ir.Literal(1))
    return ir.StaticBinary("or", absent, enough), f"{name} must be at least 1"


def numbers(names: Sequence[str], bounds: rates.Limits) -> tuple[ir.Static, str]:
    """Numbers lie between the same bounds: one check for all."""
    refs = [*map(ir.Ref, names)]
    condition = rates.within(_of("min", refs), _of("max", refs), bounds)
    what = "rates" if len(names) > 1 else names[0]
    if len(names) > 1 and bounds[1] == math.inf:
        what = f"{', '.join(names[:-1])} and {names[-1]}"
    return condition, rates.said(what, bounds)


def _of(function: str, values: Sequence[ir.Static]) -> ir.Static:
    """The least or largest."""
    return values[0] if len(values) == 1 else ir.StaticCall(function, tuple(values))
