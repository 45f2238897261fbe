"""The shared modules of attention and of experts, held to loops over heads, keys and steps."""

from __future__ import annotations

import sys
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

from tests.importing import TEMPLATES

sys.path.append(str(TEMPLATES))

import nnx_attention as attention
import nnx_experts as experts

RNG = np.random.default_rng(0)
B, T, S, HEADS, KV_HEADS, D = 2, 5, 7, 4, 2, 6


def normal(*shape: int) -> np.ndarray:
    return RNG.normal(size=shape).astype(np.float32)


Q, K, V = normal(B, T, HEADS, D), normal(B, S, KV_HEADS, D), normal(B, S, KV_HEADS, 3)


def softmax(scores: np.ndarray) -> np.ndarray:
    weights = np.exp(scores - scores.max())
    return weights / weights.sum()


def by_hand(bias: Any, seen: Any, scale: float = D**-0.5, cap: Any = None) -> Any:
    """Attention, one query at a time; `bias` and `seen` are functions of head, query and key."""
    y = np.zeros((B, T, HEADS, V.shape[-1]))
    for b, t, h in np.ndindex(B, T, HEADS):
        kv = h * KV_HEADS // HEADS
        keys = [s for s in range(S) if seen(b, t, s)]
        scores = np.array([Q[b, t, h] @ K[b, s, kv] * scale for s in keys])
        scores = scores if cap is None else cap * np.tanh(scores / cap)
        scores += [bias(h, t, s) for s in keys]
        y[b, t, h] = softmax(scores) @ V[b, keys, kv]
    return y


def everything(*_: int) -> bool:
    return True


def nothing(*_: int) -> float:
    return 0.0


def close(found: Any, expected: Any) -> None:
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-5)


def test_queries_attend_to_the_keys_of_their_group() -> None:
    close(attention.attend(Q, K, V), by_hand(nothing, everything))
    expected = by_hand(nothing, everything, scale=0.3, cap=2.0)
    close(attention.attend(Q, K, V, scale=0.3, softcap=2.0), expected)


def test_scores_are_changed() -> None:
    bias, slopes = normal(HEADS, T, S), np.array([0.1, 0.2, 0.3, 0.4], np.float32)
    expected = by_hand(lambda h, t, s: bias[h, t, s] - slopes[h] * (t - s), everything)
    close(attention.attend(Q, K, V, bias=bias[None], slopes=slopes), expected)


def test_a_sink_takes_weight_and_gives_nothing() -> None:
    sinks = normal(HEADS)
    found = attention.attend(Q, K, V, sinks=sinks)
    more = np.concatenate([K, np.zeros((B, 1, KV_HEADS, D), np.float32)], 1)
    values = np.concatenate([V, np.zeros((B, 1, KV_HEADS, 3), np.float32)], 1)
    bias = np.zeros((1, HEADS, 1, S + 1), np.float32)
    bias[0, :, 0, S] = sinks
    close(found, attention.attend(Q, more, values, bias=bias))


