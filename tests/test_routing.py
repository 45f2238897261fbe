"""What routes: a codebook with straight-through gradients, a mixture of experts, a graph."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
from emitting import load, text_of
from flax import nnx

CODEBOOK = """
model VQ(codes = 16, width = 4):
    input x: [B, T, width]
    param codebook: [codes, width] = normal(1.0)
    apart = sum((x[:, :, none] - codebook) ** 2, axis=-1)
    index = argmin(apart, axis=-1)
    code = take(codebook, index, axis=0)
    commitment = mean((stop_gradient(code) - x) ** 2) * 0.25
    commitment += mean((code - stop_gradient(x)) ** 2)
    return x + stop_gradient(code - x), commitment, index
"""
EXPERTS = """
block Expert(hidden):
    input x: [B, T, d]
    return x -> Linear(hidden) -> gelu -> Linear(d)

model MoE(experts = 4, k = 2, width = 8):
    input x: [B, T, width]
    gates, chosen = x -> Linear(experts, bias=false) as router -> softmax -> top_k(k)
    weight = sum(one_hot(chosen, experts) * gates[..., none], axis=2)
    every = x[:, none] -> broadcast([B, experts, T, width]) -> Expert(16, each=experts)
    return einsum("b e t d, b t e -> b t d", every, weight)
"""
GRAPH = """
block Attend(features):
    input x: [N, d], source: int[E], target: int[E]
    h = x -> Linear(features)
    score = concat(take(h, source, axis=0), take(h, target, axis=0), axis=-1)
    score = score -> Linear(1) -> [E]
    score = exp(score - take(segment_max(score, target, N), target, axis=0))
    share = score / take(segment_sum(score, target, N), target, axis=0)
    return segment_sum(share[:, none] * take(h, source, axis=0), target, N)

model GAT(classes = 3):
    input x: [N, 8], source: int[E], target: int[E]
    first = Attend(16)
    second = Attend(classes)
    return second(first(x, source, target) -> relu, source, target)
"""


def test_gradients_pass_straight_through_a_codebook() -> None:
    model = load(text_of(CODEBOOK)).VQ(rngs=nnx.Rngs(0))
    x = jax.random.normal(jax.random.key(1), (2, 3, 4))
    out, commitment, index = model(x)
    np.testing.assert_allclose(out, model.codebook[...][index], rtol=1e-5, atol=1e-5)
    np.testing.assert_allclose(
        jax.grad(lambda x: model(x)[0].sum())(x), jnp.ones_like(x)
    )
    grads = nnx.grad(lambda model: model(x)[1])(model)
    assert float(commitment) > 0 and float(jnp.abs(grads.codebook[...]).sum()) > 0


def test_a_mixture_takes_the_chosen_experts() -> None:
    model = load(text_of(EXPERTS)).MoE(rngs=nnx.Rngs(0))
    x = jax.random.normal(jax.random.key(1), (2, 3, 8))
    gates, chosen = jax.lax.top_k(jax.nn.softmax(model.router(x)), 2)
    split = nnx.split(model.expert)
    expected = np.zeros((2, 3, 8))
    for b, t, j in np.ndindex(2, 3, 2):
        which = int(chosen[b, t, j])
        one = nnx.merge(split[0], jax.tree.map(lambda leaf, i=which: leaf[i], split[1]))
        expected[b, t] += np.asarray(
            gates[b, t, j] * one(x[b : b + 1, t : t + 1])[0, 0]
        )
    np.testing.assert_allclose(model(x), expected, rtol=1e-4, atol=1e-5)


def test_a_graph_attends_over_its_edges() -> None:
    model = load(text_of(GRAPH)).GAT(rngs=nnx.Rngs(0))
    x = jax.random.normal(jax.random.key(1), (5, 8))
    source, target = jnp.array([0, 1, 2, 3, 4, 0]), jnp.array([1, 2, 3, 4, 0, 0])
    out = jax.jit(lambda *args: model(*args))(x, source, target)
    assert out.shape == (5, 3) and bool(jnp.isfinite(out).all())
    changed = model(x.at[3].add(1.0), source, target)
    moved = jnp.abs(changed - out).sum(-1) > 1e-6
    assert moved.tolist() == [True, False, False, False, False]
