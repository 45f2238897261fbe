"""Layers that drop values at random in training."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..base import Along, Call, Example, Input, Inputs, Kind, Op, Param, Shaped
from ..rules.pattern import expect_known, expect_rank

RATE = Param("rate", Kind.NUMBER, doc="the probability of dropping", bounds=(0, 1))
RNG = Param("rng", Kind.STREAM, "dropout", "the stream to draw from", positional=False)
INPUT = (Input("x", "float"),)


def _dropout(inputs: Inputs, args: Mapping[str, Any]) -> Shaped:
    """Positions count from the end, where leading axes do not matter."""
    x = inputs[0]
    if not args["axes"]:
        return Shaped(out=x)
    shared = tuple(position - x.rank for position in args["axes"])
    return Shaped(out=x, build=_sharing(shared))


def _sharing(axes: tuple[int, ...]) -> Call:
    options = {"broadcast_dims": f"={axes}", "rng_collection": "rng"}
    return Call("nnx.Dropout", ("rate",), options)


def _drop_path(inputs: Inputs, args: Mapping[str, Any]) -> Shaped:
    """One draw for each index of the first axis; the others share it."""
    x = inputs[0]
    expect_known("x", x, "DropPath")
    expect_rank("x", x, 1, at_least=True)
    return Shaped(out=x, build=_sharing(tuple(range(1, x.rank))))


ENTRIES: tuple[Op, ...] = (
    Op(
        "Dropout",
        "layer",
        "Zeroes values at random in training and scales up the others.",
        Call("nnx.Dropout", ("rate",), {"rng_collection": "rng"}),
        params=(
            RATE,
            RNG,
            Param(
                "axes",
                Kind.AXES,
                (),
                "axes along which all are kept or dropped together",
                positional=False,
            ),
        ),
        inputs=INPUT,
        shape=_dropout,
        streams=("dropout",),
        modes=("deterministic",),
        takes_rngs=False,
        along=Along.EACH,
        examples=(
            Example({"rate": 0.5}),
            Example({"rate": 0.1, "axes": (1,), "rng": "noise"}, ("B T d",)),
        ),
    ),
    Op(
        "DropPath",
        "layer",
        "Drops whole samples at random in training: stochastic depth of residual branches.",
        Call("nnx.Dropout", ("rate",), {"rng_collection": "rng"}),
        params=(RATE, RNG),
        inputs=INPUT,
        shape=_drop_path,
        streams=("dropout",),
        modes=("deterministic",),
        takes_rngs=False,
        along=Along.EACH,
        examples=(
            Example({"rate": 0.2}, ("B H W C",)),
            Example({"rate": 0.2}, ("B d",)),
        ),
        source="https://arxiv.org/abs/1603.09382",
    ),
)
