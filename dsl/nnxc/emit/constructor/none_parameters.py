"""Which parameters may be `none`: by default, as an argument, or by what `config.json` says."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from ... import ir
from ...ir.fold_statements import declared, statements
from ...record import replace

Names = set[str]


def with_absent(program: ir.Program) -> ir.Program:
    """The program in which every parameter that is given `none` somewhere is `optional`."""
    absent: dict[str, Names] = {
        d.name: {p.name for p in d.params if p.optional} for d in program.definitions
    }
    for config in program.configs:
        absent[config.model] |= {n for n, v in config.args if _is_none(v, set())}
    for section in program.weights:
        given = absent[section.model]
        given |= {n for n, v in section.config if _is_read_as_none(v, given)}
    # Callers stand after what they call.
    for definition in reversed(program.definitions):
        _pass_on(definition, absent)
    return replace(
        program,
        definitions=tuple(_marked(d, absent[d.name]) for d in program.definitions),
    )


def _marked(definition: ir.Definition, absent: Names) -> ir.Definition:
    params = (
        replace(p, optional=True) if p.name in absent else p for p in definition.params
    )
    return replace(definition, params=tuple(params))


def _pass_on(definition: ir.Definition, absent: Mapping[str, Names]) -> None:
    """What a definition gives to the blocks that it declares."""
    known = set(absent[definition.name])
    for name, value in _locals(definition):
        if _is_none(value, known):
            known.add(name)
    for layer in declared(definition.body):
        if isinstance(layer, ir.Layer) and isinstance(layer.callee, str):
            absent[layer.callee].update(
                name for name, value in layer.args if _is_none(value, known)
            )


def _locals(definition: ir.Definition) -> Iterator[tuple[str, ir.Static]]:
    for stmt in statements(definition.body):
        match stmt:
            case ir.StaticLet(name, value):
                yield name, value
            case ir.For((name,), ir.StaticList(items)):
                yield from ((name, item) for item in items)


def _is_none(value: ir.Static, known: Names) -> bool:
    match value:
        case ir.Literal(None):
            return True
        case ir.Ref(name):
            return name in known
        case ir.StaticIf(_, then, orelse):
            return _is_none(then, known) or _is_none(orelse, known)
        case ir.StaticIndex(ir.StaticList(items)):
            return any(_is_none(item, known) for item in items)
    return False


def _is_read_as_none(value: ir.Recorded, known: Names) -> bool:
    match value:
        case ir.Value(None):
            return True
        case ir.Default(name):
            return name in known
        case ir.Computed("or", operands) | ir.Computed("if", (_, *operands)):
            return any(_is_read_as_none(side, known) for side in operands)
    return False
