"""Activations as values: chosen by a condition, kept in lists."""

from __future__ import annotations

import jax.numpy as jnp
import numpy as np
from emitting import class_of, maker
from flax import nnx

SPEC = """
defaults gelu(approximate=false)

block Layer(act, wide):
    input x: [B, d]
    first = relu if wide else act
    return (x -> act) + (x -> first)

model Net(acts = [relu, gelu], wide = true, last = silu):
    input x: [B, 4]
    for i, act in enumerate(acts):
        x = x -> Layer(tanh if i == 0 else last, wide) as layers
        x = act(x) + acts[0](x)
    return x
"""


def test_chosen_activations_are_applied() -> None:
    x = jnp.linspace(-2, 2, 8).reshape(2, 4)
    got = maker(SPEC, params={"wide": False})[1]()(x)
    y = 2 * jnp.tanh(x)
    y = 2 * nnx.relu(y)
    y = 2 * nnx.silu(y)
    y = nnx.gelu(y, approximate=False) + nnx.relu(y)
    np.testing.assert_allclose(got, y, rtol=1e-5, atol=1e-6)


def test_a_parameter_beside_a_function_is_one() -> None:
    assert "act: Callable[[jax.Array], jax.Array]" in class_of(SPEC, "Layer")
    assert "nnx.tanh if i == 0 else last" in class_of(SPEC, "Net")
    assert "exact_gelu" in class_of(SPEC, "Net")
