"""Activations: elementwise functions of jax.nn, and those that normalize over an axis."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ...record import replace
from ...shapes import Axis, TensorType
from ..base import Along, Call, Example, Helper, Input, Inputs, Kind, Op, Param, Shaped
from ..rules.pattern import multiple, ordinal

INPUT = (Input("x", "float"),)


def _elementwise(name: str, doc: str, *params: Param, module: str = "nnx") -> Op:
    return Op(
        name,
        "function",
        doc,
        Call(f"{module}.{name}", ("x",), {p.name: p.name for p in params}),
        params=params,
        inputs=INPUT,
        along=Along.EACH,
        examples=(Example({}),),
    )


def _over_axis(name: str, doc: str) -> Op:
    return Op(
        name,
        "function",
        doc,
        Call(f"nnx.{name}", ("x",), {"axis": "axis"}),
        params=(Param("axis", Kind.AXIS, -1, "the axis to normalize over"),),
        inputs=INPUT,
        along=Along.NAMED,
        in_float32=True,
        examples=(Example({}), Example({"axis": 1}, ("B T d",))),
    )


def _glu(inputs: Inputs, args: Mapping[str, Any]) -> Shaped:
    """The axis is halved, so it must be even."""
    x: TensorType = inputs[0]
    position = args["axis"]
    old = x.axes[position]
    rest = multiple(old.size, 2, f"x's {ordinal(position, x.rank)} axis", at="x")
    axes = list(x.axes)
    axes[position] = Axis(old.size // 2, old.label)
    return Shaped(out=x.with_axes(tuple(axes)), requires=tuple(rest))


QUICK_GELU = Helper("quick_gelu")
# One object, as two partial functions are not equal.
EXACT_GELU = Helper("exact_gelu")
# What a `config.json` calls activations.
ACTIVATION = Helper("activation_named")


def _alpha(default: float) -> Param:
    return Param("alpha", Kind.NUMBER, default, "the scale below zero")


ENTRIES: tuple[Op, ...] = (
    _elementwise("relu", "max(x, 0)"),
    replace(
        _elementwise(
            "gelu",
            "x times the normal distribution function; by default its tanh approximation",
            Param("approximate", Kind.BOOL, True, "whether to use tanh for erf"),
        ),
        other_helpers=(EXACT_GELU,),
        named={"approximate=False": EXACT_GELU.name},
    ),
    Op(
        "quick_gelu",
        "function",
        "x sigmoid(1.702 x), an approximation of gelu.",
        Call("quick_gelu", ("x",)),
        inputs=INPUT,
        helper=QUICK_GELU,
        along=Along.EACH,
        examples=(Example({}),),
    ),
    _elementwise("silu", "x sigmoid(x), also called swish"),
    _elementwise("sigmoid", "1 / (1 + exp(-x))"),
    _elementwise("tanh", "hyperbolic tangent"),
    _elementwise("elu", "x, and alpha (exp(x) - 1) below zero", _alpha(1.0)),
    _elementwise("celu", "x, and alpha (exp(x / alpha) - 1) below zero", _alpha(1.0)),
    _elementwise("selu", "elu with the constants that keep mean 0 and variance 1"),
    _elementwise(
        "leaky_relu",
        "x, and a small slope below zero",
        Param("negative_slope", Kind.NUMBER, 0.01, "the slope below zero"),
    ),
    _elementwise("relu6", "min(max(x, 0), 6)", module="jax.nn"),
    _elementwise("softplus", "log(1 + exp(x))"),
    _elementwise("soft_sign", "x / (1 + |x|)"),
    _elementwise("log_sigmoid", "log(sigmoid(x))"),
    _elementwise("hard_sigmoid", "sigmoid by straight lines: relu6(x + 3) / 6"),
    _elementwise("hard_silu", "x hard_sigmoid(x)"),
    _elementwise("hard_tanh", "x clipped to -1 and 1"),
    _elementwise("mish", "x tanh(softplus(x))", module="jax.nn"),
    _elementwise("squareplus", "(x + sqrt(x**2 + b)) / 2", module="jax.nn"),
    _elementwise("sparse_plus", "softplus with a sparse tail", module="jax.nn"),
    _elementwise("sparse_sigmoid", "the slope of sparse_plus", module="jax.nn"),
    _over_axis("softmax", "Exponentials divided by their sum over the axis."),
    _over_axis("log_softmax", "The logarithm of softmax."),
    _over_axis("standardize", "Mean 0 and variance 1 over the axis."),
    Op(
        "glu",
        "function",
        "One half of the axis times the sigmoid of the other.",
        Call("nnx.glu", ("x",), {"axis": "axis"}),
        params=(Param("axis", Kind.AXIS, -1, "the axis to halve"),),
        inputs=INPUT,
        shape=_glu,
        along=Along.NAMED,
        examples=(Example({}, ("B T 6",)), Example({"axis": 1}, ("B 4 d",))),
    ),
    Op(
        "PReLU",
        "layer",
        "x, and a learned slope below zero.",
        Call("nnx.PReLU", (), {"negative_slope_init": "negative_slope"}),
        params=(Param("negative_slope", Kind.NUMBER, 0.01, "the slope to start from"),),
        inputs=INPUT,
        dtype="float",
        weights={"negative_slope": ""},
        tensors={"negative_slope": "weight"},
        dtype_aware=True,
        takes_rngs=False,
        along=Along.EACH,
        examples=(Example({}), Example({"negative_slope": 0.25}, ("B d",))),
    ),
)
