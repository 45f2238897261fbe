"""Rows of tables that are counted off, as positions are: a table has so many.

JAX gives NaN, or the last row, for a row that is not there. How many are needed is known when a call
is traced, and checked then wherever no constructor knows it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import TypeAlias

from ... import ir
from ...dims import Dim, func
from ...ir.fold_statements import (
    Side,
    declared,
    expressions,
    mapped,
    placed,
    with_expressions,
)
from ...ir.fold_tensors import operands, rebuilt, walk
from ...ops.base import Call, Helper, Kind, Op, Param
from ...ops.stepwise import PLACES
from ...record import replace
from ...shapes import TensorType
from ...stepwise.limits import table_of
from ..python.static_text import as_size

_Place: TypeAlias = tuple[tuple[int, bool], ...]
_WITHIN = Helper("arange_within")
_ROWS = Param("rows", Kind.SIZE, doc="how many rows the table has")


def within_tables(program: ir.Program) -> ir.Program:
    """The program with checks of what is counted off to look it up."""
    return replace(program, definitions=tuple(map(_checked, program.definitions)))


def _checked(definition: ir.Definition) -> ir.Definition:
    layers = {i.name: i for i in declared(definition.body) if isinstance(i, ir.Layer)}
    counted: dict[int, tuple[ir.Expr, Dim]] = {}
    for ids, rows in _counted(definition, layers):
        _, known = counted.get(id(ids), (ids, rows))
        counted[id(ids)] = ids, rows if rows == known else func("min", known, rows)
    if not counted:
        return definition
    placed_at = {
        ids.layer: rows for ids, rows in counted.values() if isinstance(ids, ir.Apply)
    }
    made: dict[int, tuple[ir.Expr, ir.Expr]] = {}

    def checked(expr: ir.Expr) -> ir.Expr:
        """What stands in several places is one object, and stays one."""
        if id(expr) not in made:
            new = rebuilt(expr, [checked(part) for part in operands(expr)])
            if id(expr) in counted and isinstance(new, ir.OpCall):
                new = _within(new, counted[id(expr)][1])
            made[id(expr)] = expr, new
        return made[id(expr)][1]

    def in_statement(stmt: ir.Stmt) -> ir.Stmt:
        if isinstance(stmt, ir.Declare) and stmt.layer.name in placed_at:
            return ir.Declare(_places(stmt.layer, placed_at[stmt.layer.name]))
        return with_expressions(stmt, map(checked, expressions(stmt)))

    return replace(definition, body=mapped(definition.body, in_statement))


def _counted(
    definition: ir.Definition, layers: dict[str, ir.Layer]
) -> Iterator[tuple[ir.Expr, Dim]]:
    """What counts off the rows of a table, and how many it has."""
    values = _named(definition)
    built = {*definition.inferred, *(p.name for p in definition.params)}
    for stmt, around in placed(definition.body):
        for top in expressions(stmt):
            chosen = {id(e) for e in _in_choices(top)}
            for expr in walk(top):
                for ids, rows in table_of(expr, layers):
                    if isinstance(ids, ir.Var) and id(expr) not in chosen:
                        ids = values.get((ids.name, _place(around)), ids)
                    last = _last(ids, layers)
                    if last and not last.symbols <= built and rows.symbols <= built:
                        yield ids, rows


def _named(definition: ir.Definition) -> dict[tuple[str, _Place], ir.Expr]:
    """The values that have a name of their own, by it and what stands around: where one is
    computed, all that is looked up there is, too."""
    found: dict[tuple[str, _Place], ir.Expr] = {}
    count = Counter(i.name for i in definition.inputs)
    for stmt, around in placed(definition.body):
        if isinstance(stmt, ir.Assign):
            count.update(stmt.targets)
            found |= {(n, _place(around)): stmt.value for n in stmt.targets}
        elif isinstance(stmt, ir.Scan):
            count.update([*(s.name for s in stmt.steps), *(n for n, _ in stmt.carries)])
    return {key: value for key, value in found.items() if count[key[0]] == 1}


def _place(around: Sequence[Side]) -> _Place:
    return tuple((id(side.stmt), side.taken) for side in around)


def _in_choices(top: ir.Expr) -> Iterator[ir.Expr]:
    """What is computed on one side only."""
    for expr in walk(top):
        if isinstance(expr, ir.Choose):
            yield from walk(expr.then)
            yield from walk(expr.orelse)


def _last(ids: ir.Expr, layers: dict[str, ir.Layer]) -> Dim | None:
    """How far it counts, step by step."""
    match ids:
        case ir.OpCall(op=Op(name="arange"), args=args):
            given = dict(args)
            stop = as_size(given.get("stop", given["start"]))
            return None if "step" in given else stop
        case ir.OpCall(op=Op(name="positions")):
            return _length(ids)
        case ir.Apply(layer=name) if name in layers:
            callee = layers[name].callee
            return _length(ids) if callee == PLACES else None
    return None


def _length(places: ir.Expr) -> Dim:
    assert isinstance(places.type, TensorType)
    return places.type.sizes[1]


def _places(layer: ir.Layer, rows: Dim) -> ir.Layer:
    """The layer of positions that knows how many there are."""
    assert isinstance(layer.callee, Op) and isinstance(layer.callee.build, Call)
    op = replace(layer.callee, build=replace(layer.callee.build, args=("rows",)))
    return replace(layer, callee=op, sizes={**layer.sizes, "rows": rows})


def _within(call: ir.OpCall, rows: Dim) -> ir.OpCall:
    """The call, with a check."""
    build = call.op.build
    if isinstance(build, Call):
        kwargs = {**build.kwargs, "rows": "rows"}
        build = replace(build, target=_WITHIN.name, kwargs=kwargs)
    elif isinstance(build, str):
        counted = f"{_WITHIN.name}({{x}}.shape[1], rows={{rows}})"
        build = build.replace("jnp.arange({x}.shape[1])", counted)
    op = replace(call.op, build=build, helper=_WITHIN, params=(*call.op.params, _ROWS))
    return replace(call, op=op, args=(*call.args, ("rows", ir.Size(rows))))
