"""The library. An entry is a value in `ENTRIES` of one of these modules, and nowhere else."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from . import (
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
    schedules,
    sequence,
    spectral,
)
from .base import Op
from .pattern import shape_of as shape_of

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
    schedules,
    spectral,
    sequence,
)
ALL: tuple[Op, ...] = tuple(op for module in _MODULES for op in module.ENTRIES)


def _group(*names: str) -> Mapping[str, Op]:
    return MappingProxyType({op.name: op for op in ALL if op.group in names})


MODEL_OPS = _group("layer", "function")
LOSSES = _group("loss")
METRICS = _group("metric")
OPTIMIZERS = _group("optimizer")
SCHEDULES = _group("schedule")
INITIALIZERS = _group("initializer")
