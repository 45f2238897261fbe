"""Plans the training of a model: its functions, decided as text for the template."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from ... import ir
from ...ir.fold_statements import declared
from ...ops.training.optimizers import wants_matrices
from ...record import Record
from ...shapes import DTYPES
from .. import plan
from ..entries import helpers_of
from ..python.docs import described
from ..python.names import TRAIN, Namespace, snake
from ..python.scope import Scope
from ..python.static_text import static
from ..signature import Names
from .train_adapters import AdaptersView, adapters_view
from .train_decay import decaying
from .train_frozen import frozen_view
from .train_goals import (
    OF_GOAL,
    Draws,
    Function,
    GoalView,
    Shared,
    gathered,
    goal_view,
    listed,
)
from .train_matrices import matrices
from .train_modes import evaluation, training
from .train_select import keeps_all

_LOCALS = (
    "model", "optimizer", "ema", "rngs", "grad_fn", "grads", "loss", "metrics",
)  # fmt: skip
STATS = "BatchStat"
_SPLIT_LOCALS = ("graphdef", "params", "rest", "compute")


class TrainView(Record):
    """One train, as the templates write it."""

    model: str  # its class
    batch: Mapping[str, str]  # what its fields are called
    goals: tuple[GoalView, ...]
    several: bool
    create_model: Function
    adapters: AdaptersView | None
    table: str | None  # of its matrices, by name and as text
    matrices: str
    create_ema: str
    averaged: str  # the filter of what is averaged
    decay: str | None  # of the moving average
    create_rngs: str
    streams: str | None  # keywords of `nnx.Rngs`
    train_step: Function
    step_doc: str
    donated: str | None
    eval_step: Function
    training: tuple[str, ...]  # arguments of `nnx.view`, call by call
    modes: str | None  # its keywords for evaluation
    kept: bool  # whether evaluation works on a copy, so that the model stays as it is
    redrawn: bool  # and on a copy of the streams
    stepped: str | None  # whether a batch has ended a step, where several make one
    losses: str  # of several objectives
    metrics: str


def train_view(program: ir.Program, train: ir.Train, names: Names) -> TrainView:
    """Decide everything about one train that the templates write."""
    signature = names.signatures[train.model]
    suffix = f"_{snake(train.model)}" if len(program.trains) > 1 else ""
    several = bool(train.objectives[0].name)
    shared_names = [n for n in TRAIN if not (several and n in OF_GOAL)]
    called = {name: names.module.give(f"{name}{suffix}") for name in shared_names}
    own = [_called(g, called, names, suffix) for g in train.objectives]
    adapters = adapters_view(program, train, names)
    taken = (*called.values(), *(name for mine in own for name in mine.values()))
    shared = _shared(program, train, names, taken, adapters, suffix)
    pairs = zip(train.objectives, own, strict=True)
    goals = tuple(goal_view(train, goal, mine, shared) for goal, mine in pairs)
    losses, metrics = gathered(train.objectives)
    return TrainView(
        model=signature.name,
        batch=shared.batch,
        goals=goals,
        several=several,
        create_model=_create_model(called["create_model"], train, names),
        adapters=adapters,
        table=shared.table,
        matrices=matrices(program, train.model, names) if shared.table else "",
        create_ema=called["create_ema"],
        averaged=_averaged(program, train, "nnx.Param" if several else goals[0].wrt),
        decay=None if train.ema is None else static(train.ema, Scope()).text,
        create_rngs=called["create_rngs"],
        streams=_streams(train.streams),
        train_step=_train_step(train, called["train_step"], goals, shared),
        step_doc=_step_doc(train),
        donated=_donated(train, goals, shared.splits),
        eval_step=_eval_step(called["eval_step"], shared),
        training=training(program, train, names),
        modes=evaluation(program, train.model),
        kept=not keeps_all(program, train.model),
        redrawn=bool(shared.draws.evaluation),
        stepped=_stepped(train, goals),
        losses=losses,
        metrics=metrics,
    )


def _shared(
    program: ir.Program,
    train: ir.Train,
    names: Names,
    called: Iterable[str],
    adapters: AdaptersView | None,
    suffix: str,
) -> Shared:
    """What all functions of a train go by; `called` are their own names."""
    picks = adapters or any(g.only or g.freeze for g in train.objectives)
    splits = bool(picks) or not keeps_all(program, train.model)
    taken = [*_LOCALS, *called, *(h.name for h in helpers_of(program))]
    taken += [*names.externs.values(), *(s.name for s in names.signatures.values())]
    taken += _SPLIT_LOCALS if splits else ()
    taken += [adapters.add, adapters.save, adapters.load] if adapters else []
    taken += [f"{g.name}_{w}" for g in train.objectives for w in _OF_STEP if g.name]
    give = Namespace(taken).give
    batch = {field.name: give(field.name) for field in train.batch}
    frozen = {
        f.name: frozen_view(program, f, give(f.name), names) for f in train.frozen
    }
    return Shared(
        names.signatures[train.model].name,
        names,
        batch,
        frozen,
        tuple(taken),
        _draws(train),
        splits,
        _table(train, names, suffix),
        {g.name: decaying(program, train.model, g, names) for g in train.objectives},
    )


def _table(train: ir.Train, names: Names, suffix: str) -> str | None:
    """The name of the model's matrices; adapters, which alone train then, are no layers' kernels."""
    wanted = any(wants_matrices(goal.optimizer.op) for goal in train.objectives)
    if train.adapters or not wanted:
        return None
    return names.module.give(f"MATRICES{suffix.upper()}")


_OF_STEP = ("optimizer", "loss", "metrics")


def _called(
    goal: ir.Objective, shared: Mapping[str, str], names: Names, suffix: str
) -> Mapping[str, str]:
    """The module's names for an objective, with the model's where there are several trains."""
    if not goal.name:
        return {name: shared[name] for name in OF_GOAL}
    wanted = {
        "trainable": f"{goal.name}_trainable",
        "create_optimizer": f"create_{goal.name}_optimizer",
        "loss_fn": f"{goal.name}_loss_fn",
        "step": f"{goal.name}_step",
    }
    return {key: names.module.give(f"{name}{suffix}") for key, name in wanted.items()}


def _draws(train: ir.Train) -> Draws:
    draws, always = bool(train.streams), bool(train.eval_streams)
    rngs = ("rngs: nnx.Rngs",) if draws else ()
    maybe = ("rngs: nnx.Rngs | None",) if draws and not always else rngs
    given = ("rngs",) if draws else ()
    return Draws(
        step=rngs,
        loss=maybe,
        evaluation=rngs if always else (),
        given=given,
        evaluated=("None",) if draws and not always else given,
    )


def _train_step(
    train: ir.Train, name: str, goals: tuple[GoalView, ...], shared: Shared
) -> Function:
    taken = [f"{g.optimizer}: nnx.Optimizer[{shared.model}]" for g in goals]
    taken += [] if train.ema is None else ["ema: nnx.EMA"]
    return Function(
        name, listed(*shared.first, *taken, *shared.draws.step, *shared.fields)
    )


def _step_doc(train: ir.Train) -> str:
    """The comment above a train is about its loss, or about all that its objectives do."""
    if not train.objectives[0].name:
        return described("", "Take one step; the objects change in place.")
    return described(
        train.doc, "Take a step for each in turn; the objects change in place."
    )


def _eval_step(name: str, shared: Shared) -> Function:
    return Function(
        name, listed(*shared.first, *shared.draws.evaluation, *shared.fields)
    )


def _streams(streams: Iterable[str]) -> str | None:
    """Keywords of `nnx.Rngs`. Streams of one seed would repeat each other."""
    keywords = [
        f"{stream}=seed + {i}" if i else f"{stream}=seed"
        for i, stream in enumerate(streams)
    ]
    return ", ".join(keywords) or None


def _donated(train: ir.Train, goals: tuple[GoalView, ...], splits: bool) -> str | None:
    """What a step replaces entirely; a donated array that is not replaced would be lost."""
    names = [] if splits else ["model"]
    pairs = zip(train.objectives, goals, strict=True)
    names += [view.optimizer for goal, view in pairs if not goal.optimizer.op.state]
    names += [] if train.ema is None else ["ema"]
    quoted = [f'"{name}"' for name in names]
    if not quoted:
        return None
    return quoted[0] if len(quoted) == 1 else f"({', '.join(quoted)})"


def _stepped(train: ir.Train, goals: tuple[GoalView, ...]) -> str | None:
    """Whether the weights have changed with this batch, as text; None where they always do."""
    if any(goal.accumulate is None for goal in train.objectives):
        return None
    tests = [f"{g.optimizer}.opt_state.mini_step[...] == 0" for g in goals]
    return tests[0] if len(tests) == 1 else " | ".join(f"({t})" for t in tests)


def _averaged(program: ir.Program, train: ir.Train, weights: str) -> str:
    """The filter of what is averaged: weights, and the statistics of batches, which belong to them."""
    variables = (v for d in program.definitions for v in declared(d.body))
    states = [v for v in variables if isinstance(v, ir.Variable) and v.kind == STATS]
    if any(state.type.dtype != "float" for state in states):
        return weights  # Flax averages what is floating
    normed = "use_running_average" in program.definition(train.model).modes
    return f"({weights}, nnx.{STATS})" if normed or states else weights


def _create_model(name: str, train: ir.Train, names: Names) -> Function:
    """Takes what the class takes, and a seed; the precision is the train's to say."""
    signature, precision = names.signatures[train.model], train.precision
    definition = signature.definition
    inferred = [signature.arguments[n] for n in definition.inferred]
    dtype = f"jnp.{DTYPES[precision]}" if precision and signature.takes_dtype else ""
    keywords: list[str] = []
    if signature.config:
        required = any(p.default is None for p in definition.params)
        default = "" if required else f" = {signature.config}()"
        parameters = [f"cfg: {signature.config}{default}"]
        said = f"replace(cfg, dtype=cfg.dtype or {dtype})"
        passed = [said if dtype else "cfg"]
    else:
        parameters = [f.text for f in plan.fields(signature, names)]
        passed = [signature.arguments[p.name] for p in definition.params]
        if dtype:
            keywords = [f"dtype: jax.typing.DTypeLike = {dtype}"]
            passed.append("dtype=dtype")
    keywords.append("seed: int = 0")
    return Function(
        name,
        listed(*(f"{n}: int" for n in inferred), *parameters, "*", *keywords),
        listed(*inferred, *passed, "rngs=nnx.Rngs(seed)"),
    )
