"""Definitions, configs, trains: one checked spec."""

from __future__ import annotations

from collections.abc import Mapping

from ..ops.base import Kind, Op
from ..record import EMPTY, Record
from ..shapes import Outputs, TensorType
from ..source import Span
from .checkpoint import Weights
from .statements import Stmt
from .static import Static
from .tensors import Expr, Type


class Parameter(Record):
    """A constructor argument. `kind` is SIZE, INT, NUMBER, BOOL, TEXT, WINDOW, SIZES (a list of
    sizes), INTS, FUNCTION; `optional` means `none` is allowed; `default` None means required.
    """

    name: str
    kind: Kind
    default: Static | None
    span: Span
    optional: bool = False
    fractions: bool = False  # of a list: its numbers need not be whole
    bounds: tuple[float, float] | None = None  # of a number, both included
    asked: bool = False  # a size that may be below 1, where nothing is made of it
    window: int | None = None  # over how many axes a window slides
    handed: bool = (
        False  # of a block: the parameter of that name of the model around it
    )


class ModelInput(Record):
    """An input of a definition, a batch field of a train."""

    name: str
    type: TensorType
    optional: bool
    span: Span


class Definition(Record):
    """A block or model. `inferred` are axes that weights depend on: constructor arguments ahead of
    the parameters, passed by the compiler of the caller. `streams` are what a call draws from,
    blocks inside included; `modes` likewise. `spelled` are the static locals that the spec names,
    and how it does."""

    name: str
    is_model: bool
    doc: str
    params: tuple[Parameter, ...]
    inferred: tuple[str, ...]
    inputs: tuple[ModelInput, ...]
    outputs: tuple[Type, ...]
    body: tuple[Stmt, ...]
    streams: tuple[str, ...]
    modes: tuple[str, ...]
    span: Span
    spelled: Mapping[str, str] = EMPTY  # static locals -> as written

    @property
    def result(self) -> Type:
        """What a call gives: one value that has no name is itself."""
        lone = len(self.outputs) == 1 and not isinstance(self.outputs, Outputs)
        return self.outputs[0] if lone else self.outputs

    @property
    def named(self) -> Outputs | None:
        """Its outputs, where it is this definition that names them."""
        outputs = self.outputs
        if isinstance(outputs, Outputs) and outputs.owner == self.name:
            return outputs
        return None


class Config(Record):
    """A named choice of a model's parameters."""

    name: str
    model: str
    args: tuple[tuple[str, Static], ...]
    span: Span


class TrainOp(Record):
    """An optimizer or schedule with its arguments; an argument may be a schedule again."""

    op: Op
    args: tuple[tuple[str, Static | TrainOp], ...]


class Objective(Record):
    """What weights train for. `body` holds the assignments before the loss, in order."""

    name: str  # empty where a train has one alone
    body: tuple[Stmt, ...]
    loss: Expr
    metrics: tuple[tuple[str, Expr], ...]
    optimizer: TrainOp
    clip: Static | None
    accumulate: Static | None
    only: tuple[
        str, ...
    ]  # dotted attribute paths of the weights that train; empty means all
    freeze: tuple[str, ...]
    span: Span
    decay: tuple[str, ...] = ()  # the ends of paths of weights that decay; all if empty
    weight: Expr | None = None  # of a batch where several make a step, if they differ
    doc: str = ""


class Adapters(Record):
    """What layers get an adapter, which alone trains: `paths` are dotted, from the model on."""

    made: TrainOp
    paths: tuple[str, ...]


class Frozen(Record):
    """A model that a train uses under a name, and that does not learn."""

    name: str
    model: str


class Train(Record):
    """A train section. `body` holds what its objectives share; a step is one of each, in order."""

    model: str
    batch: tuple[ModelInput, ...]
    body: tuple[Stmt, ...]
    objectives: tuple[Objective, ...]
    precision: str | None  # a key of shapes.DTYPES
    ema: Static | None
    streams: tuple[str, ...]  # drawn from in training
    eval_streams: tuple[
        str, ...
    ]  # drawn from in evaluation too (explicit draws, not dropout)
    span: Span
    adapters: Adapters | None = None
    frozen: tuple[Frozen, ...] = ()
    doc: str = ""


class Generate(Record):
    """A language model from which text is sampled. `logits` is the output that scores tokens."""

    model: str
    logits: int
    span: Span


class Program(Record):
    """One checked spec. `definitions` stand callees first."""

    path: str
    doc: str
    definitions: tuple[Definition, ...]
    configs: tuple[Config, ...]
    trains: tuple[Train, ...]
    weights: tuple[Weights, ...] = ()
    generates: tuple[Generate, ...] = ()

    def definition(self, name: str) -> Definition:
        """The definition of that name; KeyError where there is none."""
        return next(d for d in self.definitions if d.name == name)
