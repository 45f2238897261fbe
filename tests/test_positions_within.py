"""Positions that a table does not have are refused when a call is traced."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from emitting import load, text_of
from flax import nnx

HEAD = """
model Net(context = 6, d = 4):
    input ids: int[B, T]
    x = ids -> Embed(9, d) as words
"""
LOOKED_UP = {
    "arange": ("return x + (arange(T) -> Embed(context, d) as wpe)", 6),
    "positions": ("return x + (positions(ids) -> Embed(context, d) as wpe)", 6),
    "from 2": ("return x + (arange(2, T + 2) -> Embed(context + 2, d) as wpe)", 6),
    "a name": ("at = arange(T)\n    return x + (at -> Embed(context, d) as wpe)", 6),
    "a table": (
        "param table: [context, d] = normal(1.0)\n    return x + table[arange(T)]",
        6,
    ),
    "take": (
        "param table: [context, d] = normal(1.0)\n"
        "    return x + take(table, arange(T), axis=0)",
        6,
    ),
    "sinusoids": ("return x + sinusoidal(context, d)[arange(T)]", 6),
    "the least": (
        "at = arange(T)\n    x += at -> Embed(context - 1, d) as wpe\n"
        "    return x + (at -> Embed(context, d) as other)",
        5,
    ),
    "generates": (
        "x += positions(ids) -> Embed(context, d) as wpe\n"
        "    return x -> Linear(9)\n\ngenerate Net",
        6,
    ),
}


@pytest.mark.parametrize("kind", LOOKED_UP)
def test_a_table_has_a_row_for_each_position(kind: str) -> None:
    body, most = LOOKED_UP[kind]
    module = load(text_of(f"{HEAD}    {body}\n", black=False))
    config: Any = getattr(module, "Config", None)
    given = (config(),) if config and kind == "generates" else ()
    model = module.Net(*given, rngs=nnx.Rngs(0))
    assert np.isfinite(model(jnp.zeros((2, most), jnp.int32))).all()
    message = r"positions are more than the \d of a table"
    with pytest.raises(ValueError, match=message):
        jax.eval_shape(model, jax.ShapeDtypeStruct((2, most + 1), jnp.int32))


FITS = {
    "a row for each": "return x + (arange(context) -> Embed(context, d) as wpe)[:1]",
    "an axis of the call": "return x[arange(B), 0] -> Linear(context)",
    "no table": "return astype(arange(T), float)[:, none] * x -> Linear(context)",
}


@pytest.mark.parametrize("kind", FITS)
def test_what_fits_is_not_checked(kind: str) -> None:
    assert "arange_within" not in text_of(f"{HEAD}    {FITS[kind]}\n", black=False)


def test_what_is_not_looked_up_is_not_checked() -> None:
    """A name may be looked up on one side only."""
    spec = """
model Net(context = 6, d = 4, learned = false):
    input ids: int[B, T]
    x = ids -> Embed(9, d) as words
    at = arange(T)
    if learned:
        x += at -> Embed(context, d) as wpe
    else:
        x += astype(at, float)[:, none]
    return x
"""
    module = load(text_of(spec, black=False))
    model = module.Net(rngs=nnx.Rngs(0))
    assert model(jnp.zeros((2, 9), jnp.int32)).shape == (2, 9, 4)
