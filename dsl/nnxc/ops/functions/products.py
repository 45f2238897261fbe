"""Products of tensors: matmul, outer, vecdot."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ...dims import product
from ...shapes import TensorType
from ..base import IN_FLOAT32, Along, Call, Example, Input, Inputs, Op, Shaped
from ..rules.broadcast import broadcast
from ..rules.pattern import equal, expect_rank

PAIR = (Input("x", "float", scalar=False), Input("y", "float", scalar=False))


def _matmul(inputs: Inputs, args: Mapping[str, Any]) -> Shaped:
    """[..., n, k] by [..., k, m]; leading axes broadcast."""
    x, y = inputs
    expect_rank("x", x, 2, at_least=True)
    expect_rank("y", y, 2, at_least=True)
    k = x.sizes[-1]
    message = f"y is {y}, its last axis but one must be {k}, the last of x"
    requires = equal(
        y.sizes[-2], k, message, at="y", help="`swapaxes(y, -2, -1)` transposes"
    )
    lead, more = broadcast((_lead(x), _lead(y)))
    out = lead.with_axes((*lead.axes, x.axes[-2], y.axes[-1]))
    return Shaped(
        out=out,
        flops=2 * product(out.sizes) * k,
        requires=(*requires, *more),
    )


def _lead(x: TensorType) -> TensorType:
    return x.with_axes(x.axes[:-2])


ENTRIES: tuple[Op, ...] = (
    Op(
        "matmul",
        "function",
        "Matrix product over the last two axes.",
        "{x} @ {y}",
        in_full=Call("jnp.matmul", ("x", "y"), IN_FLOAT32),
        product=True,
        inputs=PAIR,
        shape=_matmul,
        along=Along.PRODUCT,
        examples=(
            Example({}, ("B T d", "d e")),
            Example({}, ("B 1 T d", "H d e")),
        ),
    ),
    Op(
        "vecdot",
        "function",
        "Sum of products over the last axis.",
        Call("jnp.vecdot", ("x", "y")),
        in_full=Call("jnp.vecdot", ("x", "y"), IN_FLOAT32),
        product=True,
        inputs=PAIR,
        shape="... d, ... d -> ...",
        flops=lambda n: 2 * n["..."] * n["d"],
        along=Along.LAST,
        examples=(Example({}, ("B T d", "B T d")),),
    ),
    Op(
        "outer",
        "function",
        "Product of each entry of x's last axis with each of y's.",
        "{x}[..., :, None] * {y}[..., None, :]",
        inputs=PAIR,
        shape="... n, ... m -> ... n m",
        flops=lambda n: n["..."] * n["n"] * n["m"],
        along=Along.EACH,
        examples=(Example({}, ("B 4", "B d")), Example({}, ("n", "m"))),
    ),
)
