"""Statements: one run of a definition, from its inputs to what it returns."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from itertools import product
from types import MappingProxyType
from typing import Any

import jax
import jax.numpy as jnp

from nnxc.syntax import tree

from .apply import apply
from .expressions import Expressions
from .values import (
    DTYPES,
    Record,
    Refused,
    Required,
    Tensor,
    position,
)

STEPS = {"+=": "+", "-=": "-", "*=": "*"}


def stacks(node: tree.Assign) -> bool:
    """Whether a value ends with a stack: `x -> Layer * n`."""
    if not isinstance(node.value, tree.Pipe):
        return False
    last = node.value.stages[-1].value
    last = last.value if isinstance(last, tree.Named) else last
    return isinstance(last, tree.Binary) and last.op == "*"


def kept(body: tuple[tree.Statement, ...]) -> Iterator[str]:
    """The lists in which lines of a loop keep what they change."""
    for node in body:
        if isinstance(node, tree.For):
            yield from kept(node.body)
        elif isinstance(node, tree.If):
            yield from kept((*node.then, *node.orelse))
        elif isinstance(node, tree.Assign) and node.gathers and not stacks(node):
            yield node.gathers.id


class Frame(Expressions):
    """A definition at work. `env` has parameters, axes, values and layers by name."""

    result: Any = None
    loops: int = 0  # loops around a statement
    elsewhere: Mapping[str, Any] = MappingProxyType({})  # of sides that are not taken

    def statements(self, body: tuple[tree.Statement, ...]) -> None:
        for statement in body:
            self.statement(statement)

    def statement(self, node: tree.Statement) -> None:
        match node:
            case tree.Assign(gathers=tree.Name() as name) if self.loops and not stacks(
                node
            ):
                self.env[name.id].append(self.env[node.targets[0].id])
                self.assign([t.id for t in node.targets], node.op, node.value)
            case tree.Assign(gathers=tree.Name()):
                self.gather(node)
            case tree.Assign(targets=targets, op=op, value=value):
                self.assign([t.id for t in targets], op, value)
            case tree.For():
                self.loop(node)
            case tree.Scan():
                self.scan(node)
            case tree.Collect(name=name, value=value):
                self.collected.setdefault(name, []).append(self.value(value))
            case tree.If():
                self.choice(node)
            case tree.Require(condition=condition, message=message):
                if not self.value(condition):
                    raise Required(message or "a requirement does not hold")
            case tree.Return(values=values, names=names):
                self.returns(values, names)
            case tree.Evaluate(value=value):
                self.value(value)
            case tree.Declare(keyword="param", fields=fields):
                for field in fields:
                    self.declare(field)
            case tree.Declare(keyword="state", fields=fields):
                for field in fields:
                    self.declare(field, state=True)
            case tree.Declare(keyword="input") | tree.Rngs() | tree.Init():
                pass
            case _:
                raise NotImplementedError(type(node).__name__)

    # ----------------------------------------------------------------- values

    def assign(self, targets: list[str], op: str, node: tree.Expr) -> None:
        if op != "=":
            (name,) = targets
            self.put(name, self.operate(STEPS[op], self.env[name], self.value(node)))
            return
        value = self.assigned(node)
        if len(targets) == 1:
            self.put(targets[0], list(value) if isinstance(value, list) else value)
            return
        parts = list(value.values() if isinstance(value, Record) else value)
        if len(parts) != len(targets):
            raise ValueError(f"{len(parts)} values for {targets}")
        for name, part in zip(targets, parts, strict=True):
            self.put(name, part)

    def gather(self, node: tree.Assign) -> None:
        """`*states, x = x -> Layer * n`: what goes into each layer, and what the last gives."""
        assert isinstance(node.value, tree.Pipe) and node.gathers is not None
        value = self.value(node.value.source)
        *before, last = (stage.value for stage in node.value.stages)
        for stage in before:
            value = self.stage(stage, value)
        states = []
        for layer in self.value(last).layers:
            states.append(value)
            value = apply(self, layer, [value], ())
        self.put(node.gathers.id, states)
        self.put(node.targets[0].id, value)

    def put(self, name: str, value: Any) -> None:
        """A name has a value from here on; a `state` keeps it."""
        if name in self.states:
            kept, path = self.states[name]
            value = jnp.asarray(value.array if isinstance(value, Tensor) else value)
            value = value.astype(kept.array.dtype)
            value = Tensor(jnp.broadcast_to(value, kept.shape), kept.names)
            self.run.write(path, value.array)
        self.env[name] = value

    def declare(self, field: tree.Field, state: bool = False) -> None:
        path = (*self.path, field.name, *self.indices)
        array = self.run.read(path)
        sizes, names = self.shape(field.type.dims or ())
        if array.shape != tuple(sizes):
            raise Refused(f"{field.name}: {array.shape} is not {sizes}")
        self.env[field.name] = Tensor(array, names)
        if state:
            self.states[field.name] = self.env[field.name], path

    def returns(
        self, values: tuple[tree.Expr, ...], names: tuple[tree.Name, ...]
    ) -> None:
        found = tuple(self.value(v) for v in values)
        if names:
            self.result = Record(zip([n.id for n in names], found, strict=True))
        else:
            self.result = found[0] if len(found) == 1 else found

    # ---------------------------------------------------------------- control

    def loop(self, node: tree.For) -> None:
        items = self.value(node.iterable)
        items = items.values() if isinstance(items, Record) else items
        if not self.loops:
            self.env.update((name, []) for name in kept(node.body))
        self.loops += 1
        for index, item in enumerate(items):
            self.indices.append(index)
            parts = [item] if len(node.targets) == 1 else item
            for target, part in zip(node.targets, parts, strict=True):
                self.env[target.id] = part
            self.statements(node.body)
            self.indices.pop()
        self.loops -= 1

    def choice(self, node: tree.If) -> None:
        holds = self.value(node.condition)
        other = self.otherwise(node.condition, holds)
        if other is not None:
            given = other.construct_only(node.orelse if holds else node.then)
            self.elsewhere = {**self.elsewhere, **given}
        self.statements(node.then if holds else node.orelse)

    def chosen(self, node: tree.IfElse, take: Callable[[Frame, tree.Expr], Any]) -> Any:
        """The side of a choice between values; the other's layers exist where a call comes to it."""
        holds = self.value(node.condition)
        other = self.otherwise(node.condition, holds)
        side, rest = (node.then, node.orelse)[:: 1 if holds else -1]
        if other is not None:
            state = dict(self.run.state)
            jax.eval_shape(lambda: (take(other, rest), None)[1])
            self.run.state = state
        return take(self, side)

    def otherwise(self, condition: tree.Expr, holds: Any) -> Frame | None:
        """A frame in which a condition comes out otherwise, by other inputs; None where there is
        none: parameters decide it."""
        asked = self.asks_inputs(condition)
        for there in product((True, False), repeat=len(asked)):
            other = self.copy()
            other.env = {**self.elsewhere, **other.env}
            for name, given in zip(asked, there, strict=True):
                if given != (self.env.get(name) is not None):
                    like = self.optional[name]
                    other.env[name] = other.stand_in(like) if given else None
            if bool(other.value(condition)) != bool(holds):
                return other
        return None

    def asks_inputs(self, condition: tree.Expr) -> list[str]:
        """The inputs whose presence a condition asks for."""
        from nnxc.syntax.walk import nodes_in

        return [
            n.id
            for b in nodes_in(condition, tree.Binary)
            if b.op in ("==", "!=")
            for n in nodes_in(b, tree.Name)
            if n.id in self.optional
        ]

    def construct_only(self, body: tuple[tree.Statement, ...]) -> dict[str, Any]:
        """Goes through a side that is not taken, for its layers exist all the same; gives the
        values that it adds, as zeros."""
        state, before = dict(self.run.state), {*self.env}
        try:
            jax.eval_shape(lambda: self.statements(body))
        finally:
            self.run.state = state
        new = {n: v for n, v in self.env.items() if n not in before}
        return {
            n: Tensor(jnp.zeros(v.shape, v.array.dtype), v.names)
            for n, v in new.items()
            if isinstance(v, Tensor)
        }

    def stand_in(self, field: tree.Field) -> Tensor:
        """An array as an input wants it, of axes of size 1 where nothing is known."""
        sizes = []
        for dim in field.type.dims or ():
            if isinstance(dim, tree.Name):
                self.env.setdefault(dim.id, 1)
            try:
                sizes.append(self.value(dim))
            except NameError:
                sizes.append(1)
        dims = field.type.dims or ()
        names = [dim.id if isinstance(dim, tree.Name) else None for dim in dims]
        return Tensor(jnp.zeros(sizes, DTYPES[field.type.dtype or "float"]), names)

    def copy(self) -> Frame:
        """A frame in which values may change without changing here."""
        other = type(self)(self.run, self.file, self.path, self.names)
        other.__dict__.update(self.__dict__)
        lists = {n: [*v] for n, v in self.env.items() if type(v) is list}
        other.env = {**self.env, **lists}
        other.indices = list(self.indices)
        return other

    # ------------------------------------------------------------------ scans

    def scan(self, node: tree.Scan) -> None:
        sources = [self.tensor(self.value(s)) for s in node.sources]
        carries = {c.name: self.value(c.value) for c in node.carries}
        if sources:
            over = self.axis(node.over)
            places = [position(over, s) for s in sources]
            steps = sources[0].shape[places[0]]
            label = sources[0].names[places[0]]
        else:
            places, steps, label = [], self.value(node.over), None
        outer, gathered = dict(self.env), self.collected
        self.collected = {}
        order = range(steps)
        for step in reversed(order) if node.reversed else order:
            self.env = {**outer, **carries}
            for target, source, place in zip(
                node.targets, sources, places, strict=True
            ):
                names = source.names[:place] + source.names[place + 1 :]
                self.env[target.id] = Tensor(source.array.take(step, place), names)
            self.statements(node.body)
            carries = {name: self.env[name] for name in carries}
        found, self.collected = self.collected, gathered
        self.env = {**outer, **carries}
        for name, values in found.items():
            ordered = values[::-1] if node.reversed else values
            self.env[name] = self.gathered(ordered, places[0] if places else 0, label)

    def gathered(self, values: list[Any], place: int, label: str | None) -> Tensor:
        """What the steps of a scan gave, along an axis."""
        items = [self.tensor(v) for v in values]
        place = min(place, items[0].ndim)
        names = [*items[0].names[:place], label, *items[0].names[place:]]
        return Tensor(jnp.stack([i.array for i in items], place), names)
