"""A transposed convolution in groups of channels, which Flax's own layer does not have."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ...dims import Dim
from ...record import replace
from ..base import Call, Helper, Shaped, ShapeError, Tensor
from ..rules.window import tuple_text

HELPER = Helper("GroupedConvTranspose")


def grouped(
    shaped: Shaped,
    args: Mapping[str, Any],
    stride: Sequence[Dim],
    dilation: Sequence[Dim],
) -> Shaped:
    """A transposed convolution, as it is when its channels come in groups.

    Its kernel is [window..., in, groups, out] of one group, as PyTorch's, [groups * in, out, window...],
    is told apart.
    """
    groups = args["groups"]
    if args["weight_norm"] is not None:
        raise ShapeError(
            "`weight_norm` does not go with `groups` here",
            at="weight_norm",
            code="N305",
            help="leave out one of the two",
        )
    kernel, build = shaped.weights["kernel"], shaped.build
    *window, taken, features = kernel.sizes
    rank = len(window)
    form = Tensor(
        ((rank + 1, rank), (rank + 2,), *((i,) for i in range(rank))), flipped=True
    )
    sizes = (*window, taken, groups, features // groups)
    assert isinstance(build, Call)
    kwargs = {
        k: v for k, v in build.kwargs.items() if k not in ("strides", "kernel_dilation")
    }
    found = dict(shaped.sizes)
    for name, values in (("strides", stride), ("kernel_dilation", dilation)):
        if any(value.value != 1 for value in values):
            found |= {f"{name}_{i}": value for i, value in enumerate(values)}
            kwargs[name] = tuple_text([f"{name}_{i}" for i in range(rank)])
    return replace(
        shaped,
        sizes=found,
        weights={**shaped.weights, "kernel": replace(kernel, sizes=sizes, tensor=form)},
        build=replace(
            build,
            target="GroupedConvTranspose",
            args=(*build.args, "groups"),
            kwargs=kwargs,
        ),
    )
