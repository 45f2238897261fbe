"""Python code that random specs bring along."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx


def twice(x: jax.Array) -> jax.Array:
    """`[..., d] -> [..., 2 * d]`."""
    return jnp.concatenate([x, x], -1)


def scaled(x: jax.Array, *, by: float, shift: bool) -> jax.Array:
    """`[..., d] -> [..., d]`."""
    return by * x + shift


def ramp(d: int) -> np.ndarray:
    """`[d]`, a table."""
    return np.linspace(0, 1, d, dtype=np.float32)


class Shift(nnx.Module):
    """`[..., d] -> [..., out]`, without weights."""

    def __init__(self, d: int, out: int, *, rngs: nnx.Rngs):
        self.d, self.out = d, out

    def __call__(self, x: jax.Array) -> jax.Array:
        return jnp.broadcast_to(x[..., :1], (*x.shape[:-1], self.out)) + self.d
