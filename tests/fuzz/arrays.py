"""The primitives of JAX on arrays of numpy."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import scipy.special as special

Array = Any


def divided(a: Array, b: Array) -> Array:
    """`/`; of whole numbers, towards zero."""
    if np.issubdtype(a.dtype, np.inexact):
        return a / b
    return (np.sign(a) * np.sign(b) * (np.abs(a) // np.abs(b))).astype(a.dtype)


def converted(a: Array, *, new_dtype: Any, **_: Any) -> Array:
    """Another dtype; what floats is float64."""
    kind = np.dtype(new_dtype)
    if kind.kind in "biu" and not kind.name.startswith(("float", "bfloat")):
        return a.astype(kind)
    return a.astype(np.float64)


def rounded(a: Array, *, rounding_method: Any) -> Array:
    """To whole numbers; halves go away from zero, or to even ones."""
    if int(rounding_method) == 1:
        return np.rint(a)
    return np.sign(a) * np.floor(np.abs(a) + 0.5)


def spread(a: Array, *, shape: Any, broadcast_dimensions: Any, **_: Any) -> Array:
    """`broadcast_in_dim`."""
    kept = [1] * len(shape)
    for place, size in zip(broadcast_dimensions, a.shape, strict=True):
        kept[place] = size
    return np.broadcast_to(a.reshape(kept), shape)


def reshaped(a: Array, *, new_sizes: Any, dimensions: Any, **_: Any) -> Array:
    """`reshape`, of the axes in another order where one is given."""
    return (a if dimensions is None else np.transpose(a, dimensions)).reshape(new_sizes)


def padded(a: Array, value: Array, *, padding_config: Any) -> Array:
    """`pad`, between entries and by less than nothing too."""
    for axis, (low, high, inner) in enumerate(padding_config):
        size = a.shape[axis]
        whole = max(0, size + (size - 1) * inner)
        out = np.full((*a.shape[:axis], whole, *a.shape[axis + 1 :]), value, a.dtype)
        place = [slice(None)] * a.ndim
        place[axis] = slice(None, None, inner + 1)
        out[tuple(place)] = a
        more = [(0, 0)] * a.ndim
        more[axis] = (max(low, 0), max(high, 0))
        out = np.pad(out, more, constant_values=value)
        place[axis] = slice(max(-low, 0), out.shape[axis] - max(-high, 0))
        a = out[tuple(place)]
    return a


def dotted(a: Array, b: Array, *, dimension_numbers: Any, **_: Any) -> Array:
    """`dot_general`."""
    (contract_a, contract_b), (batch_a, batch_b) = dimension_numbers
    letters = iter("abcdefghijklmnopqrstuvwxyz")
    left, right = [""] * a.ndim, [""] * b.ndim
    for i, j in [*zip(batch_a, batch_b), *zip(contract_a, contract_b)]:  # noqa: B905
        left[i] = right[j] = next(letters)
    left = [x or next(letters) for x in left]
    right = [x or next(letters) for x in right]
    batch = [left[i] for i in batch_a]
    rest_a = [x for i, x in enumerate(left) if i not in {*batch_a, *contract_a}]
    rest_b = [x for i, x in enumerate(right) if i not in {*batch_b, *contract_b}]
    out = "".join(batch + rest_a + rest_b)
    return np.einsum(f"{''.join(left)},{''.join(right)}->{out}", a, b, optimize=True)


def sliced(a: Array, *, start_indices: Any, limit_indices: Any, strides: Any) -> Array:
    """`slice`."""
    steps = strides or [1] * a.ndim
    cuts = map(slice, start_indices, limit_indices, steps)
    return a[tuple(cuts)]


def starts_within(starts: Any, shape: Any, sizes: Any) -> list[int]:
    """Where a part of such sizes begins, moved so that it lies within."""
    triples = zip(starts, shape, sizes, strict=True)
    return [int(np.clip(s, 0, whole - part)) for s, whole, part in triples]


def part_of(a: Array, *starts: Array, slice_sizes: Any, **_: Any) -> Array:
    """`dynamic_slice`."""
    begin = starts_within(starts, a.shape, slice_sizes)
    return a[tuple(slice(s, s + n) for s, n in zip(begin, slice_sizes, strict=True))]


def replaced(a: Array, part: Array, *starts: Array, **_: Any) -> Array:
    """`dynamic_update_slice`."""
    begin = starts_within(starts, a.shape, part.shape)
    out = np.array(a)
    out[tuple(slice(s, s + n) for s, n in zip(begin, part.shape, strict=True))] = part
    return out


def accumulated(function: Any) -> Callable[..., Array]:
    """`cumsum` and its like."""

    def rule(a: Array, *, axis: int, reverse: bool) -> Array:
        if not reverse:
            return function(a, axis=axis)
        return np.flip(function(np.flip(a, axis), axis=axis), axis)

    return rule


def ordered(*arrays: Array, dimension: int, num_keys: int, **_: Any) -> list[Array]:
    """`sort`: the first arrays say in what order all of them are."""
    order = np.lexsort([*reversed(arrays[:num_keys])], axis=dimension)
    return [np.take_along_axis(a, order, dimension) for a in arrays]


def largest(a: Array, *, k: int, axis: int = -1, **_: Any) -> list[Array]:
    """`top_k`: of equal ones the first."""
    order = np.argsort(-a, axis=axis, kind="stable")
    order = np.take(order, np.arange(k), axis)
    return [np.take_along_axis(a, order, axis), order.astype(np.int32)]


def best(function: Any) -> Callable[..., Array]:
    """`argmax` and `argmin`."""

    def rule(a: Array, *, axes: Any, index_dtype: Any, **_: Any) -> Array:
        return function(a, axis=axes[0]).astype(index_dtype)

    return rule


def reduced(function: Any) -> Callable[..., Array]:
    """A reduction over axes, in the dtype of the array."""

    def rule(a: Array, *, axes: Any, **_: Any) -> Array:
        return np.asarray(function(a, axis=tuple(axes)), a.dtype)

    return rule


def extreme(function: Any, of_none: float) -> Callable[..., Array]:
    """`reduce_max` and `reduce_min`: of nothing, as XLA has it."""
    plain = reduced(function)

    def rule(a: Array, *, axes: Any, **_: Any) -> Array:
        if a.size or a.dtype.kind != "f":
            return plain(a, axes=axes)
        shape = [size for i, size in enumerate(a.shape) if i not in axes]
        return np.full(shape, of_none, a.dtype)

    return rule


def counted(*, dtype: Any, shape: Any, dimension: int, **_: Any) -> Array:
    """`iota`."""
    kept = [1] * len(shape)
    kept[dimension] = shape[dimension]
    return converted(
        np.broadcast_to(np.arange(shape[dimension]).reshape(kept), shape),
        new_dtype=dtype,
    )


def parted(a: Array, *, sizes: Any, axis: int) -> list[Array]:
    """`split`."""
    return np.split(a, np.cumsum(sizes)[:-1], axis)


def selected(which: Array, *cases: Array) -> Array:
    """`select_n`."""
    return np.choose(which.astype(np.int32), cases).astype(cases[0].dtype)


def plain(function: Any) -> Callable[..., Array]:
    """A function of arrays alone; what JAX says besides is of no matter."""
    return lambda *arrays, **_: np.asarray(function(*arrays))


def same(a: Array) -> Array:
    """What is kept as it is."""
    return a


PLAIN: dict[str, Any] = {
    "add": np.add, "add_any": np.add, "sub": np.subtract, "mul": np.multiply,
    "div": divided, "rem": np.fmod, "pow": np.power, "max": np.maximum,
    "min": np.minimum, "atan2": np.arctan2, "and": np.bitwise_and,
    "or": np.bitwise_or, "xor": np.bitwise_xor, "not": np.invert, "neg": np.negative,
    "sign": np.sign, "abs": np.abs, "floor": np.floor, "ceil": np.ceil, "exp": np.exp,
    "exp2": np.exp2, "expm1": np.expm1, "log": np.log, "log1p": np.log1p,
    "sqrt": np.sqrt, "rsqrt": lambda a: 1 / np.sqrt(a), "cbrt": np.cbrt, "sin": np.sin,
    "cos": np.cos, "tan": np.tan, "tanh": np.tanh, "sinh": np.sinh, "cosh": np.cosh,
    "asinh": np.arcsinh, "acosh": np.arccosh, "atanh": np.arctanh, "asin": np.arcsin,
    "acos": np.arccos, "atan": np.arctan, "logistic": special.expit,
    "erf": special.erf, "erfc": special.erfc, "erf_inv": special.erfinv,
    "lgamma": special.gammaln, "digamma": special.digamma, "is_finite": np.isfinite,
    "eq": np.equal, "ne": np.not_equal, "lt": np.less, "le": np.less_equal,
    "gt": np.greater, "ge": np.greater_equal, "square": np.square, "select_n": selected,
    "clamp": lambda low, a, high: np.minimum(np.maximum(a, low), high),
    "stop_gradient": same, "copy": same, "copy_p": same, "optimization_barrier": same,
}  # fmt: skip

ARRAYS: dict[str, Callable[..., Any]] = {
    **{name: plain(function) for name, function in PLAIN.items()},
    "integer_pow": lambda a, *, y: a**y if y >= 0 else 1 / a ** (-y),
    "convert_element_type": converted,
    "reduce_precision": lambda a, **_: a,
    "optimization_barrier": lambda *arrays, **_: list(arrays),
    "round": rounded,
    "broadcast_in_dim": spread,
    "reshape": reshaped,
    "transpose": lambda a, *, permutation: np.transpose(a, permutation),
    "squeeze": lambda a, *, dimensions: np.squeeze(a, tuple(dimensions)),
    "expand_dims": lambda a, *, dimensions: np.expand_dims(a, tuple(dimensions)),
    "concatenate": lambda *arrays, dimension: np.concatenate(arrays, dimension),
    "stack": lambda *arrays, axis: np.stack(arrays, axis),
    "unstack": lambda a, *, axis: list(np.moveaxis(a, axis, 0)),
    "pad": padded,
    "slice": sliced,
    "dynamic_slice": part_of,
    "dynamic_update_slice": replaced,
    "rev": lambda a, *, dimensions: np.flip(a, tuple(dimensions)),
    "iota": counted,
    "split": parted,
    "sort": ordered,
    "top_k": largest,
    "dot_general": dotted,
    "argmax": best(np.argmax),
    "argmin": best(np.argmin),
    "cumsum": accumulated(np.cumsum),
    "cumprod": accumulated(np.cumprod),
    "cummax": accumulated(np.maximum.accumulate),
    "cummin": accumulated(np.minimum.accumulate),
    "cumlogsumexp": accumulated(np.logaddexp.accumulate),
    "reduce_sum": reduced(np.sum),
    "reduce_max": extreme(np.max, -np.inf),
    "reduce_min": extreme(np.min, np.inf),
    "reduce_prod": reduced(np.prod),
    "reduce_and": reduced(np.all),
    "reduce_or": reduced(np.any),
}
