"""Fourier transforms. A complex tensor is a pair: its real and its imaginary part."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

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
from ..rules.pattern import equal, ordinal

AXIS = Param("axis", Kind.AXIS, -1, "the axis to transform")
NORM = Param(
    "norm",
    Kind.TEXT,
    "backward",
    "which direction divides by the length: the one back, the other, or both by its root",
    choices={n: f'"{n}"' for n in ("backward", "forward", "ortho")},
    positional=False,
)
RE, IM = (Input(name, "float", scalar=False) for name in ("re", "im"))
SETTINGS = {"axis": "axis", "norm": "norm"}

PARTS = Helper("real_and_imag")
COMPLEX = Helper("complex_of")
RFFT = Helper("rfft", needs=(PARTS,))
IRFFT = Helper("irfft", needs=(COMPLEX,))


def _both_ways(name: str, doc: str) -> Op:
    """`fft` and `ifft`."""
    helper = Helper(name, needs=(PARTS, COMPLEX))
    return Op(
        name,
        "function",
        doc,
        Call(name, ("re", "im"), SETTINGS),
        params=(AXIS, NORM),
        inputs=(RE, Input("im", "float", optional=True, scalar=False)),
        shape=_as_it_is,
        helper=helper,
        along=Along.NAMED,
        examples=(
            Example({}, ("B T d",)),
            Example({"axis": 1, "norm": "ortho"}, ("B T d",), {"im": "B T d"}),
        ),
    )


def _as_it_is(inputs: Inputs, args: Mapping[str, Any]) -> Shaped:
    re, im = inputs
    requires = [] if im is None else _alike(re, im)
    return Shaped(out=(re, re), requires=tuple(requires))


def _alike(re: TensorType, im: TensorType) -> list[Requirement]:
    if im.rank != re.rank or im.lead != re.lead:
        raise ShapeError(f"im is {im}, it must be {re}", at="im", code="N303")
    requires: list[Requirement] = []
    for i, (mine, theirs) in enumerate(zip(im.sizes, re.sizes, strict=True)):
        message = f"im is {im}, its {ordinal(i, im.rank)} axis must be {theirs}"
        requires += equal(mine, theirs, message, at="im")
    return requires


def _rfft(inputs: Inputs, args: Mapping[str, Any]) -> Shaped:
    (x,) = inputs
    axes = list(x.axes)
    axes[args["axis"]] = Axis(axes[args["axis"]].size // 2 + 1)
    out = x.with_axes(tuple(axes))
    return Shaped(out=(out, out))


def _irfft(inputs: Inputs, args: Mapping[str, Any]) -> Shaped:
    re, im = inputs
    axes = list(re.axes)
    n = args["n"] or 2 * (axes[args["axis"]].size - 1)
    axes[args["axis"]] = Axis(n, n.name)
    return Shaped(out=re.with_axes(tuple(axes)), requires=tuple(_alike(re, im)))


ENTRIES: tuple[Op, ...] = (
    _both_ways("fft", "Fourier transform: its real and imaginary part."),
    _both_ways("ifft", "Inverse Fourier transform: its real and imaginary part."),
    Op(
        "rfft",
        "function",
        "Fourier transform of real values: its real and imaginary part, from frequency 0 up.",
        Call("rfft", ("x",), SETTINGS),
        params=(AXIS, NORM),
        inputs=(Input("x", "float", scalar=False),),
        shape=_rfft,
        helper=RFFT,
        along=Along.NAMED,
        examples=(Example({}, ("B T d",)), Example({"axis": 1}, ("B 9 d",))),
    ),
    Op(
        "irfft",
        "function",
        "The real values that have this Fourier transform.",
        Call("irfft", ("re", "im"), {"n": "n", **SETTINGS}),
        params=(
            Param("n", Kind.SIZE, None, "how many values; 2 (m - 1) if absent"),
            AXIS,
            NORM,
        ),
        inputs=(RE, IM),
        shape=_irfft,
        helper=IRFFT,
        along=Along.NAMED,
        examples=(
            Example({}, ("B T 5", "B T 5")),
            Example({"n": 9, "axis": 1}, ("B 5 d", "B 5 d")),
        ),
    ),
)
