"""What tells attention where a token stands: rotary and sinusoidal positions."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..shapes import Axis, TensorType
from .base import (
    Call,
    Example,
    Helper,
    Input,
    Inputs,
    Kind,
    Op,
    Param,
    Shaped,
    ShapeError,
)
from .pattern import equal, expect_known, expect_rank, multiple

THETA = Param("theta", Kind.NUMBER, 10_000.0, "the longest wavelength over 2 pi")

ROPE = Helper(
    "rope",
    '''def rope(x: jax.Array, positions: jax.Array, theta: float = 10_000.0) -> jax.Array:
    """Rotate pairs of features by position: (b, t, heads, d) -> (b, t, heads, d)."""
    half = x.shape[-1] // 2
    frequencies = theta ** (-jnp.arange(half) / half)
    angles = positions[..., None, None] * frequencies  # (b, t, 1, d / 2)
    sin, cos = jnp.sin(angles), jnp.cos(angles)
    left, right = jnp.split(x.astype(jnp.float32), 2, axis=-1)
    rotated = [left * cos - right * sin, right * cos + left * sin]
    return jnp.concatenate(rotated, axis=-1).astype(x.dtype)
''',
)
SINUSOIDAL = Helper(
    "sinusoidal",
    '''def sinusoidal(
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
''',
)


def _rope(inputs: Inputs, args: Mapping[str, Any]) -> Shaped:
    """Positions stretch over the axes ahead of heads and features."""
    x, positions = inputs
    expect_rank("x", x, 3, at_least=True)
    expect_known("positions", positions, "rope")
    requires = multiple(x.sizes[-1], 2, "x's last axis", at="x")
    due = x.sizes[:-2]
    if positions.rank > len(due):
        raise ShapeError(
            f"positions is {positions}, it must stretch to {TensorType('int', x.axes[:-2])}",
            at="positions",
            code="N303",
            help="x is [B, T, heads, head_dim], positions [T] or [B, T]",
        )
    for mine, theirs in zip(reversed(positions.sizes), reversed(due), strict=False):
        if mine.value != 1:
            message = f"positions is {positions}, for x {x} its axis must be {theirs}"
            requires += equal(mine, theirs, message, at="positions")
    return Shaped(out=x, requires=tuple(requires))


def _sinusoidal(inputs: Inputs, args: Mapping[str, Any]) -> Shaped:
    length, d = args["length"], args["d"]
    axes = (Axis(length, length.name), Axis(d, d.name))
    requires = multiple(d, 2, "d", at="d")
    return Shaped(out=TensorType("float", axes), requires=tuple(requires))


ENTRIES: tuple[Op, ...] = (
    Op(
        "rope",
        "function",
        "Rotary positions: rotates the two halves of each head by angles that grow with position.",
        Call("rope", ("x", "positions"), {"theta": "theta"}),
        params=(THETA,),
        inputs=(Input("x", "float", scalar=False), Input("positions", "number")),
        shape=_rope,
        helper=ROPE,
        examples=(
            Example({}, ("B T heads 6", "int: B T")),
            Example({"theta": 500_000.0}, ("B T heads 4", "int: T")),
        ),
        source="https://arxiv.org/abs/2104.09864",
    ),
    Op(
        "sinusoidal",
        "function",
        "Fixed positions: sines and cosines of geometric wavelengths.",
        Call("sinusoidal", ("length", "d"), {"theta": "theta"}),
        params=(
            Param("length", Kind.SIZE, doc="how many positions"),
            Param("d", Kind.SIZE, doc="the size of a vector"),
            THETA,
        ),
        inputs=(),
        shape=_sinusoidal,
        dtype_aware=True,
        helper=SINUSOIDAL,
        examples=(Example({"length": "T", "d": 6}),),
        source="https://arxiv.org/abs/1706.03762",
    ),
)
