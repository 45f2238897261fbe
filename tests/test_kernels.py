"""`build --attention`: every call of JAX's attention names an implementation."""

from __future__ import annotations

import ast
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from emitting import ZOO, load, text_of
from flax import nnx

CALL = "jax.nn.dot_product_attention"
SPEC = """
block Mix(window):
    input x: [B, T, d], mask: bool[B, 1, T, T]
    q = x -> Linear(4, 2) as query
    k = x -> Linear(2, 2) as key
    v = x -> Linear(2, 2) as value
    y = attend(q, k, v, causal=true)
    y += attend(q, k, v, causal=true, window=window, mask=mask, scale=0.5)
    return y -> Linear(d, over=[-2, -1]) as out

model Net(window = 3):
    input x: [B, T, 8], mask: bool[B, 1, T, T]
    y = x -> Mix(window)(mask)
    z = y -> Attention(4, causal=true)
    return z -> Attention(4, kv_heads=2)(mask=mask)
"""


def implementations(text: str) -> list[str | None]:
    """What each call of JAX's attention asks for."""
    calls = [n for n in ast.walk(ast.parse(text)) if isinstance(n, ast.Call)]
    return [
        next(
            (
                str(ast.literal_eval(k.value))
                for k in call.keywords
                if k.arg == "implementation"
            ),
            None,
        )
        for call in calls
        if ast.unparse(call.func) == CALL
    ]


def test_every_call_names_the_implementation() -> None:
    plain, named = (
        implementations(text_of(SPEC, attention=a, single_file=True))
        for a in (None, "cudnn")
    )
    assert plain == [None] * 3
    assert named == ["cudnn"] * 3


ATTENDING = [
    pytest.param(p, id=p.stem, marks=[] if p.stem == "llama31" else [pytest.mark.heavy])
    for p in sorted(ZOO.glob("*.nnx"))
    if "attend(" in p.read_text()
]


@pytest.mark.parametrize("path", ATTENDING)
def test_specs_that_ship_name_it_everywhere(path: Path) -> None:
    text = text_of(path.read_text(), attention="cudnn", single_file=True)
    assert text.count(f"{CALL}(") == len(implementations(text))
    assert set(implementations(text)) <= {"cudnn"}


def outcome(attention: str | None) -> Any:
    """What the model gives, and the gradients of its weights."""
    module = load(text_of(SPEC, attention=attention, single_file=True))
    graph, params = nnx.split(module.Net(rngs=nnx.Rngs(0)))
    rng = np.random.default_rng(0)
    x = jnp.array(rng.normal(size=(2, 5, 8)), jnp.float32)
    mask = jnp.array(rng.random((2, 1, 5, 5)) < 0.7) | jnp.eye(5, dtype=bool)

    def loss(params: Any) -> tuple[jax.Array, jax.Array]:
        y = nnx.merge(graph, params)(x, mask)
        return jnp.sum(y**2), y

    return jax.grad(loss, has_aux=True)(params)


@pytest.mark.heavy
def test_xla_gives_what_the_default_gives() -> None:
    found = [outcome(None), outcome("xla")]
    for a, b in zip(*map(jax.tree.leaves, found), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-6)
