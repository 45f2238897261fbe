"""`layer.gradient`: the gradient of what a layer or block gives, with respect to its first input."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from emitting import maker
from flax import nnx

from nnxc import driver

SPEC = """
block Energy(power):
    input x: [B, d], y: [B, d]
    param scale: [] = 2.0
    return scale * sum(x**power + x * y, axis=-1)

model Net(power = 3, d = 2):
    input x: [B, d], y: [B, d]
    energy = Energy(power)
    linear = Linear(3)
    return energy.gradient(x, y), energy(x, y), sin(x) -> linear.gradient, linear(y)
"""


def test_is_that_of_the_sum_to_the_first_input() -> None:
    _, make = maker(SPEC)
    model, x, y = make(), jnp.array([[1.0, 2.0], [0.5, -1.0]]), jnp.ones((2, 2))
    found, _, columns, _ = model(x, y)
    np.testing.assert_allclose(found, 2 * (3 * x**2 + y), rtol=1e-6)
    kernel = model.linear.kernel[...]
    np.testing.assert_allclose(columns, np.tile(kernel.sum(1), (2, 1)), rtol=1e-6)


def test_weights_learn_through_it() -> None:
    _, make = maker(SPEC)
    graphdef, params = nnx.split(make())

    def loss(params: nnx.State) -> jax.Array:
        return nnx.merge(graphdef, params)(jnp.ones((1, 2)), jnp.ones((1, 2)))[0].sum()

    assert float(jax.grad(loss)(params)["energy"]["scale"][...]) == pytest.approx(8.0)


@pytest.mark.parametrize(
    ("block", "reason"),
    [
        ("return x -> Linear(2) -> Dropout(0.1)", "draws random numbers"),
        ("return x -> Linear(2) -> BatchNorm", "keeps statistics"),
        ("return x -> Linear(2), x", "does not give one floating tensor"),
        ("return x > 0", "does not give one floating tensor"),
    ],
)
def test_what_has_none(block: str, reason: str) -> None:
    spec = f"""block Part:
    input x: [B, d]
    {block}

model Net(d = 4):
    input x: [B, d]
    part = Part
    return part.gradient(x)
"""
    (found,) = driver.analyse(spec, path="spec.nnx").diagnostics
    assert found.code == "N248"
    assert found.message.endswith(reason)
