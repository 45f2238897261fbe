"""Initialisers of weights: those of jax.nn, by name."""

from __future__ import annotations

from ..base import Call, Example, Kind, Op, Param

_MODES = {f"fan_{way}": f'"fan_{way}"' for way in ("in", "out", "avg")}
_DISTRIBUTIONS = {
    name: f'"{name}"' for name in ("truncated_normal", "normal", "uniform")
}


def _initializer(name: str, doc: str, *params: Param, **example: float | str) -> Op:
    call = Call(f"nnx.initializers.{name}", (), {p.name: p.name for p in params})
    return _op(name, doc, call, params, example)


def _op(
    name: str,
    doc: str,
    build: Call | str,
    params: tuple[Param, ...] = (),
    example: dict[str, float | str] | None = None,
) -> Op:
    return Op(
        name,
        "initializer",
        doc,
        build,
        params=params,
        inputs=(),
        examples=(Example(example or {}, ()),),
    )


def _scale(name: str, default: float) -> Param:
    return Param(name, Kind.NUMBER, default)


_AXES = (
    Param("in_axis", Kind.INTS, -2),
    Param("out_axis", Kind.INTS, -1),
    Param("batch_axis", Kind.INTS, (), "axes along which weights are stacked"),
)
_FANS = (
    ("lecun", "Variance 1 / fan-in"),
    ("he", "Variance 2 / fan-in"),
    ("kaiming", "Variance 2 / fan-in"),
    ("glorot", "Variance 2 / (fan-in + fan-out)"),
    ("xavier", "Variance 2 / (fan-in + fan-out)"),
)
_SHAPES = (("normal", "from a truncated normal"), ("uniform", "uniformly"))

ENTRIES: tuple[Op, ...] = (
    _op("zeros", "All 0.", "nnx.initializers.zeros"),
    _op("ones", "All 1.", "nnx.initializers.ones"),
    _op(
        "constant",
        "All one value.",
        Call("nnx.initializers.constant", ("value",)),
        (Param("value", Kind.NUMBER),),
        {"value": 0.5},
    ),
    _initializer("normal", "Normal with deviation `stddev`.", _scale("stddev", 0.01)),
    _initializer(
        "truncated_normal",
        "Normal cut off at `lower` and `upper` deviations.",
        _scale("stddev", 0.01),
        _scale("lower", -2.0),
        _scale("upper", 2.0),
    ),
    _initializer("uniform", "Uniform from 0 to `scale`.", _scale("scale", 0.01)),
    _initializer("orthogonal", "Orthogonal matrices, scaled.", _scale("scale", 1.0)),
    _initializer(
        "delta_orthogonal",
        "Orthogonal in the centre of a convolution's window, 0 elsewhere.",
        _scale("scale", 1.0),
    ),
    _initializer(
        "variance_scaling",
        "Variance `scale` over the fan that `mode` names.",
        Param("scale", Kind.NUMBER),
        Param("mode", Kind.TEXT, choices=_MODES),
        Param("distribution", Kind.TEXT, choices=_DISTRIBUTIONS),
        *_AXES,
        scale=1.0,
        mode="fan_in",
        distribution="normal",
    ),
    *(
        _initializer(f"{fan}_{shape}", f"{variance}, drawn {how}.", *_AXES)
        for fan, variance in _FANS
        for shape, how in _SHAPES
    ),
)
