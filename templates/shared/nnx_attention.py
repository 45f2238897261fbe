"""Attention, state-space layers, and position encodings."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx


class HeadProjections(nnx.Module):
    """The projections of multi-head attention: queries, keys, values, and outputs.

    Args:
      d: the features of inputs and outputs.
      heads: the heads of queries.
      context_d: the features that keys and values are made of, by default `d`.
      kv_heads: the heads of keys and values, by default `heads`.
      head_dim: the features of a head, by default `d // heads`.
      bias: whether the projections have biases.
      kernel_init: the initializer of the kernels.
      out_kernel_init: that of the output projection, by default `kernel_init`.
      **options: those of `nnx.LinearGeneral`.
    """

    def __init__(
        self,
        d: int,
        heads: int,
        *,
        context_d: int | None = None,
        kv_heads: int | None = None,
        head_dim: int | None = None,
        bias: bool = True,
        kernel_init: nnx.Initializer | None = None,
        out_kernel_init: nnx.Initializer | None = None,
        **options: Any,
    ):
        head_dim, context_d = head_dim or d // heads, context_d or d
        queries, keys = (heads, head_dim), (kv_heads or heads, head_dim)
        kernel_init = kernel_init or nnx.initializers.lecun_normal()
        options |= {"use_bias": bias, "kernel_init": kernel_init}
        self.query = nnx.LinearGeneral(d, queries, **options)
        self.key = nnx.LinearGeneral(context_d, keys, **options)
        self.value = nnx.LinearGeneral(context_d, keys, **options)
        options |= {"kernel_init": out_kernel_init or kernel_init}
        self.out = nnx.LinearGeneral(queries, d, axis=(-2, -1), **options)


class Attention(HeadProjections):
    """Multi-head attention: (b, t, d) -> (b, t, d).

    It attends to a context (b, s, context_d), by default to the input itself.
    """

    def __init__(self, d: int, heads: int, *, causal: bool = False, **options: Any):
        super().__init__(d, heads, **options)
        self.causal = causal

    def __call__(
        self,
        x: jax.Array,
        context: jax.Array | None = None,
        mask: jax.Array | None = None,
    ) -> jax.Array:
        context = x if context is None else context
        q, k, v = self.query(x), self.key(context), self.value(context)
        x = jax.nn.dot_product_attention(q, k, v, mask=mask, is_causal=self.causal)
        return self.out(x)  # (b, t, heads, head_dim) -> (b, t, d)


def attend(
    q: jax.Array,
    k: jax.Array,
    v: jax.Array,
    *,
    bias: jax.Array | None = None,
    slopes: jax.Array | None = None,
    sinks: jax.Array | None = None,
    scale: float | None = None,
    softcap: float | None = None,
    **visible: Any,
) -> jax.Array:
    """Scaled dot-product attention, with what `jax.nn.dot_product_attention` lacks.

    Args:
      q: queries (b, t, heads, d).
      k: keys (b, s, kv_heads, d), each for `heads // kv_heads` heads of queries.
      v: values (b, s, kv_heads, e).
      bias: is added to the scores; broadcasts to (b, heads, t, s).
      slopes: for each head, the penalty for a position of distance (ALiBi).
      sinks: for each head, the score of an attention sink, which takes weight from the
        keys and has no value.
      scale: multiplies the scores, by default `d**-0.5`.
      softcap: scores are capped to `softcap * tanh(scores / softcap)`.
      **visible: the keys that queries see: arguments of `visibility`.

    Returns:
      The attended values (b, t, heads, e).
    """
    (b, t, heads, d), (s, kv_heads) = q.shape, k.shape[1:3]
    distance, mask = visibility(t, s, **visible)
    q = q.reshape(b, t, kv_heads, heads // kv_heads, d)
    scores = jnp.einsum("btkgd,bskd->bkgts", q, k, preferred_element_type=jnp.float32)
    scores = scores.reshape(b, heads, t, s) * (d**-0.5 if scale is None else scale)
    scores = scores if softcap is None else softcap * jnp.tanh(scores / softcap)
    if slopes is not None:
        scores -= slopes[:, None, None] * distance[:, None]
    if bias is not None:
        scores += bias
    scores = jnp.where(mask, scores, np.finfo(np.float32).min)
    if sinks is not None:
        sinks = jnp.broadcast_to(sinks[:, None, None], (b, heads, t, 1))
        scores = jnp.concatenate([scores, sinks.astype(scores.dtype)], axis=-1)
    weights = jax.nn.softmax(scores, axis=-1)[..., :s].astype(v.dtype)
    weights = weights.reshape(b, kv_heads, heads // kv_heads, t, s)
    return jnp.einsum("bkgts,bskd->btkgd", weights, v).reshape(b, t, heads, -1)


def visibility(
    t: int,
    s: int,
    *,
    positions: tuple[jax.Array, jax.Array] | None = None,
    mask: jax.Array | None = None,
    segments: jax.Array | None = None,
    causal: bool = False,
    window: int | None = None,
    chunk: int | None = None,
) -> tuple[jax.Array, jax.Array]:
    """Which of s keys each of t queries attends to.

    Args:
      t: the number of queries.
      s: the number of keys.
      positions: those of queries (b, t) and keys (b, s), below 0 for padding; by
        default, both count from 0.
      mask: further limits the keys; broadcasts to (b, heads, t, s).
      segments: numbers (b, t) of packed sequences, which do not attend to each other.
      causal: whether only to keys at the same or earlier positions.
      window: only to keys at less than this distance.
      chunk: only to keys in the same chunk of so many positions.

    Returns:
      The distance of each query behind each key (b, t, s), and the mask (b, 1, t, s).
    """
    queries, keys = positions or (jnp.arange(t)[None], jnp.arange(s)[None])
    queries, keys = queries[:, :, None], keys[:, None]
    distance = queries - keys
    visible = keys >= 0
    if causal:
        visible = visible & (distance >= 0)
    if window is not None:
        visible = visible & (jnp.abs(distance) < window)
    if chunk is not None:
        visible = visible & (queries // chunk == keys // chunk)
    if segments is not None:
        visible = visible & (segments[:, :, None] == segments[:, None])
    visible = visible[:, None]
    return distance, visible if mask is None else visible & mask


def state_space(
    x: jax.Array, log_decay: jax.Array, b: jax.Array, c: jax.Array
) -> jax.Array:
    """A state-space layer with a scalar decay, as in Mamba 2 (Dao and Gu, 2024).

    `h[t] = exp(log_decay[t]) * h[t - 1] + outer(x[t], b[t])`, `y[t] = h[t] @ c[t]`.

    Args:
      x: inputs (batch, t, heads, d).
      log_decay: (batch, t, heads).
      b: input projections (batch, t, groups, n), each for `heads // groups` heads.
      c: output projections, like `b`.

    Returns:
      The outputs y, like `x`.
    """
    shape = (x.shape[0], *x.shape[2:], b.shape[-1])
    dtype = jnp.promote_types(x.dtype, jnp.float32)
    return state_chunks(x, log_decay, b, c, jnp.zeros(shape, dtype))[0]


def state_chunks(
    x: jax.Array,
    log_decay: jax.Array,
    b: jax.Array,
    c: jax.Array,
    h: jax.Array,
    size: int = 64,
) -> tuple[jax.Array, jax.Array]:
    """`state_space` from an initial state h (batch, heads, d, n), and the last state.

    Within a chunk of `size` steps, outputs are computed by matrix products, as in
    attention; a scan passes the state from chunk to chunk.
    """
    (batch, t, heads, d), (groups, n) = x.shape, b.shape[2:]
    size = max(min(t, size), 1)
    count, each, dtype = -(-t // size), heads // groups, x.dtype

    def chunks(a: jax.Array, *shape: int) -> jax.Array:
        pads = [(0, 0), (0, count * size - t), *[(0, 0)] * (a.ndim - 2)]
        return jnp.pad(a.astype(h.dtype), pads).reshape(batch, count, size, *shape)

    # Axes: z batch, k chunks, g groups, r heads of each, i and j entries of a chunk.
    x, b, c = chunks(x, groups, each, d), chunks(b, groups, n), chunks(c, groups, n)
    steps = jnp.moveaxis(chunks(log_decay, groups, each), 2, -1)
    later, causal = jnp.tri(size, k=-1, dtype=bool), jnp.tri(size, dtype=bool)
    sums = jnp.cumsum(jnp.where(later, steps[..., None], 0), axis=-2)
    decays = jnp.exp(jnp.where(causal, sums, -jnp.inf))  # from j to i
    scores = jnp.einsum("zkign,zkjgn->zkgij", c, b)[:, :, :, None] * decays
    y = jnp.einsum("zkgrij,zkjgrd->zkigrd", scores, x)
    from_start = jnp.exp(jnp.cumsum(steps, axis=-1))  # from before the chunk to i

    def pass_on(
        h: jax.Array, chunk: tuple[jax.Array, jax.Array]
    ) -> tuple[jax.Array, jax.Array]:
        decay, added = chunk
        return decay[..., None, None] * h + added, h

    left = jnp.moveaxis(decays[..., -1, :], -1, 2)[..., None] * x
    added = jnp.einsum("zkjgrd,zkjgn->kzgrdn", left, b)
    h = h.reshape(batch, groups, each, d, n)
    decay = jnp.moveaxis(from_start[..., -1], 1, 0)
    h, before = jax.lax.scan(pass_on, h, (decay, added))
    read = jnp.einsum("zkign,kzgrdn->zkigrd", c, before)
    y += jnp.moveaxis(from_start, -1, 2)[..., None] * read
    y = y.reshape(batch, count * size, heads, d)[:, :t].astype(dtype)
    return y, h.reshape(batch, heads, d, n)


def rotate(x: jax.Array, angles: jax.Array, *, interleaved: bool = False) -> jax.Array:
    """Rotate pairs of features, for rotary position embeddings.

    Args:
      x: queries or keys (b, t, heads, d).
      angles: (..., t, pairs); features after the first 2 * pairs stay as they are.
      interleaved: whether neighbours are a pair, or else features of the two halves.
    """
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
    """Rotary position embedding (Su et al., 2021) of queries or keys (b, t, heads, d).

    Args:
      x: queries or keys.
      positions: (t,) or (b, t).
      theta: the base of the wavelengths.
      dim: the number of features that are rotated, by default all.
      interleaved: as in `rotate`.
    """
    half = (dim or x.shape[-1]) // 2
    frequencies = theta ** (-jnp.arange(half) / half)
    return rotate(x, positions[..., None] * frequencies, interleaved=interleaved)


def sinusoidal(
    length: int,
    d: int,
    theta: float = 10_000.0,
    dtype: jax.typing.DTypeLike = jnp.float32,
) -> jax.Array:
    """Sinusoidal position embeddings (Vaswani et al., 2017): (length, d), sines and
    cosines in turn."""
    frequencies = theta ** (-jnp.arange(0, d, 2) / d)
    angles = jnp.arange(length)[:, None] * frequencies  # (length, d / 2)
    pairs = jnp.stack([jnp.sin(angles), jnp.cos(angles)], axis=-1)
    return pairs.reshape(length, d).astype(dtype)


def segment_positions(segments: jax.Array) -> jax.Array:
    """Positions within packed sequences, from their numbers: (b, t) -> (b, t)."""
    index = jnp.arange(segments.shape[-1])
    starts = segments != jnp.roll(segments, 1, axis=-1)
    start = jax.lax.cummax(jnp.where(starts, index, 0), axis=segments.ndim - 1)
    return index - start
