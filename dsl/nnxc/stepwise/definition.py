"""One definition, rewritten so that it may be called with one piece of a sequence after another."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from .. import ir
from ..ops.base import Op
from ..record import replace
from ..source import Span
from ..walk import operands, rebuilt
from . import stand_ins
from .time import (
    CREATES,
    MOVES,
    axes_named,
    has_time_axis,
    leads,
    mixes,
    sums_over,
    time_axis,
    timed,
)

ALL_AT_ONCE = "this needs the whole sequence at once"


class Rewriting:
    """Definitions by name, those that are rewritten, and what is in the way."""

    def __init__(self, definitions: Mapping[str, ir.Definition]):
        self.known = definitions
        self.done: dict[str, ir.Definition] = {}
        self.times: dict[str, str] = {}
        self.keeping: set[str] = set()  # those whose layers keep what they have seen
        self.problems: list[tuple[str, Span, str | None]] = []

    def definition(self, name: str, time: str, span: Span) -> None:
        """Rewrite a definition whose sequence goes along the axis `time`."""
        if name in self.times:
            if self.times[name] != time:
                self.problem(f"`{name}` takes its sequence along two axes", span)
            return
        self.times[name] = time
        one = _Definition(self, self.known[name], time)
        self.done[name] = replace(self.known[name], body=one.body())
        if one.keeps:
            self.keeping.add(name)

    def problem(self, message: str, span: Span, help: str | None = None) -> None:
        """Note what is in the way."""
        self.problems.append((message, span, help))


class _Definition:
    def __init__(self, work: Rewriting, definition: ir.Definition, time: str):
        self.work, self.definition, self.time = work, definition, time
        self.layers = {
            s.layer.name: s.layer
            for s in _statements(definition.body)
            if isinstance(s, ir.Declare)
        }
        self.taken = {*self.layers, *(i.name for i in definition.inputs)}
        self.swapped: dict[str, Op] = {}
        self.applied: set[str] = set()
        self.made: list[ir.Stmt] = []  # layers that the present statement needs
        self.in_scan = False
        self.keeps = False

    def body(self) -> tuple[ir.Stmt, ...]:
        """The statements, rewritten."""
        body = self._block(self.definition.body)
        return tuple(map(self._with_swaps, body))

    # ---------------------------------------------------------- statements

    def _block(self, body: Sequence[ir.Stmt]) -> tuple[ir.Stmt, ...]:
        found: list[ir.Stmt] = []
        for stmt in body:
            before, self.made = self.made, []
            rewritten = self._statement(stmt)
            found += [*self.made, rewritten]
            self.made = before
        return tuple(found)

    def _statement(self, stmt: ir.Stmt) -> ir.Stmt:
        match stmt:
            case (
                ir.Assign(value=value)
                | ir.UpdateState(value=value)
                | ir.Append(value=value)
            ):
                return replace(stmt, value=self._value(value))
            case ir.Return(values):
                return replace(stmt, values=tuple(map(self._value, values)))
            case ir.For(body=body):
                return replace(stmt, body=self._block(body))
            case ir.If(condition, then, orelse):
                absent = isinstance(condition, ir.Given)
                then = then if absent else self._block(then)
                return replace(stmt, then=then, orelse=self._block(orelse))
            case ir.Scan():
                return self._scan(stmt)
        return stmt

    def _scan(self, stmt: ir.Scan) -> ir.Stmt:
        steps = tuple(replace(s, value=self._value(s.value)) for s in stmt.steps)
        carries = tuple((n, self._value(v)) for n, v in stmt.carries)
        inside, self.in_scan = self.in_scan, True
        body = self._block(stmt.body)
        self.in_scan = inside
        scan = replace(stmt, steps=steps, carries=carries, body=body)
        along = [s for s in stmt.steps if timed(s.value.type, self.time)]
        if self.time not in stmt.length.symbols:
            return scan
        if stmt.reverse or not along:
            self._problem("this goes over the sequence from its end", stmt.span)
            return scan
        layer = stand_ins.recurrence(stmt, self._name("scan"))
        if layer is None:
            help = (
                "a carry is [B, ...], with sizes that are known when the model is built"
            )
            self._problem("what this hands on cannot be kept", stmt.span, help)
            return scan
        self._declare(layer, stmt.span)
        return replace(scan, within=layer.name)

    def _with_swaps(self, stmt: ir.Stmt) -> ir.Stmt:
        """Declarations of layers that became others."""
        match stmt:
            case ir.Declare(layer) if layer.name in self.swapped:
                op = self.swapped[layer.name]
                return ir.Declare(replace(layer, callee=op))
            case ir.For(body=body) | ir.Scan(body=body):
                return replace(stmt, body=tuple(map(self._with_swaps, body)))
            case ir.If(then=then, orelse=orelse):
                return replace(
                    stmt,
                    then=tuple(map(self._with_swaps, then)),
                    orelse=tuple(map(self._with_swaps, orelse)),
                )
        return stmt

    # --------------------------------------------------------- expressions

    def _value(self, expr: ir.Expr) -> ir.Expr:
        parts = operands(expr)
        new = [self._value(part) for part in parts]
        same = all(a is b for a, b in zip(parts, new, strict=True))
        expr = expr if same else rebuilt(expr, new)
        return self._one(expr)

    def _one(self, expr: ir.Expr) -> ir.Expr:
        along = any(timed(part.type, self.time) for part in operands(expr))
        if not along and not timed(expr.type, self.time):
            return expr
        match expr:
            case ir.OpCall():
                return self._call(expr, along)
            case ir.Apply():
                self._apply(expr)
            case ir.Subscript():
                self._subscript(expr)
            case (
                ir.Var()
                | ir.TupleOf()
                | ir.Item()
                | ir.Element()
                | ir.ListPart()
                | ir.Choose()
                | ir.Let()
            ):
                return expr
            case _:
                self._keeps_time(expr)
        return expr

    def _keeps_time(self, expr: ir.Expr) -> None:
        """Each entry of the sequence stays an entry, by itself."""
        if not has_time_axis(expr.type, self.time) or not timed(expr.type, self.time):
            self._problem(ALL_AT_ONCE, expr.span)

    def _call(self, expr: ir.OpCall, along: bool) -> ir.Expr:
        name = expr.op.name
        if expr.op.origin:
            given = [(n, v.type) for n, v in expr.inputs if isinstance(v, ir.Expr)]
            self._brought(expr, expr.op, given if along else [])
            return expr
        if name in stand_ins.FUNCTIONS and along:
            return self._stand_in(expr)
        if not along:
            if name not in CREATES:
                help = "`positions(x)` gives the place of each entry, [B, T]"
                self._problem(
                    f"`{name}` counts from the start of the sequence", expr.span, help
                )
            self._keeps_time(expr)
            return expr
        if mixes(expr.op) or sums_over(expr, self.time):
            self._problem(ALL_AT_ONCE, expr.span)
            return expr
        first = expr.inputs[0][1] if expr.inputs else None
        if name not in MOVES and isinstance(first, ir.Expr):
            axis = time_axis(first.type, self.time)
            if axis is not None and axis in axes_named(expr):
                self._problem(ALL_AT_ONCE, expr.span)
                return expr
        self._keeps_time(expr)
        return expr

    def _stand_in(self, expr: ir.OpCall) -> ir.Expr:
        reason = stand_ins.refusal(expr, self.time)
        if reason is None and self.in_scan:
            reason = "a scan cannot hold what looks back along the sequence", None
        if reason is not None:
            self._problem(reason[0], expr.span, reason[1])
            return expr
        layer = stand_ins.of_call(expr, self._name(expr.op.name))
        self._declare(layer, expr.span)
        inputs = tuple((n, v) for n, v in expr.inputs if isinstance(v, ir.Expr))
        return ir.Apply(layer.name, inputs, None, expr.type, expr.span, expr.flops)

    def _apply(self, expr: ir.Apply) -> None:
        layer = self.layers.get(expr.layer)
        if layer is None:
            return
        if isinstance(layer.callee, str):
            self._block_applied(expr, layer, layer.callee)
            return
        if layer.callee.origin:
            self._brought(expr, layer.callee, [(n, v.type) for n, v in expr.args])
            return
        op = stand_ins.of_layer(layer, expr, self.time)
        if isinstance(op, str):
            self._problem(op, expr.span)
        elif op is not None:
            self._once(layer, expr.span)
            self.swapped[layer.name] = op
        elif mixes(layer.callee):
            self._problem(ALL_AT_ONCE, expr.span)
        else:
            self._keeps_time(expr)

    def _brought(
        self, expr: ir.Expr, op: Op, given: Sequence[tuple[str, ir.Type]]
    ) -> None:
        """Python code: only where it declares `...` it takes each entry by itself."""
        if not given or not leads(op, given, self.time):
            help = "declare its tensors as `[..., d]` if it takes each entry by itself"
            self._problem(f"`{op.name}` may look at all entries", expr.span, help)
        self._keeps_time(expr)

    def _block_applied(self, expr: ir.Apply, layer: ir.Layer, name: str) -> None:
        callee = self.work.known[name]
        times = set()
        for given, value in expr.args:
            axis = time_axis(value.type, self.time)
            if axis is None:
                continue
            declared = next(i.type for i in callee.inputs if i.name == given)
            place = axis - (
                0 if not declared.lead else _rank(value.type) - declared.rank
            )
            if place >= 0:
                times.add(declared.sizes[place].name)
        if len(times) != 1 or None in times:
            if times:
                self._problem(
                    f"`{name}` takes its sequence along several axes", expr.span
                )
            return
        self.work.definition(name, str(times.pop()), expr.span)
        if name in self.work.keeping:
            self._once(layer, expr.span)

    def _once(self, layer: ir.Layer, span: Span) -> None:
        """What keeps what it has seen is applied in one place."""
        self.keeps = True
        if layer.name in self.applied:
            help = "give each place a layer of its own"
            self._problem(
                f"`{layer.name}` is applied twice, and keeps one sequence", span, help
            )
        if self.in_scan:
            self._problem("a scan cannot hold what looks back along the sequence", span)
        if layer.copies is not None:
            self._problem("copies of a layer cannot keep what they have seen", span)
        self.applied.add(layer.name)

    def _subscript(self, expr: ir.Subscript) -> None:
        axis = time_axis(expr.value.type, self.time)
        if axis is not None and not _whole(expr, axis):
            help = "`shift(x)` gives what came before"
            self._problem(ALL_AT_ONCE, expr.span, help)
            return
        self._keeps_time(expr)

    # ---------------------------------------------------------------- names

    def _name(self, base: str) -> str:
        name, number = base, 1
        while name in self.taken:
            number += 1
            name = f"{base}_{number}"
        self.taken.add(name)
        return name

    def _declare(self, layer: ir.Layer, span: Span) -> None:
        self.keeps = True
        self.made.append(ir.Declare(layer))

    def _problem(self, message: str, span: Span, help: str | None = None) -> None:
        self.work.problem(message, span, help)


def _rank(type_: ir.Type) -> int:
    return getattr(type_, "rank", 0)


def _whole(expr: ir.Subscript, axis: int) -> bool:
    """Whether an index takes all of an axis."""
    items = [i for i in expr.items if not isinstance(i, ir.NewAxis)]
    rest = next((n for n, i in enumerate(items) if isinstance(i, ir.Rest)), None)
    if rest is not None:
        after = len(items) - rest - 1
        if axis >= rest and axis < _rank(expr.value.type) - after:
            return True
        if axis >= rest:
            axis -= _rank(expr.value.type) - len(items)
    if axis >= len(items):
        return True
    return items[axis] == ir.SliceOf(None, None, None)


def _statements(body: Sequence[ir.Stmt]) -> Iterator[ir.Stmt]:
    for stmt in body:
        yield stmt
        match stmt:
            case ir.For(body=inner) | ir.Scan(body=inner):
                yield from _statements(inner)
            case ir.If(then=then, orelse=orelse):
                yield from _statements(then)
                yield from _statements(orelse)
