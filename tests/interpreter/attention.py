"""Attention and rotary positions."""

from __future__ import annotations

from typing import Any

import jax.numpy as jnp


def sees(distance: Any, causal: bool, window: int | None) -> Any:
    """Which keys a query sees, by how far behind it they are."""
    seen = distance >= 0 if causal else distance == distance
    if window is not None:
        seen &= abs(distance) < window
    return seen


def attention(
    q, k, v, bias=None, mask=None, slopes=None, sinks=None, segments=None, *, causal=False,
    scale=None, window=None, chunk=None, softcap=None,
):  # fmt: skip
    """q [..., T, heads, size] over k, v [..., S, kv_heads, size]."""
    times = q.shape[-2] // k.shape[-2]
    k, v = jnp.repeat(k, times, -2), jnp.repeat(v, times, -2)
    scores = jnp.einsum("...thk,...shk->...hts", q, k)
    scores = scores * (q.shape[-1] ** -0.5 if scale is None else scale)
    if softcap is not None:
        scores = softcap * jnp.tanh(scores / softcap)
    distance = jnp.arange(q.shape[-3])[:, None] - jnp.arange(k.shape[-3])
    if slopes is not None:
        scores = scores - slopes[:, None, None] * abs(distance)
    if bias is not None:
        scores = scores + bias
    seen = sees(distance, causal, window)
    if chunk is not None:
        rows, columns = jnp.arange(q.shape[-3]), jnp.arange(k.shape[-3])
        seen &= rows[:, None] // chunk == columns // chunk
    if mask is not None:
        seen = seen & mask
    if segments is not None:
        seen = seen & (segments[:, None, :, None] == segments[:, None, None, :])
    scores = jnp.where(seen, scores, jnp.finfo(scores.dtype).min / 2)
    top = scores.max(-1, keepdims=True, initial=-jnp.inf)  # of no keys, too
    if sinks is not None:
        top = jnp.maximum(top, sinks[:, None, None])
    powers = jnp.exp(scores - top)
    total = powers.sum(-1, keepdims=True)
    if sinks is not None:
        total = total + jnp.exp(sinks[:, None, None] - top)
    return jnp.einsum("...hts,...shk->...thk", powers / total, v)


def turned(x: Any, angles: Any, interleaved: bool) -> Any:
    """x with pairs of its first features turned by angles [..., pairs]."""
    n = 2 * angles.shape[-1]
    cos, sin = jnp.cos(angles), jnp.sin(angles)
    first, rest = x[..., :n], x[..., n:]
    if interleaved:
        a, b = first[..., ::2], first[..., 1::2]
        pair = jnp.stack([a * cos - b * sin, b * cos + a * sin], -1)
        return jnp.concatenate([pair.reshape(first.shape), rest], -1)
    a, b = jnp.split(first, 2, -1)
    return jnp.concatenate([a * cos - b * sin, b * cos + a * sin, rest], -1)


def rope(x, positions, theta=10000.0, *, dim=None, interleaved=False):
    n = x.shape[-1] if dim is None else dim
    rates = jnp.asarray(theta, jnp.float32) ** (-jnp.arange(0, n, 2) / n)
    return rotate(x, positions[..., None] * rates, interleaved=interleaved)


def rotate(x, angles, *, interleaved=False):
    """Angles [T, pairs] or [B, T, pairs] for x [B, T, heads, size]."""
    return turned(x, angles[..., None, :], interleaved)
