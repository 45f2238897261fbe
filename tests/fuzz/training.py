"""What trains do: losses as the interpreter has them, and steps that keep what they are given."""

from __future__ import annotations

import inspect
import types
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any
from unittest import mock

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx

from nnxc.ir import Train
from tests import interpreter

from . import values
from .build import unfilled
from .builder import ModelCase
from .evaluate import evaluated
from .laws import holds

Plain = Mapping[str, tuple[ModelCase, values.Built]]  # models at their defaults


@dataclass(frozen=True)
class Training:
    """A train of a generated module, with its model and those that it has besides."""

    module: types.ModuleType
    train: Train
    suffix: str  # of what belongs to one of several trains
    plain: Plain

    @property
    def case(self) -> ModelCase:
        """The model that trains."""
        return self.plain[self.train.model][0]

    @property
    def made(self) -> values.Built:
        """The model that trains."""
        return self.plain[self.train.model][1]

    @property
    def needed(self) -> list[str]:
        """The inputs of the model that the batch has."""
        return [n for n in self.case.inputs if n not in self.case.optional]

    def part(self, text: str) -> Callable[..., Any] | None:
        """A function of the module."""
        return getattr(self.module, text + self.suffix, None)

    def frozen(self) -> list[tuple[str, values.Built, values.Weights]]:
        """Frozen models, their weights other ones than those of the model that trains."""
        found = []
        for other in self.train.frozen:
            _, made = self.plain[other.model]
            weights = {path: 1.5 * value for path, value in made.weights.items()}
            found.append((other.name, made, weights))
        return found

    def names(self, end: str) -> list[str]:
        """`loss_fn`, or one for each objective."""
        return [f"{o.name}_{end}" if o.name else end for o in self.train.objectives]


def check_losses(training: Training, meaning: interpreter.Program) -> None:
    """Each loss of a batch, and its metrics."""
    case, made, frozen = training.case, training.made, training.frozen()
    batch = values.inputs_of(case, training.needed)
    others = {name: weights for name, _, weights in frozen}
    for objective, text in zip(
        training.train.objectives, training.names("loss_fn"), strict=True
    ):
        function = training.part(text)
        assert function is not None

        def ours(weights: Any, function: Any = function) -> Any:
            model = nnx.merge(made.graph, made.filled(weights))
            beside = [nnx.merge(m.graph, m.filled(w)) for _, m, w in frozen]
            draws = "rngs" in inspect.signature(function).parameters
            streams = [nnx.Rngs(0)] if draws else []
            return listed(function(model, *beside, *streams, *batch.values()))

        def theirs(weights: Any, name: str = objective.name) -> Any:
            found = meaning.loss(
                case.name, weights, batch, objective=name or None, frozen=others
            )
            return listed(found)

        with values.quiet():
            got, want = (evaluated(f, made.weights) for f in (ours, theirs))
        values.check_equal(got, want, "loss of the interpreter", case)


def listed(found: tuple[Any, Mapping[str, Any]]) -> list[Any]:
    """A loss and its metrics."""
    loss, metrics = found
    return [loss, *(metrics[name] for name in sorted(metrics))]


def check_adapters(training: Training, meaning: interpreter.Program) -> None:
    """Merged into the weights, adapters compute what they do beside them."""
    case, create = training.case, training.part("create_model")
    assert create is not None
    made = values.apart(create)
    inputs = values.inputs_of(case, training.needed)

    def beside(weights: Any, inputs: Any) -> Any:
        return values.generated(made, weights, inputs, train=False)[0]

    def merged(weights: Any, inputs: Any) -> Any:
        model = nnx.merge(made.graph, made.filled(weights))
        whole = nnx.state(training.module.merge_adapters(model))
        flat = {values.plain(p): v.get_value() for p, v in nnx.to_flat_state(whole)}
        return values.leaves(meaning.call(case.name, flat, inputs, {}, False).value)

    with values.quiet():
        # Traced, inputs are not rounded: a comparison with one may come out otherwise.
        got, want = (evaluated(f, made.weights, inputs) for f in (beside, merged))
    close = values.HALF if training.train.precision == "bf16" else values.CLOSE
    values.check_equal(got, want, "adapters, merged", case, close)


