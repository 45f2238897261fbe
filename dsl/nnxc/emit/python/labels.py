"""Shapes in comments and docstrings: the spec's names, in lower case where that is unique."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from ... import ir
from ...shapes import ListType, Outputs, TensorType


class Labels:
    """How the sizes of one definition are written for readers; `outputs` are classes by owner."""

    def __init__(
        self, definition: ir.Definition, outputs: Mapping[str, str | None] = {}
    ):
        self._outputs = outputs
        names = {p.name for p in definition.params} | set(axes(definition))
        self._names = {
            n: n.lower() if n.lower() == n or n.lower() not in names else n
            for n in names
        }

    def name(self, symbol: str) -> str:
        """One size."""
        return self._names.get(symbol, symbol.lower())

    def shape(self, type_: TensorType) -> str:
        """`(b, t, d)`."""
        dims = type_.spelled(lambda size: size.render(self.name))
        alone = type_.rank + type_.lead == 1
        return f"({dims},)" if alone else f"({dims})"

    def types(self, type_: ir.Type) -> str:
        """A type, or several in parentheses."""
        if isinstance(type_, Outputs):
            return self._outputs.get(type_.owner) or ", ".join(type_.names)
        if isinstance(type_, tuple):
            return f"({', '.join(self.types(t) for t in type_)})"
        if isinstance(type_, ListType):
            return f"list of {self.shape(type_.element)}"
        return self.shape(type_)


def axes(definition: ir.Definition) -> Iterator[str]:
    """The symbols in the shapes of the inputs, in order."""
    for item in definition.inputs:
        for size in item.type.sizes:
            yield from sorted(size.symbols)
