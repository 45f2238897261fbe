"""The local names of one `__call__`: tensors, and the names lent to values in between."""

from __future__ import annotations

from collections.abc import Iterable, Set

from .. import ir
from .depth import source
from .names import Namespace, identifier

_SPARE = ("x", "y", "h", "z", "u", "v", "w")


class Locals:
    """Python names of tensors; `text` maps the spec's names to expressions."""

    def __init__(self, inputs: dict[str, str], assigned: Iterable[str]):
        self.namespace = Namespace(["rngs", *inputs.values()])
        self.text: dict[str, str] = dict(inputs)
        self.inputs = frozenset(inputs)
        self.written: set[str] = set()  # names assigned so far
        for name in assigned:
            if name not in self.text:
                self.text[name] = self.namespace.give(name)

    def lend(self, value: ir.Expr, avoid: Set[str], hint: str | None) -> str:
        """A name for a value in between that nothing still needed goes by."""
        for name in self._candidates(value, hint):
            if name in avoid or name in self._special:
                continue
            if name in self.text:
                return name
            if identifier(name) == name and name not in self.namespace:
                self.text[name] = self.namespace.give(name)
                return name
        number = 2
        while (name := f"x{number}") in avoid or name in self.namespace:
            number += 1
        self.text[name] = self.namespace.give(name)
        return name

    @property
    def _special(self) -> set[str]:
        """Names that stand for weights and state rather than local values."""
        return {n for n, text in self.text.items() if not text.isidentifier()}

    def _candidates(self, value: ir.Expr, hint: str | None) -> Iterable[str]:
        if hint is not None:
            yield hint
        origin = source(value)
        if origin is not None and (origin.name == "x" or origin.name not in self.inputs):
            yield origin.name
        yield from _SPARE
