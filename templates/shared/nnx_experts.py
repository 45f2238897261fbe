"""Mixtures of experts: each token meets the kernels of its own experts alone."""

from functools import partial

import jax
import jax.numpy as jnp


def expert_dot(
    x: jax.Array,
    kernels: jax.Array,
    experts: jax.Array,
    *,
    preferred_element_type: jax.typing.DTypeLike | None = None,
) -> jax.Array:
    """Tokens times the kernels of their experts: (..., d) by (n, d, f) and int (..., k)
    give (..., k, f); so do (..., k, d), where each expert gets its own.

    Sorted by expert, a token costs what its k experts cost, however many there are.
    """
    ids = experts.reshape(-1)
    order = jnp.argsort(ids)
    rows = x.reshape(-1, x.shape[-1])
    rows = rows[order // (ids.size // rows.shape[0])]
    sizes = jnp.bincount(ids, length=kernels.shape[0])
    # Only on a TPU is JAX's own no product of all rows with all kernels.
    y: jax.Array = jax.lax.platform_dependent(
        rows,
        kernels,
        sizes,
        tpu=partial(jax.lax.ragged_dot, preferred_element_type=preferred_element_type),
        default=partial(grouped_dot, preferred_element_type=preferred_element_type),
    )
    return y[jnp.argsort(order)].reshape(*experts.shape, kernels.shape[-1])


def grouped_dot(
    rows: jax.Array,
    kernels: jax.Array,
    sizes: jax.Array,
    *,
    preferred_element_type: jax.typing.DTypeLike | None = None,
) -> jax.Array:
    """`jax.lax.ragged_dot` of consecutive groups of rows, (m, d) by (n, d, f), as
    one batched product of blocks of rows that meet one kernel each; a third of it at
    most is for nothing."""
    m, n = rows.shape[0], kernels.shape[0]
    block = max(m // (2 * n), 1)
    total = (m + min(m, n) * (block - 1)) // block  # blocks, if all groups are ragged
    ends = jnp.cumsum(-(-sizes // block))
    group = jnp.searchsorted(ends, jnp.arange(total), side="right")
    # Where a row stands among the blocks, less where it stands among the rows.
    shift = block * (ends - -(-sizes // block)) - (jnp.cumsum(sizes) - sizes)
    index = jnp.arange(block * total).reshape(total, block) - shift[group][:, None]
    # Blocks end in rows of the next group, the last are empty: nobody reads those.
    y = jnp.einsum(
        "bmd,bdf->bmf",
        rows[index],
        kernels[group],
        preferred_element_type=preferred_element_type,
    )
    own = jnp.repeat(jnp.arange(n), sizes, total_repeat_length=m)
    return y.reshape(-1, y.shape[-1])[jnp.arange(m) + shift[own]]
