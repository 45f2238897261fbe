"""Reductions over axes, and running sums."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ...dims import const
from ...record import replace
from ...shapes import Axis, TensorType, is_float
from ..base import Along, Call, Example, Input, Inputs, Kind, Op, Param, Rule, Shaped

AXES = Param(
    "axis", Kind.AXES, None, "the axes to reduce; all if absent", optional=True
)
KEEPDIMS = Param(
    "keepdims", Kind.BOOL, False, "whether to keep them, of size 1", literal=True
)
ONE_AXIS = Param("axis", Kind.AXIS, -1, "the axis to go over")


def _reduced(dtype: str | None) -> Rule:
    """Axes vanish, or become 1; `dtype` is the result's, where not the input's."""

    def rule(inputs: Inputs, args: Mapping[str, Any]) -> Shaped:
        x: TensorType = inputs[0]
        gone = range(x.rank) if args["axis"] is None else args["axis"]
        lead = x.lead and args["axis"] is not None
        if args.get("keepdims"):
            axes = tuple(
                Axis(const(1), a.label) if i in gone else a
                for i, a in enumerate(x.axes)
            )
            lead = x.lead
        else:
            axes = tuple(a for i, a in enumerate(x.axes) if i not in gone)
        return Shaped(out=TensorType(dtype or x.dtype, axes, lead))

    return rule


def _mean_dtype(inputs: Inputs, args: Mapping[str, Any]) -> Shaped:
    """Whole numbers and truth values have a mean too, in float32."""
    dtype = None if is_float(inputs[0].dtype) else "f32"
    return _reduced(dtype)(inputs, args)


def _sum_dtype(inputs: Inputs, args: Mapping[str, Any]) -> Shaped:
    """Truth values are counted."""
    dtype = "int" if inputs[0].dtype == "bool" else None
    return _reduced(dtype)(inputs, args)


def _reduction(
    name: str,
    doc: str,
    *,
    accepts: str = "float",
    rule: Rule | None = None,
    target: str = "",
    params: tuple[Param, ...] = (),
    in_float32: bool = False,
    sums: bool = False,
) -> Op:
    written = {p.name: p.name for p in (AXES, KEEPDIMS, *params)}
    dtypes = {"any": ("", "int:", "bool:"), "number": ("", "int:"), "bool": ("bool:",)}
    return Op(
        name,
        "function",
        doc,
        Call(target or f"jnp.{name}", ("x",), written),
        params=(AXES, KEEPDIMS, *params),
        inputs=(Input("x", accepts),),
        shape=rule or _reduced(None),
        along=Along.NAMED,
        examples=tuple(
            Example(args, (f"{dtype} {axes}".strip(),))
            for dtype in dtypes.get(accepts, ("",))
            for args, axes in (
                ({}, "B T d"),
                ({"axis": (1, 2)}, "B H W C"),
                ({"axis": -1, "keepdims": True}, "B d"),
            )
        ),
        in_float32=in_float32,
        sums=sums,
    )


def _scan(name: str, doc: str) -> Op:
    return Op(
        name,
        "function",
        doc,
        Call(f"jnp.{name}", ("x",), {"axis": "axis"}, ("axis",)),
        in_float32=True,
        params=(ONE_AXIS,),
        inputs=(Input("x", "number"),),
        along=Along.NAMED,
        examples=(
            Example({}, ("B T d",)),
            Example({"axis": -1}, ("int: B T",)),
        ),
    )


def _arg(name: str, doc: str) -> Op:
    return Op(
        name,
        "function",
        doc,
        Call(
            f"jnp.{name}",
            ("x",),
            {"axis": "axis", "keepdims": "keepdims"},
            ("axis",),
        ),
        params=(ONE_AXIS, KEEPDIMS),
        inputs=(Input("x", "number"),),
        shape=_position,
        along=Along.NAMED,
        examples=(
            Example({}, ("B T d",)),
            Example({"axis": 0}, ("int: B T",)),
        ),
    )


def _position(inputs: Inputs, args: Mapping[str, Any]) -> Shaped:
    return _reduced("int")(inputs, {**args, "axis": (args["axis"],)})


def _norm(inputs: Inputs, args: Mapping[str, Any]) -> Shaped:
    """That of JAX goes over one axis, two or all."""
    shaped = _reduced(None)(inputs, args)
    axes = args["axis"]
    if axes is None or len(axes) < 3:
        return shaped
    kwargs = {"axis": "axis", "keepdims": "keepdims"}
    build = Call("jnp.sum", ("=jnp.square({x})",), kwargs, around="jnp.sqrt({})")
    return replace(shaped, build=build)


_DDOF = Param(
    "ddof", Kind.NUMBER, 0, "what to subtract from the count", positional=False
)

ENTRIES: tuple[Op, ...] = (
    _reduction("sum", "Sum over axes.", accepts="any", rule=_sum_dtype, sums=True),
    _reduction("mean", "Mean over axes.", accepts="any", rule=_mean_dtype, sums=True),
    _reduction("max", "Largest value over axes.", accepts="number"),
    _reduction("min", "Smallest value over axes.", accepts="number"),
    _reduction("prod", "Product over axes.", accepts="number", sums=True),
    _reduction("var", "Variance over axes.", params=(_DDOF,), sums=True),
    _reduction(
        "std", "Standard deviation over axes.", params=(_DDOF,), in_float32=True
    ),
    _reduction("any", "Whether any value is true.", accepts="bool"),
    _reduction("all", "Whether all values are true.", accepts="bool"),
    _reduction(
        "logsumexp",
        "Logarithm of the sum of exponentials over axes.",
        target="jax.nn.logsumexp",
        in_float32=True,
    ),
    Op(
        "norm",
        "function",
        "Root of the sum of squares over axes.",
        Call("jnp.linalg.norm", ("x",), {"axis": "axis", "keepdims": "keepdims"}),
        in_float32=True,
        params=(AXES, KEEPDIMS),
        inputs=(Input("x", "float"),),
        shape=_norm,
        along=Along.NAMED,
        result="norm",
        examples=(
            Example({"axis": -1, "keepdims": True}, ("B T d",)),
            Example({"axis": (1, 2)}, ("B H W C",)),
            Example({"axis": (0, 2, 3), "keepdims": True}, ("B H W C",)),
            Example({}, ("B T d",)),
            Example({}, ("B d",)),
        ),
    ),
    _arg("argmax", "Position of the largest value along an axis."),
    _arg("argmin", "Position of the smallest value along an axis."),
    _scan("cumsum", "Running sum along an axis."),
    _scan("cumprod", "Running product along an axis."),
)
