"""How far arrays are from those of a reference, in units of what is tolerated."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np

Arrays = Mapping[str, np.ndarray]

RELATIVE = 5e-6  # of the largest value
NOISES = 20  # times the reference's own deviation between float32 and float64
UNKNOWN = 1e-5  # where a reference does not say how noisy it is
GRADIENT = 2e-5  # of the norm of the whole gradient
STATISTICS = ("running_mean", "running_var", "num_batches_tracked")  # have none


@dataclass(frozen=True)
class Deviation:
    """The largest difference in one array, and what is tolerated."""

    name: str
    found: float
    tolerated: float
    note: str = ""

    @property
    def ok(self) -> bool:
        """Whether it is within; nan is not."""
        return self.found <= self.tolerated

    @property
    def excess(self) -> float:
        """How many times as large as tolerated."""
        if np.isnan(self.found):
            return np.inf
        return self.found / self.tolerated if self.tolerated else self.found

    def __str__(self) -> str:
        if self.note:
            return f"{self.name}: {self.note}"
        return f"{self.name}: off by {self.found:.2g}, tolerated {self.tolerated:.2g}"


def missing(name: str, note: str) -> Deviation:
    """An array that does not come, or not in that shape."""
    return Deviation(name, np.inf, 0.0, note)


def deviation(
    name: str, got: np.ndarray, want: np.ndarray, noise: float | None
) -> Deviation:
    """One array against its reference; axes may be in the order of Flax."""
    got = in_order_of(got, want)
    if got.shape != want.shape:
        return missing(name, f"is {got.shape}, the reference {want.shape}")
    if want.dtype.kind in "iub":
        return Deviation(name, float((got != want).sum()), 0.0)
    largest = max(float(np.abs(want).max(initial=0)), 1e-3)
    floor = UNKNOWN if noise is None else NOISES * noise
    difference = np.abs(got.astype("f8") - want).max(initial=0)
    return Deviation(name, float(difference), max(floor, RELATIVE * largest))


def in_order_of(got: np.ndarray, want: np.ndarray) -> np.ndarray:
    """Channels moved from the last axis to the second, where that is what is wanted."""
    if got.ndim < 3 or got.ndim != want.ndim:
        return got
    moved = np.moveaxis(got, -1, 1)
    if moved.shape != want.shape:
        return got
    if got.shape != want.shape:
        return moved
    return min(got, moved, key=lambda a: np.abs(a - want).max(initial=0))


def gradient_deviations(got: Arrays, want: Arrays) -> Iterator[Deviation]:
    """Gradients by the names of a checkpoint, against the norm of the whole gradient."""
    want = {n: array for n, array in want.items() if not n.endswith(STATISTICS)}
    whole = float(np.sqrt(sum((g.astype("f8") ** 2).sum() for g in want.values())))
    for name, wanted in want.items():
        label = f"grad {name}"
        if name not in got:
            yield missing(label, "is missing")
            continue
        difference = np.linalg.norm((got[name].astype("f8") - wanted).ravel())
        yield Deviation(label, float(difference), GRADIENT * whole)
