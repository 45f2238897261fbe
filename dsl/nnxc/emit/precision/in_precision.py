"""The definitions of a program, each value of the dtype that it will have."""

from __future__ import annotations

from ... import ir
from ...record import replace
from .exact import Exact, exact_names
from .full_precision import assigned_again, converted
from .model_dtype import Body, Names


def in_precision(program: ir.Program) -> ir.Program:
    """The program with the dtypes of its definitions made explicit."""
    strict: dict[str, Names] = {}
    exact: set[str] = set()
    made = tuple(_definition(d, strict, exact) for d in program.definitions)
    return replace(program, definitions=made)


def _definition(
    definition: ir.Definition, strict: dict[str, Names], exact: set[str]
) -> ir.Definition:
    """Its inputs that must be of its dtype go to `strict`: a model sees to that, a block's callers
    do. A block that returns what is computed of whole numbers alone goes to `exact`."""
    foreign = frozenset(i.name for i in definition.inputs if i.type.dtype == "float")
    loose, full, again = foreign, Names(), frozenset(assigned_again(definition))
    numbers = Exact(exact, exact_names(definition, exact))
    again -= numbers.names
    while True:
        body = Body(definition, strict, loose, full, again, numbers)
        made = body.statements(definition.body)
        left, alone = loose - body.converted, full | body.asked_alone()
        known = replace(numbers, names=numbers.names - body.narrow)
        same = again - body.mixed
        if (left, alone, same, known) == (loose, full, again, numbers):
            break
        loose, full, again, numbers = left, alone, same, known
    strict[definition.name] = foreign - loose
    if body.returns_exact:
        exact.add(definition.name)
    if not definition.is_model:
        return replace(definition, body=made)
    first = [converted(i) for i in definition.inputs if i.name in foreign - loose]
    return replace(definition, body=(*first, *made))
