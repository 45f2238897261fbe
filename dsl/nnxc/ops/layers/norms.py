"""Normalization layers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ...shapes import TensorType
from ..base import Along, Call, Example, Helper, Input, Inputs, Kind, Op, Param, Shaped
from ..rules.pattern import divides, expect_known, expect_rank, weight

SCALE = Param("scale", Kind.BOOL, True, "whether to learn a scale", positional=False)
BIAS = Param("bias", Kind.BOOL, True, "whether to learn a bias", positional=False)
SCALE_INIT = Param(
    "scale_init", Kind.INIT, "ones", "initializer of the scale", positional=False
)
BIAS_INIT = Param(
    "bias_init", Kind.INIT, "zeros", "initializer of the bias", positional=False
)
OPTIONS = {"epsilon": "eps", "use_scale": "scale", "scale_init": "scale_init"}
AFFINE_OPTIONS = {**OPTIONS, "use_bias": "bias", "bias_init": "bias_init"}
AFFINE = {"scale": "d if scale", "bias": "d if bias"}
INPUT = (Input("x", "float"),)
KEEP_DTYPES = Helper("keep_dtypes")
BATCH_OPTIONS = {
    "momentum": "momentum",
    **AFFINE_OPTIONS,
    "promote_dtype": f"={KEEP_DTYPES.name}",
}
BATCH_NORM = Helper("BatchNorm", needs=(KEEP_DTYPES,))


def _eps(default: float) -> Param:
    return Param("eps", Kind.NUMBER, default, "added to the variance", positional=False)


def _batch_norm(inputs: Inputs, args: Mapping[str, Any]) -> Shaped:
    """Flax's layer keeps the biased variance; another is a class of the generated module."""
    x: TensorType = inputs[0]
    expect_rank("x", x, 1, at_least=True)
    d = x.axes[-1].size
    target = "BatchNorm" if args["unbiased"] else "nnx.BatchNorm"
    return Shaped(
        out=x.with_dtype("float"),
        sizes={"d": d},
        weights=weight("scale", (d,), args, "scale")
        | weight("bias", (d,), args, "bias")
        | weight("mean", (d,), args, state=True)
        | weight("var", (d,), args, state=True),
        build=Call(target, ("d",), BATCH_OPTIONS),
    )


def _group_norm(inputs: Inputs, args: Mapping[str, Any]) -> Shaped:
    """All axes between the first and the last are normalized together, so all must be known."""
    x: TensorType = inputs[0]
    expect_known("x", x, "GroupNorm")
    expect_rank("x", x, 2, at_least=True)
    d, groups = x.axes[-1].size, args["groups"]
    return Shaped(
        out=x.with_dtype("float"),
        sizes={"d": d},
        weights=weight("scale", (d,), args, "scale")
        | weight("bias", (d,), args, "bias"),
        requires=tuple(divides(groups, d, "groups", at="groups")),
    )


def _instance_norm(inputs: Inputs, args: Mapping[str, Any]) -> Shaped:
    """As for groups: the axes between the first and the last are the instance."""
    x: TensorType = inputs[0]
    expect_known("x", x, "InstanceNorm")
    expect_rank("x", x, 3, at_least=True)
    d = x.axes[-1].size
    return Shaped(
        out=x.with_dtype("float"),
        sizes={"d": d},
        weights=weight("scale", (d,), args, "scale")
        | weight("bias", (d,), args, "bias"),
    )


ENTRIES: tuple[Op, ...] = (
    Op(
        "LayerNorm",
        "layer",
        "Normalizes over the last axis to mean 0 and variance 1.",
        Call("nnx.LayerNorm", ("d",), AFFINE_OPTIONS),
        params=(_eps(1e-6), SCALE, BIAS, SCALE_INIT, BIAS_INIT),
        inputs=INPUT,
        shape="... d -> ... d",
        dtype="float",
        weights=AFFINE,
        dtype_aware=True,
        along=Along.LAST,
        examples=(
            Example({}, ("B T d",)),
            Example({"eps": 1e-5, "bias": False, "scale": False}, ("B 5",)),
        ),
    ),
    Op(
        "RMSNorm",
        "layer",
        "Divides by the root mean square over the last axis.",
        Call("nnx.RMSNorm", ("d",), OPTIONS),
        params=(_eps(1e-6), SCALE, SCALE_INIT),
        inputs=INPUT,
        shape="... d -> ... d",
        dtype="float",
        weights={"scale": "d if scale"},
        dtype_aware=True,
        along=Along.LAST,
        examples=(Example({}, ("B T d",)), Example({"eps": 1e-5}, ("B d",))),
    ),
    Op(
        "BatchNorm",
        "layer",
        "Normalizes each feature over all other axes; evaluation uses running statistics.",
        Call("nnx.BatchNorm", ("d",), BATCH_OPTIONS),
        params=(
            Param(
                "momentum",
                Kind.NUMBER,
                0.99,
                "how much of the running statistics a step keeps: 1 less PyTorch's",
                positional=False,
                bounds=(0, 1),
            ),
            _eps(1e-5),
            Param(
                "unbiased",
                Kind.BOOL,
                False,
                "whether the running variance is the unbiased one, as in PyTorch",
                literal=True,
                positional=False,
            ),
            SCALE,
            BIAS,
            SCALE_INIT,
            BIAS_INIT,
        ),
        inputs=INPUT,
        shape=_batch_norm,
        modes=("use_running_average",),
        dtype_aware=True,
        helper=BATCH_NORM,
        along=Along.LAST,
        examples=(
            Example({}, ("B H W C",)),
            Example({"momentum": 0.9, "scale": False}, ("B d",)),
            Example({"momentum": 0.9, "unbiased": True}, ("B H W C",)),
        ),
    ),
    Op(
        "GroupNorm",
        "layer",
        "Normalizes each sample over groups of features and all axes but the first.",
        Call("nnx.GroupNorm", ("d",), {"num_groups": "groups", **AFFINE_OPTIONS}),
        params=(
            Param("groups", Kind.SIZE, 32, "how many groups"),
            _eps(1e-6),
            SCALE,
            BIAS,
            SCALE_INIT,
            BIAS_INIT,
        ),
        inputs=INPUT,
        shape=_group_norm,
        dtype_aware=True,
        along=Along.INNER,
        examples=(
            Example({"groups": 4}, ("B H W 8",)),
            Example({}, ("B T 64",)),
        ),
    ),
    Op(
        "InstanceNorm",
        "layer",
        "Normalizes each feature of each sample over the axes between.",
        Call("nnx.InstanceNorm", ("d",), AFFINE_OPTIONS),
        params=(_eps(1e-6), SCALE, BIAS, SCALE_INIT, BIAS_INIT),
        inputs=INPUT,
        shape=_instance_norm,
        dtype_aware=True,
        along=Along.INNER,
        examples=(Example({}, ("B H W C",)),),
    ),
)
