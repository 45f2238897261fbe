"""Expressions, rewritten so that they may take one piece of a sequence after another."""

from __future__ import annotations

from collections.abc import Sequence

from .. import ir
from ..dims import product
from ..ir.fold_statements import statements
from ..ir.fold_tensors import operands, rebuilt
from ..ops.base import Along, Kind
from ..record import replace
from ..shapes import TensorType
from ..source import Span
from . import stand_ins
from .along import ALONG, MIXED, Worked, works_along
from .limits import UNTOLD, Limits, Source, source_of, table_of
from .places import declared_as, one_copy, taken_apart, unmerged
from .rewriting import Given, Rewriting
from .time import (
    AHEAD,
    Axes,
    axis_of,
    carries,
    decided,
    depends,
    keeps,
    solved,
    tensors,
)

LENGTH = "this depends on how long the sequence is"
BACK = "`attend(causal=true)`, `scan`, `shift` and causal windows look back"
ALONE = "each sequence is by itself, whatever else is in its batch"
IN_SCAN = "a scan cannot hold what looks back along the sequence"
_SHAPES = (Kind.SHAPE, Kind.SIZE, Kind.SIZES)


class Values:
    """The expressions of one definition. `applied` are layers that keep what they have seen, each
    in one place; `homes` are the loops in which layers were declared."""

    def __init__(self, work: Rewriting, definition: ir.Definition, given: Given):
        self.work, self.definition, self.axes = work, definition, given.axes
        self.missing = work.missing[definition.name]  # of its inputs, while decoding
        self.sources = dict(given.sources)
        self.limits = Limits(given.limits)
        self.layers: dict[str, ir.Layer] = {}
        self.homes: dict[str, tuple[int, ...]] = {}
        self.loops: tuple[int, ...] = ()  # around the present statement
        self.applied: set[str] = set()
        self.swapped: dict[int, ir.Layer] = {}  # by the id of what they were
        self.added: list[ir.Layer] = []
        self.taken = {i.name for i in definition.inputs}
        for stmt in statements(definition.body):
            match stmt:
                case ir.Declare(ir.Layer(name=name)) | ir.Variable(name=name):
                    self.taken.add(name)
        self.lengths = {*self.axes.both}  # static names that depend on sequences
        self.ends: set[str] = set()  # what a scan leaves, of a whole sequence
        self.made: list[ir.Stmt] = []  # layers that the present statement needs
        self.seen: dict[int, tuple[ir.Expr, ir.Expr]] = {}
        self.optional: list[tuple[ir.Layer, ir.Apply]] = []  # with an optional input
        self.in_scan = False
        self.keeps = False

    def value(self, expr: ir.Expr) -> ir.Expr:
        """The expression over layers that go on where their last call ended. What stands in
        several places is one object, and stays one."""
        if isinstance(expr, ir.Var):
            return self._rewritten(expr)  # what it stands for may have changed
        if id(expr) not in self.seen:
            self.seen[id(expr)] = expr, self._rewritten(expr)
        return self.seen[id(expr)][1]

    def _rewritten(self, expr: ir.Expr) -> ir.Expr:
        if isinstance(expr, ir.Choose):
            return self._choice(expr)
        if isinstance(expr, ir.Let):
            self.named(expr.name, expr.value)
        for ids, size in table_of(expr, self.layers):
            source = source_of(ids, self.sources)
            if source is not None and source.told:
                self.limits.add(source.kind, source.below(size))
            elif source is not None:
                self.problem(UNTOLD, ids.span, self.by_place())
        parts = operands(expr)
        sources = [source_of(part, self.sources) for part in parts]
        new = [self.value(part) for part in parts]
        same = all(a is b for a, b in zip(parts, new, strict=True))
        expr = expr if same else rebuilt(expr, new)
        match expr:
            case ir.Var(name) if name in self.ends:
                self.problem("this is known after the last entry only", expr.span, BACK)
            case ir.Scalar(value) | ir.Element(index=value):
                self.fixed(value, expr.span)
            case ir.ListPart(start=start, stop=stop, step=step):
                self.fixed((start, stop, step), expr.span)
            case ir.OpCall():
                return self._call(expr)
            case ir.Apply():
                self._apply(expr, sources)
            case ir.Subscript():
                self._subscript(expr)
            case ir.Reshape():
                self._reshape(expr)
            case ir.Operator() | ir.Invoke() | ir.Cast():
                self._kept(expr)
        return expr

    def named(self, name: str, value: ir.Expr) -> None:
        """A value gets a name, which tells what it counts."""
        source = source_of(value, self.sources)
        self.sources.pop(name, None)
        if source is not None:
            self.sources[name] = source

    def _choice(self, expr: ir.Choose) -> ir.Expr:
        """Only one side is computed."""
        self.fixed(expr.condition, expr.span)
        known = decided(expr.condition, self.missing)
        before = {*self.applied}
        then = expr.then if known is False else self.value(expr.then)
        after, self.applied = self.applied, before
        orelse = expr.orelse if known is True else self.value(expr.orelse)
        self.applied |= after
        return replace(expr, then=then, orelse=orelse)

    # --------------------------------------------------------------- checks

    def _along(self, expr: ir.Expr) -> bool:
        return any(carries(part.type, self.axes.time) for part in operands(expr))

    def rules(self) -> tuple[tuple[str, str, str], ...]:
        """The axes of sequences, and what is in the way where something works along one."""
        return (self.axes.time, ALONG, BACK), (self.axes.batch, MIXED, ALONE)

    def _kept(self, expr: ir.Expr, made: bool = False) -> None:
        """Each entry stays an entry, by itself, and nothing else becomes one unless it is `made`."""
        if not all(keeps(part.type, self.axes) for part in operands(expr)):
            return  # said where that was made
        for axis, message, help in self.rules():
            given = any(carries(part.type, axis) for part in operands(expr))
            if given and not carries(expr.type, axis):
                self.problem(message, expr.span, help)
                return
            if not given and not made and carries(expr.type, axis):
                self.problem(LENGTH, expr.span, self.by_place())
                return
        if not keeps(expr.type, self.axes):
            self.problem(ALONG, expr.span, BACK)

    def _worked(self, worked: Worked, span: Span) -> bool:
        """Whether a call leaves the axes of sequences alone."""
        for axis, message, help in self.rules():
            for type_, axes in worked:
                if carries(type_, axis) and axis_of(type_, axis) in axes:
                    self.problem(message, span, help)
                    return False
        return True

    def fixed(self, static: object, span: Span) -> None:
        """A static value is the same for all sequences."""
        if depends(static, self.lengths):
            self.problem(LENGTH, span, self.by_place())

    def by_place(self) -> str:
        """What to write in place of a length."""
        first = next(
            (i.name for i in self.definition.inputs if carries(i.type, self.axes.time)),
            "x",
        )
        return f"`positions({first})` is the place of each entry, 0, 1, 2, ..."

    # ------------------------------------------------------------ functions

    def _call(self, expr: ir.OpCall) -> ir.Expr:
        op, along = expr.op, self._along(expr)
        if op.along is Along.DRAWS:
            help = "an optional input, `= none`, is absent while decoding"
            self.problem(f"`{op.name}` draws anew at each call", expr.span, help)
            return expr
        if op.along is Along.COUNTS:
            self._counts(expr)
            return expr
        if op.along is Along.LOOKS_BACK and along:
            return self._looks_back(expr)
        if not self._same_for_all(expr):
            return expr
        args = dict(expr.args)
        given = list(tensors(expr.inputs))
        whole = all(keeps(type_, self.axes) for _, type_ in given)
        if whole and self._worked(works_along(op, given, args), expr.span):
            self._kept(expr, made=op.along in (Along.FILLS, Along.MOVES))
        return expr

    def _counts(self, expr: ir.OpCall) -> None:
        values = [v for _, v in expr.args]
        if depends(tuple(values), self.lengths) or carries(expr.type, self.axes.time):
            message = f"`{expr.op.name}` counts from the start of the sequence"
            self.problem(message, expr.span, self.by_place())

    def _same_for_all(self, expr: ir.OpCall) -> bool:
        """Whether arguments say nothing of the length, unless in a shape."""
        shaping = expr.op.along in (Along.FILLS, Along.MOVES)
        for name, value in expr.args:
            param = expr.op.param(name)
            kind = param.kind if param else expr.op.extra
            if depends(value, self.lengths) and not (shaping and kind in _SHAPES):
                self.fixed(value, expr.span)
                return False
        return True

    def _looks_back(self, expr: ir.OpCall) -> ir.Expr:
        reason = stand_ins.of_function(expr, self.axes)
        if reason is False:
            self._kept(expr)
            return expr
        if reason is True and self.in_scan:
            reason = stand_ins.Refusal(IN_SCAN)
        if isinstance(reason, stand_ins.Refusal):
            self.refuse(reason, expr.span)
            return expr
        if not self._same_for_all(expr):
            return expr
        layer = stand_ins.of_call(expr, self.name(expr.op.name))
        self.add(layer)
        inputs = tuple((n, v) for n, v in expr.inputs if isinstance(v, ir.Expr))
        return ir.Apply(layer.name, inputs, None, expr.type, expr.span, expr.flops)

    # --------------------------------------------------------------- layers

    def _apply(self, expr: ir.Apply, sources: Sequence[Source | None]) -> None:
        layer = self.layers.get(expr.layer)
        if layer is None:
            return
        if isinstance(layer.callee, str):
            self._block(expr, layer, layer.callee, sources)
            return
        op = layer.callee
        if op.along is Along.LOOKS_BACK and self._along(expr):
            found = stand_ins.of_layer(layer, one_copy(expr), self.axes)
            if isinstance(found, stand_ins.Refusal):
                self.refuse(found, expr.span)
            elif found is not None:
                self._once(layer, expr.span)
                self.swapped[id(layer)] = replace(layer, callee=found)
            else:
                self._kept(expr)
            return
        part = op.methods.get(expr.method or "", op)
        given = list(tensors(one_copy(expr).args))
        worked = works_along(part, given, dict(layer.args))
        if self._worked(worked, expr.span):
            self._kept(expr)

    def _block(
        self,
        expr: ir.Apply,
        layer: ir.Layer,
        name: str,
        sources: Sequence[Source | None],
    ) -> None:
        """A block takes its sequence along the one axis that its inputs declare."""
        callee = self.work.known[name]
        args = [(n, v.type) for n, v in one_copy(expr).args]
        times = declared_as(callee, args, self.axes.time)
        batches = declared_as(callee, args, self.axes.batch)
        if not times:
            self.work.no_sequence(name, expr.span)
            if any(carries(type_, self.axes.batch) for _, type_ in args):
                self._kept(expr)
            return
        if len(times) > 1 or len(batches) > 1 or None in times | batches:
            message = f"`{name}` takes its sequence along several axes"
            self.problem(message, expr.span)
            return
        whole = self.axes.whole and all(unmerged(t, self.axes.batch) for _, t in args)
        batch = batches.pop() if batches else ""
        axes = Axes(str(times.pop()), str(batch), whole)
        found = zip((n for n, _ in expr.args), sources, strict=True)
        counting = {n: s for n, s in found if s is not None and s.plain}
        self.work.definition(name, Given(axes, counting), expr.span)
        self._kept(expr)
        if name not in self.work.keeping:
            return
        if expr.method == ir.GRADIENT:
            self.problem(ALONG, expr.span)
        self._once(layer, expr.span)
        inferred = self.work.done[name].inferred
        sizes = solved(callee.inputs, dict(args))
        new = {n: layer.sizes.get(n) or sizes[n] for n in inferred if n in sizes}
        if new != layer.sizes:
            self.swapped[id(layer)] = replace(layer, sizes={**layer.sizes, **new})

    def _once(self, layer: ir.Layer, span: Span) -> None:
        """What keeps what it has seen is applied in one place."""
        self.keeps = True
        again = self.homes[layer.name] != self.loops
        if layer.name in self.applied or again:
            help = "give each place a layer of its own"
            often = "in each round of a loop" if again else "twice"
            message = f"`{layer.name}` is applied {often}, and keeps one sequence"
            self.problem(message, span, help)
        if self.in_scan:
            self.problem(IN_SCAN, span)
        if layer.copies is not None:
            self.problem("copies of a layer cannot keep what they have seen", span)
        self.applied.add(layer.name)

    # ----------------------------------------------------------------- axes

    def _subscript(self, expr: ir.Subscript) -> None:
        """An axis of sequences is taken whole, and nothing counts along it."""
        if not keeps(expr.value.type, self.axes):
            return  # said where that was made
        statics = [i for i in expr.items if not isinstance(i, ir.Expr)]
        if depends(tuple(statics), self.lengths):
            self.fixed(tuple(statics), expr.span)
            return
        type_ = expr.value.type
        assert isinstance(type_, TensorType)
        if self._worked([(type_, taken_apart(expr, type_))], expr.span):
            self._kept(expr)

    def _reshape(self, expr: ir.Reshape) -> None:
        """As many values lie ahead of an entry as before: so entries stay in their order."""
        before, after = expr.value.type, expr.type
        assert isinstance(before, TensorType)
        if not keeps(before, self.axes):
            return  # said where that was made
        for axis, message, help in self.rules():
            places = axis_of(before, axis), axis_of(after, axis)
            if None in places or AHEAD in places:
                continue  # there is none, or `_kept` says what there is
            sizes = [
                product(t.sizes[:p])
                for t, p in zip((before, after), places, strict=True)
            ]
            if sizes[0] != sizes[1]:
                self.problem(message, expr.span, help)
                return
        self._kept(expr)

    # ---------------------------------------------------------------- names

    def name(self, base: str) -> str:
        """A free name for a layer."""
        name, number = base, 1
        while name in self.taken:
            number += 1
            name = f"{base}_{number}"
        self.taken.add(name)
        return name

    def add(self, layer: ir.Layer) -> None:
        """Declare a layer ahead of the present statement."""
        self.keeps = True
        self.added.append(layer)
        self.made.append(ir.Declare(layer))

    def problem(self, message: str, span: Span, help: str | None = None) -> None:
        """Note what is in the way."""
        self.work.problem(message, span, help)

    def refuse(self, reason: stand_ins.Refusal, span: Span) -> None:
        """What looks back has no stand-in; what is wrong with its inputs goes with it."""
        self.work.forget(span)
        self.problem(reason.message, span, reason.help)
