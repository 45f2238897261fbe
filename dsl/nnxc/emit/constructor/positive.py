"""Which parameters of a definition are lists of sizes, and which count layers."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

from ... import ir
from ...dims import Dim, Func, func, symbol
from ...ir.asked import elements_in
from ...ir.fold_statements import declared, placed
from ...ir.fold_static import mentions
from ...ops.base import Kind, Op, Param
from .bounds import size_of


def sized(
    definition: ir.Definition,
    known: Mapping[str, frozenset[str]],
    params: Mapping[str, ir.Definition],
) -> frozenset[str]:
    """The lists of whose elements sizes of weights are made, here or in the blocks inside;
    `known` are those of the blocks."""
    elements = elements_in(definition)
    found: set[str] = set()
    for item in declared(definition.body):
        for dim in _dims(item, params):
            found |= {elements.get(n, "") for n in _names(dim)} | set(_indexed(dim))
        if isinstance(item, ir.Layer):
            found |= _handed_on(item, known)
    lists = {p.name for p in definition.params if is_whole(p)}
    return frozenset(found & lists)


def counting(
    definition: ir.Definition, blocks: Callable[[str], ir.Definition]
) -> list[ir.Parameter]:
    """The parameters that are numbers of layers, or lists of such; `blocks` finds blocks."""
    found = _counting(definition, blocks)
    one = (Kind.SIZE, Kind.INT)
    return [
        p
        for p in definition.params
        if p.name in found and (is_whole(p) or (p.kind in one and not p.optional))
    ]


def _counting(
    definition: ir.Definition, blocks: Callable[[str], ir.Definition]
) -> set[str]:
    """The names that tell how many layers a stack has or how often a loop runs, here or in the
    blocks inside; but where a condition asks for them."""
    elements = elements_in(definition)
    found: set[str] = set()
    for stmt, around in placed(definition.body):
        dims = [size_of(value) for value in _numbers_of_layers(stmt, blocks)]
        names = {n for d in dims if d for n in (*_names(d), *_indexed(d))}
        for side in around:
            if isinstance(side.stmt, ir.If):
                names -= mentions(side.stmt.condition)
        found |= {elements.get(name, name) for name in names}
    return found


def _numbers_of_layers(
    stmt: ir.Stmt, blocks: Callable[[str], ir.Definition]
) -> Iterator[ir.Static]:
    match stmt:
        case ir.For(iterable=ir.StaticCall("range", (count,) | (_, count))):
            yield count
        case ir.Declare(layer):
            if layer.count is not None:
                yield layer.count
            if isinstance(layer.callee, str):
                inner = _counting(blocks(layer.callee), blocks)
                yield from (value for name, value in layer.args if name in inner)


def _dims(
    item: ir.Layer | ir.Variable, params: Mapping[str, ir.Definition]
) -> Iterator[Dim]:
    """The sizes of what is declared."""
    if isinstance(item, ir.Variable):
        yield from item.type.sizes
        return
    yield from sizes_of(item)
    callee = item.callee if isinstance(item.callee, Op) else params[item.callee]
    counts = {p.name for p in callee.params if _counts(p)}
    for name, value in item.args:
        size = size_of(value) if name in counts else None
        if size is not None:
            yield size


def sizes_of(layer: ir.Layer) -> Iterator[Dim]:
    """The sizes of an entry's weights, or those that a block is given."""
    if isinstance(layer.callee, Op):
        for weight in layer.weights.values():
            yield from weight.sizes
    else:
        yield from layer.sizes.values()


def _counts(param: Param | ir.Parameter) -> bool:
    """Whether a parameter of a layer is at least 1."""
    return param.kind is Kind.SIZE or (param.bounds or (0, 0))[0] >= 1


def _names(dim: Dim) -> Iterator[str]:
    """The names that a size is a multiple of."""
    for atom, _ in dim.terms[0][0] if len(dim.terms) == 1 else ():
        if isinstance(atom, str):
            yield atom


def _indexed(dim: Dim) -> Iterator[str]:
    """The lists of which a size is a multiple of an element."""
    for atom, _ in dim.terms[0][0] if len(dim.terms) == 1 else ():
        match atom:
            case Func("index", (Dim(name=str(name)), _)):
                yield name


def _handed_on(layer: ir.Layer, known: Mapping[str, frozenset[str]]) -> set[str]:
    """The lists that a layer takes for lists of sizes."""
    if isinstance(layer.callee, Op):
        wanted = {p.name for p in layer.callee.params if p.kind is Kind.SIZES}
    else:
        wanted = {*known[layer.callee]}
    return {v.name for n, v in layer.args if n in wanted and isinstance(v, ir.Ref)}


def is_whole(param: ir.Parameter) -> bool:
    """Whether a parameter is a list of whole numbers."""
    if param.optional or param.fractions:
        return False
    match param.default:
        case ir.StaticList(items):
            return all(
                isinstance(i, ir.Literal) and type(i.value) is int for i in items
            )
        case None:
            return param.kind in (Kind.LIST, Kind.SIZES)
    return False


def factors(dim: Dim) -> list[Dim]:
    """The sizes that a size is the product of."""
    if len(dim.terms) != 1 or dim.value is not None or dim.terms[0][1] < 1:
        return [dim]
    return [
        symbol(atom) if isinstance(atom, str) else func(atom.name, *atom.args)
        for atom, _ in dim.terms[0][0]
    ]
