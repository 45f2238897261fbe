"""What a traced computation does, however deep inside."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import jax
import jax.numpy as jnp
from jax.extend import core

# Reductions and what normalizing is made of: in bfloat16 they lose what they are for.
STATISTICS = {
    "exp", "log", "rsqrt", "sqrt", "reduce_sum", "reduce_prod", "cumsum", "cumprod", "cumlogsumexp",
    "reduce_precision", "erf_inv", "log1p", "scatter-add", "square", "integer_pow",
}  # fmt: skip


def equations(function: Callable[..., Any], *args: Any) -> Iterator[Any]:
    """The primitive operations of a function, inner ones included."""
    yield from _all(jax.make_jaxpr(function)(*args).jaxpr)


def _all(jaxpr: core.Jaxpr) -> Iterator[Any]:
    for eqn in jaxpr.eqns:
        inner = [p for value in eqn.params.values() for p in _jaxprs(value)]
        for one in inner:
            yield from _all(one)
        if not inner:
            yield eqn


def _jaxprs(value: Any) -> Iterator[core.Jaxpr]:
    if isinstance(value, core.ClosedJaxpr):
        yield value.jaxpr
    elif isinstance(value, core.Jaxpr):
        yield value
    elif isinstance(value, tuple | list):
        for part in value:
            yield from _jaxprs(part)


def half(eqn: Any) -> bool:
    """Whether a result is in half precision."""
    return any(v.aval.dtype in (jnp.bfloat16, jnp.float16) for v in eqn.outvars)


def products(found: Iterator[Any]) -> list[tuple[str, ...]]:
    """The dtypes of the operands of each product, sorted."""
    names = ("dot_general", "conv_general_dilated", "ragged_dot_general")
    return [
        tuple(sorted(v.aval.dtype.name for v in eqn.invars[:2]))
        for eqn in found
        if eqn.primitive.name in names
    ]
