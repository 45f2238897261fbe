"""Tables that examples of the pages bring in: this lies beside the module that is generated."""

from __future__ import annotations

import numpy as np


def distance_buckets(T: int, *, buckets: int = 32) -> np.ndarray:
    """`int[T, T]`."""
    places = np.arange(T, dtype=np.int32)
    return np.clip(places[None] - places[:, None] + buckets // 2, 0, buckets - 1)


def lengths(T: int) -> np.ndarray:
    """`[T]`."""
    return np.arange(1, T + 1, dtype=np.float32)
