"""The module that training loops share: steps of several batches, trainer, evaluation."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from flax import nnx

from tests.importing import TEMPLATES

sys.path.append(str(TEMPLATES))

import nnx_training as training

X = np.random.default_rng(0).normal(size=(7, 3)).astype(np.float32)
Y = X @ np.arange(6, dtype=np.float32).reshape(3, 2)


def losses(model: nnx.Linear, x: jax.Array, y: jax.Array) -> jax.Array:
    return jnp.square(model(x) - y).mean(-1)


def loss(model: nnx.Linear, x: jax.Array, y: jax.Array) -> jax.Array:
    return losses(model, x, y).mean()


def train_step(
    model: nnx.Linear, optimizer: nnx.Optimizer[nnx.Linear], x: jax.Array, y: jax.Array
) -> jax.Array:
    value, grads = nnx.value_and_grad(loss)(model, x, y)
    optimizer.update(model, grads)
    return value


def eval_step(
    model: nnx.Linear, x: jax.Array, y: jax.Array
) -> tuple[jax.Array, dict[str, jax.Array]]:
    return loss(model, x, y), {"size": jnp.float32(len(x))}


def linear() -> nnx.Linear:
    return nnx.Linear(3, 2, rngs=nnx.Rngs(0))


def sgd(model: nnx.Linear) -> nnx.Optimizer[nnx.Linear]:
    return nnx.Optimizer(model, optax.sgd(0.1, momentum=0.9), wrt=nnx.Param)


def batches(*ends: int) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    for start, end in zip((0, *ends), ends, strict=False):
        yield X[start:end], Y[start:end]


def test_weighted_batches_make_the_step_of_all_examples() -> None:
    params = {"w": jnp.ones((3, 2))}

    def gradient(x: np.ndarray, y: np.ndarray) -> Any:
        return jax.grad(lambda p: jnp.square(x @ p["w"] - y).mean(-1).mean())(params)

    whole = optax.adam(0.1)
    expected, _ = whole.update(gradient(X, Y), whole.init(params), params)
    tx = training.accumulate(optax.adam(0.1), 3)
    state = tx.init(params)
    for i, (x, y) in enumerate(batches(4, 6, 7)):
        updates, state = tx.update(gradient(x, y), state, params, weight=len(x))
        assert bool(jnp.any(updates["w"])) == (i == 2)
    np.testing.assert_allclose(updates["w"], expected["w"], rtol=1e-4)
    assert isinstance(state, training.AccumulationState)
    assert state.mini_step == 0 and state.weight == 0
    assert not jnp.any(state.gradients["w"])


def test_a_batch_of_no_weight_changes_nothing() -> None:
    params = {"w": jnp.ones(2, jnp.bfloat16)}
    tx = training.accumulate(optax.sgd(1.0), 2)
    nan = {"w": jnp.full(2, jnp.nan, jnp.bfloat16)}
    _, state = tx.update(nan, tx.init(params), params, weight=0)
    updates, state = tx.update({"w": jnp.ones(2)}, state, params, weight=5)
    np.testing.assert_array_equal(updates["w"], [-1, -1])
    _, state = tx.update(nan, state, params, weight=0)
    updates, _ = tx.update(nan, state, params, weight=0)
    assert not jnp.any(updates["w"])


class Stack(nnx.Module):
    """Layers in a list, and one beside it."""

    def __init__(self) -> None:
        rngs = nnx.Rngs(0)
        self.layers = nnx.List([nnx.Linear(3, 3, rngs=rngs) for _ in range(2)])
        self.head = nnx.LinearGeneral(3, (2, 4), rngs=rngs)


def named(tree: Any) -> dict[str, Any]:
    """The leaves of a tree by the names of weights; those of lists have one name."""
    leaves, _ = jax.tree.flatten_with_path(tree, is_leaf=lambda x: x is None)
    return {training.weight_name(path): leaf for path, leaf in leaves}


def test_weights_are_named_without_positions() -> None:
    params = nnx.to_pure_dict(nnx.state(Stack(), nnx.Param))
    names = {"layers.kernel", "layers.bias", "head.kernel", "head.bias"}
    assert named(params).keys() == names
    assert named(training.weights_named("kernel")(params)) == {
        name: name.endswith("kernel") for name in names
    }
    assert named(training.weights_named("head.kernel", "bias")(params)) == {
        name: name != "layers.kernel" for name in names
    }
    assert not any(named(training.weights_named("ernel")(params)).values())


def test_muon_steps_the_kernels_as_matrices() -> None:
    params = nnx.to_pure_dict(nnx.state(Stack(), nnx.Param))
    matrices = {"layers.kernel": (1, 1), "head.kernel": (1, 2)}
    axes = training.matrix_axes(matrices, params)
    assert axes["head"]["kernel"] == optax.contrib.MuonDimensionNumbers((0,), (1, 2))
    assert axes["layers"][1]["kernel"] == optax.contrib.MuonDimensionNumbers((0,), (1,))
    assert axes["head"]["bias"] is None
    stacked = training.matrix_axes({"w": (1, 1)}, {"w": jnp.ones((5, 3, 2))})
    assert stacked["w"] == optax.contrib.MuonDimensionNumbers((1,), (2,))


def test_a_trainer_takes_the_steps_of_its_function() -> None:
    model, other = linear(), linear()
    optimizer, another = sgd(model), sgd(other)
    trainer = training.Trainer(train_step, model, optimizer)
    for _ in range(3):
        np.testing.assert_allclose(
            trainer.step(X, Y), train_step(other, another, X, Y), rtol=1e-5
        )
    np.testing.assert_allclose(model.kernel[...], other.kernel[...], rtol=1e-5)
    assert optimizer.step[...] == 3


def test_a_trainer_goes_on_from_what_is_loaded() -> None:
    model = linear()
    trainer = training.Trainer(train_step, model, sgd(model))
    first = trainer.step(X, Y)
    assert trainer.step(X, Y) < first
    nnx.update(model, nnx.state(linear()))
    assert trainer.step(X, Y) == first


def test_a_trainer_keeps_frozen_models() -> None:
    def step(
        model: nnx.Linear,
        teacher: nnx.Linear,
        optimizer: nnx.Optimizer[nnx.Linear],
        x: jax.Array,
    ) -> jax.Array:
        return train_step(model, optimizer, x, teacher(x))

    model, teacher = linear(), nnx.Linear(3, 2, rngs=nnx.Rngs(1))
    before = teacher.kernel[...]
    trainer = training.Trainer(step, model, sgd(model), frozen=[teacher])
    assert trainer.step(X) > trainer.step(X) > 0
    np.testing.assert_array_equal(teacher.kernel[...], before)


def test_an_evaluation_is_of_all_examples() -> None:
    model = linear()
    found, metrics = training.evaluate(eval_step, model, batches=batches(4, 6, 7))
    np.testing.assert_allclose(found, loss(model, X, Y), rtol=1e-5)
    np.testing.assert_allclose(metrics["size"], (4 * 4 + 2 * 2 + 1) / 7, rtol=1e-5)


def test_an_evaluation_by_weights() -> None:
    """Means over what a mask leaves of each batch; one of them has nothing."""

    def step(model: nnx.Linear, x: jax.Array, mask: jax.Array) -> jax.Array:
        return losses(model, x, jnp.zeros((len(x), 2))).mean(where=mask)

    model, mask = linear(), np.array([1, 1, 1, 0, 0, 0, 1], bool)
    masked = [(X[:4], mask[:4]), (X[4:6], mask[4:6]), (X[6:], mask[6:])]
    found = training.evaluate(
        step, model, batches=masked, weight=lambda x, mask: mask.sum()
    )
    np.testing.assert_allclose(found, step(model, X, mask), rtol=1e-5)


def test_an_evaluation_of_nothing() -> None:
    with pytest.raises(ValueError, match="no batches"):
        training.evaluate(eval_step, linear(), batches=[])
