"""What routes: a codebook with straight-through gradients, a mixture of experts, a graph."""

from __future__ import annotations

from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from emitting import load, text_of
from flax import nnx

import nnx_experts
import nnxc

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


CHOSEN = """
block Experts(experts, hidden, k):
    input x: [B, T, d]
    param up: [experts, d, hidden] = lecun_normal
    param down: [experts, hidden, d] = lecun_normal
    shares, chosen = x -> Linear(experts, bias=false) as router -> softmax -> top_k(k)
    y = expert_dot(x, up, chosen) -> silu
    return einsum("b t k d, b t k -> b t d", expert_dot(y, down, chosen), shares)

model MoE(vocab = 11, d = 8, experts = 6, hidden = 16, k = 2):
    input tokens: int[B, T]
    x = tokens -> Embed(vocab, d)
    x += x -> Attention(2, causal=true) as attn
    x += x -> Experts(experts, hidden, k) as moe
    return x -> Linear(vocab) as head

generate MoE
"""


def by_gathering(x: jax.Array, kernels: jax.Array, experts: jax.Array) -> jax.Array:
    """What `expert_dot` computes, a kernel for each token and choice."""
    x = x if x.ndim > experts.ndim else x[..., None, :]
    return jnp.squeeze(x[..., None, :] @ kernels[experts], -2)


@pytest.mark.parametrize("used", [1, 3, 5])
@pytest.mark.parametrize(("b", "t"), [(1, 1), (2, 3), (3, 40)])
@pytest.mark.parametrize("own", [True, False])
def test_tokens_meet_the_kernels_of_their_experts(
    used: int, b: int, t: int, own: bool
) -> None:
    """Few tokens and many, experts without tokens, and one with all of them."""
    keys = jax.random.split(jax.random.key(b * t), 3)
    x = jax.random.normal(keys[0], (b, t, 2, 4) if own else (b, t, 4))
    kernels = jax.random.normal(keys[1], (5, 4, 3))
    chosen = jax.random.randint(keys[2], (b, t, 2), 0, used)

    def size(dot: Any, x: jax.Array, kernels: jax.Array) -> Any:
        y = dot(x, kernels, chosen)
        return jnp.sum(y**3), y

    (*got, y), (*want, due) = (
        (*grads, y)
        for dot in (nnx_experts.expert_dot, by_gathering)
        for grads, y in [
            jax.jit(jax.grad(partial(size, dot), (0, 1), has_aux=True))(x, kernels)
        ]
    )
    np.testing.assert_allclose(y, due, rtol=1e-5, atol=1e-5)
    for one, other in zip(got, want, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-4, atol=1e-4)


def test_groups_are_those_of_jax() -> None:
    """`jax.lax.ragged_dot` computes the same, and is what a TPU runs."""
    rows = jax.random.normal(jax.random.key(0), (40, 4))
    kernels = jax.random.normal(jax.random.key(1), (5, 4, 3))
    for sizes in ([8, 8, 8, 8, 8], [0, 40, 0, 0, 0], [1, 0, 33, 2, 4]):
        given = rows, kernels, jnp.array(sizes)
        for more in ({}, {"preferred_element_type": jnp.float32}):
            got, due = (
                f(*given, **more) for f in (nnx_experts.grouped_dot, jax.lax.ragged_dot)
            )
            np.testing.assert_allclose(got, due, rtol=1e-5, atol=1e-5)


def test_the_work_is_that_of_the_chosen_experts() -> None:
    """At most half more, forward and back, however many experts there are."""
    b, t, k, d, f = 2, 256, 2, 32, 64
    x, chosen = jnp.ones((b, t, d)), jnp.zeros((b, t, k), jnp.int32)

    def flops(experts: int, back: bool) -> float:
        def total(x: jax.Array, kernels: jax.Array) -> jax.Array:
            return nnx_experts.expert_dot(x, kernels, chosen).sum()

        function = jax.grad(total, (0, 1)) if back else total
        compiled = jax.jit(function).lower(x, jnp.ones((experts, d, f))).compile()
        return compiled.cost_analysis()["flops"] / (2 * b * t * k * d * f)

    for experts in (4, 16, 64):
        assert 1 <= flops(experts, back=False) < 1.6
        assert 2 <= flops(experts, back=True) < 3.2


def test_a_mixture_of_chosen_experts_generates() -> None:
    module = load(text_of(CHOSEN))
    model = module.MoE(module.Config(), rngs=nnx.Rngs(0))
    tokens = jnp.array([[1, 2, 3, 4, 5]])
    whole = model(tokens)
    decoder = module.init_cache(model, jnp.zeros(1, jnp.int32), 5)
    pieces = [decoder(tokens[:, :3]), decoder(tokens[:, 3:])]
    np.testing.assert_allclose(jnp.concatenate(pieces, 1), whole, rtol=1e-5, atol=1e-5)
    assert module.generate(model, [[1, 2]], max_new_tokens=2)[0][0] == int(
        jnp.argmax(whole[0, 1])
    )


@pytest.mark.parametrize(
    ("chosen", "kernels", "message"),
    [
        ("int[B, T, k]", "[experts, d + 1, f]", "their second axis must be d"),
        ("int[B, S, k]", "[experts, d, f]", "its second axis must be T"),
        ("int[B]", "[experts, d, f]", "experts are chosen for int[B]"),
        ("int[B, T, k]", "[d, f]", "kernels is [d, f]"),
        ("[B, T, k]", "[experts, d, f]", "chosen"),
    ],
)
def test_experts_fit_their_tokens(chosen: str, kernels: str, message: str) -> None:
    spec = f"""
model Net(d = 3, f = 4, experts = 5, k = 2):
    input x: [B, T, d], chosen: {chosen}
    param kernels: {kernels} = lecun_normal
    return expert_dot(x, kernels, chosen)
"""
    assert message in str([d.message for d in nnxc.compile(spec).diagnostics])
