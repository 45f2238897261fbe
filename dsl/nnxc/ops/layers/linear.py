"""Layers that are one matrix product: Linear, Embed, Bilinear."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import chain
from typing import Any

from ...dims import Dim, Func, const, product
from ...shapes import Axis, TensorType
from ..base import (
    IN_FLOAT32,
    Along,
    Call,
    Example,
    Helper,
    Input,
    Inputs,
    Kind,
    Op,
    Param,
    Requirement,
    Shaped,
    ShapeError,
)
from ..rules.pattern import divides, expect_rank, weight
from ..torch_layouts import flat, matrix

KERNEL_INIT = Param(
    "kernel_init",
    Kind.INIT,
    "lecun_normal",
    "initializer of the kernel",
    positional=False,
)
BIAS_INIT = Param(
    "bias_init", Kind.INIT, "zeros", "initializer of the bias", positional=False
)
BIAS = Param("bias", Kind.BOOL, True, "whether to add a bias", positional=False)
AFFINE_OPTIONS = {
    "use_bias": "bias",
    "kernel_init": "kernel_init",
    "bias_init": "bias_init",
}


def _linear(inputs: Inputs, args: Mapping[str, Any]) -> Shaped:
    x: TensorType = inputs[0]
    expect_rank("x", x, 1, at_least=True)
    out, over = args["out"], args["over"] or (x.rank - 1,)
    if len(set(over)) != len(over):
        raise ShapeError("an axis is contracted twice", at="over", code="N307")
    kept = tuple(a for i, a in enumerate(x.axes) if i not in over)
    contracted = tuple(x.axes[i].size for i in over)
    label = x.axes[over[0]].label if len(over) == len(out) == 1 else None
    made = tuple(Axis(size, label or size.name) for size in out)
    sizes = {f"in_{i}": size for i, size in enumerate(contracted)} | {
        f"out_{i}": size for i, size in enumerate(out)
    }
    lead = product(tuple(a.size for a in kept))
    return Shaped(
        out=TensorType("float", kept + made, x.lead),
        sizes=sizes,
        weights=weight(
            "kernel", contracted + out, args, tensor=matrix(len(over), len(out))
        )
        | weight("bias", out, args, "bias", tensor=flat(len(out))),
        flops=const(2) * lead * product(contracted) * product(out),
        build=_linear_call(x, over, len(out)),
        requires=_split_whole(out),
    )


def _split_whole(out: tuple[Dim, ...]) -> tuple[Requirement, ...]:
    """What is split into `heads` and `d // heads` is split whole: else the layer would be smaller
    than it says, and nothing would tell."""
    parts = (size.atom for size in out if isinstance(size.atom, Func))
    splits = (part.args for part in parts if part.name == "floordiv")
    found = (divides(b, a, str(b), at="out") for a, b in splits if b in out)
    return tuple(chain.from_iterable(found))


def _linear_call(x: TensorType, over: tuple[int, ...], outs: int) -> Call:
    """`nnx.Linear` from the last axis to one; else the general form."""
    last = over == (x.rank - 1,)
    if last and outs == 1:
        return Call("nnx.Linear", ("in_0", "out_0"), AFFINE_OPTIONS)
    ins = _tuple([f"in_{i}" for i in range(len(over))])
    axes = [i - x.rank for i in over]
    axis = {} if last else {"axis": f"={axes[0] if len(axes) == 1 else tuple(axes)}"}
    return Call(
        "nnx.LinearGeneral",
        (ins, _tuple([f"out_{i}" for i in range(outs)])),
        axis | AFFINE_OPTIONS,
        always=("axis",),
    )


def _tuple(names: list[str]) -> str:
    if len(names) == 1:
        return names[0]
    return "=(" + ", ".join(f"{{{n}}}" for n in names) + ")"


ATTEND = Op(
    "attend",
    "layer",
    "Scores each embedding against a vector: the tied output head.",
    Call("attend", ("x",)),
    inputs=(Input("x", "float"),),
    shape="... d -> ... vocab",
    along=Along.LAST,
    dtype="float",
    flops=lambda n: 2 * n["..."] * n["d"] * n["vocab"],
    in_full=Call(
        "jnp.dot",
        ("x", "={self}.embedding[...].T.astype({dtype})"),
        IN_FLOAT32,
    ),
)

PADDED = Helper("PaddedEmbed")

ENTRIES: tuple[Op, ...] = (
    Op(
        "Linear",
        "layer",
        "Affine map from the last axis (or the axes `over`) to one or several new ones. `Linear(heads, d // heads)` "
        "splits `d` whole: `heads` has to divide it.",
        Call("nnx.Linear", ("in_0", "out_0"), AFFINE_OPTIONS),
        params=(
            Param("out", Kind.SIZES, doc="the new axes"),
            Param(
                "over",
                Kind.AXES,
                None,
                "the axes to contract",
                positional=False,
                optional=True,
            ),
            BIAS,
            KERNEL_INIT,
            BIAS_INIT,
        ),
        inputs=(Input("x", "float"),),
        shape=_linear,
        dtype_aware=True,
        aliases=("Dense", "FullyConnected", "LinearGeneral"),
        along=Along.LAST,
        examples=(
            Example({"out": 3}, ("B T d",)),
            Example({"out": 6, "bias": False}, ("B 5",)),
            Example({"out": (4, 6)}, ("B T d",)),
            Example({"out": 8, "over": (2, 3)}, ("B T heads 6",)),
            Example({"out": 8, "over": (1,)}, ("B T d",)),
        ),
    ),
    Op(
        "Embed",
        "layer",
        "A learned vector for each of `vocab` ids.",
        Call("nnx.Embed", ("vocab", "d"), {"embedding_init": "embedding_init"}),
        params=(
            Param("vocab", Kind.SIZE, doc="how many ids there are"),
            Param("d", Kind.SIZE, doc="the size of a vector"),
            Param(
                "padding",
                Kind.INT,
                None,
                "the id whose vector does not learn where it is looked up",
                positional=False,
                optional=True,
            ),
            Param("embedding_init", Kind.INIT, "variance_scaling", positional=False),
        ),
        inputs=(Input("ids", "int"),),
        shape="... -> ... d",
        dtype="float",
        weights={"embedding": "vocab d"},
        dtype_aware=True,
        helper=PADDED,
        variants={
            "padding": Call(
                "PaddedEmbed",
                ("vocab", "d", "padding"),
                {"embedding_init": "embedding_init"},
            )
        },
        methods={"attend": ATTEND},
        aliases=("Embedding",),
        along=Along.EACH,
        examples=(
            Example({"vocab": 11, "d": 6}, ("int: B T",)),
            Example({"vocab": 11, "d": 6, "padding": 0}, ("int: B T",)),
        ),
    ),
)
