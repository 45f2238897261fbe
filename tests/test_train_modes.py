"""A step trains and an evaluation evaluates, whatever was called before; what is frozen stays."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from emitting import load as loaded
from emitting import text_of
from flax import nnx

BODY = """
block Encoder(width, rate):
    input x: [B, d]
    return x -> Linear(width) as inner -> BatchNorm as norm -> relu -> Dropout(rate) as dropout

model Net(width = 8, classes = 3, rate = 0.5):
    input x: [B, 4]
    x = x -> Encoder(width, rate) as encoder
    return x -> Dropout(rate) as dropout -> Linear(classes) as head

train Net:
    batch x: [B, 4], y: int[B]
    loss = cross_entropy(model(x), y)
    optimizer = sgd(0.1)
"""
X = np.random.default_rng(0).normal(size=(16, 4)).astype(np.float32)
Y = np.arange(16) % 3


def load(spec: str) -> Any:
    return loaded(text_of(spec))


def objects(module: Any) -> tuple[Any, ...]:
    model = module.create_model()
    return model, module.create_optimizer(model), module.create_rngs()


def held(*objects: Any) -> list[np.ndarray]:
    """Copies of all that objects hold."""
    leaves = jax.tree.leaves(nnx.state(objects))
    keys = jax.dtypes.prng_key
    return [
        np.array(jax.random.key_data(x) if jnp.issubdtype(x.dtype, keys) else x)
        for x in leaves
    ]


def same(one: list[np.ndarray], other: list[np.ndarray]) -> bool:
    return all(np.array_equal(a, b) for a, b in zip(one, other, strict=True))


def test_evaluation_after_a_step_of_the_trainer_sees_that_step() -> None:
    module = load(BODY)
    model, optimizer, rngs = objects(module)
    trainer = module.Trainer(module.train_step, model, optimizer, rngs)
    for _ in range(3):
        before = module.eval_step(model, X, Y)[0]
        trainer.step(X, Y)
        assert module.eval_step(model, X, Y)[0] != before
    module.train_step(model, optimizer, rngs, X, Y)
    after = held(model)
    trainer.step(X, Y)  # goes on from what is there
    assert int(optimizer.step[...]) == 5
    assert not same(held(model), after)


@pytest.mark.parametrize("by_trainer", [False, True])
def test_a_step_trains_after_the_model_was_set_to_evaluation(by_trainer: bool) -> None:
    found = []
    for evaluated in (False, True):
        module = load(BODY)
        model, optimizer, rngs = objects(module)
        if evaluated:
            model.eval()
        if by_trainer:
            module.Trainer(module.train_step, model, optimizer, rngs).step(X, Y)
        else:
            module.train_step(model, optimizer, rngs, X, Y)
        found.append(held(model, rngs))
        assert model.dropout.deterministic is evaluated
    assert same(*found)


STATEFUL = """
model Net(d = 4):
    input x: [B, d]
    state seen: [d] = 0
    seen = seen + mean(x, axis=B)
    noise = normal([B, d], rng=noise)
    return x + noise + seen -> Dropout(0.5) -> Linear(3)

train Net:
    batch x: [B, d], y: int[B]
    loss = cross_entropy(model(x), y)
    optimizer = sgd(0.1)
