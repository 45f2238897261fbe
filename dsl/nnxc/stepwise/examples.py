"""Which values of a model are of several examples of a batch at once."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TypeAlias

from .. import ir
from ..dims import product
from ..ir.fold_tensors import operands
from ..ops.base import Along, Op
from ..shapes import TensorType
from ..source import Span
from .along import works_along
from .places import declared_as, one_copy, taken_apart
from .time import axis_of, carries, depends, tensors

Found: TypeAlias = "Span | tuple[Found, ...] | None"
"""Where a value was first made of several examples, None where it is of one; for several values,
of each of them."""
Env: TypeAlias = dict[str, Found]
Args: TypeAlias = tuple[tuple[str, ir.Static], ...]


def first(found: Found) -> Span | None:
    """Of several values, where the first of them that is made of several examples is made so."""
    if isinstance(found, tuple):
        return next((span for part in found if (span := first(part))), None)
    return found


class Examples:
    """Answers for the definitions that are known, by name."""

    def __init__(self, known: Mapping[str, ir.Definition]):
        self._known = known
        self._done: dict[tuple[str, str], Found] = {}

    def of_call(
        self, name: str, args: Sequence[tuple[str, ir.Type]], axis: str, span: Span
    ) -> Found:
        """What a definition gives, where its inputs have the examples along an axis."""
        callee = self._known[name]
        own = declared_as(callee, args, axis)
        if not own:
            return None
        if len(own) > 1 or None in own:
            return span
        key = name, str(own.pop())
        if key not in self._done:
            self._done[key] = None  # a block does not contain itself
            self._done[key] = _Reader(self, callee, key[1]).returned()
        return self._done[key]


class _Reader:
    """One definition, whose examples lie along an axis."""

    def __init__(self, work: Examples, definition: ir.Definition, axis: str):
        self.work, self.definition, self.axis = work, definition, axis
        self.env: Env = {}
        self.values: dict[str, ir.Expr] = {}
        self.counts = {axis}  # static names that depend on how many examples there are
        self.layers: dict[str, list[ir.Layer]] = {}
        self.result: Found = None

    def returned(self) -> Found:
        """What the definition gives."""
        self.run(self.definition.body)
        return self.result

    # ------------------------------------------------------------ statements

    def run(self, body: Iterable[ir.Stmt]) -> None:
        for stmt in body:
            self.step(stmt)

    def step(self, stmt: ir.Stmt) -> None:
        match stmt:
            case ir.Declare(layer):
                self.layers.setdefault(layer.name, []).append(layer)
            case ir.StaticLet(name, value) if depends(value, self.counts):
                self.counts.add(name)
            case ir.Assign(targets, value):
                self.assign(targets, value)
            case ir.UpdateState(name, value) | ir.Append(name, value):
                self.add(name, self.found(value))
            case ir.NewList(name, items=items):
                self.env[name] = first(tuple(map(self.found, items)))
            case ir.Pop(target, name):
                self.env[target] = self.env.get(name)
            case ir.For():
                self.again(stmt.body)
            case ir.Scan():
                self.scan(stmt)
            case ir.If(then=then, orelse=orelse):
                before = dict(self.env)
                self.run(then)
                self.env, after = before, self.env
                self.run(orelse)
                self.join(after)
            case ir.Return(values):
                found = tuple(map(self.found, values))
                several = len(found) > 1 or self.definition.named
                self.result = found if several else found[0]

    def assign(self, targets: Sequence[str], value: ir.Expr) -> None:
        found = self.found(value)
        if len(targets) == 1:
            self.env[targets[0]], self.values[targets[0]] = found, value
            return
        parts = found if isinstance(found, tuple) else [found] * len(targets)
        self.env.update(zip(targets, parts, strict=True))

    def add(self, name: str, found: Found) -> None:
        self.env[name] = first(self.env.get(name)) or first(found)

    def join(self, other: Env) -> None:
        for name, found in other.items():
            self.env[name] = self.env.get(name) or found

    def again(self, body: Sequence[ir.Stmt]) -> None:
        """Runs what is repeated until it tells nothing new."""
        before: Env | None = None
        while before != self.env:
            before = dict(self.env)
            self.run(body)
            self.join(before)

    def scan(self, stmt: ir.Scan) -> None:
        for step in stmt.steps:
            type_ = step.value.type
            assert isinstance(type_, TensorType)
            at = step.axis % type_.rank
            found = first(self.found(step.value))
            self.env[step.name] = found or self.worked(type_, {at}, step.value.span)
        for name, value in stmt.carries:
            self.env[name] = self.found(value)
        self.again(stmt.body)
        for one in stmt.collects:
            self.env[one.name] = self.env.get(one.local)

    # ----------------------------------------------------------- expressions

    def found(self, expr: ir.Expr) -> Found:
        match expr:
            case ir.Var(name):
                return self.env.get(name)
            case ir.Scalar(value):
                return expr.span if depends(value, self.counts) else None
            case ir.TupleOf(items):
                return tuple(map(self.found, items))
            case ir.Item(value, index):
                whole = self.found(value)
                return whole[index] if isinstance(whole, tuple) else whole
            case ir.Let(name, value, body):
                self.assign((name,), value)
                return self.found(body)
            case ir.Subscript() if self.own_rows(expr):
                return first(self.found(expr.value))
        given = first(tuple(map(self.found, operands(expr))))
        if given is not None or isinstance(expr, ir.Choose):
            return given
        match expr:
            case ir.Apply():
                return self.applied(expr)
            case ir.OpCall():
                return self.called(expr)
            case ir.Subscript(value):
                assert isinstance(value.type, TensorType)
                apart = taken_apart(expr, value.type)
                return self.worked(value.type, apart, expr.span) or self.kept(expr)
            case ir.Reshape():
                return self.laid_out(expr) or self.kept(expr)
        return self.kept(expr)

    def own_rows(self, expr: ir.Subscript) -> bool:
        """Whether it is `x[arange(B), places]`: of each example an entry of its own."""
        rows = expr.items[0]
        if isinstance(rows, ir.Var):
            rows = self.values.get(rows.name, rows)
        counts = isinstance(rows, ir.OpCall) and rows.op.name == "arange"
        return (
            counts
            and axis_of(expr.value.type, self.axis) == 0
            and isinstance(rows, ir.OpCall)
            and isinstance(rows.type, TensorType)
            and rows.type.sizes == expr.value.type.sizes[:1]  # type: ignore[union-attr]
        )

    def kept(self, expr: ir.Expr, made: bool = False) -> Span | None:
        """Where examples are merged, or a value of all of them becomes one for each."""
        given = any(carries(part.type, self.axis) for part in operands(expr))
        gives = carries(expr.type, self.axis)
        twice = isinstance(expr.type, TensorType) and axis_of(expr.type, self.axis)
        if given != gives and not (made and gives):
            return expr.span
        return expr.span if gives and twice is None else None

    def worked(self, type_: TensorType, axes: set[int], span: Span) -> Span | None:
        """Where something works along the examples."""
        along = carries(type_, self.axis) and axis_of(type_, self.axis) in axes
        return span if along else None

    def works(
        self, op: Op, given: list[tuple[str, TensorType]], args: Args, expr: ir.Expr
    ) -> Span | None:
        """Where a call of an entry works along them."""
        along = works_along(op, given, dict(args))
        spans = (self.worked(type_, axes, expr.span) for type_, axes in along)
        return next((span for span in spans if span), None)

    def laid_out(self, expr: ir.Reshape) -> Span | None:
        """Where other values lie ahead of the examples than before."""
        types = [t for t in (expr.value.type, expr.type) if isinstance(t, TensorType)]
        places = [axis_of(type_, self.axis) for type_ in types]
        if None in places or -1 in places:
            return None
        ahead = [product(t.sizes[:p]) for t, p in zip(types, places, strict=True)]
        return expr.span if ahead[0] != ahead[1] else None

    def called(self, expr: ir.OpCall) -> Span | None:
        op = expr.op
        if op.along is Along.DRAWS:
            return None
        shapes = op.along in (Along.FILLS, Along.MOVES)
        counted = any(depends(value, self.counts) for _, value in expr.args)
        if counted and not shapes:
            return expr.span
        given = list(tensors(expr.inputs))
        worked = self.works(op, given, expr.args, expr)
        return worked or self.kept(expr, made=shapes)

    def applied(self, expr: ir.Apply) -> Found:
        found = [self.of_layer(expr, layer) for layer in self.layers[expr.layer]]
        return next((f for f in found if first(f)), None)

    def of_layer(self, expr: ir.Apply, layer: ir.Layer) -> Found:
        call = one_copy(expr)
        if isinstance(layer.callee, str):
            args = [(name, value.type) for name, value in call.args]
            return self.work.of_call(layer.callee, args, self.axis, expr.span)
        op = layer.callee
        if "use_running_average" in op.modes:
            return None  # normalises each batch by itself, as the page says
        part = op.methods.get(expr.method or "", op)
        given = list(tensors(call.args))
        return self.works(part, given, layer.args, expr) or self.kept(expr)
