"""Cross-entropy over a large vocabulary, without the logits of all positions at once."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ...dims import product
from ...shapes import Axis
from ..base import Call, Example, Helper, Inputs, Kind, Op, Param, Shaped
from ..rules.agree import WHERE, averaged, over_classes, tensor_input
from ..rules.pattern import equal, expect_known, expect_rank

CHUNKED = Helper("chunked_cross_entropy")


def _chunked(inputs: Inputs, args: Mapping[str, Any]) -> Shaped:
    hidden, kernel, labels, where = inputs
    expect_known("hidden", hidden, "chunked_cross_entropy")
    expect_rank("kernel", kernel, 2)
    d, classes = kernel.sizes
    message = f"kernel is {kernel}, its first axis must be hidden's last"
    requires = equal(d, hidden.sizes[-1], message, at="kernel")
    logits = hidden.with_axes((*hidden.axes[:-1], Axis(classes)))
    mean = averaged(over_classes("hidden"))((logits, labels, where), args)
    return Shaped(
        mean.out,
        flops=2 * product(hidden.sizes) * classes,
        requires=(*requires, *mean.requires),
    )


_INPUTS = ("hidden", "kernel", "labels")
ENTRIES: tuple[Op, ...] = (
    Op(
        "chunked_cross_entropy",
        "loss",
        "Softmax cross-entropy of the logits `hidden @ kernel` [..., classes] with integer labels; no "
        "more than a chunk's logits exist at a time, which saves memory where there are many classes.",
        Call(
            "chunked_cross_entropy",
            _INPUTS,
            {"where": "where", "chunk": "chunk", "softcap": "softcap"},
        ),
        params=(
            Param(
                "chunk", Kind.SIZE, 1024, "how many positions at a time",
                positional=False,
            ),
            Param(
                "softcap", Kind.NUMBER, None,
                "holds logits s by softcap * tanh(s / softcap)",
                positional=False, optional=True,
            ),
        ),
        inputs=(
            tensor_input("hidden"),
            tensor_input("kernel"),
            tensor_input("labels", "int"),
            WHERE,
        ),
        shape=_chunked,
        helper=CHUNKED,
        in_float32=False,
        examples=(
            Example({}, ("B 5", "5 7", "int: B")),
            Example(
                {"chunk": 4},
                ("B T 5", "5 V", "int: B T"),
                {"where": "bool: B T"},
            ),
        ),
    ),
)  # fmt: skip
