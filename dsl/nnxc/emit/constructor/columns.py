"""Sizes of tensors in a list, kept by a constructor that builds layers from them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TypeAlias

from ... import ir
from ...dims import Dim
from ...shapes import TensorType
from ..calls.reads import popped, totals
from ..python.scope import Scope
from ..python.static_text import size, static
from ..python.suites import Line, Node

Changes: TypeAlias = ir.NewList | ir.Append | ir.Pop | ir.Total


class Columns:
    """Mirrors each list by lists of those sizes that differ from tensor to tensor. A line goes where
    nothing is built from its sizes. `known` says which sizes a constructor knows."""

    def __init__(
        self,
        definition: ir.Definition,
        scope: Scope,
        local: Callable[[str], str],
        known: Callable[[Dim], bool],
    ):
        self.scope, self.local, self.known = scope, local, known
        self.of: dict[str, dict[int, str]] = {}  # list -> axis -> column
        for taken in popped(definition.body):
            for axis, _ in taken.sizes:
                name = f"{taken.name}_{taken.type.axis_name(axis)}"
                self.of.setdefault(taken.name, {}).setdefault(axis, name)
        for total in totals(definition.body):
            columns = self.of.setdefault(total.name, {})
            columns.setdefault(total.axis, f"{total.name}_size_{total.axis}")

    def lines(self, stmt: Changes) -> list[Node]:
        """What a statement about a list does to its sizes."""
        columns = self.of.get(stmt.name, {})
        return list(self._lines(stmt, columns))

    def _lines(self, stmt: Changes, columns: dict[int, str]) -> Iterator[Line]:
        taken = dict(stmt.sizes) if isinstance(stmt, ir.Pop) else {}
        for axis, name in columns.items():
            column = self.local(name)
            match stmt:
                case ir.NewList(items=items):
                    text = f"{column}: list[int] = []"
                    yield Line(text, (), frozenset((column,)))
                    for item in items:
                        yield from self._append(column, item.type, axis)
                case ir.Append(_, value):
                    yield from self._append(column, value.type, axis)
                case ir.Pop(index=None):
                    yield self._pop(column, taken.get(axis))
                case ir.Pop(index=at) if at is not None and axis in taken:
                    yield self._item(column, taken[axis], at)
                case ir.Total(symbol) if stmt.axis == axis:
                    total = self.local(symbol)
                    yield Line(
                        f"{total} = sum({column})", (column,), frozenset((total,))
                    )

    def _append(self, column: str, type: ir.Type, axis: int) -> Iterator[Line]:
        assert isinstance(type, TensorType)
        if self.known(type.sizes[axis]):
            with self.scope.recording() as uses:
                text = f"{column}.append({size(type.sizes[axis], self.scope)})"
            yield Line(text, (column, *uses), frozenset((column,)))

    def _item(self, column: str, symbol: str, at: ir.Static) -> Line:
        with self.scope.recording() as uses:
            text = f"{self.local(symbol)} = {column}[{static(at, self.scope)}]"
        return Line(text, (column, *uses), frozenset((self.local(symbol),)))

    def _pop(self, column: str, symbol: str | None) -> Line:
        if symbol is None:
            return Line(f"{column}.pop()", (column,), frozenset((column,)))
        name = self.local(symbol)
        return Line(f"{name} = {column}.pop()", (column,), frozenset((column, name)))
