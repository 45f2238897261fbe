"""Sizes that JAX finds by itself are not read from shapes."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from emitting import load, text_of
from flax import nnx

X = np.arange(24.0, dtype=np.float32)
# What is returned; how it is written; the axes of x; what it is.
CASES: dict[str, tuple[str, str, tuple[int, ...], Any]] = {
    "the batch": ("x -> [B, k, 6]", "x.reshape(-1, self.k, 6)", (2, 12), X.reshape(2, 2, 6)),
    "an axis dropped": ("x[:, k:k + 1] -> [B]", ".reshape(-1)", (2, 12), X[2::12]),
    "one made of others": ("x -> [B, 2 * k, 3]", "x.reshape(b, -1, 3)", (2, 12), X.reshape(2, 4, 3)),
    "merged": (
        'x -> rearrange("b (c d) -> b d c", c=k) -> rearrange("b d c -> (b d) c")',
        ".reshape(-1, k)",
        (2, 12),
        X.reshape(2, 2, 6).transpose(0, 2, 1).reshape(-1, 2),
    ),
    "two of them": (
        'x -> [B, 2, 6] -> rearrange("b a (c d) -> (b c) (a d)", c=k)',
        ".reshape(b * k, ",
        (2, 12),
        X.reshape(2, 2, 2, 3).transpose(0, 2, 1, 3).reshape(4, 6),
    ),
}  # fmt: skip


def model(value: str) -> str:
    return f"model Net(k = 2):\n    input x: [B, 12]\n    return {value}\n"


@pytest.mark.parametrize("name", CASES)
def test_a_size_is_left_to_jax_where_one_can_be(name: str) -> None:
    value, written, shape, expected = CASES[name]
    text = text_of(model(value))
    assert written in text
    assert ".reshape(-1, -1" not in text and "-1, -1)" not in text
    net = load(text).Net(rngs=nnx.Rngs(0))
    np.testing.assert_array_equal(net(jnp.asarray(X.reshape(shape))), expected)


def test_a_batch_that_is_empty_keeps_its_shape() -> None:
    net = load(text_of(model("x -> [B, k, 6]"))).Net(rngs=nnx.Rngs(0))
    assert jax.eval_shape(net, jnp.ones((0, 12))).shape == (0, 2, 6)


def test_no_other_size_may_be_0() -> None:
    """JAX cannot tell how often nothing goes into nothing."""
    spec = """
model Net(k = 2):
    input x: [B, T, 4], y: [T]
    return x + y[:, none] -> [B, T, k, 2]
"""
    text = text_of(spec)
    assert "-1" not in text.split("def __call__")[1].split("\n\n")[0]
