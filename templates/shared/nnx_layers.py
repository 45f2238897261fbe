"""Layers that Flax has not, or otherwise: recurrent ones, norms, convolutions."""

from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
from flax import nnx


def as_given(arrays: Any, /, *, dtype: Any = None, inexact: bool = True) -> Any:
    """Nothing is cast: running statistics stay in float32, whatever `dtype` is."""
    return arrays


class BatchNorm(nnx.BatchNorm):
    """Batch normalization whose running variance is the unbiased one, as in PyTorch."""

    def __call__(
        self,
        x: jax.Array,
        use_running_average: bool | None = None,
        *,
        mask: jax.Array | None = None,
    ) -> jax.Array:
        if use_running_average is None:
            use_running_average = self.use_running_average
        decayed = self.momentum * self.var[...]
        n: jax.Array | int = x.size // x.shape[-1]
        y = super().__call__(x, use_running_average, mask=mask)
        if not use_running_average:
            if mask is not None:
                n = jnp.broadcast_to(mask, x.shape)[..., 0].sum()
            self.var[...] = decayed + (self.var[...] - decayed) * n / (n - 1)
        return y


class PaddedEmbed(nnx.Embed):
    """An embedding whose vector for padding does not learn where it is looked up."""

    def __init__(self, vocab: int, d: int, padding: int | None, **options: Any):
        super().__init__(vocab, d, **options)
        self.padding = padding

    def __call__(self, inputs: jax.Array, out_sharding: Any = None) -> jax.Array:
        x = super().__call__(inputs, out_sharding)
        if self.padding is None:
            return x
        padding = inputs == self.padding
        return jnp.where(padding[..., None], jax.lax.stop_gradient(x), x)


class WeightNorm(nnx.Module):
    """A layer whose kernel has directions and, along one axis, learned lengths."""

    def __init__(self, layer: nnx.Conv | nnx.ConvTranspose, axis: int = -1):
        self.layer, self.axis = layer, axis
        self.scale = nnx.Param(self.lengths())

    def lengths(self) -> jax.Array:
        kernel = self.layer.kernel[...]
        others = [i for i in range(kernel.ndim) if i != self.axis % kernel.ndim]
        return jnp.sqrt(jnp.sum(jnp.square(kernel), others, keepdims=True))

    def __call__(self, x: jax.Array) -> jax.Array:
        layer = nnx.clone(self.layer)
        layer.kernel[...] *= self.scale[...] / self.lengths()
        return layer(x)


