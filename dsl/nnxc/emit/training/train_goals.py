"""Plans the objectives of a train: the loss of each, and the step that it takes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from ... import ir
from ...ir.fold_tensors import walk
from ...ops.rules.agree import WHERE
from ...record import Record
from ..python.docs import described
from ..python.names import SHADOWED, Namespace
from ..signature import Names
from .train_frozen import FrozenView
from .train_loss import Loss, loss_body, weight_text
from .train_select import by_model, selection
from .train_tx import Transformation, transformation

OF_GOAL = ("trainable", "create_optimizer", "loss_fn")
_PARTS = ("params: nnx.State[Any, Any]", "rest: list[nnx.State[Any, Any]]")


class Function(Record):
    """One generated function: its name, its parameters, what its body passes on."""

    name: str
    parameters: str
    arguments: str = ""


class Draws(Record):
    """What a train's functions take of streams: their parameters, and what is passed on."""

    step: tuple[str, ...]
    loss: tuple[str, ...]
    evaluation: tuple[str, ...]
    given: tuple[str, ...]
    evaluated: tuple[str, ...]


class GoalView(Record):
    """One objective, as the templates write it."""

    title: str
    doc: str  # of its loss
    transformation: Transformation
    trainable: str
    selection: str | None  # the filter of the weights that train
    by_model: bool  # whether it depends on how many layers the model has
    create_optimizer: str
    optimizer: str  # what the step calls it
    loss_fn: Function
    loss: Loss
    step: Function
    split: Function | None  # where weights must be told from the rest
    result: str  # what the whole step calls its loss and metrics
    weight: str | None  # of a batch, where several make a step
    evaluated: str  # the arguments of the loss in evaluation
    adapted: bool = False  # adapters train alone

    @property
    def parameters(self) -> str:
        """The parameters of its optimizer's function."""
        chosen = self.transformation.parameters
        return listed("", "*", *chosen) if chosen else ""

    @property
    def wrt(self) -> str:
        """The filter of the weights that train, by name where it has one."""
        if self.adapted:
            return "nnx.LoRAParam"
        if self.by_model:
            return f"{self.trainable}(model)"
        return self.trainable if self.selection else "nnx.Param"


class Shared(Record):
    """What the functions of one train share."""

    model: str  # its class
    names: Names
    batch: Mapping[str, str]  # the names of the fields
    frozen: Mapping[str, FrozenView]
    taken: tuple[str, ...]  # what no local name may hide
    draws: Draws
    splits: bool  # whether weights must be told from the rest
    table: str | None  # of the model's matrices
    decays: Mapping[str, Sequence[str]]  # by objective: the ends of paths that decay

    @property
    def first(self) -> tuple[str, ...]:
        """The parameters that all begin with: the model, and frozen ones."""
        return f"model: {self.model}", *(f.parameter for f in self.frozen.values())

    @property
    def fields(self) -> tuple[str, ...]:
        """The parameters that all end with."""
        return tuple(f"{name}: jax.Array" for name in self.batch.values())


def goal_view(
    train: ir.Train, goal: ir.Objective, called: Mapping[str, str], shared: Shared
) -> GoalView:
    """Decide everything about one objective. `called` are the module's names for it."""
    names, batch = shared.names, shared.batch
    frozen, draws = shared.frozen, shared.draws
    passed = [f.name for f in frozen.values()]
    local = Namespace([*SHADOWED, *shared.taken, *batch.values(), *passed])
    title = f"the {goal.name}" if goal.name else "a batch"
    return GoalView(
        title=title,
        doc=described(
            goal.doc, f"The loss of {title}, and its metrics.{_masked(goal, batch)}"
        ),
        transformation=transformation(goal, shared.table, shared.decays[goal.name]),
        trainable=called["trainable"],
        selection=selection(goal, train.model, names),
        by_model=by_model(goal),
        create_optimizer=called["create_optimizer"],
        optimizer=f"{goal.name}_optimizer" if goal.name else "optimizer",
        loss_fn=Function(
            called["loss_fn"],
            listed(*shared.first, *draws.loss, *shared.fields),
            listed("model", *passed, *draws.given, *batch.values()),
        ),
        loss=loss_body(train, goal, names, batch, frozen, local),
        step=_own_step(goal, called.get("step", ""), shared),
        split=_split(draws) if shared.splits else None,
        result=f"{goal.name}_loss, {f'{goal.name}_metrics' if goal.metrics else '_'}",
        weight=weight_text(train, goal, names, batch, local),
        evaluated=listed("model", *passed, *draws.evaluated, *batch.values()),
        adapted=train.adapters is not None,
    )


def _masked(goal: ir.Objective, batch: Mapping[str, str]) -> str:
    """A sentence about the integers of a batch that all of its losses leave out below 0."""
    calls = [e for e in walk(goal.loss) if isinstance(e, ir.OpCall)]
    masks = [dict(c.inputs).get(WHERE.name) for c in calls if c.op.group == "loss"]
    fields = {_nonnegative(mask) for mask in masks if isinstance(mask, ir.Operator)}
    name = next(iter(fields), "") if len(fields) == 1 and all(masks) else ""
    return f" `{batch[name]}` below 0 are ignored." if name in batch else ""


def _nonnegative(mask: ir.Operator) -> str:
    """The variable that a mask compares as `labels >= 0`; empty where it is none."""
    match mask:
        case ir.Operator(
            ">=", (ir.Subscript(ir.Var(name)) | ir.Var(name), ir.Scalar(ir.Literal(0)))
        ):
            return name
    return ""


def _own_step(goal: ir.Objective, name: str, shared: Shared) -> Function:
    """The step for one objective of several."""
    passed = [f.name for f in shared.frozen.values()]
    draws, batch = shared.draws, shared.batch.values()
    optimizer = f"optimizer: nnx.Optimizer[{shared.model}]"
    return Function(
        name,
        listed(*shared.first, optimizer, *draws.step, *shared.fields),
        listed("model", *passed, f"{goal.name}_optimizer", *draws.given, *batch),
    )


def _split(draws: Draws) -> Function:
    """The loss of the weights that train, told from the rest."""
    parameters = listed(*_PARTS, *draws.step)
    return Function("compute", parameters, listed("params", "rest", *draws.given))


def gathered(goals: Sequence[ir.Objective]) -> tuple[str, str]:
    """The losses and metrics of several objectives, as texts of dicts."""
    losses = ", ".join(f'"{g.name}": {g.name}_loss' for g in goals)
    metrics = [f"{g.name}_metrics" for g in goals if g.metrics]
    whole = (
        metrics[0]
        if len(metrics) == 1
        else f"{{{listed(*(f'**{m}' for m in metrics))}}}"
    )
    return f"{{{losses}}}", whole


def listed(*items: str) -> str:
    """Parameters or arguments."""
    return ", ".join(items)
