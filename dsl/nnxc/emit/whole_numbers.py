"""Which static values of a definition are whole numbers, whatever they are used for."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from .. import ir
from ..dims import Dim
from ..ir.fold_statements import statements

_KEEP = ("+", "-", "*", "//", "%")  # operators that give whole numbers of whole ones
_GIVE = ("len", "int", "round", "ceil", "floor", "divisible")
_OF_ITEMS = ("sum", "prod")
_LIST = "tuple[int, ...]"


class Whole:
    """Answers for one definition, whose parameters have these Python types."""

    def __init__(self, definition: ir.Definition, types: Mapping[str, str]):
        self._lists = {name for name, kind in types.items() if kind == _LIST}
        given = {name for name, kind in types.items() if kind == "int"}
        made = [pair for s in statements(definition.body) for pair in _made(s)]
        self._names = given | {*definition.inferred} | {name for name, _ in made}
        while lost := {n for n, v in made if n in self._names and not self.holds(v)}:
            self._names -= lost

    def holds(self, value: ir.Static) -> bool:
        """Whether a value is a whole number."""
        match value:
            case ir.Literal(inner):
                return isinstance(inner, int) and not isinstance(inner, bool)
            case ir.Ref(name):
                return name in self._names
            case ir.Size(dim):
                return self._size(dim)
            case ir.StaticUnary("-", operand):
                return self.holds(operand)
            case ir.StaticBinary(op, left, right):
                return op in _KEEP and self.holds(left) and self.holds(right)
            case ir.StaticIf(_, then, orelse):
                return self.holds(then) and self.holds(orelse)
            case ir.StaticIndex(values):
                return self._items(values)
            case ir.StaticCall(name, args):
                return self._call(name, args)
        return False

    def _size(self, dim: Dim) -> bool:
        return dim.symbols <= self._names | self._lists

    def _call(self, name: str, args: tuple[ir.Static, ...]) -> bool:
        if name in _OF_ITEMS:
            return self._items(args[0])
        same = name in ("min", "max", "abs") and all(map(self.holds, args))
        return same or name in _GIVE

    def _items(self, values: ir.Static) -> bool:
        """Whether all in a list are whole numbers."""
        match values:
            case ir.Ref(name):
                return name in self._lists
            case ir.StaticSlice(inner) | ir.StaticCall("reversed", (inner,)):
                return self._items(inner)
            case ir.StaticList(items):
                return all(map(self.holds, items))
        return isinstance(values, ir.StaticCall) and values.name == "range"


def _made(stmt: ir.Stmt) -> Iterator[tuple[str, ir.Static]]:
    """The names that a statement gives values, each with one that it may have."""
    match stmt:
        case ir.StaticLet(name, value):
            yield name, value
        case ir.For(targets, iterable, carried=carried):
            for item in carried:
                yield item.symbol, item.entry
                yield item.symbol, item.next
            for target, values in zip(
                targets, _columns(iterable, targets), strict=True
            ):
                yield target, ir.StaticIndex(values, ir.Literal(0))


def _columns(iterable: ir.Static, targets: tuple[str, ...]) -> Iterator[ir.Static]:
    """The lists that the targets of a loop go through."""
    counts = ir.StaticCall("range", ())
    match iterable:
        case ir.StaticCall("enumerate", (values,)) if len(targets) == 2:
            yield from (counts, values)
        case ir.StaticCall("zip", args) if len(targets) == len(args):
            yield from args
        case _ if len(targets) == 1:
            yield iterable
        case _:
            yield from [ir.StaticList((ir.Literal(None),))] * len(targets)
