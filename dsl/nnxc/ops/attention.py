"""Attention: the layer, the function under it, and rotary positions."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..dims import Dim, product
from ..shapes import Axis, TensorType
from .base import (
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
    Weight,
)
from .pattern import divides, equal, expect_known, expect_rank, ordinal, weight

ATTENTION = Helper(
    "Attention",
    '''class Attention(nnx.Module):
    """Multi-head attention: (b, t, d) -> (b, t, d), over a context or itself."""

    def __init__(
        self,
        d: int,
        heads: int,
        *,
        context_d: int | None = None,
        kv_heads: int | None = None,
        head_dim: int | None = None,
        causal: bool = False,
        bias: bool = True,
        dtype: jax.typing.DTypeLike | None = None,
        rngs: nnx.Rngs,
    ):
        kv_heads = kv_heads or heads
        head_dim = head_dim or d // heads
        context_d = context_d or d
        self.causal = causal

        def project(ins, outs, axis=-1):
            return nnx.LinearGeneral(
                ins, outs, axis=axis, use_bias=bias, dtype=dtype, rngs=rngs
            )

        self.query = project(d, (heads, head_dim))
        self.key = project(context_d, (kv_heads, head_dim))
        self.value = project(context_d, (kv_heads, head_dim))
        self.out = project((heads, head_dim), d, axis=(-2, -1))

    def __call__(
        self,
        x: jax.Array,
        context: jax.Array | None = None,
        mask: jax.Array | None = None,
    ) -> jax.Array:
        context = x if context is None else context
        q, k, v = self.query(x), self.key(context), self.value(context)
        y = jax.nn.dot_product_attention(q, k, v, mask=mask, is_causal=self.causal)
        return self.out(y)  # (b, t, heads, head_dim) -> (b, t, d)
''',
)


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
    requires += _mask("mask", mask, (b, heads, t, s))
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
        found |= weight(f"{name}.kernel", (*ins, *outs), args)
        found |= weight(f"{name}.bias", outs, args, "bias")
    return found


def _mask(
    name: str, mask: TensorType | None, scores: tuple[Dim, ...]
) -> list[Requirement]:
    """A mask must stretch to one entry for each batch, head, query and key."""
    if mask is None:
        return []
    full = TensorType(mask.dtype, tuple(Axis(size) for size in scores))
    expect_known(name, mask, "attention")
    requires: list[Requirement] = []
    if mask.rank > full.rank:
        raise ShapeError(f"{name} is {mask}, it must stretch to {full}", at=name)
    for mine, due in zip(reversed(mask.sizes), reversed(scores), strict=False):
        if mine.value != 1:
            requires += equal(
                mine,
                due,
                f"{name} is {mask}, it must stretch to {full}",
                at=name,
                help="its axes are batch, heads, queries, keys; write "
                f"`{name}[:, none, none, :]` for one entry per key",
            )
    return requires


def _attend(inputs: Inputs, args: Mapping[str, Any]) -> Shaped:
    q, k, v, bias, mask = inputs
    named = (("q", q), ("k", k), ("v", v))
    for name, type in named:
        expect_rank(name, type, 4)
        if type.dtype != q.dtype:
            raise ShapeError(
                f"{name} is {type}, it must be of q's dtype", at=name, code="N302"
            )
    requires: list[Requirement] = []
    for name, type, index, due, whose in (
        ("k", k, 0, q.sizes[0], "q's"),
        ("k", k, 3, q.sizes[3], "q's"),
        ("v", v, 0, k.sizes[0], "k's"),
        ("v", v, 1, k.sizes[1], "k's"),
        ("v", v, 2, k.sizes[2], "k's"),
        ("v", v, 3, k.sizes[3], "k's"),
    ):
        message = (
            f"{name} is {type}, its {ordinal(index, 4)} axis must be {whose}, {due}"
        )
        requires += equal(type.sizes[index], due, message, at=name)
    b, t, heads, head_dim = q.sizes
    requires += divides(k.sizes[2], heads, "k's number of heads", at="k")
    scores = (b, heads, t, k.sizes[1])
    requires += _mask("bias", bias, scores) + _mask("mask", mask, scores)
    return Shaped(
        out=q,
        flops=4 * product(scores) * head_dim,
        requires=tuple(requires),
        build=_windowed(args["window"]),
    )


_OPTIONS = {"bias": "bias", "mask": "mask", "scale": "scale", "is_causal": "causal"}


def _windowed(window: Dim | None) -> Call:
    """`window` counts the query's own position, JAX's window does not."""
    text = "={window} - 1"
    if window is not None and window.value is not None:
        text = f"={window.value - 1}"
    elif window is not None and window.name is not None:
        text = "=None if {window} is None else {window} - 1"
    return Call(
        "jax.nn.dot_product_attention",
        ("q", "k", "v"),
        _OPTIONS | ({"local_window_size": text} if window is not None else {}),
        always=("local_window_size",),
    )


_HEADS = {
    "kv_heads": "kv_heads",
    "head_dim": "head_dim",
    "causal": "causal",
    "bias": "bias",
}
_CROSS = Call(
    "Attention", ("d", "heads"), {"context_d": "context_d"} | _HEADS, ("context_d",)
)
BIAS = Param(
    "bias", Kind.BOOL, True, "whether projections add a bias", positional=False
)
CAUSAL = Param(
    "causal", Kind.BOOL, False, "whether queries see no later keys", positional=False
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
            ),
            Param(
                "head_dim",
                Kind.SIZE,
                None,
                "the size of a head; d // heads if absent",
                positional=False,
                optional=True,
            ),
            CAUSAL,
            BIAS,
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
    Op(
        "attend",
        "function",
        "Scaled dot-product attention: q [B, T, heads, head_dim] over k, v [B, S, kv_heads, head_dim].",
        Call("jax.nn.dot_product_attention", ("q", "k", "v"), _OPTIONS),
        params=(
            CAUSAL,
            Param(
                "scale",
                Kind.NUMBER,
                None,
                "of the scores; 1 / sqrt(head_dim) if absent",
                positional=False,
                optional=True,
            ),
            Param(
                "window",
                Kind.SIZE,
                None,
                "how many positions a query sees, its own included",
                positional=False,
                optional=True,
            ),
        ),
        inputs=(
            Input("q", "float", scalar=False),
            Input("k", "float", scalar=False),
            Input("v", "float", scalar=False),
            Input("bias", "float", optional=True, scalar=False),
            Input("mask", "bool", optional=True, scalar=False),
        ),
        shape=_attend,
        examples=(
            Example({}, ("B T h d", "B S h d", "B S h d")),
            Example({"causal": True}, ("B T 4 d", "B T 2 d", "B T 2 d")),
            Example(
                {"scale": 0.5, "window": 3},
                ("B T heads 8", "B S heads 8", "B S heads 8"),
                {"mask": "bool: T S", "bias": "heads 1 S"},
            ),
        ),
    ),
)
