"""Layers that Flax lacks, or that differ from PyTorch's there: norms, convolutions,
recurrent layers."""

from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp
from flax import nnx


def keep_dtypes(arrays: Any, /, *, dtype: Any = None, inexact: bool = True) -> Any:
    """A `promote_dtype` for `nnx.BatchNorm` that casts nothing.

    Flax's own would round the running mean and variance to the `dtype` of the layer, to
    bfloat16 for instance, before they normalize the input.
    """
    return arrays


class BatchNorm(nnx.BatchNorm):
    """Batch normalization with an unbiased running variance, as in PyTorch.

    It is the sum of squares over n - 1, for the n positions of a batch. The batch
    itself is normalized with the biased variance.
    """

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
        y = super().__call__(x, use_running_average, mask=mask)
        if not use_running_average:
            n: jax.Array | int = x.size // x.shape[-1]
            if mask is not None:
                n = jnp.broadcast_to(mask, x.shape)[..., 0].sum()
            # Only what this batch added is biased.
            self.var[...] = decayed + (self.var[...] - decayed) * n / jnp.maximum(
                n - 1, 1
            )
        return y


class PaddedEmbed(nnx.Embed):
    """An embedding whose row for the id `padding` gets no gradient, as in PyTorch.

    The row still learns where the embedding is used otherwise, by `attend` for
    instance. With None, no id is padding.
    """

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
    """Weight normalization (Salimans and Kingma, 2016), along one axis, as in PyTorch.

    The kernel of a layer gives the directions, `scale` the norms of the weights for
    each index of the axis. `nnx.WeightNorm` overwrites the kernel of its layer instead.
    """

    def __init__(self, layer: nnx.Conv | nnx.ConvTranspose, axis: int = -1):
        self.layer, self.axis = layer, axis
        self.scale = nnx.Param(self.norms())

    def norms(self) -> jax.Array:
        """The norms of the kernel, of size 1 along all axes but one."""
        kernel = self.layer.kernel[...]
        others = [i for i in range(kernel.ndim) if i != self.axis % kernel.ndim]
        return jnp.sqrt(jnp.sum(jnp.square(kernel), others, keepdims=True))

    def __call__(self, x: jax.Array) -> jax.Array:
        layer = nnx.clone(self.layer)
        layer.kernel[...] *= self.scale[...] / self.norms()
        return layer(x)


