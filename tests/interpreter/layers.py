"""The layers of the library, as functions: weights, inputs, then parameters.

`w(name, ...)` reads the weight at a path below the layer's; `w.train` says whether it is training.
"""

from __future__ import annotations

import math
from typing import Any

import jax
import jax.numpy as jnp

from .attention import attention
from .values import Refused, Tensor, key, position
from .windows import pad_same, per_axis

REQUIRED: Any = object()


def affine(x: Any, w: Any, *path: str, out: Any, bias: bool = True) -> Any:
    """x times a kernel, and a bias."""
    y = jnp.tensordot(x, w(*path, "kernel", sizes=(x.shape[-1], *out)), 1)
    return y + w(*path, "bias") if bias else y


def Linear(w, x, /, out=REQUIRED, *, over=None, bias=True, **inits):
    axes = [-1] if over is None else [_contracted(a, x) for a in over]
    axes = _last_axes(x, over) if over is not None and None in axes else axes
    places = [range(x.ndim)[a] for a in axes]
    out = list(out) if isinstance(out, list | tuple) else [out]
    kernel = w("kernel", sizes=[*(x.shape[i] for i in places), *out])
    y = jnp.tensordot(x.array, kernel, (places, list(range(len(places)))))
    if bias:
        y = y + w("bias")
    kept = [n for i, n in enumerate(x.names) if i not in places]
    return Tensor(y, [*kept, *[None] * (y.ndim - len(kept))])


def _contracted(axis: Any, x: Tensor) -> int | None:
    try:
        return position(axis, x)
    except LookupError:
        return None


def _last_axes(x: Tensor, over: list[Any]) -> list[int]:
    """Axes that have one size and follow each other at the end."""
    return list(range(x.ndim - len(over), x.ndim))


def Embed(w, ids, /, vocab=REQUIRED, d=REQUIRED, *, padding=None, embedding_init=None):
    table = w("embedding", sizes=(vocab, d))
    if padding is not None:
        at = jnp.arange(table.shape[0])[:, None] == padding
        table = jnp.where(at, jax.lax.stop_gradient(table), table)
    return Tensor(table[ids.array], [*ids.names, None])


def embed_attend(w, x, /, **params):
    return x.array @ w("embedding").T


def Attention(
    w, x, context=None, mask=None, /, heads=REQUIRED, *, kv_heads=None, head_dim=None,
    causal=False, bias=True, **inits,
):  # fmt: skip
    context = x if context is None else context
    size = x.shape[-1] // heads if head_dim is None else head_dim
    q = affine(x.array, w, "query", out=(heads, size), bias=bias)
    pairs = (kv_heads or heads, size)
    k = affine(context.array, w, "key", out=pairs, bias=bias)
    v = affine(context.array, w, "value", out=pairs, bias=bias)
    y = attention(q, k, v, mask=None if mask is None else mask.array, causal=causal)
    kernel = w("out", "kernel", sizes=(heads, size, x.shape[-1]))
    y = jnp.tensordot(y, kernel, 2)
    return y + w("out", "bias") if bias else y


def _normal(x: Any, axes: Any, eps: float) -> Any:
    x32 = x.astype(jnp.promote_types(x.dtype, jnp.float32))
    mean = x32.mean(axes, keepdims=True)
    var = jnp.square(x32 - mean).mean(axes, keepdims=True)
    return (x32 - mean) * jax.lax.rsqrt(var + eps)


def _scaled(w: Any, y: Any, scale: bool, bias: bool) -> Any:
    sizes = y.shape[-1:]
    y = y * w("scale", sizes=sizes) if scale else y
    return y + w("bias", sizes=sizes) if bias else y


def LayerNorm(w, x, /, *, eps=1e-6, scale=True, bias=True, **inits):
    return _scaled(w, _normal(x.array, -1, eps), scale, bias)


def RMSNorm(w, x, /, *, eps=1e-6, scale=True, scale_init=None):
    square = jnp.square(x.array).mean(-1, keepdims=True)
    return _scaled(w, x.array * jax.lax.rsqrt(square + eps), scale, False)


def InstanceNorm(w, x, /, *, eps=1e-6, scale=True, bias=True, **inits):
    axes = tuple(range(1, x.ndim - 1))
    return _scaled(w, _normal(x.array, axes, eps), scale, bias)


def GroupNorm(w, x, /, groups=32, *, eps=1e-6, scale=True, bias=True, **inits):
    split = x.array.reshape(*x.shape[:-1], groups, -1)
    axes = (*range(1, x.ndim - 1), x.ndim)
    return _scaled(w, _normal(split, axes, eps).reshape(x.shape), scale, bias)


