"""The local names of one `__call__`: tensors, and the names lent to values in between."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Set

from ... import ir
from ..python.names import SHADOWED, Namespace, identifier
from .depth import source

_SPARE = ("x", "y", "h", "z", "u", "v", "w")
_OTHER = (ir.Apply, ir.Invoke, ir.ModelCall)  # give something else than flows in


class Locals:
    """Python names of tensors; `text` maps the spec's names to expressions."""

    def __init__(
        self, inputs: Mapping[str, str], assigned: Iterable[str], taken: Iterable[str]
    ):
        self.namespace = Namespace([*SHADOWED, "rngs", *inputs.values(), *taken])
        self.text: dict[str, str] = dict(inputs)
        self.inputs = frozenset(inputs)
        self.lists: set[str] = set()
        self.written: set[str] = set()  # names assigned so far
        for name in assigned:
            if name not in self.text:
                self.text[name] = self.namespace.give(name)

    def lend(self, value: ir.Expr, avoid: Set[str], hint: str | None) -> str:
        """A name for a value in between that nothing still needed goes by, nor any weight."""
        for name in self._candidates(value, hint):
            if name in avoid or not self.text.get(name, name).isidentifier():
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

    def _candidates(self, value: ir.Expr, hint: str | None) -> Iterable[str]:
        if isinstance(value, ir.OpCall) and value.op.result:
            yield value.op.result
        origin = source(value)
        free = origin is not None and origin.name not in self.inputs | self.lists
        flows = [origin.name] if origin and (free or origin.name == "x") else []
        named = [hint] if hint is not None else []
        if isinstance(value, ir.OpCall) and value.op.keeps_name:
            yield from flows
        # What flows on keeps its name where that says nothing of what it is.
        yield from (name for name in (*named, *flows) if name in _SPARE)
        yield from named
        if not isinstance(value, _OTHER):
            yield from flows
        yield from _SPARE
