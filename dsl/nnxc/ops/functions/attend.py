"""The function under attention: who sees whom, and how scores are made."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ...dims import Dim, product
from ...shapes import Axis, TensorType
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
    ShapeError,
)
from ..rules.pattern import divides, equal, expect_known, expect_rank, ordinal

ATTEND = Helper("attend", needs=(Helper("visibility"),))


def _attend(inputs: Inputs, args: Mapping[str, Any]) -> Shaped:
    q, k, v, bias, mask, slopes, sinks, segments = inputs
    for name, type in (("q", q), ("k", k), ("v", v)):
        expect_rank(name, type, 4)
        if type.dtype != q.dtype:
            raise ShapeError(
                f"{name} is {type}, it must be of q's dtype", at=name, code="N302"
            )
    b, t, heads, head_dim = q.sizes
    s, kv_heads, value_dim = k.sizes[1], k.sizes[2], v.sizes[3]
    requires: list[Requirement] = []
    for name, type, index, due, whose in (
        ("k", k, 0, b, "q's"),
        ("k", k, 3, head_dim, "q's"),
        ("v", v, 0, k.sizes[0], "k's"),
        ("v", v, 1, s, "k's"),
        ("v", v, 2, kv_heads, "k's"),
    ):
        message = (
            f"{name} is {type}, its {ordinal(index, 4)} axis must be {whose}, {due}"
        )
        requires += equal(type.sizes[index], due, message, at=name)
    requires += divides(kv_heads, heads, "k's number of heads", at="k")
    scores = (b, heads, t, s)
    requires += stretches("bias", bias, scores) + stretches("mask", mask, scores)
    for name, type, sizes in (
        ("slopes", slopes, (heads,)),
        ("sinks", sinks, (heads,)),
        ("segments", segments, (b, t)),
    ):
        requires += _is_of(name, type, sizes)
    if segments is not None:
        message = "segments say which queries belong to which keys"
        requires += equal(t, s, message, at="segments")
    return Shaped(
        out=v.with_axes((*q.axes[:3], v.axes[3])),
        flops=2 * product(scores) * (head_dim + value_dim),
        requires=tuple(requires),
        build=_windowed(args["window"]) if value_dim == head_dim else IN_FULL,
    )


def _is_of(
    name: str, type: TensorType | None, sizes: tuple[Dim, ...]
) -> list[Requirement]:
    """An optional input is of these sizes."""
    if type is None:
        return []
    expect_rank(name, type, len(sizes))
    requires: list[Requirement] = []
    for mine, due in zip(type.sizes, sizes, strict=True):
        message = f"{name} is {type}, its size must be {due}"
        requires += equal(mine, due, message, at=name)
    return requires


def stretches(
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


_PLAIN = {"bias": "bias", "mask": "mask", "scale": "scale", "is_causal": "causal"}
_MORE = ("slopes", "sinks", "segments", "chunk", "softcap")
IN_FULL = Call(
    "attend",
    ("q", "k", "v"),
    {n: n for n in ("bias", "mask", *_MORE[:3], "causal", "window", "chunk", "scale")}
    | {"softcap": "softcap"},
)


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
        _PLAIN | ({"local_window_size": text} if window is not None else {}),
        always=("local_window_size",),
    )


def _option(name: str, kind: Kind, doc: str) -> Param:
    return Param(name, kind, None, doc, positional=False, optional=True)


CAUSAL = Param(
    "causal", Kind.BOOL, False, "whether queries see no later keys", positional=False
)

ENTRIES: tuple[Op, ...] = (
    Op(
        "attend",
        "function",
        "Scaled dot-product attention: q [B, T, heads, head_dim] over k, v [B, S, kv_heads, head_dim]. "
        "`slopes` [heads] are subtracted from scores per step of distance (ALiBi), `sinks` [heads] take "
        "part in the softmax and give nothing, `segments` [B, T] are seen by their own only.",
        Call("jax.nn.dot_product_attention", ("q", "k", "v"), _PLAIN),
        params=(
            CAUSAL,
            _option(
                "scale", Kind.NUMBER, "of the scores; 1 / sqrt(head_dim) if absent"
            ),
            _option(
                "window",
                Kind.SIZE,
                "how many positions a query sees, its own included; without `causal`, as many on its other side",
            ),
            _option(
                "chunk", Kind.SIZE, "of how many positions a query sees its own chunk"
            ),
            _option(
                "softcap", Kind.NUMBER, "holds scores s by softcap * tanh(s / softcap)"
            ),
        ),
        inputs=(
            Input("q", "float", scalar=False),
            Input("k", "float", scalar=False),
            Input("v", "float", scalar=False),
            Input("bias", "float", optional=True, scalar=False),
            Input("mask", "bool", optional=True, scalar=False),
            Input("slopes", "float", optional=True, scalar=False),
            Input("sinks", "float", optional=True, scalar=False),
            Input("segments", "int", optional=True, scalar=False),
        ),
        shape=_attend,
        product=True,
        helper=ATTEND,
        variants=dict.fromkeys(_MORE, IN_FULL),
        along=Along.LOOKS_BACK,
        result="attended",
        examples=(
            Example({}, ("B T h d", "B S h d", "B S h d")),
            Example({"causal": True}, ("B T 4 d", "B T 2 d", "B T 2 d")),
            Example(
                {"scale": 0.5, "window": 3},
                ("B T heads 8", "B S heads 8", "B S heads 8"),
                {"mask": "bool: T S", "bias": "heads 1 S"},
            ),
            Example({}, ("B T 4 8", "B S 2 8", "B S 2 5")),
            Example(
                {"causal": True, "softcap": 20.0, "chunk": 4},
                ("B T 4 d", "B T 2 d", "B T 2 d"),
                {"slopes": "4", "sinks": "4", "segments": "int: B T"},
            ),
        ),
    ),
)