def BatchNorm(
    w, x, /, *, momentum=0.99, eps=1e-5, unbiased=False, scale=True, bias=True, **inits
):
    axes = tuple(range(x.ndim - 1))
    mean, var = w("mean"), w("var")
    if w.train:
        count = math.prod(x.shape[:-1])
        own = x.array.mean(axes), x.array.var(axes)
        seen = own[1] * count / (count - 1) if unbiased else own[1]
        w.write(momentum * mean + (1 - momentum) * own[0], "mean")
        w.write(momentum * var + (1 - momentum) * seen, "var")
        mean, var = own
    y = (x.array - mean) * jax.lax.rsqrt(var + eps)
    return _scaled(w, y, scale, bias)


def PReLU(w, x, /, negative_slope=0.01):
    return jnp.where(x.array >= 0, x.array, w("negative_slope") * x.array)


def Dropout(w, x, /, rate=REQUIRED, *, rng=None, axes=()):
    if not w.train or rate == 0:
        return x
    places = [position(a, x) for a in axes]
    shape = [1 if i in places else n for i, n in enumerate(x.shape)]
    kept = jax.random.bernoulli(key(), 1 - rate, shape)
    return jnp.where(kept, x.array / (1 - rate), 0)


def DropPath(w, x, /, rate=REQUIRED, *, rng=None):
    if not w.train or rate == 0:
        return x
    return Dropout(w, x, rate, axes=range(1, x.ndim))


def _kernel(w: Any, weight_norm: str | None) -> Any:
    """A kernel, of which lengths may be learned apart from directions."""
    if weight_norm is None:
        return w("kernel"), w, ()
    kernel, scale = w("layer", "kernel"), w("scale")
    axis = {"out": (-1,), "in": (-2,), "window": range(kernel.ndim - 2)}[weight_norm]
    kept = {range(kernel.ndim)[a] for a in axis}
    others = tuple(i for i in range(kernel.ndim) if i not in kept)
    length = jnp.sqrt(jnp.square(kernel).sum(others, keepdims=True))
    return kernel * scale / length, w, ("layer",)


