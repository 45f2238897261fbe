"""Products for mixtures of experts, of tokens sorted by expert."""

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
    """Multiply tokens with the kernels of their experts.

    Tokens are sorted by expert, so that each costs as much as its k experts, however
    many there are.

    Args:
      x: tokens (..., d), or (..., k, d) with one for each of its experts.
      kernels: those of all experts (n, d, f).
      experts: for each token, its experts (..., k), from 0 to n - 1.
      preferred_element_type: the dtype of the result.

    Returns:
      The products (..., k, f).
    """
    ids = experts.reshape(-1)
    order = jnp.argsort(ids)
    rows = x.reshape(-1, x.shape[-1])
    rows = rows[order // (ids.size // rows.shape[0])]
    sizes = jnp.bincount(ids, length=kernels.shape[0])
    # Except on TPUs, `ragged_dot` multiplies all rows with all kernels.
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
    """`jax.lax.ragged_dot` as one batched product of blocks of rows.

    All rows of a block are of one group; at most a third of the product is padding.

    Args:
      rows: consecutive groups of rows (m, d).
      kernels: one for each group (n, d, f).
      sizes: the sizes of the groups (n,), m in total.
      preferred_element_type: the dtype of the result.

    Returns:
      The products (m, f).
    """
    m, n = rows.shape[0], kernels.shape[0]
    block = max(m // (2 * n), 1)
    total = (m + min(m, n) * (block - 1)) // block  # blocks, if all groups are ragged
    ends = jnp.cumsum(-(-sizes // block))
    group = jnp.searchsorted(ends, jnp.arange(total), side="right")
    # The place of a row among the blocks, less its place among the rows.
    shift = block * (ends - -(-sizes // block)) - (jnp.cumsum(sizes) - sizes)
    index = jnp.arange(block * total).reshape(total, block) - shift[group][:, None]
    # Blocks may end in rows of the next group, or be empty: these are not read.
    y = jnp.einsum(
        "bmd,bdf->bmf",
        rows[index],
        kernels[group],
        preferred_element_type=preferred_element_type,
    )
    own = jnp.repeat(jnp.arange(n), sizes, total_repeat_length=m)
    return y.reshape(-1, y.shape[-1])[jnp.arange(m) + shift[own]]
