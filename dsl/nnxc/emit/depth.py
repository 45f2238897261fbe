"""How deeply an expression nests calls, and where a person would take it apart."""

from __future__ import annotations

from .. import ir
from .reads import children, rebuilt

DEEP, SHORT = 3, 72  # one call more is fine on a line as short as this
WIDE, LIMIT = 80, 88


def depth(expr: ir.Expr) -> int:
    """The number of calls inside each other."""
    below = max((depth(c) for c in children(expr)), default=0)
    match expr:
        case ir.Apply() | ir.OpCall() | ir.Invoke() | ir.ModelCall() | ir.Reshape():
            return below + 1
    return below


def fits(expr: ir.Expr, width: int) -> bool:
    """Whether an expression on a line so wide reads well. Black lays out the arguments of one
    long call better than a long sum."""
    calls = depth(expr)
    if calls <= 1:
        return width <= LIMIT or not isinstance(expr, ir.Operator)
    return width <= (WIDE if calls <= DEEP else SHORT) and calls <= DEEP + 1


def spine(expr: ir.Expr) -> list[ir.Expr]:
    """The expressions below one, each time the deepest, as far as they are always evaluated."""
    path = []
    while not isinstance(expr, ir.Choose) and (below := children(expr)):
        expr = max(below, key=depth)
        path.append(expr)
    return path


def source(expr: ir.Expr) -> ir.Var | None:
    """The tensor that flows into an expression: its first operand's first operand's ..."""
    while below := children(expr):
        expr = below[0]
    return expr if isinstance(expr, ir.Var) else None


def swapped(expr: ir.Expr, old: ir.Expr, new: ir.Expr) -> ir.Expr:
    """The expression with one of those below it (this very object) replaced."""
    if expr is old:
        return new
    parts = children(expr)
    changed = [swapped(c, old, new) for c in parts]
    same = all(a is b for a, b in zip(parts, changed, strict=True))
    return expr if same else rebuilt(expr, changed)
