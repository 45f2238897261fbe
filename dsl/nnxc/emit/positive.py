"""Which parameters of a definition are lists of sizes, and which conditions ask for."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from .. import ir
from ..dims import Dim, Func
from ..ir.fold_statements import declared, expressions, statements
from ..ir.fold_static import mentions
from ..ir.fold_tensors import walk
from ..ops.base import Kind, Op
from .statics import as_size


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
    lists = {p.name for p in definition.params if _whole(p)}
    return frozenset(found & lists)


def asked(
    definition: ir.Definition, known: Mapping[str, frozenset[str]]
) -> frozenset[str]:
    """The parameters that conditions ask for, here or in the blocks inside: such a size may be 0
    where a condition says what then is; `known` are those of the blocks."""
    elements = elements_in(definition)
    found: set[str] = set()
    for condition in _conditions(definition.body):
        names = _asked_in(condition)
        found |= names | {elements[n] for n in names if n in elements}
    for item in declared(definition.body):
        if isinstance(item, ir.Layer) and isinstance(item.callee, str):
            for name, value in item.args:
                found |= mentions(value) if name in known[item.callee] else set()
    return frozenset(found & {p.name for p in definition.params})


def _asked_in(condition: ir.Static) -> set[str]:
    """The names of a condition, but for lists whose length it asks for."""
    match condition:
        case ir.StaticCall("len"):
            return set()
        case ir.StaticUnary(operand=operand):
            return _asked_in(operand)
        case ir.StaticBinary(left=left, right=right):
            return _asked_in(left) | _asked_in(right)
    return mentions(condition)


def _conditions(body: Sequence[ir.Stmt]) -> Iterator[ir.Static]:
    for stmt in statements(body):
        values: list[ir.Static] = []
        match stmt:
            case ir.If(condition):
                yield condition
            case ir.StaticLet(value=value):
                values.append(value)
            case ir.Declare(layer):
                values += [value for _, value in layer.args]
        for value in values:
            if isinstance(value, ir.StaticIf):
                yield value.condition
        for expr in (part for whole in expressions(stmt) for part in walk(whole)):
            if isinstance(expr, ir.Choose):
                yield expr.condition


def elements_in(definition: ir.Definition) -> dict[str, str]:
    """The variables of loops, and the lists that they are elements of."""
    found: dict[str, str] = {}
    for stmt in statements(definition.body):
        match stmt:
            case ir.For((_, name), ir.StaticCall("enumerate", (values,))):
                found[name] = _list(values)
            case ir.For(names, ir.StaticCall("zip", lists)) if len(names) == len(lists):
                pairs = zip(names, lists, strict=True)
                found |= {name: _list(values) for name, values in pairs}
            case ir.For((name,), values):
                found[name] = _list(values)
    return {name: list_ for name, list_ in found.items() if list_}


def _list(values: ir.Static) -> str:
    """The list whose elements these are; an empty text where there is none."""
    match values:
        case ir.Ref(name):
            return name
        case ir.StaticCall("reversed", (inner,)) | ir.StaticSlice(inner):
            return _list(inner)
    return ""


def _dims(
    item: ir.Layer | ir.Variable, params: Mapping[str, ir.Definition]
) -> Iterator[Dim]:
    """The sizes of what is declared."""
    if isinstance(item, ir.Variable):
        yield from item.type.sizes
        return
    yield from sizes_of(item)
    callee = item.callee if isinstance(item.callee, Op) else params[item.callee]
    kinds = {p.name: p.kind for p in callee.params}
    for name, value in item.args:
        size = as_size(value) if kinds.get(name) is Kind.SIZE else None
        if size is not None:
            yield size


def sizes_of(layer: ir.Layer) -> Iterator[Dim]:
    """The sizes of an entry's weights, or those that a block is given."""
    if isinstance(layer.callee, Op):
        for weight in layer.weights.values():
            yield from weight.sizes
    else:
        yield from layer.sizes.values()


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


def _whole(param: ir.Parameter) -> bool:
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
