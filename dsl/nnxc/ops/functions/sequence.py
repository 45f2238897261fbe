"""What depends on where an entry stands in a sequence: the second axis of [B, T, ...]."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ...dims import product
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
)
from ..rules.pattern import divides, equal, expect_known, expect_rank, ordinal

SHIFT = Helper("shift")
STATE_SPACE = Helper("state_space")


def _positions(inputs: Inputs, args: Mapping[str, Any]) -> Shaped:
    (x,) = inputs
    expect_known("x", x, "positions")
    expect_rank("x", x, 2, at_least=True)
    return Shaped(out=TensorType("int", x.axes[:2]))


def _shift(inputs: Inputs, args: Mapping[str, Any]) -> Shaped:
    (x,) = inputs
    expect_known("x", x, "shift")
    expect_rank("x", x, 2, at_least=True)
    length, n = x.sizes[1], args["n"]
    known = length.value is not None and n.value is not None
    message = f"a sequence of {length} cannot move by {n}"
    fits = Requirement(length, n, message, ">=", "n", code="N305")
    return Shaped(out=x, requires=(fits,) if known else ())


def _state_space(inputs: Inputs, args: Mapping[str, Any]) -> Shaped:
    x, log_decay, b, c = inputs
    expect_rank("x", x, 4)
    expect_rank("log_decay", log_decay, 3)
    requires: list[Requirement] = []
    for name, type, dues in (
        ("log_decay", log_decay, x.sizes[:3]),
        ("b", b, x.sizes[:2]),
        ("c", c, b.sizes),
    ):
        expect_rank(name, type, 3 if name == "log_decay" else 4)
        for i, (mine, due) in enumerate(zip(type.sizes, dues, strict=False)):
            place = ordinal(i, type.rank)
            message = f"{name} is {type}, its {place} axis must be {due}"
            requires += equal(mine, due, message, at=name)
    requires += divides(b.sizes[2], x.sizes[2], "b's number of groups", at="b")
    flops = 6 * product(x.sizes) * b.sizes[3]
    return Shaped(out=x, flops=flops, requires=tuple(requires))


ENTRIES: tuple[Op, ...] = (
    Op(
        "positions",
        "function",
        "Where each entry stands along the second axis: 0, 1, 2, ... [B, T].",
        "jnp.broadcast_to(jnp.arange({x}.shape[1]), {x}.shape[:2])",
        inputs=(Input("x", scalar=False),),
        shape=_positions,
        along=Along.LOOKS_BACK,
        examples=(Example({}, ("B T",)), Example({}, ("B T d",))),
    ),
    Op(
        "shift",
        "function",
        "What stood n places before along the second axis, zeros at its start.",
        Call("shift", ("x",), {"n": "n"}),
        params=(Param("n", Kind.SIZE, 1, "how many places"),),
        inputs=(Input("x", scalar=False),),
        shape=_shift,
        helper=SHIFT,
        along=Along.LOOKS_BACK,
        examples=(Example({}, ("B T d",)), Example({"n": 2}, ("B T h d",))),
    ),
    Op(
        "state_space",
        "function",
        "What is read from a state with a decay for each head: h[t] = exp(log_decay[t]) * h[t - 1] + "
        "outer(x[t], b[t]) and y[t] = h[t] @ c[t], of x [B, T, heads, d], log_decay [B, T, heads], and b, c "
        "[B, T, groups, n], which groups of heads share. Computed by products over chunks (Mamba 2; Dao and "
        "Gu, 2024).",
        Call("state_space", ("x", "log_decay", "b", "c")),
        inputs=tuple(
            Input(name, "float", scalar=False) for name in ("x", "log_decay", "b", "c")
        ),
        shape=_state_space,
        helper=STATE_SPACE,
        along=Along.LOOKS_BACK,
        examples=(
            Example({}, ("B T h d", "B T h", "B T h n", "B T h n")),
            Example({}, ("B T 6 d", "B T 6", "B T 2 n", "B T 2 n")),
        ),
    ),
)
