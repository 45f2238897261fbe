"""Sequences packed into one row, told apart by segment ids."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from emitting import load, text_of
from flax import nnx

ATTEND = """
block Mix(heads, kv_heads, head_dim):
    input x: [B, T, d], at: int[B, T], segments: int[B, T]
    q = x -> Linear(heads, head_dim) as query -> rope(at)
    k = x -> Linear(kv_heads, head_dim) as key -> rope(at)
    v = x -> Linear(kv_heads, head_dim) as value
    y = attend(q, k, v, segments=segments, causal=true)
    return y -> Linear(d, over=[heads, head_dim]) as out
"""
LAYER = """
block Mix(heads, kv_heads, head_dim):
    input x: [B, T, d], at: int[B, T], segments: int[B, T]
    param places: [16, d] = normal(0.5)
    own = segments[:, none, :, none] == segments[:, none, none, :]
    attention = Attention(heads, kv_heads=kv_heads, head_dim=head_dim, causal=true)
    return attention(x + places[at], mask=own)
"""
REST = """
model Llama(vocab = 11, d = 16, layers = 2):
    input tokens: int[B, T], segments: int[B, T]
    at = segment_positions(segments)
    x = tokens -> Embed(vocab, d) as embed
    for i in range(layers):
        x += x -> RMSNorm -> Mix(4, 2, 4)(at, segments) as mix
        x += x -> RMSNorm -> Linear(2 * d) -> silu -> Linear(d)
    return x -> RMSNorm -> Linear(vocab) as head

train Llama:
    batch tokens: int[B, T], segments: int[B, T]
    logits = model(tokens, segments)
    own = segments[:, 1:] == segments[:, :-1] and segments[:, 1:] > 0
    loss = cross_entropy(logits[:, :-1], tokens[:, 1:], where=own)
    optimizer = sgd(0.1)
"""


def gradients(module: Any) -> Any:
    """The loss of tokens and segments with its gradients, and its count of targets."""
    graph, params = nnx.split(module.create_model())

    def loss(params: Any, tokens: Any, segments: Any) -> Any:
        return module.loss_fn(nnx.merge(graph, params), tokens, segments)[0]

    run = jax.jit(jax.value_and_grad(loss))
    return lambda *batch: run(params, *map(jnp.array, batch))


@pytest.mark.parametrize(
    "mix",
    [
        pytest.param(ATTEND, id="attend", marks=pytest.mark.heavy),
        pytest.param(LAYER, id="layer"),
    ],
)
def test_a_packed_row_equals_its_sequences(mix: str):
    run = gradients(load(text_of(mix + REST)))
    tokens = np.random.default_rng(0).integers(0, 11, 10)
    lengths = (4, 5)  # and one position of padding
    segments = np.array([1] * 4 + [2] * 5 + [0])
    packed = run(tokens[None], segments[None])
    parts = np.split(tokens[:9], [4])
    alone = [run(p[None], np.ones((1, len(p)), int)) for p in parts]
    shares = [(n - 1) / (sum(lengths) - 2) for n in lengths]

    def joined(*each: jax.Array) -> jax.Array:
        return sum(share * one for share, one in zip(shares, each, strict=True))

    expected = jax.tree.map(joined, *alone)
    for a, b in zip(jax.tree.leaves(packed), jax.tree.leaves(expected), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-6)


def test_positions_begin_anew_in_each_segment():
    spec = "model Net:\n    input s: int[B, T]\n    return segment_positions(s)\n"
    net = load(text_of(spec)).Net(rngs=nnx.Rngs(0))
    given = jnp.array([[1, 1, 1, 2, 2, 0], [3, 3, 4, 4, 3, 3]])
    expected = [[0, 1, 2, 0, 1, 0], [0, 1, 0, 1, 0, 1]]
    np.testing.assert_array_equal(net(given), expected)
    np.testing.assert_array_equal(net(jnp.ones((1, 4), int)), [[0, 1, 2, 3]])
