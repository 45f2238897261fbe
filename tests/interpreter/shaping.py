"""The functions that move, join, add or drop axes: they take tensors and know their names."""

from __future__ import annotations

import re
from typing import Any

import jax
import jax.numpy as jnp

from .values import DTYPES, Names, Tensor, key


def reduced(x: Tensor, result: Any, axis: Any, keepdims: bool) -> Tensor:
    """What a reduction gives, with the names of the axes that stay."""
    axes = range(x.ndim) if axis is None else axis if isinstance(axis, list) else [axis]
    gone = {range(x.ndim)[a] for a in axes}
    if keepdims:
        return Tensor(result, [None if i in gone else n for i, n in enumerate(x.names)])
    return Tensor(result, [n for i, n in enumerate(x.names) if i not in gone])


def _concat(*xs, axis=-1):
    columns = zip(*(x.names for x in xs), strict=True)
    names = [next((n for n in found if n), None) for found in columns]
    return Tensor(jnp.concatenate([x.array for x in xs], axis), names)


def _stack(*xs, axis=0):
    place = range(xs[0].ndim + 1)[axis]
    names = [*xs[0].names[:place], None, *xs[0].names[place:]]
    return Tensor(jnp.stack([x.array for x in xs], place), names)


def _expand(x, axis):
    place = range(x.ndim + 1)[axis]
    names = [*x.names[:place], None, *x.names[place:]]
    return Tensor(jnp.expand_dims(x.array, place), names)


def _squeeze(x, axis=-1):
    axes = axis if isinstance(axis, list) else [axis]
    gone = tuple(range(x.ndim)[a] for a in axes)
    return reduced(x, jnp.squeeze(x.array, gone), list(gone), False)


def _flatten(x, axis=1):
    place = range(x.ndim)[axis]
    return Tensor(x.array.reshape(*x.shape[:place], -1), [*x.names[:place], None])


def _transpose(x, axes):
    return Tensor(x.array.transpose(axes), [x.names[a] for a in axes])


def _swapaxes(x, a, b):
    order = list(range(x.ndim))
    order[a], order[b] = order[b], order[a]
    return _transpose(x, order)


def _outer(x, y):
    return x.array[..., :, None] * y.array[..., None, :]


def _broadcast(x, shape):
    sizes, names = shape
    kept = [None] * (len(names) - x.ndim) + list(x.names)
    both = [n or k for n, k in zip(names, kept, strict=True)]
    return Tensor(jnp.broadcast_to(x.array, sizes), both)


def _filled(value: float) -> Any:
    def filled(shape, *, dtype="float"):
        return Tensor(jnp.full(shape[0], value, DTYPES[dtype]), shape[1])

    return filled


def _full(shape, value, *, dtype="float"):
    value = value.array if isinstance(value, Tensor) else value
    return Tensor(jnp.full(shape[0], value, DTYPES[dtype]), shape[1])


def _normal(shape, *, rng=None, dtype="float"):
    return Tensor(jax.random.normal(key(), shape[0], DTYPES[dtype]), shape[1])


def _gumbel(shape, *, rng=None, dtype="float"):
    return Tensor(jax.random.gumbel(key(), shape[0], DTYPES[dtype]), shape[1])


def _uniform(shape, low=0.0, high=1.0, *, rng=None, dtype="float"):
    low, high = (x.array if isinstance(x, Tensor) else x for x in (low, high))
    drawn = jax.random.uniform(key(), shape[0], DTYPES[dtype], low, high)
    return Tensor(drawn, shape[1])


def _bernoulli(shape, p, *, rng=None):
    p = p.array if isinstance(p, Tensor) else p
    return Tensor(jax.random.bernoulli(key(), p, shape[0]), shape[1])


def _randint(shape, low, high, *, rng=None):
    return Tensor(jax.random.randint(key(), shape[0], low, high), shape[1])


# ------------------------------------------------------------------------ patterns


def _terms(text: str) -> list[list[str]]:
    """The axes of one side: those in parentheses are one."""
    found = re.findall(r"\(([^)]*)\)|(\.\.\.|\w+)", text)
    return [inner.split() if not one else [one] for inner, one in found]


def _einsum(*xs, pattern):
    """`einsum("b t d, d e -> b t e", x, w)`: names become letters."""
    left, right = pattern.split("->")
    sides = [[t[0] for t in _terms(s)] for s in left.split(",")]
    out = [t[0] for t in _terms(right)]
    letters: dict[str, str] = {"...": "..."}
    for name in [n for side in (*sides, out) for n in side]:
        letters.setdefault(name, chr(ord("a") + len(letters)))
    text = ",".join("".join(letters[n] for n in side) for side in sides)
    text += "->" + "".join(letters[n] for n in out)
    result = jnp.einsum(text, *(x.array for x in xs))
    if any("..." in side for side in sides):
        return Tensor(result)
    names: dict[str, str | None] = {}
    for side, x in zip(sides, xs, strict=True):
        names |= dict(zip(side, x.names, strict=True))
    return Tensor(result, [names[n] for n in out])


def _rearrange(x, pattern, **sizes):
    """Splits, moves and merges axes by name."""
    left, right = (_terms(side) for side in pattern.split("->"))
    lead = x.ndim - len(left) + 1
    left, right = (_without_dots(side, lead) for side in (left, right))
    names: dict[str, str | None] = {}
    for group, size, name in zip(left, x.shape, x.names, strict=True):
        known = [sizes[n] for n in group if n in sizes]
        for n in group:
            if n == "1" or n in sizes:
                continue
            rest = size
            for k in known:
                rest //= k
            sizes[n] = rest
        if len(group) == 1:
            names[group[0]] = name
    flat = [n for group in left for n in group if n != "1"]
    order = [n for group in right for n in group if n != "1"]
    y = x.array.reshape([sizes[n] for n in flat])
    y = y.transpose([flat.index(n) for n in order])
    shape, kept = [], []
    for group in right:
        size = 1
        for n in group:
            size *= 1 if n == "1" else sizes[n]
        shape.append(size)
        kept.append(names.get(group[0]) if len(group) == 1 else None)
    return Tensor(y.reshape(shape), kept)


def _without_dots(groups: list[list[str]], lead: int) -> list[list[str]]:
    found = []
    for group in groups:
        dots = group == ["..."]
        found += [[f"dots{i}"] for i in range(lead)] if dots else [group]
    return found


def appended(x: Tensor, result: Any) -> Tensor:
    """A result with one more axis at its end."""
    return Tensor(result, [*x.names, None])


def taken(x: Tensor, indices: Tensor, result: Any, axis: int) -> Tensor:
    """The names of `take`: those of the indices stand where the axis was."""
    names: Names = (*x.names[:axis], *indices.names[axis:], *x.names[axis + 1 :])
    return Tensor(result, names)


SHAPING = {
    "concat": _concat, "stack": _stack, "expand": _expand, "squeeze": _squeeze,
    "flatten": _flatten, "transpose": _transpose, "swapaxes": _swapaxes, "outer": _outer,
    "broadcast": _broadcast, "zeros": _filled(0), "ones": _filled(1), "full": _full,
    "normal": _normal, "gumbel": _gumbel, "uniform": _uniform, "bernoulli": _bernoulli,
    "randint": _randint, "einsum": _einsum, "rearrange": _rearrange,
}  # fmt: skip
MANY = {"concat", "stack", "einsum"}
"""Functions of any number of tensors; a list is as many."""
