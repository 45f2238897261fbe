"""One definition, rewritten so that it may be called with one piece of a sequence after another."""

from __future__ import annotations

from collections.abc import Sequence

from .. import ir
from ..ir.fold_statements import expressions, mapped, statements, with_expressions
from ..ops.base import Op
from ..record import replace
from . import stand_ins
from .along import ALONG, MIXED
from .limits import NOT_TOLD, Limits, either, source_of
from .pieces import ALONE, BACK, Values
from .rewriting import Given, Rewriting, applications
from .time import carries, decided, depends, keeps


def rewritten(
    work: Rewriting, definition: ir.Definition, given: Given
) -> tuple[ir.Definition, bool]:
    """The definition, and whether it keeps what it has seen."""
    one = _Definition(work, definition, given)
    return one.result(), one.keeps


class _Definition(Values):
    def result(self) -> ir.Definition:
        mine, time = self.definition, self.axes.time
        if time in mine.inferred or any(p.name == time for p in mine.params):
            message = f"`{mine.name}` is built for one length, `{time}`"
            self.problem(message, mine.span, self.by_place())
            return mine
        body = mapped(self._block_of(mine.body), self._with_swaps)
        root = mine.name in self.work.models
        body = self._with_limits(body, self.limits, root)
        for layer, expr in self.optional:
            if id(layer) in self.swapped:
                self.problem("a mask says something of every key", expr.span)
        return replace(mine, body=body, inferred=self._inferred())

    def _inferred(self) -> tuple[str, ...]:
        """The axes that layers depend on, those of new layers among them."""
        mine = self.definition
        known = {*mine.inferred, *(p.name for p in mine.params)}
        inputs = [i.type.sizes for i in mine.inputs if not i.optional]
        plain = dict.fromkeys(s.name for sizes in inputs for s in sizes if s.name)
        blocks = [s for s in self.swapped.values() if isinstance(s.callee, str)]
        new = [*self.added, *blocks]  # other layers need what they needed before
        needed = {n for layer in new for d in layer.sizes.values() for n in d.symbols}
        return (*mine.inferred, *(n for n in plain if n in needed - known))

    # ---------------------------------------------------------- statements

    def _limited(self, body: Sequence[ir.Stmt]) -> tuple[ir.Stmt, ...]:
        """Statements, with the limits that they set; a `return` stays the last."""
        outside, self.limits = self.limits, Limits({})
        found = self._block_of(body)
        mine, self.limits = self.limits, outside
        return self._with_limits(found, mine)

    def _with_limits(
        self, body: tuple[ir.Stmt, ...], limits: Limits, root: bool = False
    ) -> tuple[ir.Stmt, ...]:
        if not limits.sizes and not root:
            return body
        layer = limits.layer(self.name("limits"), self.definition.span, root)
        self.added.append(layer)
        last = len(body) - isinstance(body[-1], ir.Return)
        return (*body[:last], ir.Declare(layer), *body[last:])

    def _block_of(self, body: Sequence[ir.Stmt]) -> tuple[ir.Stmt, ...]:
        found: list[ir.Stmt] = []
        for stmt in body:
            before, self.made = self.made, []
            rewritten = self._statement(stmt)
            found += [*self.made, rewritten]
            self.made = before
        return tuple(found)

    def _statement(self, stmt: ir.Stmt) -> ir.Stmt:
        match stmt:
            case ir.Declare(layer):
                self._declare(layer)
            case ir.StaticLet(name, value) if depends(value, self.lengths):
                self.lengths.add(name)
            case ir.Require(condition):
                self.fixed(condition, stmt.span)
            case ir.UpdateState(name):
                self.problem(f"`{name}` changes at each call", stmt.span)
                return stmt
            case ir.Assign(targets, value):
                new = self.value(value)
                self.ends -= {*targets}
                for target in targets:
                    self.named(target, value)
                return replace(stmt, value=new)
            case ir.For():
                return self._for(stmt)
            case ir.If():
                return self._if(stmt)
            case ir.Scan():
                return self._scan(stmt)
        return with_expressions(stmt, map(self.value, expressions(stmt)))

    def _declare(self, layer: ir.Layer) -> None:
        self.layers[layer.name] = layer
        self.homes[layer.name] = self.loops
        values = (*(v for _, v in layer.args), layer.count, layer.copies)
        self.fixed(values, layer.span)

    def _for(self, stmt: ir.For) -> ir.Stmt:
        self.fixed((stmt.iterable, *(c.entry for c in stmt.carried)), stmt.span)
        scans = (s for s in statements(stmt.body) if isinstance(s, ir.Scan))
        self.ends |= {n for s in scans if self._over_time(s) for n, _ in s.carries}
        for one in statements(stmt.body):
            if isinstance(one, ir.Assign):
                self._changing(one)
        outside, self.loops = self.loops, (*self.loops, id(stmt))
        body = self._limited(stmt.body)
        self.loops = outside
        return replace(stmt, body=body)

    def _changing(self, stmt: ir.Assign) -> None:
        """How far a value goes that a loop changes is not told."""
        new = source_of(stmt.value, self.sources)
        for target in stmt.targets:
            if self.sources.get(target, new) != new:
                self.sources[target] = NOT_TOLD

    def _if(self, stmt: ir.If) -> ir.Stmt:
        """Only one side is there; one that needs an optional input is not, while decoding."""
        self.fixed(stmt.condition, stmt.span)
        known = decided(stmt.condition, self.missing)
        before = {*self.applied}, {*self.ends}, {**self.layers}
        sources = {**self.sources}
        then = self._arm(stmt.then, known is False)
        applied, ends = self.applied, self.ends
        self.applied, self.ends, layers = {*before[0]}, {*before[1]}, self.layers
        self.layers, self.sources, sources = {**before[2]}, sources, self.sources
        orelse = self._arm(stmt.orelse, known is True)
        self.applied |= applied
        self.ends |= ends
        self.layers = {**layers, **self.layers}
        if known is True:
            self.sources = sources
        if known is None:
            names = {**sources, **self.sources}
            sides = {n: either(sources.get(n), self.sources.get(n)) for n in names}
            self.sources = {n: s for n, s in sides.items() if s is not None}
        return replace(stmt, then=then, orelse=orelse)

    def _arm(self, body: tuple[ir.Stmt, ...], never: bool) -> tuple[ir.Stmt, ...]:
        if not never:
            return self._limited(body)
        for expr in applications(body):
            layer = self.layers.get(expr.layer)
            if layer is not None and isinstance(layer.callee, Op) and expr.args[1:]:
                self.optional.append((layer, expr))
        return body

    def _over_time(self, stmt: ir.Scan) -> bool:
        return self.axes.time in stmt.length.symbols

    def _scan(self, stmt: ir.Scan) -> ir.Stmt:
        steps = tuple(replace(s, value=self.value(s.value)) for s in stmt.steps)
        carries_ = tuple((n, self.value(v)) for n, v in stmt.carries)
        names = {n for n, _ in stmt.carries}
        self.ends -= names
        for name in names:
            self.sources.pop(name, None)
        for step in stmt.steps:
            self.named(step.name, step.value)
        inside, self.in_scan = self.in_scan, True
        body = self._block_of(stmt.body)
        self.in_scan = inside
        scan = replace(stmt, steps=steps, carries=carries_, body=body)
        if any(not keeps(c.type, self.axes) for c in stmt.collects):
            self.problem(ALONG, stmt.span, BACK)
        if self.axes.batch in stmt.length.symbols:
            self.problem(MIXED, stmt.span, ALONE)
        if not self._over_time(stmt):
            return scan
        self.ends |= names
        along = any(carries(s.value.type, self.axes.time) for s in stmt.steps)
        if stmt.reverse or not along or inside:
            self.problem("this goes over the sequence from its end", stmt.span)
            return scan
        layer = stand_ins.recurrence(stmt, self.name("scan"), self.axes)
        if layer is None:
            help = (
                "a carry is [B, ...], with sizes that are known when the model is built"
            )
            self.problem("what this hands on cannot be kept", stmt.span, help)
            return scan
        self.add(layer)
        return replace(scan, within=layer.name)

    def _with_swaps(self, stmt: ir.Stmt) -> ir.Stmt:
        """Declarations of layers that became others."""
        if isinstance(stmt, ir.Declare):
            return ir.Declare(self.swapped.get(id(stmt.layer), stmt.layer))
        return stmt
