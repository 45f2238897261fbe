"""Windows that slide: their padding, and pools."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np


def per_axis(value: Any, n: int) -> list[int]:
    """A number for each axis."""
    return list(value) if isinstance(value, list | tuple) else [value] * n


def pad_same(
    sizes: Sequence[int], window: Any, stride: Any, padding: Any, dilation: Any
) -> list[tuple[int, int]]:
    """How much is added before and after each axis."""
    n = len(sizes)
    reach = [d * (k - 1) + 1 for d, k in zip(dilation, window, strict=True)]
    if padding == "valid":
        return [(0, 0)] * n
    if padding == "causal":
        return [(r - 1, 0) for r in reach]
    if padding == "same":
        pads = []
        for size, r, s in zip(sizes, reach, stride, strict=True):
            missing = max((-(-size // s) - 1) * s + r - size, 0)
            pads.append((missing // 2, missing - missing // 2))
        return pads
    return [p if isinstance(p, tuple) else (p, p) for p in per_axis(padding, n)]


def max_pool(x: Any, window: Any, stride: Any, padding: Any, ceil: bool) -> Any:
    """The largest value in each window over the axes before the last."""
    return _pooled(x, window, stride, padding, -jnp.inf, jax.lax.max, ceil)


def avg_pool(x: Any, window: Any, stride: Any, padding: Any, count: bool) -> Any:
    """The mean of each window over the axes before the last."""
    total = _pooled(x, window, stride, padding, 0.0, jax.lax.add, False)
    if count:
        n = len(per_axis(window, x.ndim - 2))
        return total / math.prod(per_axis(window, n))
    ones = jnp.ones_like(x)
    return total / _pooled(ones, window, stride, padding, 0.0, jax.lax.add, False)


def _pooled(
    x: Any, window: Any, stride: Any, padding: Any, fill: float, op: Any, ceil: bool
) -> Any:
    n = len(window) if isinstance(window, list | tuple) else x.ndim - 2
    window = per_axis(window, n)
    stride = window if stride is None else per_axis(stride, n)
    sizes = x.shape[x.ndim - n - 1 : -1]
    pads = pad_same(sizes, window, stride, padding, [1] * n)
    if ceil:
        pads = [_up(*a) for a in zip(sizes, window, stride, pads, strict=True)]
    lead = x.ndim - n - 1
    return jax.lax.reduce_window(
        x, np.asarray(fill, x.dtype), op, [1] * lead + window + [1],
        [1] * lead + stride + [1], [(0, 0)] * lead + pads + [(0, 0)],
    )  # fmt: skip


def _up(size: int, window: int, stride: int, pad: tuple[int, int]) -> tuple[int, int]:
    """Padding by which the last window, which begins inside, reaches beyond the end."""
    steps = -(-(size + sum(pad) - window) // stride)
    if steps * stride >= size + pad[0]:
        steps -= 1
    return pad[0], max(steps * stride + window - size - pad[0], 0)


def resized(
    x: Any, size: Sequence[int], method: str, antialias: bool | None, corners: bool
) -> Any:
    """An image at other sizes of the axes before the last."""
    lead = x.ndim - 1 - len(size)
    shape = (*x.shape[:lead], *size, x.shape[-1])
    if method.startswith("torch_"):
        for axis, new in enumerate(size, lead):
            matrix = _as_torch(x.shape[axis], new, method, corners)
            x = jnp.moveaxis(
                jnp.tensordot(x, matrix.astype(x.dtype), (axis, 1)), -1, axis
            )
        return x
    if not corners:
        return jax.image.resize(x, shape, method, antialias=antialias is not False)
    for axis, new in enumerate(size, lead):
        old = x.shape[axis]
        step = (old - 1) / (new - 1) if new > 1 else 0.0
        at = jnp.arange(new) * step
        if method == "nearest":
            x = jnp.take(x, jnp.round(at).astype(int), axis)
            continue
        low = jnp.clip(jnp.floor(at).astype(int), 0, max(old - 2, 0))
        share = (at - low).reshape(-1, *[1] * (x.ndim - 1 - axis))
        high = jnp.minimum(low + 1, old - 1)
        x = jnp.take(x, low, axis) * (1 - share) + jnp.take(x, high, axis) * share
    return x


def _as_torch(old: int, new: int, method: str, corners: bool) -> Any:
    """How much each entry counts in each new one, as PyTorch has it."""
    matrix = np.zeros((new, old), np.float32)
    for i in range(new):
        if method == "torch_nearest":
            matrix[i, min(int(np.float32(i) * np.float32(old / new)), old - 1)] = 1
            continue
        at = i * (old - 1) / max(new - 1, 1) if corners else (i + 0.5) * old / new - 0.5
        for j in range(math.floor(at) - 1, math.floor(at) + 3):
            matrix[i, min(max(j, 0), old - 1)] += _keys(abs(at - j), -0.75)
    return jnp.asarray(matrix)


def _keys(t: float, a: float) -> float:
    """The kernel of cubic convolution."""
    if t <= 1:
        return (a + 2) * t**3 - (a + 3) * t**2 + 1
    return a * (t**3 - 5 * t**2 + 8 * t - 4) if t < 2 else 0.0


def windows(x: Any, window: Any, stride: Any, padding: Any, dilation: Any) -> Any:
    """Each window over the axes before the last, as axes after those."""
    n = len(window) if isinstance(window, list | tuple) else x.ndim - 2
    window, stride = per_axis(window, n), per_axis(stride, n)
    dilation, lead = per_axis(dilation, n), x.ndim - n - 1
    pads = pad_same(x.shape[lead:-1], window, stride, padding, dilation)
    x = jnp.pad(x, [(0, 0)] * lead + pads + [(0, 0)])
    for i in range(n):
        reach = (window[i] - 1) * dilation[i] + 1
        ends = range(reach, x.shape[lead + i] + 1, stride[i])
        cut = [slice(None)] * (lead + i)
        taken = [x[(*cut, slice(e - reach, e, dilation[i]))] for e in ends]
        x = jnp.moveaxis(jnp.stack(taken, lead + i), lead + i + 1, -2)
    return x
