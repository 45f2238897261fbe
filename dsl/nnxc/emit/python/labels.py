"""Shapes in comments and docstrings: the spec's names, in lower case where that is unique."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from ... import ir
from ...dims import Dim, symbol
from ...record import replace
from ...shapes import ListType, Outputs, TensorType

_LONG = 20


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

    def given(self, type_: TensorType) -> str:
        """The shape of what a definition gives: `(b, h_out, w_out, features)` where axes of its
        inputs change their size by a long formula."""
        axes = tuple(
            (
                replace(axis, size=symbol(f"{axis.label.lower()}_out"))
                if axis.label and self._is_long(axis.size)
                else axis
            )
            for axis in type_.axes
        )
        return self.shape(type_.with_axes(axes))

    def _is_long(self, size: Dim) -> bool:
        text = str(size)
        rounds_up = text.startswith("-")  # -((-t) // stride)
        return not size.symbols <= self._names.keys() or len(text) > _LONG or rounds_up

    def types(self, type_: ir.Type) -> str:
        """A type, or several in parentheses."""
        if isinstance(type_, Outputs):
            return self._outputs.get(type_.owner) or ", ".join(type_.names)
        if isinstance(type_, tuple):
            return f"({', '.join(self.types(t) for t in type_)})"
        if isinstance(type_, ListType):
            return f"list of {self.given(type_.element)}"
        return self.given(type_)


def axes(definition: ir.Definition) -> Iterator[str]:
    """The symbols in the shapes of the inputs, in order."""
    for item in definition.inputs:
        for size in item.type.sizes:
            yield from sorted(size.symbols)
