"""A walk of a definition at given values, as the constructed model would run it."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from typing import Final, assert_never

from .. import ir
from ..dims import Dim, const, symbol
from ..ir.fold_statements import expressions
from ..ir.fold_static import mentions
from ..ir.fold_tensors import operands
from ..ir.static_values import Undecided, Value, show
from ..ops.base import Kind, Op, Weight
from ..record import replace
from ..shapes import TensorType, like
from ..source import Span
from .evaluate import resolve, truth
from .instance_scope import Scope, is_empty, of_one
from .nodes import (
    Built,
    Failure,
    InstanceError,
    Node,
    Values,
    WeightOf,
    times,
)
from .work import Entered, Walk

UNKNOWN: Final = WeightOf("*", Weight((symbol("*"),)), "float")  # of Python code


class _Returned(Exception):
    """A `return` was reached."""


class Body(Scope):
    """One definition at given values, statement by statement."""

    def __init__(
        self,
        definition: ir.Definition,
        walk: Walk,
        env: dict[str, Value],
        given: frozenset[str],
    ):
        super().__init__(env, given)
        self.definition, self.walk = definition, walk
        self.layers: dict[str, Built] = {}
        self.built: list[Built] = []
        self.weights: list[WeightOf] = []
        self.flops: list[Dim | None] = []
        self.failures: dict[Failure, None] = {}
        self.output: ir.Type = ()
        self.misfit = False
        self.waiting: list[ir.Require] = []  # undecided so far
        self.iteration: list[int] = []  # of every loop around, outermost first
        self.times: Dim | None = const(
            1
        )  # how often what is walked runs; None: unknown

    def enter(self, args: Values) -> Entered:
        """Walk the whole definition, `args` being what its constructor is given."""
        definition = self.definition
        for param in definition.params:
            self.env[param.name] = self.parameter(param, args)
        with suppress(_Returned):
            self.run(definition.body)
        node = Node(
            "",
            definition,
            (self.output,),
            (*self.weights,),
            (*self.flops,),
            tuple(b.node() for b in self.built),
        )
        return Entered(node, self.output, (*self.failures,), self.env)

    def parameter(self, param: ir.Parameter, args: Values) -> Value:
        if param.name in args:
            return args[param.name]
        if param.default is None:
            raise InstanceError(f"`{param.name}` needs a value", param.span)
        return self.known(param.default, param.span)

    def weight(self, name: str, weight: Weight, dtype: str, span: Span) -> WeightOf:
        found = tuple(self.size(s, span) for s in weight.sizes)
        if any(s.value is not None and s.value < 1 for s in found):
            shape = ", ".join(map(str, found))
            self.fail(Failure(f"a size below 1: `{name}` would be [{shape}]", span))
        return WeightOf(name, replace(weight, sizes=found), dtype)

    def fail(self, failure: Failure) -> None:
        self.failures[failure] = None

    # ------------------------------------------------------------ statements

    def run(self, body: tuple[ir.Stmt, ...]) -> None:
        for statement in body:
            self.step(statement)

    def step(self, statement: ir.Stmt) -> None:
        match statement:
            case ir.Declare(layer):
                self.declare(layer)
            case ir.Variable(name, type, init, state, span):
                if not isinstance(init, ir.Expr):
                    self.argument(init, span)
                path, weight = self.indexed(name), Weight.declared(type, state)
                self.weights.append(self.weight(path, weight, type.dtype, span))
            case ir.StaticLet(name, value, span):
                self.let(name, value, span)
            case ir.Assign(targets, value):
                self.evaluate(value)
                self.keep(targets, value)
            case ir.NewList(name, items=items):
                self.lists[name] = []
                for item in items:
                    self.append(name, item)
            case ir.Append(name, value):
                self.append(name, value)
            case ir.Pop():
                self.pop(statement)
            case ir.Total():
                self.total(statement)
            case ir.For():
                self.loop(statement)
            case ir.Scan():
                self.scan(statement)
            case ir.If(condition, then, orelse, span):
                self.walk.spend(span)
                self.run(then if self.decide(condition, span) else orelse)
            case ir.Require():
                self.require(statement)
            case ir.Return(values):
                self.finish(values)
            case ir.Computes():
                for value in expressions(statement):
                    self.evaluate(value)
            case _:
                assert_never(statement)

    def append(self, name: str, value: ir.Expr) -> None:
        self.evaluate(value)
        assert isinstance(value.type, TensorType)
        self.lists[name].append(self.tensor(value.type, value.span))

    def finish(self, values: tuple[ir.Expr, ...]) -> None:
        for value in values:
            self.evaluate(value)
        types = tuple(self.type_of(v) for v in values)
        named, lone = self.definition.named, len(types) == 1
        self.output = like(named, types) if named else types[0] if lone else types
        raise _Returned

    def require(self, statement: ir.Require) -> None:
        self.walk.spend(statement.span)
        try:
            holds = truth(self.value(statement.condition, statement.span))
        except Undecided:
            if not statement.looped:
                self.waiting.append(statement)
                return
            holds = False
        if holds:
            return
        if not statement.looped:
            self.fail(Failure(statement.message, statement.span))
        elif not self.misfit:
            self.misfit = True  # it stands for all that may follow from it
            self.fail(Failure(self.compared(statement), statement.span))

    def loop(self, statement: ir.For) -> None:
        span = statement.span
        items = self.known(statement.iterable, span)
        if not isinstance(items, tuple):
            text = f"this is {show(items)}, not a list"
            none = items is None
            absent = self.none_of(mentions(statement.iterable)) if none else None
            raise InstanceError(text, span, absent)
        for carried in statement.carried:
            self.let(carried.symbol, carried.entry, span)
        self.iteration.append(0)
        for self.iteration[-1], item in enumerate(items):
            self.walk.spend(span)
            self.bind(statement.targets, item, span)
            self.run(statement.body)
            self.together([(c.symbol, c.next) for c in statement.carried], span)
        self.iteration.pop()

    def scan(self, statement: ir.Scan) -> None:
        """One step, whose work counts as often as there are steps."""
        span = statement.span
        self.walk.spend(span)
        for expr in (s.value for s in statement.steps):
            self.evaluate(expr)
        for _, expr in statement.carries:
            self.evaluate(expr)
        before, self.times = self.times, self.many(statement.length, span)
        self.given |= {*statement.inner}
        self.run(statement.body)
        self.times = before
        self.given |= {*statement.outer}

    def many(self, length: Dim, span: Span) -> Dim | None:
        steps = self.size(length, span)
        if steps.value is not None and steps.value < 1:
            self.fail(Failure(f"a scan of {steps} steps", span))
        return times(self.times, steps)

    # ---------------------------------------------------------------- layers

    def indexed(self, name: str) -> str:
        """The path of what is declared here: in a loop, an element of a list."""
        return ".".join((name, *map(str, self.iteration)))

    def declare(self, layer: ir.Layer) -> None:
        span = layer.span
        self.walk.spend(span)
        repeat = None if layer.count is None else self.count(layer.count, span)
        if layer.copies is not None:
            repeat = self.count(ir.Size(layer.copies), span)
        callee = layer.callee
        args = {
            name: (
                self.argument(static, span)
                if isinstance(callee, str)
                else self.passed(callee, name, static, span)
            )
            for name, static in layer.args
        }
        self.within(callee, args, span)
        built = Built(layer, self.indexed(layer.name), args, repeat)
        self.measure(built)
        self.layers[layer.name] = built
        self.built.append(built)

    def measure(self, built: Built) -> None:
        """Its sizes and those of its weights, as far as they are known."""
        layer, span = built.layer, built.layer.span
        built.sizes = {n: self.size(dim, span) for n, dim in layer.sizes.items()}
        weights = {
            name: weight
            for name, weight in layer.weights.items()
            if weight.when is None or self.switched_on(layer, weight.when, built.args)
        }
        built.weights = tuple(
            self.weight(name, weight, "float", span) for name, weight in weights.items()
        )
        if not isinstance(layer.callee, str) and layer.callee.origin:
            built.weights = (UNKNOWN,)
        dims = (*layer.sizes.values(), *(d for w in weights.values() for d in w.sizes))
        built.open = {name for dim in dims for name in dim.symbols} - self.env.keys()

    def within(self, callee: Op | str, args: Values, span: Span) -> None:
        """What an entry is given is between the bounds that it has. Shapes need those of windows."""
        for name, value in args.items():
            param = callee.param(name) if isinstance(callee, Op) else None
            if param and (text := param.beyond(value)):
                text = f"{text}, not {value}"
                if param.kind is Kind.WINDOW:
                    raise InstanceError(text, span)
                self.fail(Failure(text, span))

    def switched_on(self, layer: ir.Layer, switch: str, args: Values) -> bool:
        if switch in args:
            return bool(args[switch])
        param = None if isinstance(layer.callee, str) else layer.callee.param(switch)
        return bool(param and param.default)

    # ----------------------------------------------------------- expressions

    def evaluate(self, expr: ir.Expr) -> None:
        """Applies every layer inside, innermost first. Pipelines nest deeply: no recursion."""
        stack: list[tuple[ir.Expr, bool]] = [(expr, False)]
        while stack:
            node, ready = stack.pop()
            if ready:
                self.apply(node)
            else:
                stack.append((node, True))
                stack.extend((child, False) for child in reversed(self.operands(node)))

    def operands(self, expr: ir.Expr) -> tuple[ir.Expr, ...]:
        self.walk.spend(expr.span)
        match expr:
            case ir.Choose(condition, then, orelse, span=span):
                return (then if self.decide(condition, span) else orelse,)
            case _:
                return operands(expr)

    def apply(self, expr: ir.Expr) -> None:
        match expr:
            case ir.Apply():
                self.apply_layer(expr)
            case ir.Scalar(static, span=span):
                self.needed(static, span)
            case ir.Invoke(function, span=span):
                self.needed(function, span)
            case ir.Element(ir.Var(name), index, span=span):
                if text := self.outside(name, index, span):
                    self.fail(Failure(text, span))
            case ir.Subscript(span=span):
                told = any(span.contains(f.span) for f in self.failures)
                for text in self.beyond(expr) if not told else ():
                    self.fail(Failure(text, span))
            case ir.OpCall(op, args=args, flops=flops, span=span):
                given = {n: self.passed(op, n, static, span) for n, static in args}
                self.within(op, given, span)
                if flops is not None or op.origin:
                    self.flops.append(times(self.work(flops), self.times))
            case _:
                pass

    def apply_layer(self, expr: ir.Apply) -> None:
        built = self.layers[expr.layer]
        if not built.open.isdisjoint(self.env):
            self.measure(built)  # a block that was applied since has told its sizes
        if isinstance(built.layer.callee, str):
            output = self.apply_block(built, built.layer.callee, expr)
        else:
            output = self.type(expr.type, expr.span)
            if expr.flops is None:
                built.flops.append(None)
            if is_empty(output):
                text = f"a size below 1: the output would be {output}"
                self.fail(Failure(text, expr.span))
        built.outputs.append(output)
        whole = expr.method != ir.GRADIENT
        self.results[id(expr)] = output if whole else self.type(expr.type, expr.span)
        if expr.flops is not None:
            built.flops.append(times(self.work(expr.flops), self.times))

    def apply_block(self, built: Built, callee: str, expr: ir.Apply) -> ir.Type:
        if built.repeat == 0:
            return self.type(expr.type, expr.span)
        inputs = {
            name: self.type(of_one(arg.type, axis), expr.span)
            for (name, arg), axis in zip(
                expr.args, expr.each or (None,) * len(expr.args), strict=True
            )
            if not (isinstance(arg, ir.Var) and self.absent(arg.name))
        }
        try:
            entered = self.entered(callee, built, inputs)
        except InstanceError as error:
            error.chain.append(built.layer.span)
            raise
        for failure in entered.failures:
            self.fail(
                Failure(
                    failure.message, failure.span, (*failure.chain, built.layer.span)
                )
            )
        self.learn(expr, entered.env)
        if expr.each:
            entered = replace(entered, output=self.type(expr.type, expr.span))
        inside, node = built.inside, entered.node.often(self.times)
        built.inside = inside.merged(node) if inside else node
        return entered.output

    def learn(self, expr: ir.Apply, inside: Mapping[str, Value]) -> None:
        """The sizes that a block has found, and what was required of them."""
        for size, name in expr.found:
            found = resolve(size, inside)
            self.env[name] = found if found.value is None else found.value
        if expr.found:
            waiting, self.waiting = self.waiting, []
            for statement in waiting:
                self.require(statement)

    def absent(self, name: str) -> bool:
        return name not in self.given and any(
            i.name == name and i.optional for i in self.definition.inputs
        )

    def entered(
        self, callee: str, built: Built, inputs: Mapping[str, ir.Type]
    ) -> Entered:
        """The block at these arguments and inputs; equal ones are walked once."""
        key = callee, *(repr(d) for d in (built.args, built.sizes, inputs))
        if key not in self.walk.known:
            definition = self.walk.definitions[callee]
            env = {**built.sizes, **built.args}
            given = frozenset(inputs)
            body = Body(definition, self.walk, env, given)
            body.bind_inputs(definition.inputs, inputs)
            self.walk.known[key] = body.enter(built.args)
        return self.walk.known[key]
