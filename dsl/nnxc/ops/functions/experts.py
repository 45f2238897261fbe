"""Products with the kernels of chosen experts."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ...dims import product
from ..base import (
    IN_FLOAT32,
    Along,
    Call,
    Example,
    Helper,
    Input,
    Inputs,
    Op,
    Shaped,
    ShapeError,
)
from ..rules.pattern import equal, expect_known, expect_rank, ordinal

EXPERT_DOT = Helper("expert_dot")


def _expert_dot(inputs: Inputs, args: Mapping[str, Any]) -> Shaped:
    """[..., d] or [..., k, d] by [experts, d, f], for each of [..., k]."""
    x, kernels, chosen = inputs
    expect_known("x", x, "expert_dot")
    expect_known("chosen", chosen, "expert_dot")
    expect_rank("kernels", kernels, 3)
    expect_rank("chosen", chosen, 1, at_least=True)
    own = x.rank == chosen.rank + 1
    if not own and x.rank != chosen.rank:
        raise ShapeError(
            f"x is {x}, and experts are chosen for {chosen}",
            at="chosen",
            help="x has the axes of `chosen` and a last one, or lacks the last of `chosen`",
        )
    d, f = kernels.axes[1:]
    message = (
        f"kernels are {kernels}, their second axis must be {x.sizes[-1]}, the last of x"
    )
    requires = equal(d.size, x.sizes[-1], message, at="kernels")
    for i, (mine, due) in enumerate(zip(x.sizes[:-1], chosen.sizes, strict=False)):
        message = (
            f"chosen is {chosen}, its {ordinal(i, chosen.rank)} axis must be {mine}"
        )
        requires += equal(due, mine, message, at="chosen")
    return Shaped(
        out=x.with_axes((*chosen.axes, f)),
        flops=2 * product(chosen.sizes) * d.size * f.size,
        requires=tuple(requires),
    )


_BUILD = Call("expert_dot", ("x", "kernels", "chosen"))

ENTRIES: tuple[Op, ...] = (
    Op(
        "expert_dot",
        "function",
        "Products with the kernels [experts, d, f] of the experts chosen for each token, int [..., k]: "
        "x [..., d], or [..., k, d] with one for each, gives [..., k, f]. Tokens are sorted by expert, so that "
        "they cost what k experts cost, however many there are.",
        _BUILD,
        inputs=(
            Input("x", "float", scalar=False),
            Input("kernels", "float", scalar=False),
            Input("chosen", "int", scalar=False),
        ),
        shape=_expert_dot,
        in_full=Call("expert_dot", _BUILD.args, IN_FLOAT32),
        product=True,
        helper=EXPERT_DOT,
        along=Along.PRODUCT,
        examples=(
            Example({}, ("B T 3", "4 3 5", "int: B T 2")),
            Example({}, ("B T k d", "4 d f", "int: B T k")),
        ),
    ),
)
