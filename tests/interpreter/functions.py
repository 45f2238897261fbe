"""The functions of the library, of arrays; `shaping` has those that move axes.

Each is called with arrays in place of tensors. Names of axes go on where the shape stays (see
`values.named`); those that need names, or give others, are in `shaping`.
"""

from __future__ import annotations

import math
from typing import Any

import jax
import jax.numpy as jnp

from .attention import attention, rope, rotate
from .values import DTYPES, key
from .windows import avg_pool, max_pool, per_axis, resized, windows


def _clip(x, min=None, max=None):
    return jnp.clip(x, min, max)


def _glu(x, axis=-1):
    a, b = jnp.split(x, 2, axis)
    return a * jax.nn.sigmoid(b)


def _norm(x, axis=None, keepdims=False):
    return jnp.sqrt(jnp.square(x).sum(axis, keepdims=keepdims))


def _std(x, axis=None, keepdims=False, *, ddof=0):
    return jnp.std(x, axis, ddof=ddof, keepdims=keepdims)


def _var(x, axis=None, keepdims=False, *, ddof=0):
    return jnp.var(x, axis, ddof=ddof, keepdims=keepdims)


def _standardize(x, axis=-1):
    return jax.nn.standardize(x, axis)


def _sort(x, axis=-1, *, descending=False):
    return jnp.sort(x, axis, descending=descending)


def _argsort(x, axis=-1, *, descending=False):
    return jnp.argsort(x, axis, descending=descending)


def _reduction(f: Any) -> Any:
    def reduce(x, axis=None, keepdims=False):
        return f(x, axis, keepdims=keepdims)

    return reduce


def _logsumexp(x, axis=None, keepdims=False):
    return jax.nn.logsumexp(x, axis, keepdims=keepdims)


def _along(f: Any) -> Any:
    def along(x, axis=-1, keepdims=False):
        return f(x, axis, keepdims=keepdims)

    return along


REDUCTIONS = {
    name: _reduction(getattr(jnp, name))
    for name in ("sum", "mean", "max", "min", "prod", "all", "any")
} | {
    "argmax": _along(jnp.argmax), "argmin": _along(jnp.argmin), "norm": _norm, "std": _std,
    "var": _var, "logsumexp": _logsumexp,
}  # fmt: skip


def _pad(x, before=0, after=0, *, axis=-1, value=0, mode="constant"):
    axes = axis if isinstance(axis, list) else [axis]
    widths = [(0, 0)] * x.ndim
    ends = per_axis(before, len(axes)), per_axis(after, len(axes))
    for place, low, high in zip(axes, *ends, strict=True):
        widths[place] = (low, high)
    if mode == "constant":
        return jnp.pad(x, widths, constant_values=value)
    return jnp.pad(x, widths, mode)


def _shift(x, n=1):
    kept = x[:, : max(x.shape[1] - n, 0)]
    return jnp.concatenate([jnp.zeros_like(x)[:, : min(n, x.shape[1])], kept], 1)


