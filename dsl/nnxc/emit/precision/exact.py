"""What is computed of whole numbers alone: positions, angles, tables.

It is float32 until it meets the model, in whatever words: in both arms of an `if`, changed by a
loop, returned by a block. In half precision an angle of 1000 would be wrong by whole turns.
"""

from __future__ import annotations

from collections.abc import Set as AbstractSet

from ... import ir
from ...ir.fold_statements import declared, statements
from ...ir.fold_tensors import walk
from ...record import Record
from ...shapes import TensorType, is_float


class Exact(Record):
    """The blocks that return such a value, and the names of a definition that have one."""

    blocks: AbstractSet[str]
    names: frozenset[str]

    def holds(self, value: ir.Expr) -> bool:
        """Whether a value is computed of whole numbers alone."""
        return all(self._part(part) for part in walk(value))

    def _part(self, part: ir.Expr) -> bool:
        kind = part.type
        if isinstance(kind, TensorType) and not is_float(kind.dtype):
            return True
        match part:
            case ir.Var(name):
                return name in self.names
            case ir.Apply(layer):
                return layer in self.names and part.method is None
            case ir.OpCall(op):
                return not op.origin and not op.streams
        return not isinstance(part, ir.ModelCall)

    def applied(self, layer: ir.Layer, value: ir.Apply) -> bool:
        """Whether the layer is a block that returns one."""
        return _is_one(layer, self.blocks) and value.method is None


def exact_names(definition: ir.Definition, blocks: AbstractSet[str]) -> frozenset[str]:
    """The tensors all of whose values are such, and the layers that are such blocks."""
    layers = {
        i.name
        for i in declared(definition.body)
        if isinstance(i, ir.Layer) and _is_one(i, blocks)
    }
    assigns = [s for s in statements(definition.body) if isinstance(s, ir.Assign)]
    found = frozenset(n for s in assigns for n in s.targets) - otherwise(definition)
    while True:
        known = Exact(blocks, found | layers)
        left = found - {
            name
            for stmt in assigns
            for name in stmt.targets
            if len(stmt.targets) > 1 or not known.holds(stmt.value)
        }
        if left == found:
            return known.names
        found = left


def _is_one(layer: ir.Layer, blocks: AbstractSet[str]) -> bool:
    return isinstance(layer.callee, str) and layer.callee in blocks


def otherwise(definition: ir.Definition) -> frozenset[str]:
    """Names that get values by other statements too."""
    names = {i.name for i in definition.inputs}
    for stmt in statements(definition.body):
        match stmt:
            case ir.Scan():
                names |= {*stmt.inner, *stmt.ends, *stmt.outer}
            case ir.NewList(name) | ir.Append(name):
                names.add(name)
            case ir.Pop(target):
                names.add(target)
    return frozenset(names)
