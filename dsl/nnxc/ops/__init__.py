"""The library. An entry is a value in `ENTRIES` of one of these modules, and nowhere else."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from types import MappingProxyType

from .base import Op
from .functions import (
    activations,
    attend,
    axes,
    convolve,
    creation,
    elementwise,
    equations,
    experts,
    indexing,
    joining,
    positions,
    products,
    reductions,
    resizing,
    sequence,
    spectral,
    unfolding,
)
from .layers import attention, convolution, dropout, linear, norms, pooling, recurrent
from .rules.pattern import shape_of as shape_of
from .training import (
    chunked,
    initializers,
    losses,
    metrics,
    optimizers,
    post_training,
    schedules,
)

_MODULES = (
    activations,
    attend,
    attention,
    axes,
    chunked,
    convolution,
    convolve,
    creation,
    dropout,
    elementwise,
    equations,
    experts,
    indexing,
    initializers,
    joining,
    linear,
    losses,
    metrics,
    norms,
    optimizers,
    pooling,
    positions,
    post_training,
    products,
    recurrent,
    reductions,
    resizing,
    schedules,
    spectral,
    sequence,
    unfolding,
)


def registered(entries: Iterable[Op]) -> tuple[Op, ...]:
    """The entries, of which those for models say what they do along a sequence."""
    for op in entries:
        for part in (op, *op.methods.values()):
            if op.group in ("layer", "function") and part.along is None:
                raise TypeError(f"`{op.name}` does not say what it works `along`")
    return tuple(entries)


ALL = registered([op for module in _MODULES for op in module.ENTRIES])


def _group(*names: str) -> Mapping[str, Op]:
    return MappingProxyType({op.name: op for op in ALL if op.group in names})


MODEL_OPS = _group("layer", "function")
LOSSES = _group("loss")
METRICS = _group("metric")
OPTIMIZERS = _group("optimizer")
SCHEDULES = _group("schedule")
INITIALIZERS = _group("initializer")
