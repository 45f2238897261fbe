"""Functions that jax.numpy and Flax lack: images, sequences, spectra, sizes."""

import jax
import jax.numpy as jnp
from flax import nnx


def exact_gelu(x: jax.Array) -> jax.Array:
    """GELU itself, not its approximation by tanh."""
    return nnx.gelu(x, approximate=False)


def quick_gelu(x: jax.Array) -> jax.Array:
    """The sigmoid approximation of GELU (Hendrycks and Gimpel, 2016)."""
    return x * nnx.sigmoid(1.702 * x)


def arange_within(*bounds: int, rows: int) -> jax.Array:
    """`jnp.arange(*bounds)` as indices of a table with so many rows.

    Raises:
      ValueError: if the table has too few; a lookup would give NaN.
    """
    start, stop = bounds if len(bounds) == 2 else (0, *bounds)
    if stop > rows:
        raise ValueError(f"{stop} positions are more than the {rows} of a table")
    return jnp.arange(start, stop)


def resize_corners(x: jax.Array, shape: tuple[int, ...], method: str) -> jax.Array:
    """Resize with the corners aligned, as PyTorch does with `align_corners=True`.

    Args:
      x: the array.
      shape: the new shape.
      method: a method of `jax.image.resize`, such as `linear`.
    """
    axes = [i for i, size in enumerate(shape) if size != x.shape[i]]
    scale = [max(shape[i] - 1, 1) / max(x.shape[i] - 1, 1) for i in axes]
    scales = jnp.array(scale, jnp.float32)
    return jax.image.scale_and_translate(
        x, shape, axes, scales, (1 - scales) / 2, method, antialias=False
    )


def resize_bicubic(
    x: jax.Array, shape: tuple[int, ...], corners: bool = False
) -> jax.Array:
    """Resize by cubic convolution as PyTorch does: with a = -0.75, and edges repeated.

    `jax.image.resize` takes a = -0.5, and leaves out what is beyond the edges.

    Args:
      x: the array.
      shape: the new shape.
      corners: whether the corners are aligned.
    """
    for axis, new in enumerate(shape):
        old = x.shape[axis]
        if new == old:
            continue
        steps = jnp.arange(new, dtype=jnp.float32)
        if corners:
            position = steps * ((old - 1) / max(new - 1, 1))
        else:
            position = (steps + 0.5) * (old / new) - 0.5
        first = jnp.floor(position)
        total = jnp.zeros((), x.dtype)
        for tap in range(-1, 3):
            index = jnp.clip(first.astype(int) + tap, 0, old - 1)
            t = jnp.abs(position - first - tap)
            near = (1.25 * t - 2.25) * t * t + 1
            far = ((-0.75 * t + 3.75) * t - 6) * t + 3
            weight = jnp.where(t <= 1, near, far).astype(x.dtype)
            weight = weight.reshape(-1, *[1] * (x.ndim - 1 - axis))
            total = total + jnp.take(x, index, axis=axis) * weight
        x = total
    return x


def unfold(
    x: jax.Array,
    window: tuple[int, ...],
    strides: tuple[int, ...],
    dilation: tuple[int, ...],
    padding: str | tuple[tuple[int, int], ...],
) -> jax.Array:
    """Extract sliding windows: (..., *space, channels) -> (..., *space, *window,
    channels).

    Args:
      x: the array.
      window: the sizes of a window, one for each axis of space.
      strides: the steps from a window to the next.
      dilation: the steps within a window.
      padding: `SAME`, `VALID`, or pairs of how much is added before and after.
    """
    rank = len(window)
    extent = [(k - 1) * step + 1 for k, step in zip(window, dilation, strict=True)]
    if isinstance(padding, str):
        space = x.shape[-rank - 1 : -1]
        pads = jax.lax.padtype_to_pads(space, extent, strides, padding)
    else:
        pads = [*padding]
    x = jnp.pad(x, [(0, 0)] * (x.ndim - rank - 1) + [*pads, (0, 0)])
    indices = []
    for i in range(rank):
        starts = jnp.arange(0, x.shape[i - rank - 1] - extent[i] + 1, strides[i])
        offsets = jnp.arange(window[i]) * dilation[i]
        shape = [1] * (2 * rank)
        shape[i], shape[rank + i] = len(starts), len(offsets)
        indices.append((starts[:, None] + offsets).reshape(shape))
    return x[(..., *indices, slice(None))]


def shift(x: jax.Array, n: int = 1) -> jax.Array:
    """Shift a sequence (b, t, ...) to the right by n positions, with zeros in front."""
    return jnp.concatenate([jnp.zeros_like(x[:, :n]), x[:, :-n]], axis=1)


def real_and_imag(
    z: jax.Array, dtype: jax.typing.DTypeLike
) -> tuple[jax.Array, jax.Array]:
    """The real and the imaginary part of a complex array, in a real dtype."""
    return z.real.astype(dtype), z.imag.astype(dtype)


def complex_of(re: jax.Array, im: jax.Array | None = None) -> jax.Array:
    """A complex array from its parts, in single precision or higher."""
    re = re.astype(jnp.promote_types(re.dtype, jnp.float32))
    im = jnp.zeros_like(re) if im is None else im.astype(re.dtype)
    return jax.lax.complex(re, im)


def rfft(
    x: jax.Array, axis: int = -1, norm: str = "backward"
) -> tuple[jax.Array, jax.Array]:
    """Fourier transform of a real array: the real and the imaginary part of the
    frequencies from 0 on."""
    wide = x.astype(jnp.promote_types(x.dtype, jnp.float32))
    return real_and_imag(jnp.fft.rfft(wide, axis=axis, norm=norm), x.dtype)


def irfft(
    re: jax.Array,
    im: jax.Array,
    n: int | None = None,
    axis: int = -1,
    norm: str = "backward",
) -> jax.Array:
    """Inverse of `rfft`: the real array of length n; by default, n is even."""
    x = jnp.fft.irfft(complex_of(re, im), n, axis=axis, norm=norm)
    return x.astype(re.dtype)


def fft(
    re: jax.Array, im: jax.Array | None = None, axis: int = -1, norm: str = "backward"
) -> tuple[jax.Array, jax.Array]:
    """Fourier transform, with real and imaginary parts apart."""
    return real_and_imag(
        jnp.fft.fft(complex_of(re, im), axis=axis, norm=norm), re.dtype
    )


def ifft(
    re: jax.Array, im: jax.Array | None = None, axis: int = -1, norm: str = "backward"
) -> tuple[jax.Array, jax.Array]:
    """Inverse Fourier transform, with real and imaginary parts apart."""
    return real_and_imag(
        jnp.fft.ifft(complex_of(re, im), axis=axis, norm=norm), re.dtype
    )


def divisible(value: float, by: int, least: int | None = None) -> int:
    """Round a number of channels to a multiple of `by`, as `make_divisible` does in
    MobileNets.

    The result is at least `least`, by default `by`, and no less than nine tenths of the
    value.
    """
    near = max(by if least is None else least, int(value + by / 2) // by * by)
    return near if near >= 0.9 * value else near + by
