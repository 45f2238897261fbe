"""Tensors that a constructor computes for what begins as them, each once."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from ... import ir
from ...ir.fold_tensors import operands, rebuilt, walk
from ...record import replace
from ..python.names import Namespace
from ..python.scope import Scope
from ..python.suites import Line
from .variables import value


class Begun:
    """The lines of one constructor that give such tensors names."""

    def __init__(self, scope: Scope, namespace: Namespace):
        self._scope, self._namespace = scope, namespace
        self._texts: dict[str, str] = {}  # of Python -> its name
        self._values: dict[str, str] = {}
        scope.values = self._values

    @contextmanager
    def inside(self) -> Iterator[None]:
        """Within, what gets a name is known no further."""
        before = self._texts.copy()
        try:
            yield
        finally:
            self._texts = before

    def lines(self, var: ir.Variable) -> tuple[list[Line], ir.Variable]:
        """What stands before the line of a variable, and the variable over these names."""
        if not isinstance(var.init, ir.Expr):
            return [], var
        lines: list[Line] = []
        init = self._named(var.init, lines)
        return lines, replace(var, init=init)

    def uses(self, expr: object) -> tuple[str, ...]:
        """The names of this constructor in a value."""
        if not isinstance(expr, ir.Expr):
            return ()
        names = (part.name for part in walk(expr) if isinstance(part, ir.Var))
        return tuple(self._values[name] for name in names if name in self._values)

    def _named(self, expr: ir.Expr, lines: list[Line]) -> ir.Expr:
        while isinstance(expr, ir.Let):
            self._let(expr.name, self._named(expr.value, lines), lines)
            expr = expr.body
        return rebuilt(expr, [self._named(part, lines) for part in operands(expr)])

    def _let(self, name: str, made: ir.Expr, lines: list[Line]) -> None:
        with self._scope.recording() as uses:
            text = value(made, self._scope)
        if text not in self._texts:
            self._texts[text] = self._namespace.give(name)
            needs = (*uses, *self.uses(made))
            own = self._texts[text]
            lines.append(Line(f"{own} = {text}", needs, frozenset((own,))))
        self._values[name] = self._texts[text]
