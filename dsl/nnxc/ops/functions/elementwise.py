"""Elementwise functions of one tensor, and of several that broadcast."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ...record import replace
from ...shapes import TensorType, is_float
from ..base import Along, Call, Example, Input, Inputs, Kind, Op, Param, Rule, Shaped
from ..rules.broadcast import broadcast

_EXAMPLES = {"float": "B T d", "number": "int: B T", "any": "B d", "bool": "bool: B d"}


def _unary(
    name: str,
    doc: str,
    target: str = "",
    *,
    accepts: str = "float",
    dtype: str | None = None,
    result: str = "",
) -> Op:
    example = _EXAMPLES[accepts]
    return Op(
        name,
        "function",
        doc,
        Call(target or f"jnp.{name}", ("x",)),
        inputs=(Input("x", accepts),),
        dtype=dtype,
        along=Along.EACH,
        examples=(Example({}, (example,)),),
        result=result,
    )


def _binary(
    name: str,
    doc: str,
    *,
    accepts: str = "number",
    rule: Rule | None = None,
    examples: tuple[Example, ...] = (Example({}, ("B T d", "d")),),
    in_float32: bool = False,
) -> Op:
    return Op(
        name,
        "function",
        doc,
        Call(f"jnp.{name}", ("x", "y")),
        inputs=(Input("x", accepts), Input("y", accepts)),
        shape=rule or _broadcast,
        along=Along.EACH,
        examples=examples,
        in_float32=in_float32,
    )


def _broadcast(inputs: Inputs, args: Mapping[str, Any]) -> Shaped:
    out, requires = broadcast(inputs)
    return Shaped(out=out, requires=requires)


def _float_broadcast(inputs: Inputs, args: Mapping[str, Any]) -> Shaped:
    """The result is floating even for whole numbers."""
    shaped = _broadcast(inputs, args)
    assert isinstance(shaped.out, TensorType)
    dtype = shaped.out.dtype if is_float(shaped.out.dtype) else "f32"
    return replace(shaped, out=shaped.out.with_dtype(dtype))


def _where(inputs: Inputs, args: Mapping[str, Any]) -> Shaped:
    """Three shapes broadcast; the dtype is that of the two choices."""
    condition, *choices = inputs
    chosen, some = broadcast(choices)
    out, more = broadcast((condition.with_dtype(chosen.dtype), chosen))
    return Shaped(out=out, requires=some + more)


def _astype(inputs: Inputs, args: Mapping[str, Any]) -> Shaped:
    return Shaped(out=inputs[0].with_dtype(args["dtype"]))


_BOOLS = (Example({}, ("bool: B T", "bool: T")),)

ENTRIES: tuple[Op, ...] = (
    _unary("exp", "e to the power of x"),
    _unary("expm1", "exp(x) - 1, exact near 0"),
    _unary("log", "natural logarithm"),
    _unary("log1p", "log(1 + x), exact near 0"),
    _unary("log2", "logarithm to base 2"),
    _unary("sqrt", "square root"),
    _unary("rsqrt", "1 / sqrt(x)", "jax.lax.rsqrt", result="scale"),
    _unary("sin", "sine"),
    _unary("cos", "cosine"),
    _unary("tan", "tangent"),
    _unary("sinh", "hyperbolic sine"),
    _unary("cosh", "hyperbolic cosine"),
    _unary("arctan", "inverse tangent"),
    _unary("erf", "error function", "jax.scipy.special.erf"),
    _unary("floor", "the largest whole number that is not larger"),
    _unary("ceil", "the smallest whole number that is not smaller"),
    _unary("round", "the nearest whole number"),
    _unary("abs", "absolute value", accepts="number"),
    _unary("sign", "-1, 0 or 1", accepts="number"),
    _unary("square", "x times x", accepts="number"),
    _unary("logical_not", "whether x is false", accepts="bool"),
    _unary("isnan", "whether x is not a number", dtype="bool"),
    _unary("isfinite", "whether x is neither infinite nor nan", dtype="bool"),
    _unary(
        "stop_gradient",
        "x, through which no gradient flows",
        "jax.lax.stop_gradient",
        accepts="any",
    ),
    _binary("maximum", "the larger of two"),
    _binary("minimum", "the smaller of two"),
    _binary("logaddexp", "log(exp(x) + exp(y))", accepts="float", in_float32=True),
    _binary("power", "x to the power of y"),
    _binary(
        "arctan2",
        "the angle of the point (y, x)",
        accepts="float",
        rule=_float_broadcast,
    ),
    _binary("logical_and", "whether both are true", accepts="bool", examples=_BOOLS),
    _binary("logical_or", "whether one is true", accepts="bool", examples=_BOOLS),
    _binary("logical_xor", "whether just one is true", accepts="bool", examples=_BOOLS),
    Op(
        "clip",
        "function",
        "x, held between two bounds.",
        Call("jnp.clip", ("x",), {"min": "min", "max": "max"}),
        params=(
            Param("min", Kind.NUMBER, None, "the lower bound", optional=True),
            Param("max", Kind.NUMBER, None, "the upper bound", optional=True),
        ),
        inputs=(Input("x", "number"),),
        aliases=("clamp",),
        along=Along.EACH,
        examples=(
            Example({}),
            Example({"min": 0.0, "max": 1.0}),
            Example({"max": 2}, ("int: B",)),
        ),
    ),
    Op(
        "where",
        "function",
        "x where the condition is true, y elsewhere.",
        Call("jnp.where", ("condition", "x", "y")),
        inputs=(Input("condition", "bool"), Input("x"), Input("y")),
        shape=_where,
        aliases=("select",),
        along=Along.EACH,
        examples=(
            Example({}, ("bool: B T 1", "B T d", "d")),
            Example({}, ("bool: B T", "int: T", "B 1")),
        ),
    ),
    Op(
        "astype",
        "function",
        "x in another dtype.",
        "{x}.astype({dtype})",
        params=(Param("dtype", Kind.DTYPE, doc="the dtype"),),
        shape=_astype,
        aliases=("cast",),
        along=Along.EACH,
        examples=(
            Example({"dtype": "int"}),
            Example({"dtype": "float"}, ("int: B T",)),
            Example({"dtype": "bf16"}, ("bool: B",)),
        ),
    ),
)
