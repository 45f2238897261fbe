"""What a loss reads of its model comes in float32 out of the product that makes it.

A cast afterwards would be of what was rounded already. The model returns such a value as if its
spec called it `f32`; what no product makes is converted where the loss reads it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TypeAlias

from ... import ir
from ...ir.fold_statements import declared, statements
from ...ir.fold_tensors import operands, rebuilt
from ...ir.liveness import assigned_names
from ...ops.base import IN_FLOAT32_LAYERS, Call, Op
from ...record import replace
from ...shapes import TensorType, is_float, like
from ..calls.reads import substitute
from .full_precision import (
    ARITHMETIC,
    FULL,
    applied,
    assigned_alone,
    computes_as,
    gives_full,
    in_float32,
    passes,
    uses,
)

# A definition, and which of its values; None stands for all that it returns.
Origin: TypeAlias = tuple[str, int | None]


def losses_in_full(program: ir.Program) -> ir.Program:
    """The program, its models giving in float32 what losses read and products make."""
    results = {d.name: d.result for d in program.definitions}
    read = {o for t in program.trains for o in _read(t, results)}
    layers = (i for d in program.definitions for i in _layers(d))
    held = {i.callee for i in layers if isinstance(i.callee, str)}
    made = tuple(
        d if d.name in held else _asked(d, {i for name, i in read if name == d.name})
        for d in program.definitions
    )
    results = {d.name: d.result for d in made}
    trains = tuple(_Reader(t, results).train() for t in program.trains)
    return replace(program, definitions=made, trains=trains)


def _read(train: ir.Train, results: Mapping[str, ir.Type]) -> set[Origin]:
    reader = _Reader(train, results)
    reader.train()
    return reader.read


class _Reader:
    """A train, what its models give being of the types that these have."""

    def __init__(self, train: ir.Train, results: Mapping[str, ir.Type]):
        self.given, self.results = train, results
        self.models = {f.name: f.model for f in train.frozen} | {"model": train.model}
        self.origins: dict[str, Origin | None] = {}
        self.read: set[Origin] = set()  # the tensors among what the models give

    def train(self) -> ir.Train:
        """It, in order: a name may get other values."""
        body = self._statements(self.given.body)
        shared, goals = self.origins, []
        for goal in self.given.objectives:
            self.origins = {**shared}
            goals.append(self._objective(goal))
        return replace(self.given, body=body, objectives=tuple(goals))

    def _objective(self, goal: ir.Objective) -> ir.Objective:
        body = self._statements(goal.body)
        metrics = tuple((name, self._expr(value)) for name, value in goal.metrics)
        return replace(goal, body=body, loss=self._expr(goal.loss), metrics=metrics)

    def _statements(self, body: Sequence[ir.Stmt]) -> tuple[ir.Stmt, ...]:
        return tuple(map(self._statement, body))

    def _statement(self, stmt: ir.Stmt) -> ir.Stmt:
        if not isinstance(stmt, ir.Assign):
            return stmt
        value = self._expr(stmt.value)
        whole = self._origin(value)
        for at, name in enumerate(stmt.targets):
            apart = whole is not None and len(stmt.targets) > 1
            self.origins[name] = (whole[0], at) if whole and apart else whole
        return replace(stmt, value=value)

    def _expr(self, value: ir.Expr) -> ir.Expr:
        if isinstance(value, ir.Let):
            inner = self._expr(value.value)
            self.origins[value.name] = self._origin(inner)
            return replace(value, value=inner, body=self._expr(value.body))
        made = rebuilt(value, [self._expr(part) for part in operands(value)])
        origin = self._origin(made)
        if origin is None:
            return made
        type_ = self._type(origin)
        if isinstance(type_, TensorType):
            self.read.add((origin[0], origin[1] or 0))
        return replace(made, type=type_)

    def _origin(self, value: ir.Expr) -> Origin | None:
        """Which of a model's values it is, if it is one."""
        match value:
            case ir.ModelCall(model=name):
                return self.models[name], None
            case ir.Var(name):
                return self.origins.get(name)
            case ir.Item(inner, index):
                whole = self._origin(inner)
                return (whole[0], index) if whole and whole[1] is None else None
        return None

    def _type(self, origin: Origin) -> ir.Type:
        name, index = origin
        whole = self.results[name]
        if index is None:
            return whole
        assert isinstance(whole, tuple)
        return whole[index]


