"""The zoo against what was published: numbers of parameters, initial weights, masks, samples."""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from functools import cache
from types import ModuleType
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from emitting import load
from flax import nnx
from published_sizes import OWN, PRETRAINED
from test_zoo import ALL, ZOO, compiled

from nnxc import driver, ir
from nnxc.report.model_summary import summarize


@cache
def built(name: str) -> ModuleType:
    """What a spec of the zoo compiles to now, whatever is checked in."""
    return load(compiled(name).files[f"{name}.py"])


def program(name: str) -> ir.Program:
    def read(used: str) -> bytes:
        return (ALL[name].parent / used).read_bytes()

    found = driver.analyse(ALL[name].read_text(), path=f"{name}.nnx", read=read).program
    assert found is not None
    return found


SIZES = {
    **OWN,
    **{f"pretrained/{name}": sizes for name, sizes in PRETRAINED.items()},
}


@pytest.mark.parametrize("name", SIZES)
def test_published_sizes(name: str) -> None:
    """Every config is a published one, with the published number of parameters."""
    spec = program(name)
    model = spec.trains[0].model if spec.trains else None
    configs = {config.name.upper(): config for config in spec.configs}
    assert set(SIZES[name]) - {""} == set(configs)
    assert not {d.name for d in spec.definitions} & set(configs)  # they are constants
    for constant, due in SIZES[name].items():
        config = configs.get(constant)
        summary = summarize(
            spec,
            model=config.model if config else model,
            config=config.name if config else None,
        )
        assert not summary.failures
        assert summary.total.parameters == due, constant


def test_the_transformer_has_its_size() -> None:
    """65 and 213 million, says the paper, of a vocabulary of about 37,000."""
    spec = program("transformer")
    for config, due in ((None, 65e6), ("transformer_big", 213e6)):
        found = summarize(spec, model="Transformer", config=config).total.parameters
        assert found is not None and abs(found / due - 1) < 0.04


def test_every_spec_names_its_paper() -> None:
    for path in ZOO.values():
        first = path.read_text().splitlines()[0]
        assert re.match(r"# .*\(.+?, (19|20)\d\d", first), first


Shape = tuple[int, ...]
Rule = float | Callable[[Shape], float]


def fans(shape: Shape) -> tuple[int, int]:
    """Of a kernel of a convolution, or of one over several axes of features."""
    window = math.prod(shape[:-2])
    return window * shape[-2], window * shape[-1]


def he_in(shape: Shape) -> float:
    return math.sqrt(2 / fans(shape)[0])


def he_out(shape: Shape) -> float:
    return math.sqrt(2 / fans(shape)[1])


def lecun(shape: Shape) -> float:
    return math.sqrt(1 / fans(shape)[0])


