"""Functions that jax.numpy and Flax lack: of sequences, images, spectra and sizes."""

import jax
import jax.numpy as jnp
from flax import nnx


def quick_gelu(x: jax.Array) -> jax.Array:
    """The approximation of GELU by a sigmoid."""
    return x * nnx.sigmoid(1.702 * x)


def resize_corners(x: jax.Array, shape: tuple[int, ...], method: str) -> jax.Array:
    """Interpolated to another shape; the outermost entries stay where they are."""
    axes = [i for i, size in enumerate(shape) if size != x.shape[i]]
    scale = [max(shape[i] - 1, 1) / max(x.shape[i] - 1, 1) for i in axes]
    scales = jnp.array(scale, jnp.float32)
    return jax.image.scale_and_translate(
        x, shape, axes, scales, (1 - scales) / 2, method, antialias=False
    )


def resize_bicubic(
    x: jax.Array, shape: tuple[int, ...], corners: bool = False
) -> jax.Array:
    """Interpolated as in PyTorch: cubic convolution of a = -0.75, edges repeated."""
    for axis, new in enumerate(shape):
        old = x.shape[axis]
        if new == old:
            continue
        steps = jnp.arange(new, dtype=jnp.float32)
        if corners:
            at = steps * ((old - 1) / max(new - 1, 1))
        else:
            at = (steps + 0.5) * (old / new) - 0.5
        first = jnp.floor(at)
        total = jnp.zeros((), x.dtype)
        for tap in range(-1, 3):
            index = jnp.clip(first.astype(int) + tap, 0, old - 1)
            t = jnp.abs(at - first - tap)
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
    """Sliding windows: (..., space, channels) -> (..., space, window, channels)."""
    rank = len(window)
    reach = [(k - 1) * e + 1 for k, e in zip(window, dilation, strict=True)]
    if isinstance(padding, str):
        space = x.shape[-rank - 1 : -1]
        pads = jax.lax.padtype_to_pads(space, reach, strides, padding)
    else:
        pads = [*padding]
    x = jnp.pad(x, [(0, 0)] * (x.ndim - rank - 1) + [*pads, (0, 0)])
    places = []
    for i in range(rank):
        firsts = jnp.arange(0, x.shape[i - rank - 1] - reach[i] + 1, strides[i])
        steps = jnp.arange(window[i]) * dilation[i]
        shape = [1] * (2 * rank)
        shape[i], shape[rank + i] = len(firsts), len(steps)
        places.append((firsts[:, None] + steps).reshape(shape))
    return x[(..., *places, slice(None))]


def shift(x: jax.Array, n: int = 1) -> jax.Array:
    """What stood n places before, zeros at the start: (b, t, ...) -> (b, t, ...)."""
    return jnp.concatenate([jnp.zeros_like(x[:, :n]), x[:, :-n]], axis=1)


def parts(z: jax.Array, dtype: jax.typing.DTypeLike) -> tuple[jax.Array, jax.Array]:
    """The real and the imaginary part."""
    return z.real.astype(dtype), z.imag.astype(dtype)


def complex_of(re: jax.Array, im: jax.Array | None = None) -> jax.Array:
    """A complex tensor from its parts, in at least single precision."""
    re = re.astype(jnp.promote_types(re.dtype, jnp.float32))
    im = jnp.zeros_like(re) if im is None else im.astype(re.dtype)
    return jax.lax.complex(re, im)


def rfft(
    x: jax.Array, axis: int = -1, norm: str = "backward"
) -> tuple[jax.Array, jax.Array]:
    """The Fourier transform of real values, frequencies below 0 left out."""
    wide = x.astype(jnp.promote_types(x.dtype, jnp.float32))
    return parts(jnp.fft.rfft(wide, axis=axis, norm=norm), x.dtype)


def irfft(
    re: jax.Array,
    im: jax.Array,
    n: int | None = None,
    axis: int = -1,
    norm: str = "backward",
) -> jax.Array:
    """The real values of a Fourier transform without the frequencies below 0."""
    x = jnp.fft.irfft(complex_of(re, im), n, axis=axis, norm=norm)
    return x.astype(re.dtype)


def fft(
    re: jax.Array, im: jax.Array | None = None, axis: int = -1, norm: str = "backward"
) -> tuple[jax.Array, jax.Array]:
    """Fourier transform: its real and imaginary part."""
    return parts(jnp.fft.fft(complex_of(re, im), axis=axis, norm=norm), re.dtype)


def ifft(
    re: jax.Array, im: jax.Array | None = None, axis: int = -1, norm: str = "backward"
) -> tuple[jax.Array, jax.Array]:
    """Inverse Fourier transform: its real and imaginary part."""
    return parts(jnp.fft.ifft(complex_of(re, im), axis=axis, norm=norm), re.dtype)


def divisible(value: float, by: int, least: int | None = None) -> int:
    """The nearest multiple, at least `least` and nine tenths of the value."""
    near = max(by if least is None else least, int(value + by / 2) // by * by)
    return near if near >= 0.9 * value else near + by
