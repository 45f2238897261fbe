"""Which parameters the conditions of a definition ask for."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from .fold_statements import declared, expressions, statements
from .fold_static import mentions, walk_static
from .fold_tensors import walk
from .program import Definition
from .statements import Declare, For, If, Layer, StaticLet, Stmt
from .static import (
    Literal,
    Ref,
    Static,
    StaticBinary,
    StaticCall,
    StaticIf,
    StaticList,
    StaticSlice,
    StaticUnary,
)
from .tensors import Choose

_TRUTHS = ("==", "!=", "<", "<=", ">", ">=", "and", "or", "in")


def asked(definition: Definition, known: Mapping[str, Definition]) -> frozenset[str]:
    """The parameters that conditions ask for, here or in the blocks inside, which are `known`, and
    those that are below 1 by default: such a size may be, where nothing is made of it.
    """
    elements = elements_in(definition)
    params = definition.params
    found = {p.name for p in params if _below_1(p.default)}
    for condition in _conditions(definition.body):
        names = _asked_in(condition)
        found |= names | {elements[n] for n in names if n in elements}
    for item in declared(definition.body):
        if isinstance(item, Layer) and isinstance(item.callee, str):
            for name, value in item.args:
                if any(p.name == name and p.asked for p in known[item.callee].params):
                    found |= mentions(value)
    return frozenset(found & {p.name for p in params})


def may_be_none(definition: Definition) -> set[str]:
    """The parameters that may be none: by their defaults, or since conditions ask whether they are."""
    found = {p.name for p in definition.params if p.optional}
    for condition in _conditions(definition.body):
        for part in walk_static(condition):
            match part:
                case StaticBinary("==" | "!=", Ref(name), Literal(None)):
                    found.add(name)
    return found


def may_hold_none(definition: Definition) -> set[str]:
    """The parameters that are lists in which a value may be none."""
    lists = [(p.name, p.default) for p in definition.params]
    return {
        n for n, d in lists if isinstance(d, StaticList) and Literal(None) in d.items
    }


def _below_1(default: Static | None) -> bool:
    match default:
        case Literal(int(number)):
            return number < 1
        case StaticList(items):
            return any(map(_below_1, items))
    return False


def _asked_in(condition: Static) -> set[str]:
    """The names of a condition, but for lists whose length it asks for, and for what it compares
    with each other: two sizes are both at least 1."""
    match condition:
        case StaticBinary(op, left, right) if (
            op not in ("and", "or") and mentions(left) and mentions(right)
        ):
            return set()
        case StaticCall("len"):
            return set()
        case StaticUnary(operand=operand):
            return _asked_in(operand)
        case StaticBinary(left=left, right=right):
            return _asked_in(left) | _asked_in(right)
    return mentions(condition)


def _conditions(body: Sequence[Stmt]) -> Iterator[Static]:
    for stmt in statements(body):
        values: list[Static] = []
        match stmt:
            case If(condition):
                yield condition
            case StaticLet(value=value):
                values.append(value)
                if isinstance(value, StaticBinary) and value.op in _TRUTHS:
                    yield value
            case Declare(layer):
                values += [value for _, value in layer.args]
        for value in values:
            if isinstance(value, StaticIf):
                yield value.condition
        for expr in (part for whole in expressions(stmt) for part in walk(whole)):
            if isinstance(expr, Choose):
                yield expr.condition


def elements_in(definition: Definition) -> dict[str, str]:
    """The variables of loops, and the lists that they are elements of."""
    found: dict[str, str] = {}
    for stmt in statements(definition.body):
        match stmt:
            case For((_, name), StaticCall("enumerate", (values,))):
                found[name] = _list(values)
            case For(names, StaticCall("zip", lists)) if len(names) == len(lists):
                pairs = zip(names, lists, strict=True)
                found |= {name: _list(values) for name, values in pairs}
            case For((name,), values):
                found[name] = _list(values)
    return {name: list_ for name, list_ in found.items() if list_}


def _list(values: Static) -> str:
    """The list whose elements these are; an empty text where there is none."""
    match values:
        case Ref(name):
            return name
        case StaticCall("reversed", (inner,)) | StaticSlice(inner):
            return _list(inner)
    return ""
