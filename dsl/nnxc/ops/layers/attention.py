"""Attention as a layer: projections around the function `attend`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ...dims import Dim
from ...shapes import TensorType
from ..base import (
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
    Weight,
)
from ..functions.attend import CAUSAL, stretches
from ..rules.pattern import divides, equal, expect_rank, weight
from ..torch_layouts import flat, matrix
from .linear import BIAS_INIT, KERNEL_INIT

PROJECTIONS = Helper("HeadProjections")
ATTENTION = Helper("Attention", needs=(PROJECTIONS,))


def _attention(inputs: Inputs, args: Mapping[str, Any]) -> Shaped:
    x, context, mask = inputs
    expect_rank("x", x, 3)
    heads, d = args["heads"], x.sizes[-1]
    kv_heads = args["kv_heads"] or heads
    requires: list[Requirement] = []
    if args["head_dim"] is None:
        requires += divides(heads, d, "heads", at="heads")
    head_dim = args["head_dim"] or d // heads
    requires += divides(kv_heads, heads, "kv_heads", at="kv_heads")
    source: TensorType = x
    if context is not None:
        expect_rank("context", context, 3)
        source = context
        message = f"context is {context}, its first axis must be {x.sizes[0]}"
        requires += equal(context.sizes[0], x.sizes[0], message, at="context")
    b, t, (s, e) = x.sizes[0], x.sizes[1], source.sizes[1:]
    requires += stretches("mask", mask, (b, heads, t, s))
    scores = 4 * b * heads * t * s * head_dim
    projections = 4 * b * t * d * heads * head_dim + 4 * b * s * e * kv_heads * head_dim
    return Shaped(
        out=x.with_dtype("float"),
        sizes={"d": d, "context_d": e},
        weights=_weights(d, e, heads, kv_heads, head_dim, args),
        flops=scores + projections,
        requires=tuple(requires),
        build=_CROSS if e != d else None,
    )


def _weights(
    d: Dim, e: Dim, heads: Dim, kv_heads: Dim, head_dim: Dim, args: Mapping[str, Any]
) -> dict[str, Weight]:
    found: dict[str, Weight] = {}
    for name, ins, outs in (
        ("query", (d,), (heads, head_dim)),
        ("key", (e,), (kv_heads, head_dim)),
        ("value", (e,), (kv_heads, head_dim)),
        ("out", (heads, head_dim), (d,)),
    ):
        kernel = matrix(len(ins), len(outs))
        found |= weight(f"{name}.kernel", (*ins, *outs), args, tensor=kernel)
        found |= weight(f"{name}.bias", outs, args, "bias", tensor=flat(len(outs)))
    return found


_HEADS = {
    "kv_heads": "kv_heads",
    "head_dim": "head_dim",
    "causal": "causal",
    "bias": "bias",
    "kernel_init": "kernel_init",
    "out_kernel_init": "out_kernel_init",
    "bias_init": "bias_init",
}
_CROSS = Call(
    "Attention", ("d", "heads"), {"context_d": "context_d"} | _HEADS, ("context_d",)
)
BIAS = Param(
    "bias", Kind.BOOL, True, "whether projections add a bias", positional=False
)
ENTRIES: tuple[Op, ...] = (
    Op(
        "Attention",
        "layer",
        "Multi-head attention over a context, or over x itself.",
        Call("Attention", ("d", "heads"), _HEADS),
        params=(
            Param("heads", Kind.SIZE, doc="how many heads"),
            Param(
                "kv_heads",
                Kind.SIZE,
                None,
                "how many heads of keys and values; `heads` if absent",
                positional=False,
                optional=True,
                absent="heads",
            ),
            Param(
                "head_dim",
                Kind.SIZE,
                None,
                "the size of a head; d // heads if absent",
                positional=False,
                optional=True,
                absent="",
            ),
            CAUSAL,
            BIAS,
            KERNEL_INIT,
            Param(
                "out_kernel_init",
                Kind.INIT,
                None,
                "initializer of the last projection's kernel; `kernel_init` if absent",
                positional=False,
            ),
            BIAS_INIT,
        ),
        inputs=(
            Input("x", "float", scalar=False),
            Input("context", "float", optional=True, scalar=False),
            Input("mask", "bool", optional=True, scalar=False),
        ),
        shape=_attention,
        dtype_aware=True,
        helper=ATTENTION,
        aliases=("MultiHeadAttention", "SelfAttention", "CrossAttention"),
        along=Along.LOOKS_BACK,
        examples=(
            Example({"heads": 2}, ("B T 6",)),
            Example({"heads": 4, "kv_heads": 2, "causal": True}, ("B T 8",)),
            Example(
                {"heads": 2, "head_dim": 5, "bias": False},
                ("B T d",),
                {"context": "B S e", "mask": "bool: B 1 1 S"},
            ),
        ),
    ),
)
