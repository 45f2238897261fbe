"""How deeply an expression nests calls, and where a person would take it apart."""

from __future__ import annotations

from ... import ir
from ...ir.fold_tensors import operands as children
from ...ir.fold_tensors import rebuilt

DEEP, SHORT = 3, 72  # one call more is fine on a line as short as this
WIDE, LIMIT = 80, 88
LONG = 50  # operations in a row; more are taken apart before anything recurses
CALLS = (ir.Apply, ir.OpCall, ir.Invoke, ir.ModelCall, ir.Reshape)


class Depth:
    """`depth(expr)` is the number of calls inside each other; remembered per expression."""

    def __init__(self) -> None:
        self._known: dict[int, tuple[ir.Expr, int]] = {}

    def __call__(self, expr: ir.Expr) -> int:
        found = self._known.get(id(expr))
        if found is not None:
            return found[1]
        below = max((self(c) for c in children(expr)), default=0)
        calls = below + isinstance(expr, CALLS)
        self._known[id(expr)] = expr, calls  # keeps the object, hence its id
        return calls

    def fits(self, expr: ir.Expr, width: int) -> bool:
        """Whether an expression on a line so wide reads well. Black lays out the arguments of one
        long call better than a long sum."""
        calls = self(expr)
        if calls <= 1:
            return width <= LIMIT or not isinstance(expr, ir.Operator)
        return width <= (WIDE if calls <= DEEP else SHORT) and calls <= DEEP + 1

    def spine(self, expr: ir.Expr) -> list[ir.Expr]:
        """The expressions below one, each time the deepest, as far as always evaluated."""
        path = []
        while not isinstance(expr, ir.Choose) and (below := children(expr)):
            expr = max(below, key=self)
            path.append(expr)
        return path


def chain(expr: ir.Expr, through_items: bool = True) -> list[ir.Expr]:
    """The expression, its first operand, that one's first operand, and so on."""
    path = [expr]
    while below := children(path[-1]):
        if isinstance(path[-1], ir.Item) and not through_items:
            break
        path.append(below[0])
    return path


def source(expr: ir.Expr) -> ir.Var | None:
    """The tensor that flows into an expression: its first operand's first operand's ..."""
    first = chain(expr)[-1]
    return first if isinstance(first, ir.Var) else None


def swapped(expr: ir.Expr, old: ir.Expr, new: ir.Expr) -> ir.Expr:
    """The expression with one of those below it (this very object) replaced."""
    if expr is old:
        return new
    parts = children(expr)
    changed = [swapped(c, old, new) for c in parts]
    same = all(a is b for a, b in zip(parts, changed, strict=True))
    return expr if same else rebuilt(expr, changed)
