"""Functions that examples bring in."""

from __future__ import annotations

import jax
import jax.numpy as jnp


def flash(*tensors: jax.Array, causal: bool = False) -> jax.Array:
    """Attention of queries, keys and values; what one tensor gives is declared by itself."""
    if len(tensors) == 1:
        return jnp.tanh(tensors[0])
    q, k, v = tensors
    scores = jnp.einsum("bthk,bshk->bhts", q, k)
    if causal:
        scores = jnp.where(jnp.tri(*scores.shape[-2:], dtype=bool), scores, -1e9)
    return jnp.einsum("bhts,bshk->bthk", jax.nn.softmax(scores), v)
