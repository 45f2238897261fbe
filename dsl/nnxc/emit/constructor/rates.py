"""Numbers between bounds that a constructor is given, such as rates: layers do not check them."""

from __future__ import annotations

import math

from ... import ir
from ...ops.base import Kind

Limits = tuple[float, float]


def own(definition: ir.Definition) -> dict[str, Limits]:
    """The parameters that have bounds, and are always numbers that keep to them."""
    return {
        p.name: p.bounds
        for p in definition.params
        if p.bounds and not p.optional and p.kind is not Kind.WINDOW
        if p.kind is Kind.NUMBER or not p.asked
    }


def within(least: ir.Static, most: ir.Static, bounds: Limits) -> ir.Static:
    """The condition that no value is out of bounds, given the least and the greatest."""
    low, high = map(ir.Literal, bounds)
    above = ir.StaticBinary(">=", least, low)
    if bounds[1] == math.inf:
        return above
    return ir.StaticBinary("and", above, ir.StaticBinary("<=", most, high))


def said(what: str, bounds: Limits) -> str:
    """What a broken bound is told as."""
    low, high = bounds
    if high == math.inf:
        return f"{what} must be at least {low}"
    return f"{what} must be between {low} and {high}"


def keeps(value: ir.Static, bounds: Limits, known: dict[str, Limits]) -> bool:
    """Whether a value is within bounds, wherever those of the names are `known`."""
    low, high = bounds
    match value:
        case ir.Literal(int() | float() as number):
            return low <= number <= high
        case ir.Ref(name) if name in known:
            return low <= known[name][0] and known[name][1] <= high
        case ir.StaticBinary("*", left, right) | ir.StaticBinary(
            "-", ir.Literal(1) as left, right
        ):
            return bounds == (0, 1) and all(
                keeps(v, bounds, known) for v in (left, right)
            )
    return False
