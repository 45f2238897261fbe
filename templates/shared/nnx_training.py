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


def accumulate(
    tx: optax.GradientTransformation, every: int
) -> optax.GradientTransformationExtraArgs:
    """A step of `tx` each so many batches, by the gradient of all of them together:
    a batch in which more counts, its `weight`, has a greater share."""

    def init(params: optax.Params) -> Accumulated:
        zeros = optax.tree.zeros_like(params, dtype=jnp.float32)
        return Accumulated(jnp.int32(0), jnp.float32(0), zeros, tx.init(params))

    def update(
        updates: optax.Updates,
        state: optax.OptState,
        params: optax.Params | None = None,
        *,
        weight: jax.Array | float = 1.0,
    ) -> tuple[optax.Updates, Accumulated]:
        assert isinstance(state, Accumulated)
        share = jnp.float32(weight)

        def add(total: jax.Array, grad: jax.Array) -> jax.Array:
            # Where nothing counts there is no mean, and no gradient.
            return total + jnp.where(share > 0, share * grad.astype(jnp.float32), 0)

        gathered = jax.tree.map(add, state.gradients, updates)
        total = state.weight + share

        def mean(gathered: jax.Array, grad: jax.Array) -> jax.Array:
            return (gathered / jnp.where(total > 0, total, 1)).astype(grad.dtype)

        def step() -> tuple[optax.Updates, Accumulated]:
            means = jax.tree.map(mean, gathered, updates)
            taken, inner = tx.update(means, state.inner, params)
            zeros = optax.tree.zeros_like(gathered)
            return taken, Accumulated(jnp.int32(0), jnp.float32(0), zeros, inner)

        def wait() -> tuple[optax.Updates, Accumulated]:
            later = Accumulated(state.mini_step + 1, total, gathered, state.inner)
            return optax.tree.zeros_like(updates), later

        taken: tuple[optax.Updates, Accumulated] = jax.lax.cond(
            state.mini_step == every - 1, step, wait
        )
        return taken

    return optax.GradientTransformationExtraArgs(init, update)


def matrix_axes(matrices: Mapping[str, tuple[int, int]], params: Any) -> Any:
    """The kernels among weights, for Muon: the axes that each sums over and those that
    it makes.

    `matrices` says by name how many these are, the last ones of the kernel. Adam steps
    the rest.
    """

    def axes(path: tuple[Any, ...], x: jax.Array) -> Any:
        keys = (getattr(part, "key", None) for part in path)
        name = ".".join(key for key in keys if isinstance(key, str))
        if name not in matrices:
            return None
        ins, outs = matrices[name]
        every = range(x.ndim - ins - outs, x.ndim)
        return optax.contrib.MuonDimensionNumbers((*every[:ins],), (*every[ins:],))

    return jax.tree.map_with_path(axes, params)


def weights_named(*ends: str) -> Callable[[Any], Any]:
    """A mask for Optax: weights whose names end so, such as `kernel`, `head.kernel`."""

    def named(path: tuple[Any, ...], _: Any) -> bool:
        keys = (getattr(part, "key", None) for part in path)
        name = "".join(f".{key}" for key in keys if isinstance(key, str))
        return name.endswith(tuple(f".{end}" for end in ends))

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
