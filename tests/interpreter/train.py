"""What a train means: its loss and its metrics."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import jax.numpy as jnp

from nnxc.syntax import tree

from .frame import Frame
from .inputs import bind, taken
from .values import Layer, Tensor, raw

if TYPE_CHECKING:
    from .program import Program

SETTINGS = {"optimizer", "clip", "accumulate", "precision", "ema"}


class Model:
    """The model of a train, or a frozen one: applied like a function, its weights by path."""

    def __init__(
        self, program: Program, layer: Layer, weights: Any, train: bool, path: Any = ()
    ):
        self.program, self.layer, self.weights = program, layer, weights
        self.train, self.path = train, path

    def __call__(self, **given: Any) -> Any:
        from .program import Run

        return Run(self.program, self.weights, self.train).definition(self.layer, given)


class TrainFrame(Frame):
    """A train at work."""

    models: dict[str, Model]
    metrics: dict[str, Any]

    def statement(self, node: tree.Statement) -> None:
        match node:
            case tree.Assign(targets=[tree.Name(id=name)]) if name in SETTINGS:
                pass
            case tree.Metric(name=name, value=value):
                self.metrics[name] = raw(self.value(value))
            case tree.Select() | tree.Adapt() | tree.Frozen() | tree.Optimize():
                pass
            case tree.Declare(keyword="batch"):
                pass
            case _:
                super().statement(node)

    def attribute(self, node: tree.Expr, name: str) -> Any:
        """`model.head.kernel`: a weight."""
        path = self.weight_path(node, (name,))
        if path is not None:
            from .program import Run

            return Tensor(
                Run(self.program, self.models["model"].weights, False).read(path)
            )
        return super().attribute(node, name)

    def weight_path(self, node: tree.Expr, path: tuple[Any, ...]) -> Any:
        match node:
            case tree.Attribute(value=value, name=name):
                return self.weight_path(value, (name, *path))
            case tree.Name(id="model"):
                return path
        return None

    def call(self, node: tree.Call) -> Any:
        if isinstance(node.func, tree.Name) and node.func.id in self.models:
            return self.applied(self.models[node.func.id], [], node.args)
        return super().call(node)

    def stage(self, node: tree.Expr, value: Any) -> Any:
        match node:
            case tree.Name(id=name) if name in self.models:
                return self.applied(self.models[name], [value], ())
            case tree.Call(func=tree.Name(id=name), args=args) if name in self.models:
                return self.applied(self.models[name], [value], args)
        return super().stage(node, value)

    def applied(
        self, model: Model, first: list[Any], args: tuple[tree.Arg, ...]
    ) -> Any:
        from .apply import input_names

        values = [*first, *(self.value(a.value) for a in args if a.name is None)]
        given = dict(zip(input_names(model.layer.kind), values, strict=False))
        given |= {a.name: self.value(a.value) for a in args if a.name is not None}
        given = {k: v for k, v in given.items() if v is not None}
        return model(**given)

    @property
    def program(self) -> Program:
        return self.run.program


def loss(
    program: Program,
    name: str,
    weights: Mapping[Any, Any],
    batch: Any,
    args: Mapping[str, Any],
    train: bool,
    objective: str | None,
    frozen: Mapping[str, Any],
) -> tuple[Any, dict[str, Any]]:
    """The loss and the metrics of the train of a model."""
    from .program import Run

    (section,) = [t for t in program.main.of(tree.Train) if t.model.id == name]
    run = Run(program, weights, train)
    layer = program.layer(name, args)
    frame = TrainFrame(run, program.main, (), {})
    frame.env = run.parameters(layer)
    frame.metrics = {}
    frame.models = {"model": Model(program, layer, weights, train)}
    for node in section.body:
        if isinstance(node, tree.Frozen):
            frame.models[node.name] = other(frame, node, name, frozen[node.name])
    fields = [f for s in section.body if _is_batch(s) for f in s.fields]
    if not isinstance(batch, Mapping):
        batch = dict(zip([f.name for f in fields], batch, strict=True))
    there = {n: Tensor(jnp.asarray(v)) for n, v in batch.items()}
    bind(frame, fields, there, {})
    for field in fields:
        frame.env[field.name] = taken(frame, field, there[field.name])
    frame.statements(section.body)
    for node in section.body:
        if isinstance(node, tree.Optimize) and node.name == objective:
            frame.statements(node.body)
    return raw(frame.env["loss"]), frame.metrics


def _is_batch(statement: tree.Statement) -> bool:
    return isinstance(statement, tree.Declare) and statement.keyword == "batch"


def other(frame: TrainFrame, node: tree.Frozen, name: str, weights: Any) -> Model:
    """A frozen model: used as in evaluation. Parameters that are not given are the model's own
    where the class is the same."""
    call = node.value
    kind = frame.program.main.lookup(
        call.func.id if isinstance(call, tree.Call) else call.id
    )
    given = call.args if isinstance(call, tree.Call) else ()
    args = {a.name: frame.value(a.value) for a in given}
    if kind.name == name:
        args = {**frame.models["model"].layer.args, **args}
    return Model(frame.program, Layer(kind, args, {}, ()), weights, False)