def _state_space(x, log_decay, b, c):
    b, c = (jnp.repeat(v, x.shape[2] // v.shape[2], 2) for v in (b, c))
    h, ys = jnp.zeros((*x.shape[:1], *x.shape[2:], b.shape[-1]), x.dtype), []
    for t in range(x.shape[1]):
        h = jnp.exp(log_decay[:, t])[..., None, None] * h
        h = h + x[:, t, ..., None] * b[:, t, :, None]
        ys.append((h * c[:, t, :, None]).sum(-1))
    return jnp.stack(ys, 1)


def _adaptive(x, size):
    n = len(size) if isinstance(size, list | tuple) else x.ndim - 2
    sizes = x.shape[x.ndim - 1 - n : -1]
    tiles = [s // t for s, t in zip(sizes, per_axis(size, n), strict=True)]
    return avg_pool(x, tiles, None, "valid", True)


def _max_pool(x, window, stride=None, *, padding="valid", ceil=False):
    return max_pool(x, window, stride, padding, ceil)


def _avg_pool(x, window, stride=None, *, padding="valid", count_padding=True):
    return avg_pool(x, window, stride, padding, count_padding)


def _resize(x, size, method="nearest", *, antialias=None, corners=False):
    return resized(x, size, method, antialias, corners)


def _upsample(x, factor, method="nearest", *, corners=False):
    n = len(factor) if isinstance(factor, list | tuple) else x.ndim - 2
    sizes = x.shape[x.ndim - 1 - n : -1]
    size = [s * f for s, f in zip(sizes, per_axis(factor, n), strict=True)]
    return resized(x, size, method, None, corners)


def _unfold(x, window, stride=1, *, padding="valid", dilation=1):
    return windows(x, window, stride, padding, dilation)


def _convolve(x, kernel, stride=1, *, padding="same", dilation=1, groups=1):
    from .layers import convolved

    return convolved(x, kernel, stride, padding, dilation, groups)


def _sinusoidal(length, d, theta=10000.0):
    rates = theta ** (-jnp.arange(0, d, 2) / d)
    angles = jnp.arange(length)[:, None] * rates
    both = jnp.stack([jnp.sin(angles), jnp.cos(angles)], -1).reshape(length, -1)
    return both[:, :d]


def _tri(f: Any) -> Any:
    def triangle(x, k=0):
        return f(x, k)

    return triangle


def _indices(f: Any) -> Any:
    def indices(n, k=0):
        return f(n, k)

    return indices


def _positions(x):
    return jnp.broadcast_to(jnp.arange(x.shape[1]), x.shape[:2])


def _segment_positions(segments):
    t = jnp.arange(segments.shape[1])
    new = segments != jnp.roll(segments, 1, 1)
    starts = jnp.where(new | (t == 0), t, 0)
    return t - jax.lax.cummax(starts, axis=1)


def _segment_sum(x, ids, n):
    return jax.ops.segment_sum(x, ids, n)


def _segment_max(x, ids, n):
    return jax.ops.segment_max(x, ids, n)


def _parts(result: Any) -> Any:
    return jnp.real(result), jnp.imag(result)


def _complex(re: Any, im: Any) -> Any:
    return re if im is None else jax.lax.complex(re, im)


def _fft(re, im=None, axis=-1, *, norm="backward"):
    return _parts(jnp.fft.fft(_complex(re, im), axis=axis, norm=norm))


def _ifft(re, im=None, axis=-1, *, norm="backward"):
    return _parts(jnp.fft.ifft(_complex(re, im), axis=axis, norm=norm))


def _rfft(x, axis=-1, *, norm="backward"):
    return _parts(jnp.fft.rfft(x, axis=axis, norm=norm))


def _irfft(re, im, n=None, axis=-1, *, norm="backward"):
    return jnp.fft.irfft(_complex(re, im), n, axis, norm)


def _take(x, indices, axis=0):
    """x and indices share the axes ahead of the one that is taken from."""
    take = lambda x, indices: x[indices]  # noqa: E731
    for _ in range(axis):
        take = jax.vmap(take)
    return take(x, indices)


def _arange(start, stop=None, step=1):
    return jnp.arange(start, stop, step) if stop is not None else jnp.arange(start)


def _linspace(start, stop, n, *, dtype="float"):
    return jnp.linspace(start, stop, n, dtype=DTYPES[dtype])


def _tensor(values, *, dtype=None):
    made = jnp.asarray(values)
    return made if dtype is None else made.astype(DTYPES[dtype])


def _eye(n, m=None, *, dtype="float"):
    return jnp.eye(n, m, dtype=DTYPES[dtype])


def _one_hot(ids, n, *, dtype="float"):
    return jax.nn.one_hot(ids, n, dtype=DTYPES[dtype])


def _astype(x, dtype):
    return jnp.asarray(x).astype(DTYPES[dtype])


def _split(x, parts, axis=-1):
    if isinstance(parts, list):
        ends = [sum(parts[: i + 1]) for i in range(len(parts) - 1)]
        return tuple(jnp.split(x, ends, axis))
    return tuple(jnp.split(x, parts, axis))


def _top_k(x, k):
    return tuple(jax.lax.top_k(x, k))


def _categorical(logits, *, rng=None):
    return jax.random.categorical(key(), logits)


def _gelu(x, approximate=True):
    return jax.nn.gelu(x, approximate)


def _leaky_relu(x, negative_slope=0.01):
    return jax.nn.leaky_relu(x, negative_slope)


def _elu(x, alpha=1.0):
    return jnp.where(x > 0, x, alpha * jnp.expm1(jnp.minimum(x, 0)))


def _celu(x, alpha=1.0):
    return jax.nn.celu(x, alpha)


def _unary(f: Any) -> Any:
    def unary(x):
        return f(x)

    return unary


def _binary(f: Any) -> Any:
    def binary(x, y):
        return f(x, y)

    return binary


UNARY = {
    **{n: getattr(jnp, n) for n in (
        "abs", "ceil", "floor", "exp", "expm1", "log", "log1p", "log2", "sqrt", "square", "sin",
        "cos", "tan", "sinh", "cosh", "tanh", "arctan", "sign", "round", "isnan", "isfinite",
        "logical_not",
    )},
    **{n: getattr(jax.nn, n) for n in (
        "relu", "relu6", "sigmoid", "silu", "softplus", "soft_sign", "hard_sigmoid", "hard_silu",
        "hard_tanh", "log_sigmoid", "mish", "selu", "squareplus", "sparse_plus",
        "sparse_sigmoid",
    )},
    "erf": jax.scipy.special.erf,
    "rsqrt": jax.lax.rsqrt,
    "quick_gelu": lambda x: x * jax.nn.sigmoid(1.702 * x),
    "stop_gradient": jax.lax.stop_gradient,
}  # fmt: skip
BINARY = {
    n: getattr(jnp, n)
    for n in (
        "maximum", "minimum", "power", "logaddexp", "arctan2", "logical_and", "logical_or",
        "logical_xor", "matmul", "vecdot",
    )
}  # fmt: skip


def _where(condition, x, y):
    return jnp.where(condition, x, y)


def _softmax(x, axis=-1):
    return jax.nn.softmax(x, axis)


def _log_softmax(x, axis=-1):
    return jax.nn.log_softmax(x, axis)


def _cumsum(x, axis=-1):
    return jnp.cumsum(x, axis)


def _cumprod(x, axis=-1):
    return jnp.cumprod(x, axis)


def _flip(x, axis=-1):
    return jnp.flip(x, tuple(axis) if isinstance(axis, list) else axis)


def _repeat(x, n, axis=-1):
    return jnp.repeat(x, n, axis)


def _roll(x, shift, axis=-1):
    axes = axis if isinstance(axis, list) else [axis]
    for by, place in zip(per_axis(shift, len(axes)), axes, strict=True):
        x = jnp.roll(x, by, place)
    return x


def _take_along_axis(x, indices, axis=-1):
    return jnp.take_along_axis(x, indices, axis)


def _expert_dot(x, kernels, chosen):
    x = x if x.ndim > chosen.ndim else x[..., None, :]
    return jnp.squeeze(x[..., None, :] @ kernels[chosen], -2)


def _tile(x, times):
    return jnp.tile(x, tuple(times) if isinstance(times, list) else times)


FUNCTIONS = {
    **{name: _unary(f) for name, f in UNARY.items()},
    **{name: _binary(f) for name, f in BINARY.items()},
    **REDUCTIONS,
    "adaptive_avg_pool": _adaptive, "arange": _arange, "argsort": _argsort, "astype": _astype,
    "attend": attention, "avg_pool": _avg_pool, "categorical": _categorical, "celu": _celu,
    "clip": _clip, "convolve": _convolve, "cumprod": _cumprod, "cumsum": _cumsum, "elu": _elu,
    "expert_dot": _expert_dot, "eye": _eye, "fft": _fft, "flip": _flip, "gelu": _gelu, "glu": _glu, "ifft": _ifft,
    "irfft": _irfft, "leaky_relu": _leaky_relu, "linspace": _linspace, "tensor": _tensor,
    "log_softmax": _log_softmax, "max_pool": _max_pool, "one_hot": _one_hot, "pad": _pad,
    "positions": _positions, "repeat": _repeat, "resize": _resize, "rfft": _rfft,
    "roll": _roll, "rope": rope, "rotate": rotate, "segment_max": _segment_max,
    "segment_positions": _segment_positions, "segment_sum": _segment_sum, "shift": _shift,
    "sinusoidal": _sinusoidal, "softmax": _softmax, "sort": _sort, "split": _split,
    "standardize": _standardize, "state_space": _state_space, "take": _take,
    "take_along_axis": _take_along_axis,
    "tile": _tile, "top_k": _top_k, "tril": _tri(jnp.tril), "triu": _tri(jnp.triu),
    "tril_indices": _indices(jnp.tril_indices), "triu_indices": _indices(jnp.triu_indices),
    "unfold": _unfold, "upsample": _upsample, "where": _where,
}  # fmt: skip


def divisible(x: float, by: int, least: int | None = None) -> int:
    """A number of channels as MobileNet rounds it."""
    new = max(by if least is None else least, int(x + by / 2) // by * by)
    return new + by if new < 0.9 * x else new


def _listed(f: Any) -> Any:
    return lambda *values: f(values[0] if len(values) == 1 else values)


STATIC = {
    "len": len, "min": _listed(min), "max": _listed(max), "sum": sum, "prod": math.prod,
    "abs": abs, "int": int, "float": float, "round": round, "ceil": math.ceil,
    "floor": math.floor, "sqrt": math.sqrt, "log": math.log, "log2": math.log2,
    "exp": math.exp, "divisible": divisible, "range": range, "reversed": lambda x: list(x)[::-1],
    "enumerate": lambda x: list(enumerate(x)), "zip": lambda *x: list(zip(*x, strict=True)),
}  # fmt: skip
"""Functions of what is known when a model is built."""
