"""Sizes that only a block itself can tell: what its callers ask it for, and where they read it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from ... import ir
from ...dims import Dim
from ...ir.fold_statements import declared, expressions, statements
from ...ir.fold_static import mentions
from ...ir.fold_tensors import walk
from ...shapes import ListType, Outputs, TensorType
from ..python.names import fields


def asked(program: ir.Program) -> Mapping[str, list[Dim]]:
    """The sizes that the constructors of others need of a block's objects, by block."""
    found: dict[str, dict[Dim, None]] = {d.name: {} for d in program.definitions}
    for definition in reversed(program.definitions):  # callers before what they call
        here = found[definition.name]
        needed = set(_in_constructor(definition)).union(*(d.symbols for d in here))
        needed |= unread(definition)
        for layer in declared(definition.body):
            if isinstance(layer, ir.Layer) and isinstance(layer.callee, str):
                given = {size: None for size, name in layer.gives if name in needed}
                found[layer.callee].update(given)
    return {name: list(sizes) for name, sizes in found.items()}


def _in_constructor(definition: ir.Definition) -> Iterator[str]:
    """The names of sizes that a constructor reads."""
    for stmt in statements(definition.body):
        match stmt:
            case ir.Declare(layer):
                values = [static for _, static in layer.args]
                values += [] if layer.count is None else [layer.count]
                yield from (s for static in values for s in mentions(static))
                sizes = [*layer.sizes.values()]
                sizes += [] if layer.copies is None else [layer.copies]
                yield from (s for size in sizes for s in size.symbols)
            case ir.Variable(type=type_):
                yield from (s for size in type_.sizes for s in size.symbols)
            case ir.StaticLet(value=value) | ir.For(iterable=value):
                yield from mentions(value)
            case ir.If(condition=condition) | ir.Require(condition=condition):
                yield from mentions(condition)
        if isinstance(stmt, ir.For):
            for carried in stmt.carried:
                yield from mentions(carried.entry) | mentions(carried.next)


def places(expr: ir.Apply) -> dict[str, str]:
    """How the sizes that a block finds are read from what it gives: `[0].shape[1]`."""
    wanted = {name for _, name in expr.found}
    read: dict[str, str] = {}
    for place, type_ in _tensors(expr.type, ""):
        for i, size in enumerate(type_.sizes):
            if size.name in wanted:
                index = i - type_.rank if type_.lead else i
                read.setdefault(size.name, f"{place}.shape[{index}]")
    return read


def _tensors(type_: ir.Type, place: str) -> Iterator[tuple[str, TensorType]]:
    match type_:
        case TensorType():
            yield place, type_
        case ListType(element, items=items):
            for i, item in enumerate(items or (element,)):
                yield f"{place}[{i}]", item
        case _:
            names = fields(type_.names) if isinstance(type_, Outputs) else ()
            for i, part in enumerate(type_):
                own = f".{names[i]}" if names else f"[{i}]"
                yield from _tensors(part, place + own)


def found_here(definition: ir.Definition) -> frozenset[str]:
    """The names that a definition has for what its blocks find."""
    return frozenset(name for e in _applied(definition) for _, name in e.found)


def unread(definition: ir.Definition) -> set[str]:
    """Those that are no size of an axis by themselves."""
    return {
        name
        for e in _applied(definition)
        if e.found
        for name in {n for _, n in e.found} - places(e).keys()
    }


def _applied(definition: ir.Definition) -> Iterator[ir.Apply]:
    for stmt in statements(definition.body):
        for value in expressions(stmt):
            yield from (e for e in walk(value) if isinstance(e, ir.Apply))


def attribute(size: Dim) -> str:
    """The attribute that holds a size which follows from what was built."""
    name = (size.name or "size").lower()
    return f"out_{name.removeprefix('out_').removeprefix('in_')}"
