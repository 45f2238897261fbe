"""What depends on where an entry stands in a sequence: the second axis of [B, T, ...]."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

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
from ..rules.pattern import expect_known, expect_rank

SHIFT = Helper("shift")


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
)