class GroupedConvTranspose(nnx.Module):
    """Transposed convolution in groups of channels that do not mix."""

    def __init__(
        self,
        in_features: int,
        out_features: int,
        kernel_size: tuple[int, ...],
        groups: int,
        *,
        strides: tuple[int, ...] = (),
        padding: str | tuple[tuple[int, int], ...] = "SAME",
        kernel_dilation: tuple[int, ...] = (),
        use_bias: bool = True,
        kernel_init: nnx.Initializer | None = None,
        bias_init: nnx.Initializer = nnx.initializers.zeros,
        dtype: jax.typing.DTypeLike | None = None,
        param_dtype: jax.typing.DTypeLike = jnp.float32,
        rngs: nnx.Rngs,
    ):
        shape = (*kernel_size, in_features // groups, out_features)
        kernel_init = kernel_init or nnx.initializers.lecun_normal()
        kernel = kernel_init(rngs.params(), shape, param_dtype)
        self.kernel = nnx.Param(kernel.reshape(*shape[:-1], groups, -1))
        bias = bias_init(rngs.params(), (out_features,), param_dtype)
        self.bias = nnx.data(nnx.Param(bias) if use_bias else None)
        self.strides = strides or (1,) * len(kernel_size)
        self.dilation = kernel_dilation or (1,) * len(kernel_size)
        self.padding, self.dtype = padding, dtype

    def __call__(self, x: jax.Array) -> jax.Array:
        dtype = self.dtype or jnp.result_type(x, self.kernel[...])
        x, kernel = x.astype(dtype), self.kernel[...].astype(dtype)
        lead, space = x.shape[: 2 - kernel.ndim], x.shape[2 - kernel.ndim : -1]
        groups = x.reshape(-1, *space, kernel.shape[-2], kernel.shape[-3])

        def convolve(x: jax.Array, kernel: jax.Array) -> jax.Array:
            return jax.lax.conv_transpose(
                x, kernel, self.strides, self.padding, rhs_dilation=self.dilation
            )

        y = jax.vmap(convolve, in_axes=-2, out_axes=-2)(groups, kernel)
        y = y.reshape(*lead, *y.shape[1:-2], -1)
        return y if self.bias is None else y + self.bias[...].astype(dtype)


def orthogonal(
    key: jax.Array, shape: tuple[int, ...], dtype: jax.typing.DTypeLike, *_: Any
) -> jax.Array:
    """Orthogonal weights, drawn in float32: half precision cannot be decomposed."""
    return nnx.initializers.orthogonal()(key, shape).astype(dtype)


class LSTM(nnx.Module):
    """Long short-term memory over time: (..., t, d) -> (..., t, hidden)."""

    def __init__(
        self,
        d: int,
        hidden: int,
        *,
        reverse: bool = False,
        kernel_init: nnx.Initializer | None = None,
        recurrent_kernel_init: nnx.Initializer = orthogonal,
        bias_init: nnx.Initializer = nnx.initializers.zeros,
        dtype: jax.typing.DTypeLike | None = None,
        param_dtype: jax.typing.DTypeLike = jnp.float32,
        rngs: nnx.Rngs,
    ):
        self.hidden, self.reverse = hidden, reverse
        kernel_init = kernel_init or nnx.initializers.lecun_normal()
        linear = partial(
            nnx.Linear,
            bias_init=bias_init,
            dtype=dtype,
            param_dtype=param_dtype,
            rngs=rngs,
        )
        self.input = linear(d, 4 * hidden, kernel_init=kernel_init)
        self.recurrent = linear(hidden, 4 * hidden, kernel_init=recurrent_kernel_init)

    def __call__(self, x: jax.Array, **more: jax.Array) -> jax.Array:
        return self.run(x, **more)[0]

    def run(
        self,
        x: jax.Array,
        h: jax.Array | None = None,
        c: jax.Array | None = None,
        mask: jax.Array | None = None,
    ) -> tuple[jax.Array, jax.Array, jax.Array]:
        """The h of all steps, and the last h and c; masked steps change neither."""
        inputs = jnp.moveaxis(self.input(x), -2, 0)  # (t, ..., 4 * hidden)
        keep = None if mask is None else jnp.moveaxis(mask, -1, 0)[..., None]
        zeros = jnp.zeros((*inputs.shape[1:-1], self.hidden), inputs.dtype)

        def step(
            carry: tuple[jax.Array, jax.Array], xs: tuple[jax.Array, jax.Array | None]
        ) -> tuple[tuple[jax.Array, jax.Array], jax.Array]:
            (h, c), (u, keep) = carry, xs
            i, f, g, o = jnp.split(u + self.recurrent(h), 4, axis=-1)
            c = nnx.sigmoid(f) * c + nnx.sigmoid(i) * nnx.tanh(g)
            h = nnx.sigmoid(o) * nnx.tanh(c)
            if keep is None:
                return (h, c), h
            carry = jnp.where(keep, h, carry[0]), jnp.where(keep, c, carry[1])
            return carry, jnp.where(keep, h, 0)

        start = (zeros if h is None else h, zeros if c is None else c)
        last, ys = jax.lax.scan(step, start, (inputs, keep), reverse=self.reverse)
        return jnp.moveaxis(ys, 0, -2), *last


class LSTMCell(nnx.Module):
    """One step of long short-term memory: (..., d) and the last h and c to the next."""

    def __init__(
        self,
        d: int,
        hidden: int,
        *,
        kernel_init: nnx.Initializer | None = None,
        recurrent_kernel_init: nnx.Initializer = orthogonal,
        bias_init: nnx.Initializer = nnx.initializers.zeros,
        dtype: jax.typing.DTypeLike | None = None,
        param_dtype: jax.typing.DTypeLike = jnp.float32,
        rngs: nnx.Rngs,
    ):
        kernel_init = kernel_init or nnx.initializers.lecun_normal()
        linear = partial(
            nnx.Linear,
            bias_init=bias_init,
            dtype=dtype,
            param_dtype=param_dtype,
            rngs=rngs,
        )
        self.input = linear(d, 4 * hidden, kernel_init=kernel_init)
        self.recurrent = linear(hidden, 4 * hidden, kernel_init=recurrent_kernel_init)

    def __call__(
        self, x: jax.Array, h: jax.Array, c: jax.Array
    ) -> tuple[jax.Array, jax.Array]:
        i, f, g, o = jnp.split(self.input(x) + self.recurrent(h), 4, axis=-1)
        c = nnx.sigmoid(f) * c + nnx.sigmoid(i) * nnx.tanh(g)
        return nnx.sigmoid(o) * nnx.tanh(c), c


class GRU(nnx.Module):
    """Gated recurrent unit over time: (..., t, d) -> (..., t, hidden)."""

    def __init__(
        self,
        d: int,
        hidden: int,
        *,
        reverse: bool = False,
        kernel_init: nnx.Initializer | None = None,
        recurrent_kernel_init: nnx.Initializer = orthogonal,
        bias_init: nnx.Initializer = nnx.initializers.zeros,
        dtype: jax.typing.DTypeLike | None = None,
        param_dtype: jax.typing.DTypeLike = jnp.float32,
        rngs: nnx.Rngs,
    ):
        self.hidden, self.reverse = hidden, reverse
        kernel_init = kernel_init or nnx.initializers.lecun_normal()
        linear = partial(
            nnx.Linear,
            bias_init=bias_init,
            dtype=dtype,
            param_dtype=param_dtype,
            rngs=rngs,
        )
        self.input = linear(d, 3 * hidden, kernel_init=kernel_init)
        self.recurrent = linear(hidden, 3 * hidden, kernel_init=recurrent_kernel_init)

    def __call__(self, x: jax.Array, **more: jax.Array) -> jax.Array:
        return self.run(x, **more)[0]

    def run(
        self,
        x: jax.Array,
        h: jax.Array | None = None,
        mask: jax.Array | None = None,
    ) -> tuple[jax.Array, jax.Array]:
        """The h of all steps, and the last h; masked steps do not change it."""
        inputs = jnp.moveaxis(self.input(x), -2, 0)  # (t, ..., 3 * hidden)
        keep = None if mask is None else jnp.moveaxis(mask, -1, 0)[..., None]
        zeros = jnp.zeros((*inputs.shape[1:-1], self.hidden), inputs.dtype)

        def step(
            h: jax.Array, xs: tuple[jax.Array, jax.Array | None]
        ) -> tuple[jax.Array, jax.Array]:
            u, keep = xs
            ur, uz, un = jnp.split(u, 3, axis=-1)
            vr, vz, vn = jnp.split(self.recurrent(h), 3, axis=-1)
            z = nnx.sigmoid(uz + vz)
            n = nnx.tanh(un + nnx.sigmoid(ur + vr) * vn)
            new = (1 - z) * n + z * h
            if keep is None:
                return new, new
            return jnp.where(keep, new, h), jnp.where(keep, new, 0)

        start = zeros if h is None else h
        last, ys = jax.lax.scan(step, start, (inputs, keep), reverse=self.reverse)
        return jnp.moveaxis(ys, 0, -2), last


class GRUCell(nnx.Module):
    """One step of a gated recurrent unit: (..., d) and the last h to the next."""

    def __init__(
        self,
        d: int,
        hidden: int,
        *,
        kernel_init: nnx.Initializer | None = None,
        recurrent_kernel_init: nnx.Initializer = orthogonal,
        bias_init: nnx.Initializer = nnx.initializers.zeros,
        dtype: jax.typing.DTypeLike | None = None,
        param_dtype: jax.typing.DTypeLike = jnp.float32,
        rngs: nnx.Rngs,
    ):
        kernel_init = kernel_init or nnx.initializers.lecun_normal()
        linear = partial(
            nnx.Linear,
            bias_init=bias_init,
            dtype=dtype,
            param_dtype=param_dtype,
            rngs=rngs,
        )
        self.input = linear(d, 3 * hidden, kernel_init=kernel_init)
        self.recurrent = linear(hidden, 3 * hidden, kernel_init=recurrent_kernel_init)

    def __call__(self, x: jax.Array, h: jax.Array) -> jax.Array:
        ur, uz, un = jnp.split(self.input(x), 3, axis=-1)
        vr, vz, vn = jnp.split(self.recurrent(h), 3, axis=-1)
        z = nnx.sigmoid(uz + vz)
        n = nnx.tanh(un + nnx.sigmoid(ur + vr) * vn)
        return (1 - z) * n + z * h
