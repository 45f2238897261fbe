"""Static values in messages: by the names that the spec gives them."""

from __future__ import annotations

import math

from ... import ir
from ...dims import Dim
from ...ir.fold_statements import statements
from ...ir.fold_static import mentions
from ..python.text import is_atom
from .bounds import size_of

AT_LEAST_1 = " must be at least 1"


class Words:
    """How the static values of one definition are told."""

    def __init__(self, definition: ir.Definition):
        self.spelled = definition.spelled
        self.order = {p.name: i for i, p in enumerate(definition.params)}
        lets = (s for s in statements(definition.body) if isinstance(s, ir.StaticLet))
        # Values to which the spec gives no name are told as what they are.
        self.unnamed = {
            s.name: s.value for s in lets if s.name not in definition.spelled
        }

    def of(self, value: ir.Static) -> str:
        """A value as the spec might write it."""
        dim = size_of(value)
        if dim is not None:
            return self.size(dim)
        match value:
            case ir.StaticCall(name, args):
                return f"{name}({', '.join(map(self.of, args))})"
            case ir.StaticBinary(op, left, right):
                return f" {op} ".join(_grouped(self.of(v)) for v in (left, right))
            case ir.StaticUnary(op, operand):
                return (
                    f"{op} {self.of(operand)}"
                    if op == "not"
                    else f"{op}{self.of(operand)}"
                )
            case ir.StaticIf(condition, then, orelse):
                return f"{self.of(then)} if {self.of(condition)} else {self.of(orelse)}"
            case ir.Literal(None):
                return "none"
            case ir.Literal(bool() as inner):
                return str(inner).lower()
            case ir.Literal(str() as text):
                return f'"{text}"'
            case ir.Literal(math.pi):
                return "pi"
            case ir.Literal(inner):
                return str(inner)
            case ir.StaticIndex(values, index):
                return f"{self.of(values)}[{self.of(index)}]"
        return "this value"

    def size(self, dim: Dim) -> str:
        """A size as the spec might write it."""
        if dim.name is not None:
            return self._name(dim.name)
        return dim.render(lambda name: _grouped(self._name(name)))

    def _name(self, name: str) -> str:
        if name in self.unnamed:
            return self.of(self.unnamed[name])
        return self.spelled.get(name, name)

    def names_in(self, value: ir.Static) -> tuple[tuple[str, str], ...]:
        """The names that a value is told by, and how the spec spells them."""
        found: dict[str, str] = {}
        rest = self._sorted(value)
        while rest:
            name = rest.pop(0)
            if name in self.unnamed:
                rest += self._sorted(self.unnamed[name])
            else:
                found[name] = self.spelled.get(name, name)
        return tuple(found.items())

    def _sorted(self, value: ir.Static) -> list[str]:
        """The names in a value, parameters in their order first."""
        last = len(self.order)
        return sorted(mentions(value), key=lambda n: (self.order.get(n, last), n))


def _grouped(text: str) -> str:
    return text if is_atom(text) else f"({text})"
