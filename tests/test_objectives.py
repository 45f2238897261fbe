"""Trains of several objectives: each moves its own weights, by its own optimizer."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from emitting import load, text_of
from flax import nnx

import nnxc

GAN = """
block Generator(width):
    input z: [B, d]
    return z -> Linear(width) -> BatchNorm -> relu -> Linear(6) as out

block Discriminator(width):
    input x: [B, d]
    return x -> Linear(width) -> leaky_relu(0.2) -> Dropout(0.1) -> Linear(1) as out -> [B]

model Gan(width = 8, latent = 4):
    input x: [B, 6], z: [B, latent]
    discriminator = Discriminator(width)
    fake = z -> Generator(width) as generator
    return x=fake, real=discriminator(x), fake=discriminator(fake)

train Gan:
    batch x: [B, 6]
    z = normal([B, latent], rng=noise)
    out = model(x, z)
    optimize discriminator:
        loss = mean(softplus(-out.real)) + mean(softplus(out.fake))
        metric right = mean(out.real > 0)
        optimizer = adam(1e-2)
    optimize generator:
        loss = mean(softplus(-out.fake))
        optimizer = sgd(0.1)
        clip = 1.0
    ema = 0.9
"""
BATCH = jnp.asarray(np.random.default_rng(0).normal(size=(16, 6)) + 2, jnp.float32)
PARTS = ("discriminator", "generator")


def objects(module) -> list:
    model = module.create_model()
    optimizers = [getattr(module, f"create_{name}_optimizer")(model) for name in PARTS]
    return [model, *optimizers, module.create_ema(model), module.create_rngs()]


def weights(model: nnx.Module) -> dict[str, dict]:
    """Copies of the weights by part."""
    state = nnx.to_flat_state(nnx.state(model, nnx.Param))
    found: dict[str, dict] = {name: {} for name in PARTS}
    for path, leaf in state:
        found[path[0]][path] = np.array(leaf[...])
    return found


def moved(before: dict, after: dict) -> set[bool]:
    return {bool((before[path] != after[path]).any()) for path in before}


@pytest.mark.parametrize(
    "part", [pytest.param("discriminator", marks=pytest.mark.heavy), "generator"]
)
def test_a_part_moves_its_own_weights_alone(part: str) -> None:
    module = load(text_of(GAN))
    model, *rest = objects(module)
    optimizer = rest[PARTS.index(part)]
    before = weights(model)
    for _ in range(2):
        getattr(module, f"{part}_step")(model, optimizer, rest[-1], BATCH)
    after = weights(model)
    for name in PARTS:
        # A bias before a BatchNorm has no gradient.
        assert (True in moved(before[name], after[name])) == (name == part)


def test_a_step_moves_both() -> None:
    module = load(text_of(GAN))
    model, *rest = objects(module)
    before = weights(model)
    losses, metrics = module.train_step(model, *rest, BATCH)
    after = weights(model)
    assert all(True in moved(before[name], after[name]) for name in PARTS)
    assert list(losses) == list(PARTS) and list(metrics) == ["right"]


@pytest.mark.parametrize("part", PARTS)
def test_a_part_learns(part: str) -> None:
    """The other standing still, and nothing drawn."""
    spec = GAN.replace(
        "[B, 6]\n    z = normal([B, latent], rng=noise)", "[B, 6], z: [B, latent]"
    )
    module = load(text_of(spec.replace(" -> Dropout(0.1)", "")))
    model = module.create_model()
    optimizer = getattr(module, f"create_{part}_optimizer")(model)
    step = nnx.jit(getattr(module, f"{part}_step"))
    losses = [float(step(model, optimizer, BATCH, BATCH[:, :4])[0]) for _ in range(20)]
    assert losses[-1] < 0.9 * losses[0]


def test_the_trainer_takes_the_same_steps() -> None:
    module = load(text_of(GAN))
    plain = objects(module)
    losses = [module.train_step(*plain, BATCH)[0] for _ in range(3)]
    trainer = module.Trainer(module.train_step, *objects(module))
    again = [trainer.step(BATCH)[0] for _ in range(3)]
    for one, other in zip(losses, again, strict=True):
        np.testing.assert_allclose(one["generator"], other["generator"], rtol=1e-5)
    assert trainer.run._cache_size() == 1


def test_statistics_and_averages_go_on() -> None:
    module = load(text_of(GAN))
    model, *rest = objects(module)
    before = np.array(model.generator.batch_norm.mean[...])
    module.train_step(model, *rest, BATCH)
    assert (np.array(model.generator.batch_norm.mean[...]) != before).any()
    averaged = nnx.state(rest[2])
    assert all(np.isfinite(leaf).all() for leaf in jax.tree.leaves(averaged))


def test_the_average_counts_steps_of_several_batches() -> None:
    spec = GAN.replace("        optimizer", "        accumulate = 2\n        optimizer")
    module = load(text_of(spec))
    model, *rest = objects(module)
    kept = [weights(model)]
    for _ in range(2):
        module.train_step(model, *rest, BATCH)
        average = weights(rest[-2].apply_to(model))
        kept.append(average)
    for name in PARTS:
        assert moved(kept[0][name], kept[1][name]) == {False}
        assert True in moved(kept[1][name], kept[2][name])


def test_evaluation_draws_no_dropout_and_moves_nothing() -> None:
    module = load(text_of(GAN))
    model, *rest = objects(module)
    before = weights(model)
    losses, metrics = module.eval_step(model, rest[-1], BATCH)
    assert set(losses) == set(PARTS) and set(metrics) == {"right"}
    assert weights(model).keys() == before.keys()
    assert not any(True in moved(before[n], weights(model)[n]) for n in PARTS)


def test_what_another_objective_reads_is_not_computed() -> None:
    spec = GAN.replace("    out = model", "    spare = mean(x)\n    out = model")
    spec = spec.replace(
        "metric right = ", "metric spare = spare\n        metric right = "
    )
    text = text_of(spec)
    start = text.index("def generator_loss_fn")
    assert text.count("spare = jnp.mean(x)") == 1
    assert "spare" not in text[start : text.index("def generator_step")]


TWO = """
model Two(width = 4):
    input x: [B, 3]
    y = x -> Linear(width) as first -> relu
    return y -> Linear(1) as second, y -> Linear(1) as third