"""


def test_evaluation_changes_nothing_and_repeats() -> None:
    module = load(STATEFUL)
    model, optimizer, rngs = objects(module)
    before = held(model, rngs)
    first = module.eval_step(model, rngs, X, Y)[0]
    assert same(held(model, rngs), before)
    assert first == module.eval_step(model, rngs, X, Y)[0]
    module.train_step(model, optimizer, rngs, X, Y)
    assert not same(held(model.seen), [before[-1] * 0])
    assert first != module.eval_step(model, rngs, X, Y)[0]


def losses_and_statistics(spec: str, steps: int = 2) -> tuple[list[float], Any]:
    module = load(spec)
    model, optimizer, rngs = objects(module)
    losses = []
    for _ in range(steps):
        losses.append(float(module.train_step(model, optimizer, rngs, X, Y)[0]))
    return losses, model


@pytest.mark.parametrize(
    ("choice", "frozen"),
    [
        ("freeze encoder", True),
        ("only head", True),
        ("adapt lora(rank=2) on head", True),
        ("freeze encoder.inner", False),
        ("freeze head", False),
        ("", False),
    ],
)
def test_frozen_layers_are_as_in_evaluation(choice: str, frozen: bool) -> None:
    losses, model = losses_and_statistics(f"{BODY}    {choice}\n")
    moved = bool(jnp.abs(model.encoder.norm.mean[...]).sum())
    assert moved is not frozen
    # Dropout inside of what is frozen drops nothing; the model's own still does.
    other, _ = losses_and_statistics(
        f"{BODY}    {choice}\n".replace(
            "relu -> Dropout(rate)", "relu -> Dropout(0.0 * rate)"
        )
    )
    assert (losses[0] == other[0]) is frozen


def test_a_frozen_norm_keeps_its_statistics_beside_a_live_dropout() -> None:
    losses, model = losses_and_statistics(f"{BODY}    freeze encoder.norm\n")
    assert not jnp.abs(model.encoder.norm.mean[...]).sum()
    module = load(
        f"{BODY}    freeze encoder.norm\n".replace("rate = 0.5", "rate = 0.0")
    )
    assert float(module.train_step(*objects(module), X, Y)[0]) != losses[0]


def test_the_average_counts_steps() -> None:
    """With two batches to a step, as with both at once."""
    spec = BODY.replace("rate = 0.5", "rate = 0.0").replace("BatchNorm", "LayerNorm")
    averages = []
    for accumulate, rows in (
        ("", [slice(0, 16)]),
        ("accumulate = 2", [slice(0, 8), slice(8, 16)]),
    ):
        module = load(f"{spec}    ema = 0.9\n    {accumulate}\n")
        model, optimizer, rngs = objects(module)
        ema = module.create_ema(model)
        for _ in range(3):
            for part in rows:
                module.train_step(model, optimizer, ema, rngs, X[part], Y[part])
        averages.append(held(ema))
    for one, other in zip(*averages, strict=True):
        np.testing.assert_allclose(one, other, rtol=2e-6, atol=1e-7)


def test_averaged_weights_have_statistics_of_their_own() -> None:
    module = load(f"{BODY}    ema = 0.5\n")
    model, optimizer, rngs = objects(module)
    ema = module.create_ema(model)
    mean = np.array(model.encoder.norm.mean[...])
    for _ in range(3):
        module.train_step(model, optimizer, ema, rngs, X, Y)
        mean = 0.5 * mean + 0.5 * np.array(model.encoder.norm.mean[...])
    averaged = ema.apply_to(model)
    np.testing.assert_allclose(averaged.encoder.norm.mean[...], mean, rtol=1e-6)
    before = module.eval_step(averaged, X, Y)[0]
    assert before != module.eval_step(model, X, Y)[0]
    model.encoder.norm.mean[...] += 1  # is none of its business
    assert module.eval_step(averaged, X, Y)[0] == before


LISTED = """
block Layer(hidden):
    input x: [B, d]
    return x + (x -> Linear(hidden) as up -> BatchNorm as norm -> Linear(d) as down)

model Net(layers = 4, classes = 3):
    input x: [B, 4]
    return x -> Layer(6) * layers as h -> Linear(classes) as head

train Net:
    batch x: [B, 4], y: int[B]
    loss = cross_entropy(model(x), y)
    optimizer = sgd(0.1)
    CHOICE
"""


@pytest.mark.parametrize(
    ("choice", "moving"),
    [
        ("only h[0], h[-2:]", {0, 2, 3}),
        ("freeze h[:3], head", {3}),
        ("only head, h[1]", {1, "head"}),
        ("freeze h[1:3]", {0, 3, "head"}),
    ],
)
def test_layers_of_a_list_are_chosen_by_their_places(
    choice: str, moving: set[Any]
) -> None:
    module = load(LISTED.replace("CHOICE", choice))
    model = module.create_model()
    optimizer = module.create_optimizer(model)
    before = {p: np.array(v[...]) for p, v in nnx.to_flat_state(nnx.state(model))}
    module.train_step(model, optimizer, X, Y)
    after = nnx.to_flat_state(nnx.state(model))
    moved = {p for p, v in after if not np.array_equal(before[p], v[...])}
    assert {p[1] if p[0] == "h" else p[0] for p in moved} == moving
    statistics = {p[1] for p in moved if p[-1] == "mean"}
    assert statistics == moving - {"head"}