def Conv(
    w, x, /, features=REQUIRED, window=REQUIRED, stride=1, *, padding="same", dilation=1,
    groups=1, bias=True, weight_norm=None, **inits,
):  # fmt: skip
    kernel, w, inside = _kernel(w, weight_norm)
    window = per_axis(window, kernel.ndim - 2)
    fits(kernel, [*window, x.shape[-1] // groups, features])
    y = convolved(x.array, kernel, stride, padding, dilation, groups)
    return Tensor(y + w(*inside, "bias") if bias else y, x.names)


def fits(kernel: Any, sizes: list[int]) -> None:
    """A kernel is of the sizes that parameters give it."""
    if list(kernel.shape) != sizes:
        raise Refused(f"kernel: {list(kernel.shape)}, not {sizes}")


def convolved(
    x: Any, kernel: Any, stride: Any, padding: Any, dilation: Any, groups: int
) -> Any:
    """A convolution of [batch..., space..., channels] by [window..., channels, features]."""
    n = kernel.ndim - 2
    flat = x.reshape(-1, *x.shape[x.ndim - n - 1 :])
    window = kernel.shape[:-2]
    stride, dilation = per_axis(stride, n), per_axis(dilation, n)
    pads = pad_same(flat.shape[1:-1], window, stride, padding, dilation)
    y = jax.lax.conv_general_dilated(
        flat, kernel, stride, pads, rhs_dilation=dilation, feature_group_count=groups,
        dimension_numbers=_layout(n),
    )  # fmt: skip
    return y.reshape(*x.shape[: x.ndim - n - 1], *y.shape[1:])


def _layout(n: int) -> tuple[str, str, str]:
    space = "DHW"[-n:]
    return f"N{space}C", f"{space}IO", f"N{space}C"


def ConvTranspose(
    w, x, /, features=REQUIRED, window=REQUIRED, stride=1, *, padding="same",
    output_padding=0, dilation=1, groups=1, bias=True, weight_norm=None, **inits,
):  # fmt: skip
    kernel, w, inside = _kernel(w, weight_norm)
    if isinstance(window, list | tuple) and len(window) == 1:
        (window,) = window
    n = len(window) if isinstance(window, list | tuple) else x.ndim - 2
    sides = [x.shape[-1], features]
    if kernel.ndim > n + 2:
        sides = [x.shape[-1] // groups, groups, features // groups]
    fits(kernel, [*per_axis(window, n), *sides])
    if kernel.ndim == n + 2:
        kernel = kernel[..., None, :]
    flat = x.array.reshape(-1, *x.shape[x.ndim - n - 1 :])
    stride, dilation = per_axis(stride, n), per_axis(dilation, n)
    pads: Any = padding.upper() if isinstance(padding, str) else None
    if pads is None:
        reach = [d * (k - 1) for d, k in zip(dilation, kernel.shape, strict=False)]
        cut, more = per_axis(padding, n), per_axis(output_padding, n)
        pads = [(r - c, r - c + m) for r, c, m in zip(reach, cut, more, strict=True)]
    parts = []
    for i, part in enumerate(jnp.split(flat, groups, axis=-1)):
        own = kernel[..., i, :]
        parts.append(
            jax.lax.conv_transpose(
                part, own, stride, pads, rhs_dilation=dilation, dimension_numbers=_layout(n)
            )
        )  # fmt: skip
    y = jnp.concatenate(parts, axis=-1)
    y = y.reshape(*x.shape[: x.ndim - n - 1], *y.shape[1:])
    return Tensor(y + w(*inside, "bias") if bias else y, x.names)


def _lstm(w: Any, x: Any, h: Any, c: Any) -> tuple[Any, Any]:
    out = (4 * h.shape[-1],)
    both = affine(x, w, "input", out=out) + affine(h, w, "recurrent", out=out)
    i, f, g, o = jnp.split(both, 4, -1)
    c = jax.nn.sigmoid(f) * c + jax.nn.sigmoid(i) * jnp.tanh(g)
    return jax.nn.sigmoid(o) * jnp.tanh(c), c


def _gru(w: Any, x: Any, h: Any) -> tuple[Any]:
    out = (3 * h.shape[-1],)
    ur, uz, un = jnp.split(affine(x, w, "input", out=out), 3, -1)
    vr, vz, vn = jnp.split(affine(h, w, "recurrent", out=out), 3, -1)
    z = jax.nn.sigmoid(uz + vz)
    n = jnp.tanh(un + jax.nn.sigmoid(ur + vr) * vn)
    return ((1 - z) * n + z * h,)


def LSTMCell(w, x, h, c, /, hidden=REQUIRED, **inits):
    return _lstm(w, x.array, h.array, c.array)


def GRUCell(w, x, h, /, hidden=REQUIRED, **inits):
    return _gru(w, x.array, h.array)[0]


def _run(
    step: Any,
    w: Any,
    x: Tensor,
    start: list[Any],
    mask: Any,
    hidden: int,
    reverse: bool,
) -> Any:
    """A recurrence along the axis before the last: what comes out, and the last state."""
    xs = jnp.moveaxis(x.array, -2, 0)
    zeros = jnp.zeros((*xs.shape[1:-1], hidden))
    state = [zeros if s is None else s.array for s in start]
    keep = None if mask is None else jnp.moveaxis(mask.array, -1, 0)[..., None]
    out: list[Any] = [None] * len(xs)
    for t in reversed(range(len(xs))) if reverse else range(len(xs)):
        new = step(w, xs[t], *state)
        if keep is not None:
            new = [jnp.where(keep[t], a, b) for a, b in zip(new, state, strict=True)]
        out[t] = new[0] if keep is None else jnp.where(keep[t], new[0], 0)
        state = list(new)
    return Tensor(jnp.stack(out, -2), [*x.names[:-1], None]), *state


def LSTM(
    w, x, h=None, c=None, mask=None, /, hidden=REQUIRED, *, reverse=False, **inits
):
    return lstm_run(w, x, h, c, mask, hidden, reverse=reverse)[0]


def lstm_run(
    w, x, h=None, c=None, mask=None, /, hidden=REQUIRED, *, reverse=False, **inits
):
    return _run(_lstm, w, x, [h, c], mask, hidden, reverse)


def GRU(w, x, h=None, mask=None, /, hidden=REQUIRED, *, reverse=False, **inits):
    return gru_run(w, x, h, mask, hidden, reverse=reverse)[0]


def gru_run(w, x, h=None, mask=None, /, hidden=REQUIRED, *, reverse=False, **inits):
    return _run(_gru, w, x, [h], mask, hidden, reverse)


LAYERS = {
    f.__name__: f
    for f in (
        Attention, BatchNorm, Conv, ConvTranspose, Dropout, DropPath, Embed, GroupNorm, GRU,
        GRUCell, InstanceNorm, LayerNorm, Linear, LSTM, LSTMCell, PReLU, RMSNorm,
    )
}  # fmt: skip
METHODS = {
    ("Embed", "attend"): embed_attend,
    ("LSTM", "run"): lstm_run,
    ("GRU", "run"): gru_run,
}
