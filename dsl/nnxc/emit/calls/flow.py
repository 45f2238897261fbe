"""The body of `__call__`: tensor statements in the order of the spec."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import assert_never

from ... import ir
from ...ir.fold_statements import declared, statements
from ...ir.fold_static import givens, mentions
from ...ir.fold_tensors import walk
from ...ir.liveness import assigned_names, idle, live_through
from ...ir.plurals import singular
from ...ops.base import Op
from ...shapes import TensorType
from ..python.labels import Labels
from ..python.line_uses import Use
from ..python.loops import Part, part, source
from ..python.names import fields, snake
from ..python.prune import prune
from ..python.static_text import as_size, static
from ..python.suites import If, Line, Loop, Node
from ..signature import class_name, has_cache, has_state, is_scanned, layer_draws
from .call_names import CallNames
from .carried import together
from .expr import render
from .found_sizes import places
from .gather import Iteration, iteration
from .layer_tests import LayerTests
from .lower import Lowering
from .reads import in_use, joined, opposite, popped, totals
from .scans import unstacked
from .stacks import Stack, loop, scan, stateful_scan
from .steps import write_scan

NOTHING: frozenset[str] = frozenset()


class Flow:
    """Writes the statements of one call."""

    def __init__(self, names: CallNames):
        self.names, self.locals, self.scope = names, names.locals, names.scope
        body = names.definition.body
        self.labels = Labels(names.definition)
        self.changing = _changing_sizes(body) | names.found
        self.growing = {
            s.name
            for s in statements(body)
            if isinstance(s, ir.Append) or (isinstance(s, ir.Pop) and s.index is None)
        }
        self.iterated: list[str] = []  # names that differ between the iterations around
        self.rebound = NOTHING  # the tensors that those iterations assign
        self.tests = LayerTests(names)
        self.scope.presence = self.tests.presence
        self.lower = Lowering(
            self.scope,
            self.locals,
            self._is_stack,
            self._stack,
            self._comment,
            self._measured,
        )

    def body(self) -> list[Node]:
        """All statements, pruned."""
        return prune(self._block(self.names.definition.body, NOTHING), set())

    def _measured(self, expr: ir.Apply) -> list[tuple[str, str]]:
        """The sizes to be read from what a block gives: names, and where each is."""
        read = places(expr) if expr.found else {}
        return [
            (self.names.bound[n], place)
            for n, place in read.items()
            if n in self.names.bound
        ]

    def _comment(self, value: ir.Expr) -> str:
        """The shape of a value, where it is not that of a tensor it is made from."""
        if not isinstance(value.type, TensorType) or isinstance(value, ir.Reshape):
            return ""
        known = (e.type for e in walk(value) if isinstance(e, ir.Var))
        if any(
            isinstance(type_, TensorType) and type_.sizes == value.type.sizes
            for type_ in known
        ):
            return ""
        if any(s.symbols & self.changing for s in value.type.sizes):
            return ""
        return self.labels.shape(value.type) if value.type.axes else ""

    # ---------------------------------------------------------- statements

    def _block(self, body: Sequence[ir.Stmt], after: frozenset[str]) -> list[Node]:
        with self.lower.block() as nodes:
            self.lower.indent -= 1  # the caller's suite decides the indentation
            self.statements(body, after)
            self.lower.indent += 1
        return nodes

    def statements(self, body: Sequence[ir.Stmt], after: frozenset[str]) -> None:
        """Write statements to the present block; `after` are the tensors needed then."""
        body = tuple(unstacked(body))
        lives = live_through(body, after)
        i = 0
        while i < len(body):
            stmt, i = joined(body, i)
            self._statement(stmt, lives[i])

    def _inner(
        self, body: Sequence[ir.Stmt], after: frozenset[str]
    ) -> tuple[Node, ...]:
        self.lower.indent += 1
        with self.scope.region():
            nodes = self._block(body, after)
        self.lower.indent -= 1
        return tuple(nodes)

    def _statement(self, stmt: ir.Stmt, after: frozenset[str]) -> None:
        match stmt:
            case ir.Assign() if idle(stmt, after):
                pass
            case ir.Assign((target,), value) if self._grows(target, value):
                self._copy(target, *self.part(value))
            case ir.Assign((target,), value):
                self.lower.assign(target, value, after)
            case ir.Assign(targets, value):
                self.lower.unpack(targets, value, after)
                for target in targets:
                    if isinstance(value, ir.Var) and target in self.growing:
                        self._copy(target, self.locals.text[target])
            case ir.UpdateState(name, value):
                self.lower.update(f"{self.names.access[name]}[...]", value, after)
            case ir.NewList(name, items=items):
                self.locals.lists.add(name)
                self.lower.new_list(name, items, after)
            case ir.Append(name, value):
                self.lower.append(name, value, after)
            case ir.Pop():
                self._pop(stmt)
            case ir.Total():
                self._total(stmt)
            case ir.Return(values, names=given):
                self.lower.returned(values, self.names.signature.output, fields(given))
            case ir.StaticLet():
                self._let(stmt)
            case ir.For(over=str()):
                self._over(stmt, after)
            case ir.For():
                self._for(stmt, after)
            case ir.Scan():
                write_scan(self, stmt, after)
            case ir.If():
                self._if(stmt, after)
            case ir.Declare() | ir.Variable() | ir.Require():
                pass
            case _:
                assert_never(stmt)

    def _grows(self, target: str, value: ir.Expr) -> bool:
        """Whether a list that is part of a value grows under a name of its own."""
        while isinstance(value, ir.Item):
            value = value.value
        return isinstance(value, ir.Var) and target in self.growing

    def _copy(self, target: str, text: str, uses: tuple[Use, ...] = ()) -> None:
        self.lower.nodes.append(
            Line(f"{self.locals.text[target]} = list({text})", uses)
        )
        self.locals.written.add(target)

    def _let(self, stmt: ir.StaticLet) -> None:
        dim = as_size(stmt.value)
        if dim is not None and dim.value is None and dim.name is None:
            self.scope.sizes.setdefault(dim, stmt.name)
        if self.lower.indent == 2 and self._constructible(stmt.value):
            self.names.env.pop(stmt.name, None)
            return
        with self.scope.recording() as uses:
            text = static(stmt.value, self.scope).text
        name = self.names.local(stmt.name)
        self.lower.nodes.append(
            Line(f"{name} = {text}", tuple(uses), frozenset((name,)))
        )

    def _pop(self, stmt: ir.Pop) -> None:
        """Sizes that differ from tensor to tensor are read from the one that is taken."""
        taken = self.locals.text[stmt.target]
        with self.scope.recording() as uses:
            at = (
                ".pop()"
                if stmt.index is None
                else f"[{static(stmt.index, self.scope)}]"
            )
        text = f"{taken} = {self.locals.text[stmt.name]}{at}"
        self.lower.nodes.append(Line(text, (stmt.name, *uses)))
        self.locals.written.add(stmt.target)
        for index, symbol in stmt.sizes:
            local = self.names.local(symbol)
            text = f"{local} = {taken}.shape[{index - stmt.type.rank * stmt.type.lead}]"
            self.lower.nodes.append(Line(text, (), frozenset((local,))))

    def _total(self, stmt: ir.Total) -> None:
        local, held = self.names.local(stmt.symbol), self.locals.text[stmt.name]
        text = f"{local} = sum(t.shape[{stmt.axis}] for t in {held})"
        self.lower.nodes.append(Line(text, (), frozenset((local,))))

    def _constructible(self, value: ir.Static) -> bool:
        names = mentions(value)
        local = names & self.names.env.keys()
        axes = (names & self.names.sources.keys()) - set(self.names.definition.inferred)
        return not local and not axes and not givens(value)

    # --------------------------------------------------- loops, conditions

    def _for(self, stmt: ir.For, after: frozenset[str]) -> None:
        over = source(stmt.iterable, len(stmt.targets), self.scope)
        self._carry([(c.symbol, c.entry) for c in stmt.carried])
        targets = tuple(self.names.local(n) for n in stmt.targets)
        self.names.loops += 1
        with self._elements(stmt) as elements:
            live = live_through(stmt.body, after)[0] | after
            around, rebound = len(self.iterated), self.rebound
            self.rebound |= {*assigned_names(stmt.body)}
            self.iterated += (*targets, *(name for name, _ in elements))
            self.iterated += (self.names.local(c.symbol) for c in stmt.carried)
            body = list(self._inner(stmt.body, live))
            del self.iterated[around:]
            self.rebound = rebound
        before, self.lower.nodes = self.lower.nodes, body
        self._carry([(c.symbol, c.next) for c in stmt.carried])
        self.lower.nodes = before
        self.names.loops -= 1
        self.lower.nodes.append(Loop(targets, over, tuple(elements), tuple(body)))

    def _over(self, stmt: ir.For, after: frozenset[str]) -> None:
        """A loop over a stack."""
        made = iteration(stmt.body)
        assert made is not None
        self.lower.over(made, after)

    def _carry(self, values: Sequence[tuple[str, ir.Static]]) -> None:
        self.lower.nodes += together(values, self.scope, self.names.local)

    @contextmanager
    def _elements(self, stmt: ir.For) -> Iterator[list[tuple[str, str]]]:
        """Within, layers declared in the loop are those of one iteration: (name, list)."""
        before, elements = dict(self.names.access), []
        variables = {n: self.locals.text[n] for n in self.names.variables}
        stored = dict(self.names.scope.stored)
        needed = in_use(stmt.body)
        items = {i.name: i for i in declared(stmt.body) if i.name in needed}
        loops = [s for s in statements(stmt.body) if isinstance(s, ir.For)]
        inner = {i.name for i in declared(loops)}
        inner |= {n for n, i in items.items() if isinstance(i, ir.Layer) and i.count}
        for name, item in items.items():
            attribute = self.names.signature.attributes[name]
            one = attribute if name in inner else singular(attribute)
            element = self.locals.namespace.give(one, *self._alternatives(item))
            elements.append((element, before[name]))
            self.names.access[name] = element
            if isinstance(item, ir.Variable):
                self.names.access_variable(item)
        yield elements
        self.names.access, self.names.scope.stored = before, stored
        self.locals.text.update(variables)
        for element, _ in elements:
            self.locals.namespace.release(element)

    def _alternatives(self, item: ir.Layer | ir.Variable) -> list[str]:
        """What else one of a list may be called: after its class."""
        if isinstance(item, ir.Variable):
            return []
        callee = item.callee.name if isinstance(item.callee, Op) else item.callee
        return [snake(callee)]

    def _if(self, stmt: ir.If, after: frozenset[str]) -> None:
        written = set(self.locals.written)
        test, uses, rest = self.tests.test(stmt)
        then = self._inner(stmt.then, after)
        after_then, self.locals.written = self.locals.written, written
        orelse = self._inner(stmt.orelse, after)
        self.locals.written = self.locals.written | after_then
        if orelse and not then:
            test, uses, _ = self.tests.test(opposite(stmt))
            then, orelse = orelse, ()
        if rest and orelse:
            orelse = (Line(f"assert {rest}"), *orelse)
        self.lower.nodes.append(If(test, then, orelse, uses))

    def _is_stack(self, name: str) -> bool:
        return self.names.layers[name].count is not None

    def _stack(self, step: ir.Apply, name: str, made: Iteration | None) -> list[Node]:
        layer, known = self.names.layers[step.layer], self.names.module.signatures
        callee = layer.callee.name if isinstance(layer.callee, Op) else layer.callee
        give = self.locals.namespace.give
        free = [
            give(snake(callee)),
            give("body"),
            give("keys"),
            give("r"),
            give("every"),
        ]
        scanned = is_scanned(layer, known, self.names.options)
        holder = self.names.access[step.layer]
        self.scope.rngs = free[3] if scanned else "rngs"
        self.names.access[step.layer] = free[0]
        again = bool(self.names.options.remat) and not scanned
        stack = Stack(
            holder,
            free[0],
            class_name(layer, known) or "Any",
            self.locals.text[name],
            self._rematted(step) if again else self.part(step),
            layer_draws(layer, known),
            part(layer.count or ir.Literal(None), self.scope),
            bool(self.names.options.remat),
            self.locals.text[made.gathered] if made and made.gathered else None,
            made is not None and made.before,
            self.names.options.policy,
        )
        self.names.access[step.layer], self.scope.rngs = holder, "rngs"
        for lent in (free[0], *free[2:]):  # a second `def body` would hide the first
            self.locals.namespace.release(lent)
        if not scanned:
            return loop(stack)
        changes = has_state(layer, known) or has_cache(layer, known)
        run = stateful_scan if changes else scan
        return run(stack, *free[1:])

    def part(self, expr: ir.Expr) -> Part:
        """An expression with what it uses."""
        with self.scope.recording() as uses:
            text = render(expr, self.scope)
        return text, tuple(uses)

    def _rematted(self, step: ir.Apply) -> Part:
        """One layer, computed again in the backward pass."""
        before = self.names.rematted
        self.names.rematted = before | {step.layer}
        made = self.part(step)
        self.names.rematted = before
        return made


def _changing_sizes(body: Sequence[ir.Stmt]) -> set[str]:
    """The sizes that get another value while a call goes on."""
    loops = (s for s in statements(body) if isinstance(s, ir.For))
    carried = {c.symbol for loop in loops for c in loop.carried}
    taken = {n for p in popped(body) for _, n in p.sizes}
    return carried | taken | {t.symbol for t in totals(body)}