class GroupedConvTranspose(nnx.ConvTranspose):
    """A transposed convolution in groups of channels, which `nnx.ConvTranspose` lacks.

    Maps (..., *space, in_features) to (..., *space, out_features); `options` are those
    of `nnx.ConvTranspose`. The kernel is (*kernel_size, in_features / groups, groups,
    out_features / groups).
    """

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
        **options: Any,
    ):
        super().__init__(in_features // groups, out_features, kernel_size, **options)
        kernel, ones = self.kernel[...], (1,) * len(kernel_size)
        self.kernel = nnx.Param(kernel.reshape(*kernel.shape[:-1], groups, -1))
        self.geometry = strides or ones, padding, kernel_dilation or ones

    def __call__(self, x: jax.Array) -> jax.Array:
        dtype = self.dtype or jnp.result_type(x, self.kernel[...])
        x, kernel = x.astype(dtype), self.kernel[...].astype(dtype)
        batch, space = x.shape[: 2 - kernel.ndim], x.shape[2 - kernel.ndim : -1]
        groups = x.reshape(-1, *space, kernel.shape[-2], kernel.shape[-3])

        def convolve(x: jax.Array, kernel: jax.Array) -> jax.Array:
            return jax.lax.conv_transpose(x, kernel, *self.geometry)

        y = jax.vmap(convolve, in_axes=-2, out_axes=-2)(groups, kernel)
        y = y.reshape(*batch, *y.shape[1:-2], -1)
        return y if self.bias is None else y + self.bias[...].astype(dtype)


def orthogonal(
    key: jax.Array, shape: tuple[int, ...], dtype: jax.typing.DTypeLike, *_: Any
) -> jax.Array:
    """Initialize with an orthogonal matrix, computed in float32 and cast: JAX has no QR
    decomposition in half precision."""
    return nnx.initializers.orthogonal()(key, shape).astype(dtype)


class RecurrentGates(nnx.Module):
    """Projections of the input and of the state h to the gates of a recurrent layer.

    Subclasses say in `step` how the gates change the states. With two biases and one
    matrix for all gates, the weights are those of PyTorch's layers, which Flax's cells
    cannot hold. `options` are those of `nnx.Linear`.
    """

    def __init__(
        self,
        d: int,
        hidden: int,
        gates: int,
        *,
        reverse: bool = False,
        kernel_init: nnx.Initializer | None = None,
        recurrent_kernel_init: nnx.Initializer = orthogonal,
        **options: Any,
    ):
        self.hidden, self.reverse, out = hidden, reverse, gates * hidden
        kernel_init = kernel_init or nnx.initializers.lecun_normal()
        self.input = nnx.Linear(d, out, kernel_init=kernel_init, **options)
        options |= {"kernel_init": recurrent_kernel_init}
        self.recurrent = nnx.Linear(hidden, out, **options)

    def step(self, inputs: jax.Array, *states: jax.Array) -> tuple[jax.Array, ...]:
        """The next states, h first, from the projected input and the last states."""
        raise NotImplementedError

    def over_time(
        self, x: jax.Array, states: Sequence[jax.Array | None], mask: jax.Array | None
    ) -> tuple[jax.Array, ...]:
        """Run over a sequence (..., t, d).

        Args:
          x: the sequence.
          states: the initial states (..., hidden), zeros where they are None.
          mask: False for the steps (..., t) that change no state, and give zeros.

        Returns:
          The h of all steps (..., t, hidden), and the last states.
        """
        inputs = jnp.moveaxis(self.input(x), -2, 0)  # (t, ..., gates * hidden)
        keep = None if mask is None else jnp.moveaxis(mask, -1, 0)[..., None]
        zeros = jnp.zeros((*inputs.shape[1:-1], self.hidden), inputs.dtype)

        def step(
            old: tuple[jax.Array, ...], xs: tuple[jax.Array, jax.Array | None]
        ) -> tuple[tuple[jax.Array, ...], jax.Array]:
            inputs, keep = xs
            new = self.step(inputs, *old)
            if keep is None:
                return new, new[0]
            states = [jnp.where(keep, n, o) for n, o in zip(new, old, strict=True)]
            return tuple(states), jnp.where(keep, new[0], 0)

        start = tuple(zeros if state is None else state for state in states)
        last, ys = jax.lax.scan(step, start, (inputs, keep), reverse=self.reverse)
        return jnp.moveaxis(ys, 0, -2), *last


class LSTMGates(RecurrentGates):
    """The gates of long short-term memory (Hochreiter and Schmidhuber, 1997)."""

    def __init__(self, d: int, hidden: int, **options: Any):
        super().__init__(d, hidden, 4, **options)

    def step(self, inputs: jax.Array, *states: jax.Array) -> tuple[jax.Array, ...]:
        h, c = states
        i, f, g, o = jnp.split(inputs + self.recurrent(h), 4, axis=-1)
        c = nnx.sigmoid(f) * c + nnx.sigmoid(i) * nnx.tanh(g)
        return nnx.sigmoid(o) * nnx.tanh(c), c


class LSTM(LSTMGates):
    """Long short-term memory over a sequence: (..., t, d) -> (..., t, hidden)."""

    def __call__(self, x: jax.Array, **more: jax.Array) -> jax.Array:
        return self.run(x, **more)[0]

    def run(
        self,
        x: jax.Array,
        h: jax.Array | None = None,
        c: jax.Array | None = None,
        mask: jax.Array | None = None,
    ) -> tuple[jax.Array, ...]:
        """The h of all steps, and the last h and c; see `over_time`."""
        return self.over_time(x, (h, c), mask)


class LSTMCell(LSTMGates):
    """One step of long short-term memory: (..., d), h and c to the next h and c."""

    def __call__(
        self, x: jax.Array, h: jax.Array, c: jax.Array
    ) -> tuple[jax.Array, ...]:
        return self.step(self.input(x), h, c)


class GRUGates(RecurrentGates):
    """The gates of a gated recurrent unit (Cho et al., 2014)."""

    def __init__(self, d: int, hidden: int, **options: Any):
        super().__init__(d, hidden, 3, **options)

    def step(self, inputs: jax.Array, *states: jax.Array) -> tuple[jax.Array, ...]:
        (h,) = states
        ur, uz, un = jnp.split(inputs, 3, axis=-1)
        vr, vz, vn = jnp.split(self.recurrent(h), 3, axis=-1)
        z = nnx.sigmoid(uz + vz)
        n = nnx.tanh(un + nnx.sigmoid(ur + vr) * vn)
        return ((1 - z) * n + z * h,)


class GRU(GRUGates):
    """A gated recurrent unit over a sequence: (..., t, d) -> (..., t, hidden)."""

    def __call__(self, x: jax.Array, **more: jax.Array) -> jax.Array:
        return self.run(x, **more)[0]

    def run(
        self,
        x: jax.Array,
        h: jax.Array | None = None,
        mask: jax.Array | None = None,
    ) -> tuple[jax.Array, ...]:
        """The h of all steps, and the last h; see `over_time`."""
        return self.over_time(x, (h,), mask)


class GRUCell(GRUGates):
    """One step of a gated recurrent unit: (..., d) and h to the next h."""

    def __call__(self, x: jax.Array, h: jax.Array) -> jax.Array:
        return self.step(self.input(x), h)[0]
