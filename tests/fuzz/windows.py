"""The primitives of JAX that slide windows over arrays, gather and scatter, with numpy."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import product
from typing import Any

import numpy as np

from .arrays import padded

Array = Any


def dilated(a: Array, padding: Any, dilation: Any, value: float) -> Array:
    """An array with so much at its ends and between its entries."""
    pairs = zip(padding, dilation, strict=True)
    config = [(low, high, d - 1) for (low, high), d in pairs]
    return padded(a, np.asarray(value, a.dtype), padding_config=config)


def views(a: Array, window: Any, strides: Any, dilation: Any) -> Array:
    """All windows: the axes of their places, then their own."""
    reach = [(w - 1) * d + 1 for w, d in zip(window, dilation, strict=True)]
    fits = [max(size - r + 1, 0) for size, r in zip(a.shape, reach, strict=True)]
    if not all(fits):  # a window that is larger than the array has no place
        counts = [-(-n // s) for n, s in zip(fits, strides, strict=True)]
        return np.zeros((*counts, *window), a.dtype)
    found = np.lib.stride_tricks.sliding_window_view(a, reach)
    places = tuple(slice(None, None, s) for s in strides)
    inner = tuple(slice(None, None, d) for d in dilation)
    return found[places + inner]


def convolved(
    a: Array,
    kernel: Array,
    *,
    window_strides: Any,
    padding: Any,
    lhs_dilation: Any,
    rhs_dilation: Any,
    dimension_numbers: Any,
    feature_group_count: int,
    batch_group_count: int,
    **_: Any,
) -> Array:
    """`conv_general_dilated`, with groups of features or of the batch."""
    a = np.transpose(a, dimension_numbers.lhs_spec)  # batch, features, window...
    kernel = np.transpose(kernel, dimension_numbers.rhs_spec)  # out, in, window...
    n = a.ndim - 2
    a = dilated(a, [(0, 0)] * 2 + [*padding], [1, 1, *lhs_dilation], 0)
    seen = views(
        a, (1, 1, *kernel.shape[2:]), (1, 1, *window_strides), (1, 1, *rhs_dilation)
    )
    seen = seen.reshape(*seen.shape[: 2 + n], *kernel.shape[2:])
    groups = feature_group_count * batch_group_count
    outs = np.split(kernel, groups, 0)
    ins = np.split(seen, feature_group_count, 1)
    if batch_group_count > 1:
        ins = np.split(seen, batch_group_count, 0)
    results = [one_group(i, o, n) for i, o in zip(ins, outs, strict=True)]
    result = np.concatenate(results, 1)
    return np.transpose(result, np.argsort(dimension_numbers.out_spec))


def one_group(seen: Array, kernel: Array, n: int) -> Array:
    """Windows times a kernel, summed up."""
    places, inner = "pqrst"[:n], "uvwxy"[:n]
    pattern = f"bi{places}{inner},oi{inner}->bo{places}"
    return np.einsum(pattern, seen, kernel, optimize=True)


def pooled(function: Any, value: float) -> Callable[..., Array]:
    """`reduce_window_max` and its like."""

    def rule(
        a: Array,
        *,
        window_dimensions: Any,
        window_strides: Any,
        padding: Any,
        base_dilation: Any,
        window_dilation: Any,
        **_: Any,
    ) -> Array:
        a = dilated(a, padding, base_dilation, value)
        seen = views(a, window_dimensions, window_strides, window_dilation)
        return function(seen, axis=tuple(range(a.ndim, 2 * a.ndim)))

    return rule


# ----------------------------------------------------------- gather, scatter


def starts_of(indices: Array, numbers: Any, rank: int) -> Iterator[tuple[Any, Any]]:
    """Each place of the batch, and where in the operand its part begins."""
    for place in np.ndindex(indices.shape[:-1]):
        begin = [0] * rank
        for axis, index in zip(numbers.start_index_map, indices[place], strict=True):
            begin[axis] = int(index)
        yield place, begin


def gathered(
    a: Array,
    indices: Array,
    *,
    dimension_numbers: Any,
    slice_sizes: Any,
    mode: Any,
    fill_value: Any,
    **_: Any,
) -> Array:
    """`gather`."""
    numbers = dimension_numbers
    dropped = {*numbers.collapsed_slice_dims, *numbers.operand_batching_dims}
    kept = [s for i, s in enumerate(slice_sizes) if i not in dropped]
    batch = indices.shape[:-1]
    rank = len(batch) + len(kept)
    places = [i for i in range(rank) if i not in numbers.offset_dims]
    out = np.empty((*batch, *kept), a.dtype)
    fill = mode.name == "FILL_OR_DROP"
    filler = np.nan if a.dtype.kind == "f" else 0
    if a.dtype.kind in "iu" and fill_value is None:
        filler = np.iinfo(a.dtype).min if a.dtype.kind == "i" else -1
    filler = filler if fill_value is None else fill_value
    for place, begin in starts_of(indices, numbers, a.ndim):
        batched(begin, place, numbers.operand_batching_dims, numbers)
        outside = beyond(begin, a.shape, slice_sizes)
        if outside and fill:
            out[place] = np.asarray(filler).astype(a.dtype)
            continue
        begin = np.clip(begin, 0, np.subtract(a.shape, slice_sizes))
        cut = tuple(slice(s, s + n) for s, n in zip(begin, slice_sizes, strict=True))
        out[place] = np.squeeze(a[cut], tuple(dropped))
    return np.transpose(out, np.argsort([*places, *numbers.offset_dims]))


def batched(begin: list[int], place: Any, axes: Any, numbers: Any) -> None:
    """Axes that operand and indices share go along with each other."""
    along = getattr(numbers, "start_indices_batching_dims", None)
    along = numbers.scatter_indices_batching_dims if along is None else along
    for axis, source in zip(axes, along, strict=True):
        begin[axis] = place[source]


def beyond(begin: Any, shape: Any, sizes: Any) -> bool:
    """Whether a part lies outside."""
    triples = zip(begin, shape, sizes, strict=True)
    return any(s < 0 or s + n > whole for s, whole, n in triples)


def scattered(combine: Callable[[Array, Array], Array]) -> Callable[..., Array]:
    """`scatter` and its like."""

    def rule(
        a: Array,
        indices: Array,
        updates: Array,
        *,
        dimension_numbers: Any,
        mode: Any,
        **_: Any,
    ) -> Array:
        numbers = dimension_numbers
        window = numbers.update_window_dims
        dropped = {*numbers.inserted_window_dims, *numbers.operand_batching_dims}
        outer = [i for i in range(updates.ndim) if i not in window]
        updates = np.transpose(updates, [*outer, *window])
        sizes = [1] * a.ndim
        kept = (i for i in range(a.ndim) if i not in dropped)
        for axis, size in zip(kept, updates.shape[len(outer) :], strict=True):
            sizes[axis] = size
        out = np.array(a)
        maps = Renamed(numbers)
        for place, begin in starts_of(indices, maps, a.ndim):
            batched(begin, place, numbers.operand_batching_dims, numbers)
            if mode.name == "CLIP":
                begin = list(np.clip(begin, 0, np.subtract(a.shape, sizes)))
            if beyond(begin, a.shape, sizes):
                continue
            cut = tuple(slice(s, s + n) for s, n in zip(begin, sizes, strict=True))
            out[cut] = combine(out[cut], updates[place].reshape(sizes))
        return out

    return rule


class Renamed:
    """The numbers of a scatter, as a gather calls them."""

    def __init__(self, numbers: Any) -> None:
        self.start_index_map = numbers.scatter_dims_to_operand_dims


def scattered_to_best(better: Any, value: float) -> Callable[..., Array]:
    """`select_and_scatter_add`: each window's source goes to its best entry."""

    def rule(
        source: Array,
        operand: Array,
        *,
        window_dimensions: Any,
        window_strides: Any,
        padding: Any,
        **_: Any,
    ) -> Array:
        wide = dilated(operand, padding, [1] * operand.ndim, value)
        out = np.zeros(wide.shape, source.dtype)
        for place in product(*map(range, source.shape)):
            begin = [p * s for p, s in zip(place, window_strides, strict=True)]
            pairs = zip(begin, window_dimensions, strict=True)
            cut = tuple(slice(s, s + n) for s, n in pairs)
            inner = np.unravel_index(better(wide[cut]), wide[cut].shape)
            out[tuple(np.add(begin, inner))] += source[place]
        within = zip(padding, operand.shape, strict=True)
        return out[tuple(slice(low, low + size) for (low, _), size in within)]

    return rule


def select_and_scatter_add(*arrays: Array, select_prim: Any, **params: Any) -> Array:
    """The gradient of pooling by maxima or minima."""
    smallest = select_prim.name == "le"
    better, value = (np.argmin, np.inf) if smallest else (np.argmax, -np.inf)
    return scattered_to_best(better, value)(*arrays, **params)


WINDOWS: dict[str, Callable[..., Any]] = {
    "conv_general_dilated": convolved,
    "reduce_window_max": pooled(np.max, -np.inf),
    "reduce_window_min": pooled(np.min, np.inf),
    "reduce_window_sum": pooled(np.sum, 0),
    "select_and_scatter_add": select_and_scatter_add,
    "gather": gathered,
    "scatter": scattered(lambda old, new: new),
    "scatter-add": scattered(np.add),
    "scatter_add": scattered(np.add),
    "scatter-mul": scattered(np.multiply),
    "scatter_mul": scattered(np.multiply),
}
