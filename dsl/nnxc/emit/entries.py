"""The entries of the library that a program uses, and the helpers that they need."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from .. import ir
from ..ir.fold_statements import declared, expressions, statements
from ..ir.fold_tensors import walk
from ..ops.base import Call, Helper, Op, Origin
from ..ops.extern_code import DECLARED, FROM_FILE, TABLE
from .calls.reads import functions_in
from .python.free_names import names_of


def helpers_of(program: ir.Program) -> list[Helper]:
    """The helpers in the order of their first use, each after those that it needs."""
    found: dict[str, Helper] = {}
    for needed in _needed(program):
        for helper in (*needed.needs, needed):
            found.setdefault(helper.name, helper)
    return list(found.values())


def origins(program: ir.Program) -> list[Origin]:
    """The Python code that is brought along, in the order of its first use."""
    return list(dict.fromkeys(op.origin for op, _ in ops(program) if op.origin))


def _needed(program: ir.Program) -> Iterator[Helper]:
    for op, build in (*ops(program), *_as_values(program)):
        own = (*op.helper.needs, op.helper) if op.helper else ()
        known = (*own, *op.other_helpers)
        yield from (helper for helper in known if _calls(build, helper))
        if op.origin:
            yield from (FROM_FILE,) if op.origin.file else ()
            yield from (TABLE,) if _calls(build, TABLE) else ()
            yield DECLARED


def _calls(build: Call | str, helper: Helper) -> bool:
    """Whether a build needs its entry's helper, for arguments may choose another."""
    return helper.name in names_of(_templates(build))


def _templates(build: Call | str) -> Iterator[str]:
    """The Python of a build; what it fills in stands in braces, as in a set of one."""
    if isinstance(build, str):
        yield build
        return
    yield build.target
    yield build.around.replace("{}", "_")
    yield from (v[1:] for v in build.kwargs.values() if v.startswith("="))


def ops(program: ir.Program) -> Iterator[tuple[Op, Call | str]]:
    """Every layer and function with its build, as often as it occurs."""
    for definition in program.definitions:
        for item in declared(definition.body):
            if isinstance(item, ir.Layer) and isinstance(item.callee, Op):
                yield item.callee, item.callee.build_for(dict(item.args))
        yield from _called(_tops(definition.body))
    for train in program.trains:
        yield from _called(_tops(train.body))
        for goal in train.objectives:
            metrics = [value for _, value in goal.metrics]
            yield from _called([*_tops(goal.body), goal.loss, *metrics])


def _as_values(program: ir.Program) -> Iterator[tuple[Op, Call | str]]:
    """Every activation that is a default or an argument, with its build."""
    given: list[ir.Static | None] = [v for c in program.configs for _, v in c.args]
    for definition in program.definitions:
        given += [p.default for p in definition.params]
        layers = declared(definition.body)
        given += [v for i in layers if isinstance(i, ir.Layer) for _, v in i.args]
    for value in given:
        for function in functions_in(value):
            build = function.op.build_for(dict(function.args))
            yield function.op, function.name or build


def _tops(body: Sequence[ir.Stmt]) -> list[ir.Expr]:
    found = [expr for stmt in statements(body) for expr in expressions(stmt)]
    begun = (v.init for v in declared(body) if isinstance(v, ir.Variable))
    return [*found, *(init for init in begun if isinstance(init, ir.Expr))]


def _called(exprs: Iterable[ir.Expr]) -> Iterator[tuple[Op, Call | str]]:
    for top in exprs:
        for e in walk(top):
            if isinstance(e, ir.OpCall):
                yield e.op, e.op.build_for(dict((*e.args, *e.inputs)))