SEGMENTS = np.array([[0, 0, 1, 1, 1, 2, 2], [3, 3, 3, 3, 4, 4, 4]])
STARTS = np.array([2, 0])  # of the keys of each row; before are padding
PLACES = np.arange(2, 7)[None], np.arange(S)[None] - STARTS[:, None]
LIMITS: dict[str, tuple[dict[str, Any], Any]] = {
    "causal": ({"causal": True}, lambda b, t, s: s <= t),
    "window": ({"window": 2}, lambda b, t, s: abs(s - t) < 2),
    "chunk": ({"chunk": 3}, lambda b, t, s: s // 3 == t // 3),
    "mask": (
        {"mask": (SEGMENTS != 2)[:, None, None]},
        lambda b, t, s: SEGMENTS[b, s] != 2,
    ),
    "positions": (
        {"positions": (PLACES[0] - STARTS[:, None], PLACES[1]), "causal": True},
        lambda b, t, s: STARTS[b] <= s <= t + 2,
    ),
}


@pytest.mark.parametrize("name", LIMITS)
def test_keys_that_are_visible(name: str) -> None:
    options, seen = LIMITS[name]
    close(attention.attend(Q, K, V, **options), by_hand(nothing, seen))
    distance, mask = attention.visibility(T, S, **options)
    assert mask.shape[1] == 1 and distance.shape[1:] == (T, S)
    for b, t, s in np.ndindex(B, T, S):
        assert mask[min(b, len(mask) - 1), 0, t, s] == seen(b, t, s)


def test_packed_sequences_do_not_attend_to_each_other() -> None:
    distance, mask = attention.visibility(S, S, segments=SEGMENTS, causal=True)
    for b, t, s in np.ndindex(B, S, S):
        together = SEGMENTS[b, t] == SEGMENTS[b, s] and s <= t
        assert mask[b, 0, t, s] == together and distance[0, t, s] == t - s
    found = attention.segment_positions(jnp.array(SEGMENTS))
    assert found.tolist() == [[0, 1, 0, 1, 2, 0, 1], [0, 1, 2, 3, 0, 1, 2]]


def test_attention_with_its_projections() -> None:
    options = {"kv_heads": 2, "head_dim": 3, "context_d": 5, "rngs": nnx.Rngs(0)}
    layer = attention.Attention(8, 4, bias=False, **options)
    assert layer.query.bias is None and layer.key.kernel.shape == (5, 2, 3)
    x, context = normal(2, 4, 8), normal(2, 6, 5)
    mask = np.arange(6) < 4
    y = layer(x, context, mask)
    assert y.shape == (2, 4, 8)
    close(y, layer(x, context[:, :4]))
    own = attention.Attention(8, 4, causal=True, rngs=nnx.Rngs(0))
    close(own(x)[:, :2], own(x[:, :2]))
    zeros = attention.HeadProjections(
        8, 4, out_kernel_init=nnx.initializers.zeros_init(), rngs=nnx.Rngs(0)
    )
    assert not zeros.out.kernel[...].any() and zeros.query.kernel[...].any()


@pytest.mark.parametrize("size", [1, 2, 64])
def test_a_state_space_is_its_recurrence(size: int) -> None:
    t, heads, d, groups, n = 5, 4, 3, 2, 2
    x, log_decay = normal(B, t, heads, d), -np.abs(normal(B, t, heads))
    b, c = normal(B, t, groups, n), normal(B, t, groups, n)
    start = normal(B, heads, d, n)
    for h in (start, np.zeros_like(start)):
        state, ys = h, []
        for i in range(t):
            every = np.repeat(b[:, i], heads // groups, 1)
            state = np.exp(log_decay[:, i])[..., None, None] * state
            state = state + x[:, i, :, :, None] * every[:, :, None]
            read = np.repeat(c[:, i], heads // groups, 1)
            ys.append((state * read[:, :, None]).sum(-1))
        y, last = attention.state_chunks(x, log_decay, b, c, h, size)
        close(y, np.stack(ys, 1))
        close(last, state)
    close(attention.state_space(x, log_decay, b, c), y)


def test_rotations_keep_lengths_and_tell_distances() -> None:
    q, k = normal(1, 1, 1, 8), normal(1, 1, 1, 8)

    def score(i: int, j: int, **options: Any) -> Any:
        at_i, at_j = jnp.array([i]), jnp.array([j])
        turned = attention.rope(q, at_i, **options), attention.rope(k, at_j, **options)
        return (turned[0] * turned[1]).sum()

    for options in ({}, {"interleaved": True}, {"dim": 4}, {"theta": 100.0}):
        close(score(3, 1, **options), score(9, 7, **options))
        rotated = attention.rope(q, jnp.array([5]), **options)
        close(jnp.linalg.norm(rotated), np.linalg.norm(q))
        assert not np.allclose(rotated, q)
    np.testing.assert_array_equal(
        attention.rope(q, jnp.array([5]), dim=4)[..., 4:], q[..., 4:]
    )
    quarter = attention.rotate(jnp.array([[[[1.0, 0, 7]]]]), jnp.array([[jnp.pi / 2]]))
    close(quarter, [[[[0, 1, 7]]]])
    pairs = jnp.array([[[[1.0, 2, 3, 4]]]])
    angles = jnp.array([[jnp.pi, 0]])
    close(attention.rotate(pairs, angles), [[[[-1, 2, -3, 4]]]])
    close(attention.rotate(pairs, angles, interleaved=True), [[[[-1, -2, 3, 4]]]])


def test_sinusoidal_positions() -> None:
    table = attention.sinusoidal(4, 6, 100.0, jnp.bfloat16)
    assert table.dtype == jnp.bfloat16
    table = attention.sinusoidal(4, 6, 100.0)
    for position, i in np.ndindex(4, 3):
        angle = position * 100.0 ** (-2 * i / 6)
        close(table[position, 2 * i : 2 * i + 2], [np.sin(angle), np.cos(angle)])


@pytest.mark.parametrize("own", [False, True])
@pytest.mark.parametrize("chosen", [[[0, 2], [2, 1], [2, 0]], [[3, 3], [3, 3], [3, 3]]])
def test_tokens_meet_their_own_experts(own: bool, chosen: list[list[int]]) -> None:
    kernels, ids = normal(4, 3, 5), jnp.array(chosen)
    x = normal(3, 2, 3) if own else normal(3, 3)
    y = experts.expert_dot(x, kernels, ids)
    assert y.shape == (3, 2, 5)
    for token, k in np.ndindex(3, 2):
        one = x[token, k] if own else x[token]
        close(y[token, k], one @ kernels[chosen[token][k]])
    half = jnp.asarray(x, jnp.bfloat16)
    wide = experts.expert_dot(half, kernels, ids, preferred_element_type=jnp.float32)
    assert wide.dtype == jnp.float32


@pytest.mark.parametrize("sizes", [[4, 0, 3], [0, 0, 7], [1, 5, 1]])
def test_groups_of_rows_are_those_of_a_ragged_dot(sizes: list[int]) -> None:
    rows, kernels = normal(7, 3), normal(3, 3, 2)
    found = experts.grouped_dot(rows, kernels, jnp.array(sizes))
    close(found, jax.lax.ragged_dot(rows, kernels, jnp.array(sizes)))
