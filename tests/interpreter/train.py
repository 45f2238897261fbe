"""What a train means: its loss and its metrics."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

import jax.numpy as jnp

from nnxc.record import replace
from nnxc.syntax import tree

from .frame import Frame
from .inputs import bind, inputs_of, settle, taken
from .values import Layer, Tensor, raw

if TYPE_CHECKING:
    from .program import Program

NO_TYPE = tree.TypeOf(None, None)  # of a field that has that of the model's input
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
    section = section_of(program, name)
    frame = begun(program, name, weights, args, train)
    for node, layer in beside(frame, section):
        frame.models[node.name] = Model(program, layer, frozen[node.name], False)
    said = {f.name: f for f in inputs_of(frame.models["model"].layer.kind.what)}
    fields = [
        replace(f, type=said[f.name].type) if f.type == NO_TYPE else f
        for s in section.body
        if _is_batch(s)
        for f in s.fields
    ]
    if not isinstance(batch, Mapping):
        batch = dict(zip([f.name for f in fields], batch, strict=True))
    there = {n: Tensor(jnp.asarray(v)) for n, v in batch.items()}
    settle(frame, section, fields)
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


def begun(
    program: Program, name: str, weights: Any, args: Mapping[str, Any], train: bool
) -> TrainFrame:
    """A train before its first statement."""
    from .program import Run

    run = Run(program, weights, train)
    layer = program.layer(name, args)
    frame = TrainFrame(run, program.main, (), {})
    frame.env = run.parameters(layer)
    frame.metrics = {}
    frame.models = {"model": Model(program, layer, weights, train)}
    return frame


def others(
    program: Program, name: str, args: Mapping[str, Any]
) -> dict[str, tuple[str, dict[str, Any]]]:
    """The models and the arguments of what a train has frozen."""
    frame = begun(program, name, {}, args, False)
    found = beside(frame, section_of(program, name))
    return {node.name: (layer.kind.name, layer.args) for node, layer in found}


def section_of(program: Program, name: str) -> tree.Train:
    """The train of a model; its own lines take the place of those of the file that it is from."""
    (section,) = [t for t in program.main.of(tree.Train) if t.model.id == name]
    if not section.path:
        return section
    (there,) = program.file(section.path.value, program.main.path).of(tree.Train)
    lines: list[tree.Statement] = []
    rest = list(section.body)
    for line in there.body:
        same = [n for n, own in enumerate(rest, 1) if gives(own) & gives(line)]
        lines += rest[: max(same, default=0)]
        del rest[: max(same, default=0)]
        if not any(gives(own) & gives(line) for own in section.body):
            lines.append(line)
    return replace(there, body=(*lines, *rest))


def gives(line: tree.Statement) -> set[str]:
    """What a line of a train gives values to."""
    match line:
        case tree.Declare(keyword="batch"):
            return {"batch"}
        case tree.Metric(name=name):
            return {f"metric {name}"}
        case tree.Assign(targets=targets):
            return {target.id for target in targets}
    return set()


def beside(
    frame: TrainFrame, section: tree.Train
) -> Iterator[tuple[tree.Frozen, Layer]]:
    """The frozen models. Parameters that are not given are the model's own where the class is
    the same."""
    own = frame.models["model"].layer
    for node in section.body:
        match node:
            case tree.Frozen(value=tree.Call(func=tree.Name(id=kind), args=given)):
                args = {a.name: frame.value(a.value) for a in given}
            case tree.Frozen(value=tree.Name(id=kind)):
                args = {}
            case _:
                continue
        known = own.args if kind == own.kind.name else {}
        yield node, Layer(frame.program.main.lookup(kind), {**known, **args}, {}, ())
