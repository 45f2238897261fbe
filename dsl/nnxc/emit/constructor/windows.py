"""Windows that a constructor is given: as many sizes as there are axes, none below what layers take."""

from __future__ import annotations

import math

from ... import ir
from . import rates


def own_names(definition: ir.Definition) -> frozenset[str]:
    """The parameters that are windows whose own check tells all that their uses need."""
    params = (p for p in definition.params if p.window is not None)
    return frozenset(p.name for p in params if least(p) is not None)


def own(param: ir.Parameter) -> tuple[ir.Static, str]:
    """The condition that a parameter is a window such as is needed, and what is told else."""
    assert param.window is not None
    condition, text = _window(
        ir.Ref(param.name), param.name, param.window, least(param)
    )
    if param.optional:
        absent = ir.StaticBinary("==", ir.Ref(param.name), ir.Literal(None))
        condition = ir.StaticBinary("or", absent, condition)
    return condition, text


def least(param: ir.Parameter) -> float | None:
    """What each size of a parameter must at least be; None where all may do."""
    asked = param.asked and not param.optional
    return param.bounds[0] if param.bounds and not asked else None


def like(window: ir.Static, name: str, other: ir.Static) -> tuple[ir.Static, str]:
    """The condition that a window, called so, is over as many axes as another, a literal."""
    assert isinstance(other, ir.Literal)
    return _window(window, name, len(other.value), 1)


def items_of(values: ir.Static, definition: ir.Definition) -> tuple[ir.Static, ...]:
    """What is in a list that is written down, in a parameter by default."""
    if isinstance(values, ir.Ref):
        own = (p.default for p in definition.params if p.name == values.name)
        values = next(own, None) or values
    return values.items if isinstance(values, ir.StaticList) else ()


def _window(
    window: ir.Static, name: str, axes: int, low: float | None
) -> tuple[ir.Static, str]:
    counted = ir.StaticCall("len", (window,))
    condition: ir.Static = ir.StaticBinary("==", counted, ir.Literal(axes))
    text = f"{name} must have {axes} values"
    if low is None:
        return condition, text
    smallest = ir.StaticCall("min", (window,))
    kept = rates.within(smallest, smallest, (low, math.inf))
    return ir.StaticBinary("and", condition, kept), f"{text} of at least {low}"
