"""What a spec asks for in float32, and what its weights have to do with it."""

from __future__ import annotations

import jax.numpy as jnp
import numpy as np
import pytest
from emitting import load, maker, text_of
from flax import nnx
from jaxprs import equations, half

BLOCK = """
block Scale:
    input x: [B, T, d]
    param weight: [d] = zeros
    {body}

model Net(d = 8):
    input x: [B, T, d]
    return x -> Linear(d) -> Scale
"""
BODIES = {
    "converted": "return astype(x * exp(-exp(astype(weight, f32))), float)",
    "asserted": "w = weight : f32[d]\n    return astype(x * exp(-exp(w)), float)",
    "met": "return softmax(x) * (1 + exp(weight))",
    "summed": "y = rsqrt(mean(x * x, axis=-1, keepdims=true) + 1e-6)\n    return x * y * (1 + exp(weight))",
}


@pytest.mark.parametrize("name", BODIES)
def test_weights_are_not_rounded_on_their_way_to_float32(name: str) -> None:
    spec = BLOCK.format(body=BODIES[name])
    _, make = maker(spec, params={"dtype": jnp.bfloat16})
    model = make()
    assert model.scale.weight[...].dtype == jnp.float32
    graphdef, state = nnx.split(model)
    x = jnp.ones((2, 3, 8), jnp.bfloat16)
    found = list(equations(lambda s, x: nnx.merge(graphdef, s)(x), state, x))
    exps = [e for e in found if e.primitive.name == "exp"]
    assert exps and not any(map(half, exps))
    rounded = [
        e
        for e in found
        if e.primitive.name == "convert_element_type"
        and half(e)
        and e.invars[0].aval.shape == (8,)
    ]
    assert len(rounded) == 1, "that of the bias alone"
    assert model(x).dtype == jnp.bfloat16


def test_what_may_come_in_float32_is_converted_where_the_spec_says_so() -> None:
    spec = """
block Inner:
    input x: [B, T, d], gate: [B, T, d]
    y = x * silu(astype(gate, f32))
    return astype(exp(y), float)

model Net(d = 8):
    input x: [B, T, d]
    return x -> Linear(d) -> Inner(gate=x)
"""
    _, make = maker(spec, params={"dtype": jnp.bfloat16})
    graphdef, state = nnx.split(make())
    x = jnp.ones((2, 3, 8), jnp.bfloat16)
    found = list(equations(lambda s, x: nnx.merge(graphdef, s)(x), state, x))
    waves = [e for e in found if e.primitive.name in ("exp", "logistic")]
    assert len(waves) == 2 and not any(map(half, waves))


DRAWN = """
block Decay(heads, count):
    input x: [B, T, heads]
    param a_log: [heads, count] = log(uniform([heads, count], 1.0, 16.0, rng=params))
    param dt_bias: [heads] = log(expm1(exp(uniform([heads], log(0.001), log(0.1), rng=params))))
    state noise: [heads] = 2 * normal([heads], rng=params)
    return x * exp(-exp(a_log[:, 0]) * softplus(dt_bias)) + noise

model Net(heads = 64, count = 3, layers = 2):
    input x: [B, T, heads]
    return x -> Decay(heads, count) * layers as decay

train Net:
    batch x: [B, T, heads]
    loss = mean(model(x) ** 2)
    optimizer = sgd(0.1)
"""


@pytest.mark.parametrize("stack", ["loop", "scan"])
def test_weights_begin_as_computed_from_draws(stack: str) -> None:
    module = load(text_of(DRAWN, stack=stack))
    model = module.create_model(seed=1)
    state = nnx.to_flat_state(nnx.state(model))
    leaves: dict[object, list[np.ndarray]] = {path[-1]: [] for path, _ in state}
    for path, leaf in state:
        leaves[path[-1]].append(np.asarray(leaf[...]))
    rates = np.exp(np.stack(leaves["a_log"])).reshape(2, 64, 3)
    steps = np.log1p(np.exp(np.stack(leaves["dt_bias"]))).reshape(2, 64)
    assert 1 <= rates.min() < 2 and 15 < rates.max() <= 16
    assert 1e-3 * 0.99 <= steps.min() < 2e-3 and 0.05 < steps.max() <= 0.1 * 1.01
    assert not np.allclose(rates[0], rates[1]) and not np.allclose(steps[0], steps[1])
    optimizer = module.create_optimizer(model)
    x = jnp.ones((2, 3, 64))
    assert model(x).shape == x.shape, "no call draws"
    loss, _ = module.train_step(model, optimizer, x)
    assert np.isfinite(loss)


def test_a_block_whose_weights_alone_draw_is_given_streams() -> None:
    spec = """
block Inner:
    input x: [B, d]
    param w: [d] = exp(normal([d], rng=params))
    return x * w

model Net(d = 4):
    rngs params
    input x: [B, d]
    return x -> Inner
"""
    module = load(text_of(spec))
    one, other = (module.Net(rngs=nnx.Rngs(seed)) for seed in (0, 1))
    assert not np.allclose(one.inner.w[...], other.inner.w[...])


CARRIED = """
model Net(vocab = 11, d = 8):
    input ids: int[B, T]
    x = ids -> Embed(vocab, d)
    decay = exp(-softplus(astype(x, f32)))
    scan xt, at in x, decay over T with h = zeros([B, d], dtype=f32), last = zeros([B, d]):
        h = at * h + xt + 0.1 * last
        last = xt
        collect ys = h
    return astype(ys, float) -> Linear(vocab)

generate Net
"""


def test_a_carry_is_kept_in_the_dtype_that_the_spec_says() -> None:
    module = load(text_of(CARRIED))
    model = module.Net(module.Config(dtype=jnp.bfloat16), rngs=nnx.Rngs(0))
    decoder = module.init_cache(model, jnp.zeros(2, jnp.int32), 5)
    kept = [c[...].dtype for c in decoder.scan.carries]
    assert kept == [jnp.float32, jnp.bfloat16]
    ids = jnp.array([[1, 2, 3, 4, 5], [6, 7, 8, 9, 10]])
    whole = model(ids)
    parts = [decoder(ids[:, :2]), decoder(ids[:, 2:3]), decoder(ids[:, 3:])]
    assert [c[...].dtype for c in decoder.scan.carries] == kept
    found = jnp.concatenate(parts, axis=1)
    assert whole.dtype == found.dtype == jnp.bfloat16
    np.testing.assert_array_equal(whole.astype(jnp.float32), found.astype(jnp.float32))


def test_weights_are_of_the_models_dtype_beside_what_may_be_of_it() -> None:
    text = text_of(
        BLOCK.format(body="last = shift(x)\n    return last + weight * (x - last)")
    )
    assert "self.weight[...].astype(self.dtype)" in text