def check_step(training: Training) -> None:
    """A step gives losses in float32, and changes no weight's shape."""

    def run(*batch: jax.Array) -> Any:
        model, *rest = created(training)
        before = jax.tree.map(jnp.shape, nnx.state(model, nnx.Param))
        step = training.part("train_step")
        assert step is not None
        loss, _ = step(model, *rest, *batch)
        after = jax.tree.map(jnp.shape, nnx.state(model, nnx.Param))
        holds(before == after, "a step keeps shapes", (before, after))
        return loss

    losses = jax.eval_shape(run, *abstract(training.case, training.needed))
    names = {o.name for o in training.train.objectives}
    if names != {""}:
        holds(set(losses) == names, "a loss of each objective", losses)
    for loss in jax.tree.leaves(losses):
        holds((loss.shape, loss.dtype.name) == ((), "float32"), "a loss", loss)


def stir(model: Any) -> None:
    """Give weights that are zeros other values: of equal ones, `std` and `norm` have no gradient."""
    draw = np.random.default_rng(0)

    def moved(x: jax.Array) -> jax.Array:
        return x + jnp.asarray(0.3 * draw.standard_normal(x.shape), x.dtype)

    nnx.update(model, jax.tree.map(moved, nnx.state(model, nnx.Param)))


def created(training: Training) -> list[Any]:
    """What a step is given before the batch, in the order that the pages have."""
    with unfilled():
        make = training.part("create_model")
        assert make is not None
        model = make()
        beside = [nnx.merge(m.graph, m.filled(w)) for _, m, w in training.frozen()]
    optimizers = [
        make(model)
        for text in training.names("optimizer")
        if (make := training.part(f"create_{text}"))
    ]
    ema, rngs = training.part("create_ema"), training.part("create_rngs")
    return [
        model, *beside, *optimizers, *([ema(model)] if ema else []), *([rngs()] if rngs else []),
    ]  # fmt: skip


def abstract(case: ModelCase, given: Iterable[str]) -> list[jax.ShapeDtypeStruct]:
    """Inputs without values."""
    return [
        jax.ShapeDtypeStruct(case.inputs[n], values.DTYPES[case.dtypes[n]])
        for n in given
    ]


LARGE = 1e3  # a loss from which a step may go anywhere: some are fourth powers


def check_compiled(training: Training) -> None:
    """A second step is compiled already; what was a number stays one."""
    batch = values.inputs_of(training.case, training.needed)
    step, calls = training.part("train_step"), []
    objects = [*created(training), *map(jnp.asarray, batch.values())]
    assert step is not None
    stir(objects[0])
    model = type(objects[0])
    plain = model.__call__

    def counted(self: Any, *args: Any, **named: Any) -> Any:
        calls.append(self)
        return plain(self, *args, **named)

    with mock.patch.object(model, "__call__", counted):
        first = jax.tree.leaves(step(*objects)[0])
        before, sound = len(calls), finite(objects[0])
        second = jax.tree.leaves(step(*objects)[0])
    holds(len(calls) == before > 0, "one compile", training.case)
    for a, b in zip(first, second, strict=True) if sound else ():
        stays = not abs(a) < LARGE or np.isfinite(b)
        holds(stays, "a finite loss", (a, b, training.case))


def finite(model: Any) -> bool:
    """Whether all weights are numbers. `std` of one value, say, has no gradient; that gradients are
    those of the interpreter is another check."""
    leaves = jax.tree.leaves(nnx.state(model, nnx.Param))
    return all(bool(jnp.isfinite(leaf).all()) for leaf in leaves)