def glorot(width: int) -> Callable[[Shape], float]:
    """Of projections that take or give `width` features, some of them by heads."""
    return lambda shape: math.sqrt(2 / (width + math.prod(shape) // width))


TRUNCATED = 0.02 * 0.8796  # what is left of a deviation that is cut off at two of it

# Some sizes, and the deviation that the weights whose path matches begin with: the first that does.
INITIAL: dict[str, tuple[dict[str, Any], dict[str, Rule]]] = {
    "actor_critic": ({"hidden": 64}, {"policy.kernel": lambda s: 0.01 / 8}),
    "convnext": (
        {"widths": (16, 32), "depths": (2, 2), "classes": 64},
        {"kernel": TRUNCATED, r"blocks.*\d\.scale": 1e-6},
    ),
    "dqn": ({}, {"kernel": lambda s: lecun(s) / math.sqrt(3)}),
    "gpt2": (
        {"vocab": 300, "context": 200, "d": 64, "heads": 4, "layers": 3},
        {"wte": 0.02, "wpe": 0.01, r"c_proj\.kernel": 0.02 / 6**0.5, "kernel": 0.02},
    ),
    "mlp_mixer": (
        {"size": 32, "patch": 8, "d": 64, "layers": 2},
        {"head": 0.0, "kernel": lecun},
    ),
    "resnet18": (
        {"widths": (16, 32), "depths": (2, 2)},
        {r"head\.kernel": 0.01, "kernel": he_out, r"blocks.*conv2\.norm\.scale": 0.0},
    ),
    "resnet50": (
        {"width": 8, "depths": (2, 2)},
        {r"head\.kernel": 0.01, "kernel": he_out, r"blocks.*conv3\.norm\.scale": 0.0},
    ),
    "transformer": (
        {"vocab": 300, "d": 64, "hidden": 256, "heads": 4, "layers": 2},
        {"embed": 1 / 8, "kernel": glorot(64)},
    ),
    "unet": ({"width": 8}, {"kernel": he_in}),
    "vae": ({"hidden": 100}, {"kernel|bias": 0.1}),
    "vit": (
        {"size": 32, "patch": 8, "d": 64, "heads": 4, "layers": 2},
        {
            "cls|head": 0.0,
            "positions": 0.02,
            r"embed\.kernel": lecun,
            "kernel": glorot(64),
            r"(up|down).bias": 1e-6,
        },
    ),
}


def create(name: str, seed: int = 0, **params: Any) -> Any:
    module = built(name)
    config = getattr(module, "Config", None)
    if config is None:
        return module.create_model(**params, seed=seed)
    return module.create_model(config(**params), seed=seed)


@pytest.mark.parametrize("name", INITIAL)
def test_initial_weights(name: str) -> None:
    params, rules = INITIAL[name]
    unseen = set(rules)
    for path, weight in nnx.to_flat_state(nnx.state(create(name, **params), nnx.Param)):
        text = ".".join(map(str, path))
        matching = [pattern for pattern in rules if re.search(pattern, text)]
        if not matching:
            assert text.endswith(("bias", "scale")) or name == "actor_critic", text
            continue
        rule = rules[matching[0]]
        unseen -= {matching[0]}
        due = rule(weight.shape) if callable(rule) else rule
        found = float(jnp.sqrt(jnp.mean(weight[...] ** 2)))  # their mean is 0
        assert abs(found - due) <= due * 4 / math.sqrt(weight.size), (text, found, due)
    assert not unseen


@pytest.mark.parametrize("name", ["resnet18", "resnet50"])
def test_residual_blocks_begin_as_the_identity(name: str) -> None:
    model = create(name, **INITIAL[name][0])
    block = model.blocks[0][0]
    x = jax.random.normal(jax.random.key(0), (2, 8, 8, block.conv1.conv.in_features))
    np.testing.assert_array_equal(block(x), nnx.relu(x))
    norms = block.conv1.norm, model.stem.norm
    assert all(norm.momentum == 0.9 and (norm.scale[...] == 1).all() for norm in norms)


def test_convnext_begins_near_the_identity() -> None:
    params = INITIAL["convnext"][0]
    model = create("convnext", **params, rate=0.3)
    blocks = [block for stage in model.blocks for block in stage]
    np.testing.assert_allclose([b.drop_path.rate for b in blocks], [0, 0.1, 0.2, 0.3])
    assert all((b.scale[...] == jnp.float32(1e-6)).all() for b in blocks)


def test_mixer_drops_later_layers_more_often() -> None:
    model = create("mlp_mixer", size=8, patch=4, d=8, layers=3, rate=0.2)
    rates = [(b.drop_path_1.rate, b.drop_path_2.rate) for b in model.blocks]
    np.testing.assert_allclose(rates, [(0, 0), (0.1, 0.1), (0.2, 0.2)])


def test_orthogonal_actor_critic() -> None:
    model = create("actor_critic", hidden=16)
    kernel = model.hidden2.kernel[...]
    np.testing.assert_allclose(kernel.T @ kernel, 2 * np.eye(16), atol=1e-5)


SMALL_TRANSFORMER = {"vocab": 17, "d": 16, "hidden": 32, "heads": 2, "layers": 2}


def test_transformer_padding_changes_nothing() -> None:
    """Neither what padding follows nor the loss, and no key of it is seen."""
    module, model = built("transformer"), create("transformer", **SMALL_TRANSFORMER)
    rng = np.random.default_rng(0)
    source = jnp.asarray(rng.integers(1, 17, (2, 5)))
    target = jnp.asarray(rng.integers(1, 17, (2, 7)))
    longer = jnp.pad(source, ((0, 0), (0, 3)))
    later = jnp.pad(target, ((0, 0), (0, 4)))
    model.eval()
    logits = model(source, target)
    np.testing.assert_allclose(model(longer, later)[:, :7], logits, atol=1e-5)
    assert np.abs(model(longer.at[:, 6].set(3), later)[:, :7] - logits).max() > 1e-3
    loss, metrics = module.eval_step(model, source, target)
    padded, counted = module.eval_step(model, longer, later)
    np.testing.assert_allclose(padded, loss, rtol=1e-5)
    assert counted == metrics


def test_transformer_predicts_the_next_token_from_those_before() -> None:
    model = create("transformer", **SMALL_TRANSFORMER)
    model.eval()
    source, target = jnp.full((1, 4), 3), jnp.arange(1, 7)[None]
    changed = model(source, target.at[0, 4].set(9))
    np.testing.assert_array_equal(changed[:, :4], model(source, target)[:, :4])


def test_transformer_rate(monkeypatch: pytest.MonkeyPatch) -> None:
    """Equation 3 of the paper, steps counted from 1."""
    made: list[Any] = []
    adam = optax.adam

    def watched(rate: Any, **settings: Any) -> Any:
        made.append((rate, settings))
        return adam(rate, **settings)

    monkeypatch.setattr(optax, "adam", watched)
    module = load(compiled("transformer").files["transformer.py"])
    module.create_optimizer(create("transformer", **SMALL_TRANSFORMER))
    [(rate, settings)] = made
    assert settings == {"b2": 0.98, "eps": 1e-9}
    for step in (1, 2, 100, 3999, 4000, 4001, 100_000):
        due = 512**-0.5 * min(step**-0.5, step * 4000**-1.5)
        np.testing.assert_allclose(rate(step - 1), due, rtol=1e-5)


def test_lstm_padding_changes_nothing() -> None:
    model = create("lstm_classifier", vocab=17, d=8, hidden=6)
    model.eval()
    tokens = jnp.asarray(np.random.default_rng(0).integers(1, 17, (3, 5)))
    padded = jnp.pad(tokens, ((0, 0), (0, 4)))
    np.testing.assert_allclose(model(padded), model(tokens), atol=1e-6)


def test_vae_encodes_and_decodes() -> None:
    module, model = built("vae"), create("vae", hidden=32, latent=4)
    images = (jax.random.uniform(jax.random.key(0), (3, 28, 28)) > 0.5).astype(float)
    mean, log_var = model.encoder(images)
    assert mean.shape == log_var.shape == (3, 4)
    out = model(images, rngs=module.create_rngs())
    np.testing.assert_array_equal(out.mean, mean)
    drawn = model.decoder(jax.random.normal(jax.random.key(1), (5, 4)))
    assert drawn.shape == (5, 28, 28)
    optimizer, rngs = module.create_optimizer(model), module.create_rngs()
    trainer = module.Trainer(module.train_step, model, optimizer, rngs)
    losses = [float(trainer.step(images)[0]) for _ in range(30)]
    assert losses[-1] < 0.8 * losses[0]
    np.testing.assert_allclose(trainer.step(images)[1]["divergence"], 0, atol=100)


def test_unet_has_the_papers_sizes() -> None:
    def forward(image: jax.Array) -> jax.Array:
        return create("unet", width=2)(image, rngs=nnx.Rngs(dropout=0))

    image = jax.ShapeDtypeStruct((1, 572, 572, 1), jnp.float32)
    assert jax.eval_shape(forward, image).shape == (1, 388, 388, 2)


def test_dqn_learns_from_the_target_network() -> None:
    module = built("dqn")
    model, target = (create("dqn", seed, actions=3, hidden=8) for seed in (0, 1))
    rng = np.random.default_rng(0)
    frames, following = rng.uniform(size=(2, 2, 84, 84, 4)).astype(np.float32)
    action, reward = np.array([2, 0]), np.array([1.0, -1.0], np.float32)
    discount = np.array([0.99, 0.0], np.float32)
    best = np.argmax(model(following), axis=-1)
    returns = reward + discount * np.asarray(target(following))[range(2), best]
    error = np.asarray(model(frames))[range(2), action] - returns
    due = np.where(np.abs(error) < 1, error**2 / 2, np.abs(error) - 0.5).mean()
    batch = frames, action, reward, discount, following
    np.testing.assert_allclose(
        module.eval_step(model, target, *batch)[0], due, rtol=1e-4
    )


def test_siamese_distances() -> None:
    model = create("siamese", width=2, out=8)
    left, right = jax.random.uniform(jax.random.key(0), (2, 3, 28, 28, 1))
    np.testing.assert_allclose(model(left, left), 1e-4, rtol=1e-5)
    np.testing.assert_array_equal(model(left, right), model(right, left))
