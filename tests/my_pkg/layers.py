"""Layers that examples bring in."""

from __future__ import annotations

import jax
from flax import nnx


class GatedMLP(nnx.Module):
    """`[..., d] -> [..., d]`."""

    def __init__(self, d: int, hidden: int, *, rate: float, rngs: nnx.Rngs):
        self.gate = nnx.Linear(d, hidden, rngs=rngs)
        self.up = nnx.Linear(d, hidden, rngs=rngs)
        self.down = nnx.Linear(hidden, d, rngs=rngs)
        self.dropout = nnx.Dropout(rate, rngs=rngs)

    def __call__(self, x: jax.Array) -> jax.Array:
        x = nnx.silu(self.gate(x)) * self.up(x)
        return self.down(self.dropout(x))