def _layers(definition: ir.Definition) -> Iterator[ir.Layer]:
    return (i for i in declared(definition.body) if isinstance(i, ir.Layer))


def _asked(definition: ir.Definition, read: set[int | None]) -> ir.Definition:
    """A definition that returns in float32 what is read and made by products."""
    for form in (definition, _without_last(definition)) if read else ():
        made = _returned(form, read)
        if made is not form:
            return made
    return definition


def _returned(definition: ir.Definition, read: set[int | None]) -> ir.Definition:
    returns = [s for s in statements(definition.body) if isinstance(s, ir.Return)]
    *body, last = definition.body
    if returns != [last] or len(returns[0].values) != len(definition.outputs):
        return definition
    products, values = _Products(definition), list(returns[0].values)
    asked = [at for at, v in enumerate(values) if at in read and products.make(v)]
    for at in asked:
        values[at] = _in_full(values[at])
    if not asked:
        return definition
    outputs = like(definition.outputs, (v.type for v in values))
    body.append(replace(returns[0], values=tuple(values)))
    return replace(definition, body=tuple(body), outputs=outputs)


def _in_full(value: ir.Expr) -> ir.Expr:
    """The value as a spec has it that calls it `f32`."""
    assert isinstance(value.type, TensorType)
    return ir.Cast(value, value.type.with_dtype(FULL), value.span)


def _without_last(definition: ir.Definition) -> ir.Definition:
    """The definition, the last of several values of a name standing where it is returned: the
    name has one dtype throughout."""
    match definition.body:
        case (*body, ir.Assign((name,), value), ir.Return() as last):
            pass
        case _:
            return definition
    reads = uses((last,))[name]
    if reads != 1 or name not in assigned_names(body):
        return definition
    values = tuple(substitute(v, name, value) for v in last.values)
    return replace(definition, body=(*body, replace(last, values=values)))


class _Products:
    """Which values of a definition come out of products that can give float32, or are in it."""

    def __init__(self, definition: ir.Definition):
        self.layers = {i.name: i for i in _layers(definition)}
        self.uses, self.alone = uses(definition.body), assigned_alone(definition)
        self.values: dict[str, list[ir.Expr]] = {}
        for stmt in statements(definition.body):
            if isinstance(stmt, ir.Assign):
                for name in stmt.targets:
                    self.values.setdefault(name, []).append(stmt.value)

    def make(self, value: ir.Expr) -> bool:
        """Whether a value is a product, or is computed of one on the way to its reader."""
        if not (isinstance(value.type, TensorType) and value.type.dtype == "float"):
            return False
        match value:
            case ir.Var(name) if name in self.alone and self.uses[name] == 1:
                return all(map(self.make, self.values[name]))
            case ir.Choose(then=then, orelse=orelse):
                return self.make(then) and self.make(orelse)
            case ir.Operator(op) if op in ARITHMETIC:
                return self._first(value)
            case ir.Reshape() | ir.Subscript():
                return self._first(value)
            case ir.OpCall(op):
                if op.in_full or in_float32(op):
                    return True
                return computes_as(op) and self._first(value)
            case ir.Apply(name, method=method):
                layer = self.layers[name]
                if passes(layer, method):
                    return self._first(value)
                return gives_full(layer, method) and self._multiplies(layer, method)
        return False

    def _first(self, value: ir.Expr) -> bool:
        """JAX promotes: where one part is in float32, all of it is."""
        tensors = (p for p in operands(value) if not isinstance(p, ir.Scalar))
        floats = (p for p in tensors if isinstance(p.type, TensorType))
        first = next((p for p in floats if is_float(p.type.dtype)), None)  # type: ignore[union-attr]
        return first is not None and self.make(first)

    def _multiplies(self, layer: ir.Layer, method: str | None) -> bool:
        if method or not isinstance(layer.callee, Op):
            return bool(method)
        build = layer.callee.build_for(dict(layer.args))
        known = isinstance(build, Call) and build.target in IN_FLOAT32_LAYERS
        return known and self.uses[applied(layer.name)] == 1
