"""What training steps share: no cost of Flax per call, steps of several batches."""

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any, Generic, NamedTuple, TypeVar

import jax
import jax.numpy as jnp
import optax
from flax import nnx


class Accumulated(NamedTuple):
    """What batches gave since the last step: weighted gradients, the sum of weights."""

    mini_step: jax.Array
    weight: jax.Array
    gradients: optax.Updates
    inner: optax.OptState

    def added(self, updates: optax.Updates, weight: jax.Array) -> "Accumulated":
        """With the gradients of another batch."""

        def add(total: jax.Array, grad: jax.Array) -> jax.Array:
            # Where nothing counts there is no mean, and no gradient.
            return total + jnp.where(weight > 0, weight * grad.astype(jnp.float32), 0)

        total, gradients = self.weight + weight, jax.tree.map(
            add, self.gradients, updates
        )
        return Accumulated(self.mini_step + 1, total, gradients, self.inner)

    def mean(self, like: optax.Updates) -> optax.Updates:
        """The gradient of all batches together."""
        count = jnp.where(self.weight > 0, self.weight, 1)

        def mean(total: jax.Array, grad: jax.Array) -> jax.Array:
            return (total / count).astype(grad.dtype)

        means: optax.Updates = jax.tree.map(mean, self.gradients, like)
        return means


def accumulate(
    tx: optax.GradientTransformation, every: int
) -> optax.GradientTransformationExtraArgs:
    """A step of `tx` each so many batches, by the gradient of all of them together:
    a batch in which more counts, its `weight`, has a greater share."""

    def start(params: optax.Params, inner: optax.OptState) -> Accumulated:
        zeros = optax.tree.zeros_like(params, dtype=jnp.float32)
        return Accumulated(jnp.int32(0), jnp.float32(0), zeros, inner)

    def init(params: optax.Params) -> Accumulated:
        return start(params, tx.init(params))

    def update(
        updates: optax.Updates,
        state: optax.OptState,
        params: optax.Params | None = None,
        *,
        weight: jax.Array | float = 1.0,
    ) -> tuple[optax.Updates, Accumulated]:
        assert isinstance(state, Accumulated)
        later = state.added(updates, jnp.float32(weight))

        def step() -> tuple[optax.Updates, Accumulated]:
            taken, inner = tx.update(later.mean(updates), state.inner, params)
            return taken, start(updates, inner)

        def wait() -> tuple[optax.Updates, Accumulated]:
            return optax.tree.zeros_like(updates), later

        taken: tuple[optax.Updates, Accumulated] = jax.lax.cond(
            later.mini_step == every, step, wait
        )
        return taken

    return optax.GradientTransformationExtraArgs(init, update)


def weight_name(path: tuple[Any, ...]) -> str:
    """What a weight is called where it stands, but for positions in lists."""
    keys = (getattr(part, "key", None) for part in path)
    return ".".join(key for key in keys if isinstance(key, str))


def matrix_axes(matrices: Mapping[str, tuple[int, int]], params: Any) -> Any:
    """The kernels among weights, for Muon: the axes that each sums over and those that
    it makes.

    `matrices` says by name how many these are, the last ones of the kernel. Adam steps
    the rest.
    """

    def axes(path: tuple[Any, ...], x: jax.Array) -> Any:
        if (name := weight_name(path)) not in matrices:
            return None
        ins, outs = matrices[name]
        every = range(x.ndim - ins - outs, x.ndim)
        return optax.contrib.MuonDimensionNumbers((*every[:ins],), (*every[ins:],))

    return jax.tree.map_with_path(axes, params)


def weights_named(*ends: str) -> Callable[[Any], Any]:
    """A mask for Optax: weights whose names end so, such as `kernel`, `head.kernel`."""

    def named(path: tuple[Any, ...], _: Any) -> bool:
        return f".{weight_name(path)}".endswith(tuple(f".{end}" for end in ends))

    return partial(jax.tree.map_with_path, named)


StepResult = TypeVar("StepResult")


class Trainer(Generic[StepResult]):
    """Takes steps without Flax's cost per call: `Trainer(train_step, model, optimizer,
    ...)`.

    A step reads the objects as they are and leaves them up to date; it donates their
    arrays. Frozen models, in the order of `train_step`, are given by `frozen`, and stay
    as they are.
    """

    def __init__(
        self,
        train_step: Callable[..., StepResult],
        model: Any,
        *objects: Any,
        frozen: Sequence[Any] = (),
    ) -> None:
        held, self.frozen = nnx.split(tuple(frozen))
        graphdef, state = nnx.split((model, *objects))
        treedef = jax.tree.structure(state)
        self.variables = [v for _, v in nnx.to_flat_state(state) if jax.tree.leaves(v)]

        @partial(jax.jit, donate_argnums=0)
        def run(
            leaves: list[jax.Array], frozen: Any, *batch: jax.Array
        ) -> tuple[StepResult, list[jax.Array]]:
            objects = nnx.merge(graphdef, jax.tree.unflatten(treedef, leaves))
            model, *others = objects
            result = train_step(model, *nnx.merge(held, frozen), *others, *batch)
            return result, jax.tree.leaves(nnx.state(objects))

        self.run = run

    def step(self, *batch: jax.Array) -> StepResult:
        """Take one step on a batch, and give what `train_step` gives."""
        result: StepResult
        leaves = [v.get_raw_value() for v in self.variables]
        result, leaves = self.run(leaves, self.frozen, *batch)
        for variable, leaf in zip(self.variables, leaves, strict=True):
            variable.set_raw_value(leaf)
        return result
