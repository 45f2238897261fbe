"""What training loops share: a trainer, evaluation, and parts of optimizers."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from typing import Any, Generic, NamedTuple, TypeVar

import jax
import jax.numpy as jnp
import optax
from flax import nnx


class AccumulationState(NamedTuple):
    """The state of `accumulate`: sums over the batches since the last step."""

    mini_step: jax.Array  # the number of batches
    weight: jax.Array
    gradients: optax.Updates  # each times the weight of its batch
    inner_opt_state: optax.OptState


def accumulate(
    tx: optax.GradientTransformation, every: int
) -> optax.GradientTransformationExtraArgs:
    """Take a step of `tx` for every few batches, with the gradient of their mean loss.

    In contrast to `optax.MultiSteps`, batches may have weights, such as the number of
    tokens that their losses are means of.

    Args:
      tx: the transformation that takes the steps.
      every: the number of batches in a step.

    Returns:
      A transformation whose `update` takes the `weight` of the batch, 1 by default. Its
      updates are zeros until a step is taken.
    """

    def start(params: optax.Params, inner: optax.OptState) -> AccumulationState:
        zeros = optax.tree.zeros_like(params, dtype=jnp.float32)
        return AccumulationState(jnp.int32(0), jnp.float32(0), zeros, inner)

    def init(params: optax.Params) -> AccumulationState:
        return start(params, tx.init(params))

    def update(
        updates: optax.Updates,
        state: optax.OptState,
        params: optax.Params | None = None,
        *,
        weight: jax.Array | float = 1.0,
    ) -> tuple[optax.Updates, AccumulationState]:
        assert isinstance(state, AccumulationState)
        weight = jnp.float32(weight)

        def add(total: jax.Array, grad: jax.Array) -> jax.Array:
            # The gradient of a mean over nothing is no number.
            return total + jnp.where(weight > 0, weight * grad.astype(jnp.float32), 0)

        gradients = jax.tree.map(add, state.gradients, updates)
        mini_step, total_weight = state.mini_step + 1, state.weight + weight

        def step() -> tuple[optax.Updates, AccumulationState]:
            divisor = jnp.where(total_weight > 0, total_weight, 1)

            def average(total: jax.Array, grad: jax.Array) -> jax.Array:
                return (total / divisor).astype(grad.dtype)

            mean = jax.tree.map(average, gradients, updates)
            stepped, inner = tx.update(mean, state.inner_opt_state, params)
            return stepped, start(updates, inner)

        def wait() -> tuple[optax.Updates, AccumulationState]:
            waiting = mini_step, total_weight, gradients, state.inner_opt_state
            return optax.tree.zeros_like(updates), AccumulationState(*waiting)

        result: tuple[optax.Updates, AccumulationState] = jax.lax.cond(
            mini_step == every, step, wait
        )
        return result

    return optax.GradientTransformationExtraArgs(init, update)


def weight_name(path: tuple[Any, ...]) -> str:
    """The dotted path of a weight without positions in lists: `layers.mlp.kernel`."""
    keys = (getattr(part, "key", None) for part in path)
    return ".".join(key for key in keys if isinstance(key, str))


def matrix_axes(matrices: Mapping[str, tuple[int, int]], params: Any) -> Any:
    """The axes of the weights that Muon treats as matrices; Adam steps the others.

    Args:
      matrices: for each kernel, by `weight_name`, how many axes it sums over, and how
        many it makes. These are its last axes; those before them count matrices.
      params: the weights.

    Returns:
      A tree like `params`, for `weight_dimension_numbers` of `optax.contrib.muon`.
    """

    def axes(path: tuple[Any, ...], x: jax.Array) -> Any:
        if (name := weight_name(path)) not in matrices:
            return None
        ins, outs = matrices[name]
        last = range(x.ndim - ins - outs, x.ndim)
        return optax.contrib.MuonDimensionNumbers((*last[:ins],), (*last[ins:],))

    return jax.tree.map_with_path(axes, params)


def weights_named(*ends: str) -> Callable[[Any], Any]:
    """A mask for Optax of the weights whose names end so: `kernel`, `head.kernel`."""

    def named(path: tuple[Any, ...], _: Any) -> bool:
        return f".{weight_name(path)}".endswith(tuple(f".{end}" for end in ends))

    return partial(jax.tree.map_with_path, named)


StepResult = TypeVar("StepResult")


class Trainer(Generic[StepResult]):
    """Takes training steps without the cost of traversing Flax's objects in each call.

    `train_step` is a `jax.jit` of the objects' arrays, which are donated. The objects
    are up to date after each step, and may be changed between steps, by loading a
    checkpoint for instance; but once layers are added or replaced, a new trainer is
    needed.

    Args:
      train_step: called with the model, the frozen models, the other objects, and a
        batch.
      model: the model.
      *objects: what else a step changes: optimizers, averages, random streams.
      frozen: models that a step reads and does not change.
    """

    def __init__(
        self,
        train_step: Callable[..., StepResult],
        model: Any,
        *objects: Any,
        frozen: Sequence[Any] = (),
    ) -> None:
        frozen_graphdef, self.frozen_state = nnx.split(tuple(frozen))
        graphdef, state = nnx.split((model, *objects))
        treedef = jax.tree.structure(state)
        self.variables = [v for _, v in nnx.to_flat_state(state) if jax.tree.leaves(v)]

        @partial(jax.jit, donate_argnums=0)
        def run(
            leaves: list[jax.Array], frozen_state: Any, *batch: jax.Array
        ) -> tuple[StepResult, list[jax.Array]]:
            objects = nnx.merge(graphdef, jax.tree.unflatten(treedef, leaves))
            model, *others = objects
            frozen = nnx.merge(frozen_graphdef, frozen_state)
            result = train_step(model, *frozen, *others, *batch)
            return result, jax.tree.leaves(nnx.state(objects))

        self.run = run

    def step(self, *batch: jax.Array) -> StepResult:
        """Take one step on a batch, and return what `train_step` returns."""
        result: StepResult
        leaves = [v.get_raw_value() for v in self.variables]
        result, leaves = self.run(leaves, self.frozen_state, *batch)
        for variable, leaf in zip(self.variables, leaves, strict=True):
            variable.set_raw_value(leaf)
        return result


def batch_size(first: Any, *_: Any) -> int:
    """The number of examples in a batch, by the length of its first array."""
    return len(first)


def evaluate(
    eval_step: Callable[..., StepResult],
    *objects: Any,
    batches: Iterable[Sequence[Any]],
    weight: Callable[..., Any] = batch_size,
) -> StepResult:
    """Average the loss and the metrics over a data set, whatever the sizes of batches.

    Means over examples come out as those over the whole data set. Others do not, such
    as F1: they are averages over batches.

    Args:
      eval_step: called with the objects and a batch.
      *objects: the model, and whatever `eval_step` takes besides.
      batches: tuples of arrays.
      weight: what a batch counts: a function of its arrays. By default its size; where
        losses are means over tokens, their number.

    Returns:
      The weighted means of what `eval_step` returns.

    Raises:
      ValueError: if there are no batches.
    """

    def scale(count: Any, x: jax.Array) -> jax.Array:
        return jnp.where(count > 0, count * x, 0)  # a mean over nothing is no number

    def divide(count: Any, x: jax.Array) -> jax.Array:
        return jnp.divide(x, count)

    total, sums = 0, None
    for batch in batches:
        count = weight(*batch)
        scaled = jax.tree.map(partial(scale, count), eval_step(*objects, *batch))
        sums = scaled if sums is None else jax.tree.map(jnp.add, sums, scaled)
        total += count
    if sums is None:
        raise ValueError("there are no batches to evaluate")
    means: StepResult = jax.tree.map(partial(divide, total), sums)
    return means
