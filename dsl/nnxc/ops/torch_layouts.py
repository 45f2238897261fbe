"""Weights as checkpoints have them: the names and layouts of PyTorch."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from .base import Op, Tensor

LEAVES: Final[Mapping[str, str]] = {
    "kernel": "weight",
    "bias": "bias",
    "scale": "weight",
    "embedding": "weight",
    "mean": "running_mean",
    "var": "running_var",
    "weight": "weight",
}


def name_of(op: Op, weight: str) -> str:
    """What the tensor of a layer's weight is called, relative to the layer."""
    return op.tensors.get(weight) or leaf_name(weight)


def leaf_name(weight: str) -> str:
    """`query.kernel` as `query.weight`."""
    *path, last = weight.split(".")
    return ".".join((*path, LEAVES.get(last, last)))


def usual(weight: str, axes: int) -> Tensor | None:
    """The form of a weight of which its entry says no more."""
    if axes == 0:
        return Tensor(((),))  # a number is a tensor of one
    return matrix(1, 1) if weight.split(".")[-1] == "kernel" and axes == 2 else None


def matrix(ins: int, outs: int) -> Tensor:
    """A kernel over `ins` axes to `outs` others: [out, in]."""
    return Tensor((tuple(range(ins, ins + outs)), tuple(range(ins))))


def flat(axes: int) -> Tensor | None:
    """Several axes as one; a single one is as it is."""
    return Tensor((tuple(range(axes)),)) if axes != 1 else None


def window(axes: int) -> Tensor:
    """A kernel of a convolution over so many axes: [out, in, ...]."""
    return Tensor(((axes + 1,), (axes,), *((i,) for i in range(axes))))


def backward_window(axes: int) -> Tensor:
    """A kernel of a transposed convolution: [in, out, ...], each window mirrored."""
    return Tensor(((axes,), (axes + 1,), *((i,) for i in range(axes))), flipped=True)