train Two:
    batch x: [B, 3], y: [B, 1]
    a, b = model(x)
    optimize heads:
        loss = mse(a, y) + mse(b, y)
        optimizer = adam(1e-2)
        only second, third
    optimize rest:
        error = mse(b, y)
        loss = error
        metric error = error
        optimizer = sgd(0.1)
        freeze second, third
    precision = bf16
"""


def test_objectives_choose_their_weights() -> None:
    text = text_of(TWO)
    assert "_, b = model(x)" in text and "a, b = model(x)" in text
    module = load(text)
    model = module.create_model()
    heads, rest = (
        getattr(module, f"create_{n}_optimizer")(model) for n in ("heads", "rest")
    )
    first = np.array(model.first.kernel[...])
    module.heads_step(model, heads, jnp.ones((2, 3)), jnp.ones((2, 1)))
    assert (np.array(model.first.kernel[...]) == first).all()
    module.rest_step(model, rest, jnp.ones((2, 3)), jnp.ones((2, 1)))
    assert (np.array(model.first.kernel[...]) != first).any()


ONE = TWO.split("    optimize rest")[0]


def test_one_objective_with_a_name() -> None:
    module = load(text_of(ONE))
    model = module.create_model()
    optimizer = module.create_heads_optimizer(model)
    losses, metrics = module.train_step(
        model, optimizer, jnp.ones((2, 3)), jnp.ones((2, 1))
    )
    assert list(losses) == ["heads"] and metrics == {}


HEAD = TWO.split("    optimize")[0]


@pytest.mark.parametrize(
    ("lines", "codes"),
    [
        ("optimize second:\n        loss = mse(a + b, y)", ["N513"]),
        ("optimize second:\n        optimizer = sgd(0.1)", ["N513"]),
        ("optimize other:\n        loss = mse(a + b, y)\n        optimizer = sgd(0.1)", ["N511"]),
        ("optimize second:\n        loss = a + b + y\n        optimizer = sgd(0.1)", ["N503"]),
        ("optimize second:\n        optimize third:\n            loss = mean(y)", ["N513", "N515"]),
        ("optimize second:\n        batch z: [B]\n        loss = mse(a + b, y)\n        optimizer = sgd(0.1)", ["N515"]),
        ("optimize second:\n        spare = a\n        loss = mse(a + b, y)\n        optimizer = sgd(0.1)", ["N260"]),
        ("optimize Second:\n        loss = mse(a + b, y)\n        optimizer = sgd(0.1)", ["N141"]),
        ("optimize second:\n        optimizer = sgd(0.1)\n        los = mse(a + b, y)", ["N502"]),
        ("optimize second\n        loss = mse(a + b, y)\n        optimizer = sgd(0.1)", ["N105"]),
        ("optimize second:", ["N108"]),
        ("metric m = mean(a + b)\n    optimize second:\n        loss = mse(a + b, y)\n        optimizer = sgd(0.1)", ["N515"]),
    ],
)  # fmt: skip
def test_mistakes_are_told(lines: str, codes: list[str]) -> None:
    found = nnxc.compile(f"{HEAD}    {lines}\n".encode(), path="spec.nnx").diagnostics
    assert [d.code for d in found] == codes


def test_two_objectives_of_one_name() -> None:
    body = "        loss = mse(a + b, y)\n        optimizer = sgd(0.1)\n"
    spec = f"{HEAD}    optimize second:\n{body}    optimize second:\n{body}"
    found = nnxc.compile(spec.encode(), path="spec.nnx").diagnostics
    assert [d.code for d in found] == ["N202"]
