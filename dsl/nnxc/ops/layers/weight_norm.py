"""Weight normalization: a kernel's directions and its lengths are learned apart."""

from __future__ import annotations

from ...dims import const
from ...record import replace
from ..base import Call, Helper, Kind, Param, Shaped, ShapeError

WEIGHT_NORM = Param(
    "weight_norm",
    Kind.TEXT,
    None,
    "the axis of the kernel along which lengths are learned, apart from directions",
    {"out": "-1", "in": "-2", "window": "0"},
    literal=True,
    optional=True,
    positional=False,
)
TENSORS = {
    "layer.kernel": "parametrizations.weight.original1",
    "layer.bias": "bias",
    "scale": "parametrizations.weight.original0",
}
OLDER = {
    "parametrizations.weight.original1": "weight_v",
    "parametrizations.weight.original0": "weight_g",
}
HELPER = Helper("WeightNorm")


def weight_normed(shaped: Shaped, axis: str | None) -> Shaped:
    """A layer with a kernel, as it is when its weights are normalized along an axis."""
    if axis is None:
        return shaped
    kernel = shaped.weights["kernel"]
    rank = len(kernel.sizes)
    if axis == "window" and rank != 3:
        raise ShapeError(
            f"the window of this kernel has {rank - 2} axes, not one",
            at="weight_norm",
            code="N305",
            help='write weight_norm="out"',
        )
    at = {"out": rank - 1, "in": rank - 2, "window": 0}[axis]
    sizes = tuple(s if i == at else const(1) for i, s in enumerate(kernel.sizes))
    inner = {f"layer.{name}": weight for name, weight in shaped.weights.items()}
    assert isinstance(shaped.build, Call)
    around = (
        "WeightNorm({})" if axis == "out" else f"WeightNorm({{}}, axis={at - rank})"
    )
    return replace(
        shaped,
        weights={**inner, "scale": replace(kernel, sizes=sizes)},
        build=replace(shaped.build, around=around),
    )
