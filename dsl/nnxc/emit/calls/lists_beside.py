"""Lists that a loop reads entry by entry beside the one that it goes through: it goes through all."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from ... import ir
from ...dims import Dim, Func, func, symbol
from ...ir.plurals import singular
from ...ops.base import Op
from ...record import Record, names_of
from ...source import Span

# One entry of these is how many there are, not one of them.
_COUNTS = ("blocks", "groups", "heads", "layers")


def lists_beside(loop: ir.For, body: Sequence[ir.Stmt]) -> dict[str, Dim]:
    """The lists that a loop over `enumerate(values)` reads at its index, as long as `values` by what
    the body of the definition requires: list -> the entry, as a size."""
    match loop:
        case ir.For((index, _), ir.StaticCall("enumerate", (ir.Ref(values),))):
            read = dict.fromkeys(_read(loop.body, index))
            alike = _as_long(values, body)
            return {
                name: func("index", symbol(name), symbol(index))
                for name in read
                if name in alike and name not in _COUNTS and singular(name) != name
            }
    return {}


def _as_long(values: str, body: Sequence[ir.Stmt]) -> set[str]:
    """The lists that a `require` says to be as long as `values`."""
    found: set[str] = set()
    for stmt in body:
        match stmt:
            case ir.Require(
                ir.StaticBinary(
                    "==",
                    ir.StaticCall("len", (ir.Ref(one),)),
                    ir.StaticCall("len", (ir.Ref(other),)),
                )
            ) if values in (one, other):
                found |= {one, other} - {values}
    return found


def _read(node: object, index: str) -> Iterator[str]:
    """The lists of which a piece of the program reads the entry at `index`."""
    match node:
        case ir.StaticIndex(ir.Ref(name), ir.Ref(at)) if at == index:
            yield name
        case Dim():
            for monomial, _ in node.terms:
                for atom, _power in monomial:
                    yield from _read(atom, index)
        case Func("index", (values, at)) if at.name == index and values.name:
            yield values.name
        case Func(_, args):
            yield from _read(args, index)
        case tuple() | list():
            for part in node:
                yield from _read(part, index)
        case Mapping():
            yield from _read(tuple(node.values()), index)
        case Record() if not isinstance(node, Op | Span):
            for name in names_of(node):
                yield from _read(getattr(node, name), index)
