"""Arrays made from nothing: ranges, constants, random draws."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import reduce
from typing import Any

from ...dims import Dim, const
from ...shapes import Axis, TensorType, promote
from ..base import (
    REQUIRED,
    Along,
    Call,
    Example,
    Input,
    Inputs,
    Kind,
    Op,
    Param,
    Rule,
    Shaped,
    ShapeError,
)

SHAPE = Param("shape", Kind.SHAPE, doc="the shape, such as `[B, d]`")
KEY = "={rngs}.{rng}()"
RNG = Param("rng", Kind.STREAM, doc="the stream to draw from", positional=False)
DTYPE = Param("dtype", Kind.DTYPE, "float", "the dtype", positional=False)


def _filled(dtype: str | None = None) -> Rule:
    def rule(inputs: Inputs, args: Mapping[str, Any]) -> Shaped:
        return Shaped(out=TensorType(dtype or args["dtype"], tuple(args["shape"])))

    return rule


def _arange(inputs: Inputs, args: Mapping[str, Any]) -> Shaped:
    """`arange(stop)`, `arange(start, stop)`, `arange(start, stop, step)`."""
    start, stop, step = args["start"], args["stop"], args["step"]
    names = ("start", "stop", "step")
    given = 1 if stop is None else 2 if step.value == 1 else 3
    if stop is None:
        start, stop = const(0), start
    size = _count(start, stop, step)
    if size.value is not None and size.value <= 0:
        raise ShapeError(
            f"arange from {start} to {stop} is empty", at=names[given > 1], code="N305"
        )
    return Shaped(
        out=TensorType("int", (Axis(size, size.name),)),
        build=Call("jnp.arange", names[:given]),
    )


def _count(start: Dim, stop: Dim, step: Dim) -> Dim:
    if step.value is not None and step.value < 0:
        start, stop, step = stop, start, -step
    if step.value == 0:
        raise ShapeError("a step cannot be 0", at="step", code="N305")
    return (stop - start + step - 1) // step


def type_of_numbers(values: Any) -> TensorType:
    """The type of a tensor of these numbers; raises `ShapeError` where they make none."""
    if not isinstance(values, tuple):
        kinds = {bool: "bool", int: "int", float: "float"}
        if type(values) not in kinds:
            raise ShapeError("a tensor is made of numbers", at="values", code="N207")
        return TensorType(kinds[type(values)], ())
    return stacked([type_of_numbers(value) for value in values], const(len(values)))


def stacked(types: Sequence[TensorType], count: Dim) -> TensorType:
    """The type of what a list of tensors of these types makes; raises `ShapeError`."""
    if not types:
        raise ShapeError("this list is empty", at="values", code="N305")
    if any(t.sizes != types[0].sizes for t in types):
        raise ShapeError("these lists differ in length", at="values", code="N301")
    dtype = reduce(promote, (t.dtype for t in types))
    return TensorType(dtype, (Axis(count, count.name), *types[0].axes))


def _tensor(inputs: Inputs, args: Mapping[str, Any]) -> Shaped:
    values: TensorType = args["values"]
    return Shaped(out=values.with_dtype(args["dtype"] or values.dtype))


def _eye(inputs: Inputs, args: Mapping[str, Any]) -> Shaped:
    rows, columns = args["n"], args["m"] or args["n"]
    axes = (Axis(rows, rows.name), Axis(columns, columns.name))
    return Shaped(out=TensorType(args["dtype"], axes))


def _below(n: Dim, k: int) -> Dim:
    """How many entries of an n x n square lie on its diagonal k or below."""
    if k < 0:
        return (n + k) * (n + k + 1) // 2
    return n * n - (n - k - 1) * (n - k) // 2


def _triangle(name: str, doc: str, count: Callable[[Dim, int], Dim]) -> Op:
    """Rows and columns of what a triangle of a square has."""

    def rule(inputs: Inputs, args: Mapping[str, Any]) -> Shaped:
        n, k = args["n"], args["k"].value
        if k is None:
            raise ShapeError("k must be a number", at="k", code="N223")
        size = count(n, k)
        if size.value is not None and size.value <= 0:
            raise ShapeError(f"nothing of {n} x {n} is there", at="k", code="N305")
        indices = TensorType("int", (Axis(size),))
        return Shaped(out=(indices, indices))

    return Op(
        name,
        "function",
        doc,
        Call(f"jnp.{name}", ("n", "k")),
        params=(
            Param("n", Kind.SIZE, doc="rows, and columns"),
            Param("k", Kind.INT, 0, "which diagonal; above the main one if > 0"),
        ),
        inputs=(),
        shape=rule,
        along=Along.COUNTS,
        examples=(
            Example({"n": "T"}),
            Example({"n": "T", "k": -1}),
            Example({"n": 5, "k": 1}),
        ),
    )


def _linspace(inputs: Inputs, args: Mapping[str, Any]) -> Shaped:
    n = args["n"]
    return Shaped(out=TensorType(args["dtype"], (Axis(n, n.name),)))


def _constant(name: str, doc: str, *params: Param) -> Op:
    return Op(
        name,
        "function",
        doc,
        Call(f"jnp.{name}", ("shape", *(p.name for p in params)), {"dtype": "dtype"}),
        params=(SHAPE, *params, DTYPE),
        inputs=(),
        shape=_filled(),
        along=Along.FILLS,
        dtype_aware=True,
        examples=(
            Example({"shape": ("B", 3)} | {p.name: 2.5 for p in params}),
            Example({"shape": ("d",), "dtype": "int"} | {p.name: 2 for p in params}),
        ),
    )


def _random(
    name: str, doc: str, build: Call, *params: Param, dtype: str | None = None
) -> Op:
    """A draw; the stream must be named in the spec, where it is declared."""
    own = (DTYPE,) if dtype is None else ()
    needed = {
        p.name: 2 if p.kind is Kind.INT else 0.5
        for p in params
        if p.default is REQUIRED
    }
    return Op(
        name,
        "function",
        doc,
        build,
        params=(SHAPE, *params, RNG, *own),
        inputs=(),
        shape=_filled(dtype),
        along=Along.DRAWS,
        streams=("noise",),
        dtype_aware=dtype is None,
        examples=(Example({"shape": ("B", "d"), "rng": "noise"} | needed),),
    )


ENTRIES: tuple[Op, ...] = (
    Op(
        "arange",
        "function",
        "0, 1, 2, ... below `stop`, or from `start` by `step`.",
        Call("jnp.arange", ("start",)),
        params=(
            Param("start", Kind.INT, doc="the first value; alone, the end"),
            Param("stop", Kind.INT, None, "the end, not included"),
            Param("step", Kind.INT, 1, "the distance"),
        ),
        inputs=(),
        shape=_arange,
        along=Along.COUNTS,
        examples=(
            Example({"start": "T"}),
            Example({"start": 2, "stop": "T"}),
            Example({"start": 1, "stop": 12, "step": 3}),
            Example({"start": 7, "stop": 0, "step": -2}),
        ),
    ),
    _constant("zeros", "Zeros."),
    _constant("ones", "Ones."),
    _constant("full", "One value everywhere.", Param("value", Kind.NUMBER)),
    Op(
        "eye",
        "function",
        "Ones on the diagonal, zeros elsewhere.",
        Call("jnp.eye", ("n",), {"M": "m", "dtype": "dtype"}),
        params=(
            Param("n", Kind.SIZE, doc="rows"),
            Param("m", Kind.SIZE, None, "columns; as many as rows if absent"),
            DTYPE,
        ),
        inputs=(),
        shape=_eye,
        dtype_aware=True,
        along=Along.COUNTS,
        examples=(Example({"n": "T"}), Example({"n": "T", "m": 4, "dtype": "int"})),
    ),
    _triangle(
        "tril_indices",
        "Rows and columns of a square's entries on a diagonal and below, row by row.",
        _below,
    ),
    _triangle(
        "triu_indices",
        "Rows and columns of a square's entries on a diagonal and above, row by row.",
        lambda n, k: n * n - _below(n, k - 1),
    ),
    Op(
        "tensor",
        "function",
        "The tensor of a list of numbers, or of lists of one length.",
        Call("jnp.array", ("values",), {"dtype": "dtype"}),
        params=(
            Param("values", Kind.NUMBERS, doc="the numbers"),
            Param("dtype", Kind.DTYPE, None, "the dtype", positional=False),
        ),
        inputs=(),
        shape=_tensor,
        dtype_aware=True,
        along=Along.COUNTS,
        aliases=("array", "asarray", "constant", "as_tensor"),
        examples=(
            Example({"values": (0.5, 1.0, 2.0)}),
            Example({"values": ((1, 2), (3, 4), (5, 6))}),
            Example({"values": (1, 2), "dtype": "float"}),
        ),
    ),
    Op(
        "linspace",
        "function",
        "`n` evenly spaced values, both ends included.",
        Call("jnp.linspace", ("start", "stop", "n"), {"dtype": "dtype"}),
        in_float32=True,
        params=(
            Param("start", Kind.NUMBER),
            Param("stop", Kind.NUMBER),
            Param("n", Kind.SIZE),
            DTYPE,
        ),
        inputs=(),
        shape=_linspace,
        dtype_aware=True,
        along=Along.COUNTS,
        examples=(Example({"start": 0.0, "stop": 1.0, "n": "T"}),),
    ),
    _random(
        "normal",
        "Draws from the standard normal distribution.",
        Call("jax.random.normal", (KEY, "shape"), {"dtype": "dtype"}),
    ),
    _random(
        "uniform",
        "Draws uniformly between two bounds.",
        Call(
            "jax.random.uniform",
            (KEY, "shape"),
            {"dtype": "dtype", "minval": "low", "maxval": "high"},
        ),
        Param("low", Kind.NUMBER, 0.0, "the lower bound"),
        Param("high", Kind.NUMBER, 1.0, "the upper bound"),
    ),
    _random(
        "bernoulli",
        "Draws truth values, each true with probability `p`.",
        Call("jax.random.bernoulli", (KEY, "p", "shape")),
        Param("p", Kind.NUMBER, doc="the probability of true", bounds=(0, 1)),
        dtype="bool",
    ),
    _random(
        "gumbel",
        "Draws from the standard Gumbel distribution.",
        Call("jax.random.gumbel", (KEY, "shape"), {"dtype": "dtype"}),
    ),
    _random(
        "randint",
        "Draws whole numbers from `low` to `high`, not included.",
        Call("jax.random.randint", (KEY, "shape", "low", "high")),
        Param("low", Kind.INT, doc="the lower bound"),
        Param("high", Kind.INT, doc="the upper bound, not included"),
        dtype="int",
    ),
    Op(
        "categorical",
        "function",
        "Draws a class for each row of logits.",
        Call("jax.random.categorical", (KEY, "logits")),
        in_float32=True,
        params=(RNG,),
        inputs=(Input("logits", "float", scalar=False),),
        shape="... classes -> ...",
        dtype="int",
        streams=("noise",),
        along=Along.DRAWS,
        examples=(Example({"rng": "noise"}, ("B T V",)),),
    ),
)
