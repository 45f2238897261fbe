"""What `param` and `state` begin as, where that is computed."""

from __future__ import annotations

import jax.numpy as jnp
import numpy as np
import pytest
from emitting import load, text_of
from flax import nnx

SPEC = """
block Scale(n, start = 2.0):
    input x: [B, d]
    param slopes: [d, n] = log(broadcast(1.0 + arange(n), [d, n]))
    param factor: [] = start
    state index: int[n] = arange(n) // 2
    return x * factor + sum(slopes, axis=n) * sum(index)

model Net(d = 4, places = 3):
    input x: [B, d]
    param positions: [places, d] = arange(places)[:, none] * 2.0**-arange(d // 2) -> (sin | cos) -> concat
    return (x -> Scale(5) as scale) + positions[0]
"""


@pytest.mark.parametrize("bf16", [False, True])
def test_variables_begin_as_computed(bf16: bool) -> None:
    train = """
train Net:
    batch x: [B, d], y: [B, d]
    loss = mse(model(x), y)
    optimizer = adam(1e-3)
    precision = bf16
"""
    module = load(text_of(SPEC + train * bf16))
    model = module.create_model() if bf16 else module.Net(rngs=nnx.Rngs(0))
    angles = np.outer(np.arange(3), 2.0 ** -np.arange(2))
    due = np.concatenate([np.sin(angles), np.cos(angles)], axis=-1)
    np.testing.assert_allclose(model.positions[...], due, rtol=1e-6)
    np.testing.assert_allclose(model.scale.slopes[...][1], np.log(1 + np.arange(5)))
    np.testing.assert_array_equal(model.scale.index[...], [0, 0, 1, 1, 2])
    assert model.scale.factor[...] == 2
    assert model.positions.dtype == jnp.float32
    assert model(jnp.ones((2, 4))).shape == (2, 4)


FANS = """
model Net(experts = 64, d = 16, hidden = 8):
    input x: [B, H, W, d]
    param up: [experts, d, hidden] = {init}
    param deep: [2, experts, d, hidden] = {init}
    param kernel: [3, 3, d, hidden] = {init}
    param named: [hidden, experts, d] = {named}
    y = einsum("b h w d, e d f -> b h w f", x, up) + einsum("b h w d, n e d f -> b h w f", x, deep)
    standard = kernel - mean(kernel)
    return y + convolve(x, standard) + einsum("b h w d, f e d -> b h w f", x, named)
"""


@pytest.mark.parametrize(
    ("init", "named"),
    [
        ("lecun_normal", "lecun_normal(in_axis=[1, 2], out_axis=0)"),
        (
            'variance_scaling(1.0, "fan_in", "normal")',
            'variance_scaling(1.0, "fan_in", "normal", in_axis=[1, 2], out_axis=0)',
        ),
    ],
)
def test_stacks_of_matrices_have_the_fan_of_each(init: str, named: str) -> None:
    model = load(text_of(FANS.format(init=init, named=named))).Net(rngs=nnx.Rngs(0))
    fans = {"up": 16, "deep": 16, "kernel": 9 * 16, "named": 64 * 16}
    for name, fan in fans.items():
        spread = float(getattr(model, name)[...].std())
        assert abs(spread * fan**0.5 - 1) < 0.1, name


REPEATED = """
block Own:
    input x: [B, d]
    return x -> Linear(d, kernel_init=normal(0.02)) -> Linear(d, kernel_init=normal(0.02))

model Net(normal_init = 4, depth = 2):
    input x: [B, normal_init]
    param shift: [normal_init] = normal(0.02)
    a = x + shift -> Own -> Linear(3, kernel_init=normal(0.02 / depth), bias_init=normal(0.5))
    return a -> Linear(3, kernel_init=normal(0.02 / depth), bias_init=normal(0.5))
        -> Linear(3, kernel_init=normal(0.02 / depth))
"""


def test_an_initialiser_that_is_said_often_is_a_constant_of_the_module() -> None:
    text = text_of(REPEATED)
    assert text.count("NORMAL_INIT = nnx.initializers.normal(stddev=0.02)\n") == 1
    assert text.count("normal(stddev=0.02)") == 1
    assert text.count("normal(stddev=0.5)") == 2, "twice is not often"
    assert text.count("normal(stddev=0.02 / depth)") == 3, "a parameter is no constant"
    module = load(text)
    model = module.Net(64, rngs=nnx.Rngs(0))
    for weight in (model.shift, model.own.linear_1.kernel, model.own.linear_2.kernel):
        assert 0.015 < float(jnp.std(weight[...])) < 0.025


def test_what_is_the_default_anyway_is_not_written() -> None:
    spec = """
defaults Linear(bias=false)

model Net:
    input x: [B, 4]
    return x -> Linear(4, bias=true) -> LayerNorm(eps=1e-6) -> Linear(4)
"""
    text = text_of(spec)
    assert "use_bias=True" not in text and text.count("use_bias=False") == 1
    assert "epsilon" not in text
