"""The body of `__call__`: tensor statements in the order of the spec."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import assert_never

from ... import ir
from ...ir.fold_statements import declared, statements
from ...ir.fold_static import givens, mentions
from ...ir.fold_tensors import walk
from ...ops.base import Op
from ...record import replace
from ...shapes import TensorType
from ...source import Span
from ..options import Options
from ..python import text as t
from ..python.labels import Labels
from ..python.names import ATTRIBUTES, Namespace, fields, singular, snake
from ..python.scope import Callee, Copies, Scope, of_entry
from ..python.static_text import as_size, size, static
from ..python.suites import Line, Loop, Node, Suite, Written, otherwise, prune
from ..signature import (
    DTYPES,
    Draws,
    Names,
    Signature,
    class_name,
    has_state,
    is_scanned,
    layer_draws,
)
from .call_axes import AXIS, AXIS_LATE, AxisSource, axis_sources
from .carried import together
from .expr import render
from .found_sizes import found_here, places, unread
from .gather import Iteration, iteration
from .locals import Locals
from .loops import Part, part, source
from .lower import Lowering
from .reads import (
    assigned_names,
    idle,
    in_use,
    joined,
    live_through,
    opposite,
    popped,
    possible,
    telling,
    totals,
)
from .scans import unstacked
from .stacks import Stack, loop, remat, rematted, scan, stateful_scan
from .steps import write_scan
from .versions import aliases

STORED = "attr:"  # marks the static values that a line asks the object for
FOUND = "size:"  # marks the sizes that a line reads from what a block gives
NOTHING: frozenset[str] = frozenset()


class Flow:
    """One call; `bound` are the axes and static values that have a local name."""

    def __init__(
        self,
        signature: Signature,
        names: Names,
        bound: frozenset[str],
        options: Options,
    ):
        self.signature, self.names, self.options = signature, names, options
        self.definition = signature.definition
        items = declared(self.definition.body)
        choices = (s for s in statements(self.definition.body) if isinstance(s, ir.If))
        self.choices = {s.span: s for s in choices}
        self.layers = {i.name: i for i in items if isinstance(i, ir.Layer)}
        self.declarations = Counter(i.name for i in items)
        self.env: dict[str, str] = {}
        self.aliases = aliases(self.definition)
        self.attributes: dict[str, str] = {}
        taken = [*signature.attributes.values(), *signature.sizes.values()]
        self.attribute_names = Namespace([*ATTRIBUTES, *DTYPES, *taken])
        self.access = {n: f"self.{a}" for n, a in signature.attributes.items()}
        assigned = assigned_names(self.definition.body)
        self.locals = Locals(signature.inputs, assigned, names.reserved)
        self.sources: dict[str, AxisSource] = axis_sources(self.definition)
        give = self.locals.namespace.give
        self.bound = {n: give(n.lower(), n) for n in sorted(bound)}
        self.found = found_here(self.definition)
        self.given = self._given()
        self.env |= {n: self.bound[n] for n in sorted(self.found & bound)}
        self.labels = Labels(self.definition)
        loops = (s for s in statements(self.definition.body) if isinstance(s, ir.For))
        self.carried = {c.symbol for loop in loops for c in loop.carried}
        self.carried |= {n for p in popped(self.definition.body) for _, n in p.sizes}
        self.growing = {
            s.name
            for s in statements(self.definition.body)
            if isinstance(s, ir.Append) or (isinstance(s, ir.Pop) and s.index is None)
        }
        self.carried |= {t.symbol for t in totals(self.definition.body)}
        self.carried |= self.found
        self.rematted = self._rematted_layers() if options.remat else NOTHING
        self.loops = 0
        self.iterated: list[str] = []  # names that differ between the iterations around
        self.rebound = NOTHING  # the tensors that those iterations assign
        values, externs = self.locals.text, names.externs
        self.scope = Scope(self._symbol, values, self.callee, externs=externs)
        self.scope.presence = self._presence
        self.scope.dtype = "self.dtype"
        for item in declared(self.definition.body):
            if isinstance(item, ir.Variable):
                self._access_variable(item)
        self.lower = Lowering(
            self.scope,
            self.locals,
            self._is_stack,
            self._stack,
            self._comment,
            self._measured,
        )

    def body(self) -> list[Written]:
        """All statements, pruned."""
        return prune(self._block(self.definition.body, NOTHING), set())

    # --------------------------------------------------------------- names

    def _symbol(self, name: str) -> str:
        if name in self.env:
            self.scope.uses.append(self.env[name])
            return self.env[name]
        if name in self.sources:
            return self._axis(name)
        if name in self.given:
            layer, attribute = self.given[name]
            return f"{self.access[layer]}.{attribute}"
        if name in self.found:
            self.scope.uses.append(FOUND + name)
            return name.lower()
        self.scope.uses.append(STORED + name)
        return self.bound.get(name) or f"self.{self.attribute(name)}"

    def _axis(self, name: str) -> str:
        found = self.sources[name]
        late = self.loops > 0 or found.input in self.locals.written
        self.scope.uses.append((AXIS_LATE if late else AXIS) + name)
        if name in self.bound:
            return self.bound[name]
        text = found.text(self.signature.inputs[found.input], self._symbol)
        return f"({text})" if " " in text else text

    def attribute(self, name: str) -> str:
        """The attribute in which a static value is kept."""
        if name not in self.attributes:
            plain = self.signature.arguments.get(name, name.lower())
            self.attributes[name] = self.attribute_names.give(plain)
        return self.attributes[name]

    def _access_variable(self, item: ir.Variable) -> None:
        text = f"{self.access[item.name]}[...]"
        if item.type.dtype == "float" and not item.state:
            text += ".astype(self.dtype)"
        self.locals.text[item.name] = text

    def callee(self, name: str) -> Callee:
        """How a layer is called here."""
        layer = self.layers[name]
        drawing = layer_draws(layer, self.names.signatures) > Draws.NEVER
        copies = self._copies(layer)
        if isinstance(layer.callee, Op):
            return of_entry(self.access[name], layer.callee, drawing, copies)
        block = self.names.signatures[layer.callee]
        made = Callee(
            self.access[name], drawing, block.optional_inputs, block.inputs, copies
        )
        if name in self.rematted:
            owner = self._class(layer, self.access[name])
            return replace(made, rematted=remat(owner, self.options.policy))
        return made

    def _class(self, layer: ir.Layer, element: str) -> str:
        """The class of a layer; the constructor decides it where several have its name."""
        items = (i for i in declared(self.definition.body) if i.name == layer.name)
        callees = (i.callee for i in items if isinstance(i, ir.Layer))
        kinds = {c if isinstance(c, str) else (c.group, c.name) for c in callees}
        known = class_name(layer, self.names.signatures) if len(kinds) == 1 else None
        return known or f"type({element})"

    def _rematted_layers(self) -> frozenset[str]:
        """The blocks in loops; those of stacks have a way of their own."""
        loops = (s for s in statements(self.definition.body) if isinstance(s, ir.For))
        inside = (i for loop in loops for i in declared(loop.body))
        layers = (i for i in inside if isinstance(i, ir.Layer))
        return frozenset(i.name for i in layers if i.count is None and i.copies is None)

    def _copies(self, layer: ir.Layer) -> Copies | None:
        if layer.copies is None:
            return None
        known = self.names.signatures
        count = size(layer.copies, self.scope).text if layer_draws(layer, known) else ""
        return Copies(count, layer_draws(layer, known), has_state(layer, known))

    def _given(self) -> dict[str, tuple[str, str]]:
        """The sizes that are asked of a layer: which, and its attribute."""
        names = unread(self.definition)
        return {
            name: (layer.name, self.names.signatures[layer.callee].sizes[dim])
            for layer in self.layers.values()
            if isinstance(layer.callee, str)
            for dim, name in layer.gives
            if name in names
        }

    def _measured(self, expr: ir.Apply) -> list[tuple[str, str]]:
        """The sizes to be read from what a block gives: names, and where each is."""
        read = places(expr) if expr.found else {}
        return [(self.bound[n], place) for n, place in read.items() if n in self.bound]

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
        if any(s.symbols & self.carried for s in value.type.sizes):
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
                self.lower.update(f"{self.access[name]}[...]", value, after)
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
                self.lower.returned(values, self.signature.output, fields(given))
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

    def _copy(self, target: str, text: str, uses: tuple[str, ...] = ()) -> None:
        self.lower.nodes.append(
            Line(f"{self.locals.text[target]} = list({text})", uses)
        )
        self.locals.written.add(target)

    def _let(self, stmt: ir.StaticLet) -> None:
        dim = as_size(stmt.value)
        if dim is not None and dim.value is None and dim.name is None:
            self.scope.sizes.setdefault(dim, stmt.name)
        if self.lower.indent == 2 and self._constructible(stmt.value):
            self.env.pop(stmt.name, None)
            return
        with self.scope.recording() as uses:
            text = static(stmt.value, self.scope).text
        name = self._local(stmt.name)
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
            local = self._local(symbol)
            text = f"{local} = {taken}.shape[{index - stmt.type.rank * stmt.type.lead}]"
            self.lower.nodes.append(Line(text, (), frozenset((local,))))

    def _total(self, stmt: ir.Total) -> None:
        local, held = self._local(stmt.symbol), self.locals.text[stmt.name]
        text = f"{local} = sum(t.shape[{stmt.axis}] for t in {held})"
        self.lower.nodes.append(Line(text, (), frozenset((local,))))

    def _constructible(self, value: ir.Static) -> bool:
        names = mentions(value)
        local = names & self.env.keys()
        axes = (names & self.sources.keys()) - set(self.definition.inferred)
        return not local and not axes and not givens(value)

    def _local(self, name: str) -> str:
        if name not in self.env and name in self.aliases:
            self.env[name] = self._local(self.aliases[name])
        if name not in self.env:
            self.env[name] = self.locals.namespace.give(name.lower(), name)
        return self.env[name]

    # --------------------------------------------------- loops, conditions

    def _for(self, stmt: ir.For, after: frozenset[str]) -> None:
        over = source(stmt.iterable, len(stmt.targets), self.scope)
        self._carry([(c.symbol, c.entry) for c in stmt.carried])
        targets = tuple(self._local(n) for n in stmt.targets)
        self.loops += 1
        with self._elements(stmt) as elements:
            live = live_through(stmt.body, after)[0] | after
            around, rebound = len(self.iterated), self.rebound
            self.rebound |= {*assigned_names(stmt.body)}
            self.iterated += (*targets, *(name for name, _ in elements))
            self.iterated += (self._local(c.symbol) for c in stmt.carried)
            body = list(self._inner(stmt.body, live))
            del self.iterated[around:]
            self.rebound = rebound
        before, self.lower.nodes = self.lower.nodes, body
        self._carry([(c.symbol, c.next) for c in stmt.carried])
        self.lower.nodes = before
        self.loops -= 1
        self.lower.nodes.append(Loop(targets, over, tuple(elements), tuple(body)))

    def _over(self, stmt: ir.For, after: frozenset[str]) -> None:
        """A loop over a stack."""
        made = iteration(stmt.body)
        assert made is not None
        self.lower.over(made, after)

    def _carry(self, values: Sequence[tuple[str, ir.Static]]) -> None:
        self.lower.nodes += together(values, self.scope, self._local)

    @contextmanager
    def _elements(self, stmt: ir.For) -> Iterator[list[tuple[str, str]]]:
        """Within, layers declared in the loop are those of one iteration: (name, list)."""
        before, elements = dict(self.access), []
        variables = {n: t for n, t in self.locals.text.items() if t.startswith("self.")}
        needed = in_use(stmt.body)
        items = {i.name: i for i in declared(stmt.body) if i.name in needed}
        loops = [s for s in statements(stmt.body) if isinstance(s, ir.For)]
        inner = {i.name for i in declared(loops)}
        inner |= {n for n, i in items.items() if isinstance(i, ir.Layer) and i.count}
        for name, item in items.items():
            attribute = self.signature.attributes[name]
            one = attribute if name in inner else singular(attribute)
            element = self.locals.namespace.give(one, *self._alternatives(item))
            elements.append((element, before[name]))
            self.access[name] = element
            if isinstance(item, ir.Variable):
                self._access_variable(item)
        yield elements
        self.access = before
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
        test, uses, rest = self._test(stmt)
        then = self._inner(stmt.then, after)
        after_then, self.locals.written = self.locals.written, written
        orelse = self._inner(stmt.orelse, after)
        self.locals.written = self.locals.written | after_then
        if orelse and not then:
            test, uses, _ = self._test(opposite(stmt))
            then, orelse = orelse, ()
        self.lower.nodes.append(Suite(f"if {test}:", then, uses))
        self.lower.nodes += otherwise(rest, orelse)

    def _test(self, stmt: ir.If) -> tuple[str, tuple[str, ...], str]:
        """The test of an `if`, and the head of its other side: whether layers are there, where
        that says the same and a type checker wants to be told."""
        then, orelse = (
            [n for n in telling(arm, self.declarations) if n in in_use(arm)]
            for arm in (stmt.then, stmt.orelse)
        )
        there = " and ".join(f"{self.access[n]} is not None" for n in then)
        other = " and ".join(f"{self.access[n]} is not None" for n in orelse)
        if givens(stmt.condition):
            first, second = (
                layers if possible(stmt.condition, holds) is not None else ""
                for layers, holds in ((there, True), (other, False))
            )
            with self.scope.recording() as uses:
                text = static(stmt.condition, self.scope)
            test = f"{text.at(t.AND)} and {first}" if first else text.text
            return test, tuple(uses), f"elif {second}:" if second else "else:"
        if not (then or orelse):
            return *part(stmt.condition, self.scope), "else:"
        if not then:
            rest = f"elif {other}:" if len(orelse) > 1 else "else:"
            return f"{self.access[orelse[0]]} is None", (), rest
        return there, (), f"elif {other}:" if orelse else "else:"

    def _presence(self, span: Span) -> str | None:
        """The test of a choice between values, by the layers that one side constructs."""
        stmt = self.choices.get(span)
        if stmt is None or givens(stmt.condition):
            return None
        if then := telling(stmt.then, self.declarations):
            return f"{self.access[then[0]]} is not None"
        if orelse := telling(stmt.orelse, self.declarations):
            return f"{self.access[orelse[0]]} is None"
        return None

    def _is_stack(self, name: str) -> bool:
        return self.layers[name].count is not None

    def _stack(self, step: ir.Apply, name: str, made: Iteration | None) -> list[Node]:
        layer, known = self.layers[step.layer], self.names.signatures
        callee = layer.callee.name if isinstance(layer.callee, Op) else layer.callee
        give = self.locals.namespace.give
        free = [
            give(snake(callee)),
            give("body"),
            give("keys"),
            give("r"),
            give("every"),
        ]
        scanned = is_scanned(layer, known, self.options)
        holder = self.access[step.layer]
        self.scope.rngs = free[3] if scanned else "rngs"
        self.access[step.layer] = free[0]
        again = bool(self.options.remat) and not scanned
        stack = Stack(
            holder,
            free[0],
            self.locals.text[name],
            self._rematted(step, layer) if again else self.part(step),
            layer_draws(layer, known),
            part(layer.count or ir.Literal(None), self.scope),
            bool(self.options.remat),
            self.locals.text[made.gathered] if made and made.gathered else None,
            made is not None and made.before,
            self.options.policy,
        )
        self.access[step.layer], self.scope.rngs = holder, "rngs"
        for lent in (free[0], *free[2:]):  # a second `def body` would hide the first
            self.locals.namespace.release(lent)
        if not scanned:
            return loop(stack)
        run = stateful_scan if has_state(layer, known) else scan
        return run(stack, *free[1:])

    def part(self, expr: ir.Expr) -> Part:
        """An expression with what it uses."""
        with self.scope.recording() as uses:
            text = render(expr, self.scope)
        return text, tuple(uses)

    def _rematted(self, step: ir.Apply, layer: ir.Layer) -> Part:
        """One layer, computed again in the backward pass."""
        element = self.access[step.layer]
        owner = self._class(layer, element)
        text, uses = self.part(step)
        return rematted(text, element, owner, self.options.policy), uses
