"""Attention with heads in groups and masks of many kinds; rotary and other
positions."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx


class Attention(nnx.Module):
    """Multi-head attention: (b, t, d) -> (b, t, d), over a context or itself."""

    def __init__(
        self,
        d: int,
        heads: int,
        *,
        context_d: int | None = None,
        kv_heads: int | None = None,
        head_dim: int | None = None,
        causal: bool = False,
        bias: bool = True,
        kernel_init: nnx.Initializer | None = None,
        out_kernel_init: nnx.Initializer | None = None,
        bias_init: nnx.Initializer = nnx.initializers.zeros,
        dtype: jax.typing.DTypeLike | None = None,
        param_dtype: jax.typing.DTypeLike = jnp.float32,
        rngs: nnx.Rngs,
    ):
        kv_heads = kv_heads or heads
        head_dim = head_dim or d // heads
        context_d = context_d or d
        kernel_init = kernel_init or nnx.initializers.lecun_normal()
        self.causal = causal
        project = partial(
            nnx.LinearGeneral,
            use_bias=bias,
            bias_init=bias_init,
            dtype=dtype,
            param_dtype=param_dtype,
            rngs=rngs,
        )
        inner, groups = (heads, head_dim), (kv_heads, head_dim)
        self.query = project(d, inner, kernel_init=kernel_init)
        self.key = project(context_d, groups, kernel_init=kernel_init)
        self.value = project(context_d, groups, kernel_init=kernel_init)
        out_init = out_kernel_init or kernel_init
        self.out = project(inner, d, axis=(-2, -1), kernel_init=out_init)

    def __call__(
        self,
        x: jax.Array,
        context: jax.Array | None = None,
        mask: jax.Array | None = None,
    ) -> jax.Array:
        context = x if context is None else context
        q, k, v = self.query(x), self.key(context), self.value(context)
        y = jax.nn.dot_product_attention(q, k, v, mask=mask, is_causal=self.causal)
        return self.out(y)  # (b, t, heads, head_dim) -> (b, t, d)


def attend(
    q: jax.Array,
    k: jax.Array,
    v: jax.Array,
    *,
    bias: jax.Array | None = None,
    mask: jax.Array | None = None,
    slopes: jax.Array | None = None,
    sinks: jax.Array | None = None,
    segments: jax.Array | None = None,
    positions: tuple[jax.Array, jax.Array] | None = None,
    causal: bool = False,
    window: int | None = None,
    chunk: int | None = None,
    scale: float | None = None,
    softcap: float | None = None,
) -> jax.Array:
    """Attention in groups of heads: (b, t, heads, d) over (b, s, kv_heads, d).

    `positions` are those of queries (b, t) and keys (b, s), of padding below 0.
    """
    b, t, heads, d = q.shape
    s, kv_heads = k.shape[1:3]
    q_positions, k_positions = positions or (jnp.arange(t)[None], jnp.arange(s)[None])
    q_positions, k_positions = q_positions[:, :, None], k_positions[:, None]
    distance = q_positions - k_positions  # (b, t, s)
    allowed = k_positions >= 0
    if causal:
        allowed = allowed & (distance >= 0)
    if window is not None:
        allowed = allowed & (jnp.abs(distance) < window)
    if chunk is not None:
        allowed = allowed & (q_positions // chunk == k_positions // chunk)
    if segments is not None:
        allowed = allowed & (segments[:, :, None] == segments[:, None])
    allowed = allowed[:, None] if mask is None else allowed[:, None] & mask
    q = q.reshape(b, t, kv_heads, heads // kv_heads, d)
    scores = jnp.einsum("btkgd,bskd->bkgts", q, k, preferred_element_type=jnp.float32)
    scores = scores.reshape(b, heads, t, s) * (d**-0.5 if scale is None else scale)
    if softcap is not None:
        scores = softcap * jnp.tanh(scores / softcap)
    if slopes is not None:
        scores -= slopes[:, None, None] * distance[:, None]
    if bias is not None:
        scores += bias
    scores = jnp.where(allowed, scores, np.finfo(np.float32).min)
    if sinks is not None:
        sink_scores = jnp.broadcast_to(sinks[:, None, None], (b, heads, t, 1))
        scores = jnp.concatenate([scores, sink_scores.astype(scores.dtype)], axis=-1)
    weights = jax.nn.softmax(scores, axis=-1)[..., :s].astype(v.dtype)
    weights = weights.reshape(b, kv_heads, heads // kv_heads, t, s)
    y = jnp.einsum("bkgts,bskd->btkgd", weights, v)
    return y.reshape(b, t, heads, v.shape[-1])


def rotate(x: jax.Array, angles: jax.Array, *, interleaved: bool = False) -> jax.Array:
    """Rotate the first pairs of features: (b, t, heads, d), angles (..., t, pairs)."""
    pairs = angles.shape[-1]
    angles = angles[..., None, :].astype(jnp.float32)  # for every head
    sin, cos = jnp.sin(angles), jnp.cos(angles)
    rotated, unrotated = jnp.split(x.astype(jnp.float32), [2 * pairs], axis=-1)
    if interleaved:
        x1, x2 = rotated[..., ::2], rotated[..., 1::2]
    else:
        x1, x2 = jnp.split(rotated, 2, axis=-1)
    x1, x2 = x1 * cos - x2 * sin, x2 * cos + x1 * sin
    if interleaved:
        rotated = jnp.stack([x1, x2], axis=-1).reshape(rotated.shape)
    else:
        rotated = jnp.concatenate([x1, x2], axis=-1)
    return jnp.concatenate([rotated, unrotated], axis=-1).astype(x.dtype)


def rope(
    x: jax.Array,
    positions: jax.Array,
    theta: float = 10_000.0,
    *,
    dim: int | None = None,
    interleaved: bool = False,
) -> jax.Array:
    """Rotate pairs of features by position: (b, t, heads, d) -> (b, t, heads, d)."""
    half = (dim or x.shape[-1]) // 2
    frequencies = theta ** (-jnp.arange(half) / half)
    return rotate(x, positions[..., None] * frequencies, interleaved=interleaved)


def sinusoidal(
    length: int,
    d: int,
    theta: float = 10_000.0,
    dtype: jax.typing.DTypeLike = jnp.float32,
) -> jax.Array:
    """Sines and cosines of positions, interleaved: (length, d)."""
    frequencies = theta ** (-jnp.arange(0, d, 2) / d)
    angles = jnp.arange(length)[:, None] * frequencies  # (length, d / 2)
    pairs = jnp.stack([jnp.sin(angles), jnp.cos(angles)], axis=-1)
    return pairs.reshape(length, d).astype(dtype)


def segment_positions(segments: jax.Array) -> jax.Array:
    """Positions that begin anew at 0 where another segment begins: (b, t) -> (b, t)."""
    at = jnp.arange(segments.shape[-1])
    begins = segments != jnp.roll(segments, 1, axis=-1)
    first = jax.lax.cummax(jnp.where(begins, at, 0), axis=segments.ndim - 1)
    return at - first
