"""What tells attention where a token stands: rotary and sinusoidal positions."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ...dims import Dim
from ...shapes import Axis, TensorType, tensor
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
from ..rules.pattern import equal, expect_known, expect_rank, multiple

THETA = Param("theta", Kind.NUMBER, 10_000.0, "the longest wavelength over 2 pi")

ROTATE = Helper("rotate")
ROPE = Helper("rope", needs=(ROTATE,))
SINUSOIDAL = Helper("sinusoidal")
SEGMENT_POSITIONS = Helper("segment_positions")


def _segment_positions(inputs: Inputs, args: Mapping[str, Any]) -> Shaped:
    expect_rank("segments", inputs[0], 1, at_least=True)
    return Shaped(inputs[0].with_dtype("int"))


def _rope(inputs: Inputs, args: Mapping[str, Any]) -> Shaped:
    """Positions stretch over the axes ahead of heads and features."""
    x, positions = inputs
    requires = _stands_for("positions", positions, x, ())
    dim = args["dim"]
    if dim is None:
        requires += multiple(x.sizes[-1], 2, "x's last axis", at="x")
    else:
        requires += multiple(dim, 2, "dim", at="dim")
        requires += at_most(dim, x.sizes[-1], at="dim")
    return Shaped(out=x, requires=tuple(requires))


def _rotate(inputs: Inputs, args: Mapping[str, Any]) -> Shaped:
    """Angles have a further axis: the pairs that they turn."""
    x, angles = inputs
    expect_rank("angles", angles, 2, at_least=True)
    pairs = angles.sizes[-1]
    requires = _stands_for("angles", angles, x, (pairs,))
    requires += at_most(2 * pairs, x.sizes[-1], at="angles")
    return Shaped(out=x, requires=tuple(requires))


def at_most(turning: Dim, features: Dim, at: str) -> list[Requirement]:
    """No more features turn than there are, where both are numbers."""
    if turning.value is None or features.value is None:
        return []
    message = f"{turning} of {features} features cannot turn"
    return [Requirement(features, turning, message, ">=", at, code="N305")]


def _stands_for(
    name: str, given: TensorType, x: TensorType, further: tuple[Dim, ...]
) -> list[Requirement]:
    """What is given stretches over the axes of x ahead of heads and features, and has `further` axes."""
    expect_rank("x", x, 3, at_least=True)
    expect_known(name, given, "rope")
    due = (*x.sizes[:-2], *further)
    if given.rank > len(due):
        raise ShapeError(
            f"{name} is {given}, it must stretch to {tensor('int', *due)}",
            at=name,
            code="N303",
            help=f"x is [B, T, heads, head_dim], {name} {tensor('int', 'T', *further)} or "
            f"{tensor('int', 'B', 'T', *further)}".replace("int", ""),
        )
    requires: list[Requirement] = []
    for mine, theirs in zip(reversed(given.sizes), reversed(due), strict=False):
        if mine.value != 1:
            message = f"{name} is {given}, for x {x} its axis must be {theirs}"
            requires += equal(mine, theirs, message, at=name)
    return requires


def _sinusoidal(inputs: Inputs, args: Mapping[str, Any]) -> Shaped:
    length, d = args["length"], args["d"]
    axes = (Axis(length, length.name), Axis(d, d.name))
    requires = multiple(d, 2, "d", at="d")
    return Shaped(out=TensorType("float", axes), requires=tuple(requires))


INTERLEAVED = Param(
    "interleaved",
    Kind.BOOL,
    False,
    "whether pairs are neighbours, not the two halves",
    positional=False,
)
_TURNING = {"theta": "theta", "dim": "dim", "interleaved": "interleaved"}

ENTRIES: tuple[Op, ...] = (
    Op(
        "rope",
        "function",
        "Rotary positions: rotates the two halves of each head by angles that grow with position.",
        Call("rope", ("x", "positions"), _TURNING),
        params=(
            THETA,
            Param(
                "dim",
                Kind.SIZE,
                None,
                "how many features turn, the first ones; all if absent",
                positional=False,
                optional=True,
            ),
            INTERLEAVED,
        ),
        inputs=(Input("x", "float", scalar=False), Input("positions", "number")),
        shape=_rope,
        helper=ROPE,
        keeps_name=True,
        along=Along.LAST_TWO,
        examples=(
            Example({}, ("B T heads 6", "int: B T")),
            Example({"dim": 4, "interleaved": True}, ("B T heads 6", "int: T")),
            Example({"theta": 500_000.0}, ("B T heads 4", "int: T")),
        ),
        source="https://arxiv.org/abs/2104.09864",
    ),
    Op(
        "rotate",
        "function",
        "Rotary positions by angles in radians that are given, one for each pair of features that turns, the first ones: a pair (a, b) becomes "
        "(a cos - b sin, b cos + a sin).",
        Call("rotate", ("x", "angles"), {"interleaved": "interleaved"}),
        params=(INTERLEAVED,),
        inputs=(Input("x", "float", scalar=False), Input("angles", "float")),
        shape=_rotate,
        helper=ROTATE,
        keeps_name=True,
        along=Along.LAST_TWO,
        examples=(
            Example({}, ("B T heads 6", "B T 3")),
            Example({"interleaved": True}, ("B T heads 6", "T 2")),
        ),
        source="https://arxiv.org/abs/2104.09864",
    ),
    Op(
        "segment_positions",
        "function",
        "The positions of packed sequences: counted from 0 in each run of equal segment ids.",
        Call("segment_positions", ("segments",)),
        inputs=(Input("segments", "int", scalar=False),),
        shape=_segment_positions,
        helper=SEGMENT_POSITIONS,
        along=Along.LAST,
        examples=(Example({}, ("int: B T",)), Example({}, ("int: T",))),
    ),
    Op(
        "sinusoidal",
        "function",
        "Fixed positions: sines and cosines of geometric wavelengths, interleaved: sin, cos of the fastest, then of the next.",
        Call("sinusoidal", ("length", "d"), {"theta": "theta"}),
        params=(
            Param("length", Kind.SIZE, doc="how many positions"),
            Param("d", Kind.SIZE, doc="the size of a vector"),
            THETA,
        ),
        inputs=(),
        shape=_sinusoidal,
        dtype_aware=True,
        helper=SINUSOIDAL,
        along=Along.COUNTS,
        examples=(Example({"length": "T", "d": 6}),),
        source="https://arxiv.org/abs/1706.03762",
    ),
)
