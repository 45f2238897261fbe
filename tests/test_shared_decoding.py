"""The shared module of decoding: layers step by step and at once, sampling, what is refused."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

from tests.importing import TEMPLATES

sys.path.append(str(TEMPLATES))

import nnx_decoding as decoding

RNG = np.random.default_rng(0)
RNGS = nnx.Rngs(0)
B, T, D = 2, 6, 4
X = RNG.normal(size=(B, T, D)).astype(np.float32)
STARTS = jnp.array([0, 2])  # the second sequence begins after padding


class Causal(nnx.Module):
    """Projections to heads around causal attention."""

    def __init__(self, attention: nnx.Module, **options: Any):
        self.q = nnx.LinearGeneral(D, (4, 3), rngs=RNGS)
        self.kv = nnx.LinearGeneral(D, (2, 2, 3), rngs=RNGS)
        self.attention, self.options = attention, nnx.data(options)

    def __call__(self, x: jax.Array) -> jax.Array:
        kv = self.kv(x)
        return self.attention(
            self.q(x), kv[..., 0, :, :], kv[..., 1, :, :], **self.options
        )


class Summed(nnx.Module):
    """A decaying sum over time, by a recurrence."""

    def __init__(self) -> None:
        self.recurrence = decoding.Recurrence((D,), (), dtypes=[None, jnp.float32])

    def __call__(self, x: jax.Array) -> jax.Array:
        def step(carry: Any, x: jax.Array) -> Any:
            total, count = carry
            total = 0.5 * total + x
            return (total, count + 1), total + count[:, None]

        start = jnp.zeros((len(x), D)), jnp.zeros(len(x))
        return self.recurrence(step, start, x.swapaxes(0, 1))[1].swapaxes(0, 1)


class Spaced(nnx.Module):
    """A state-space layer of one head."""

    def __init__(self) -> None:
        self.space = decoding.StateSpace(1, D, 2)

    def __call__(self, x: jax.Array) -> jax.Array:
        b = x[:, :, None, :2]
        return self.space(x[:, :, None], -jnp.abs(x[..., :1]), b, b)[:, :, 0]


class Placed(nnx.Module):
    """Features times their positions."""

    def __init__(self) -> None:
        self.positions = decoding.Positions()

    def __call__(self, x: jax.Array) -> jax.Array:
        return x * self.positions(x)[..., None]


LAYERS: dict[str, Callable[[], nnx.Module]] = {
    "attention": lambda: Causal(decoding.CausalAttention(2, 3)),
    "window": lambda: Causal(decoding.CausalAttention(2, 3, window=2, scale=0.7)),
    "scores": lambda: Causal(decoding.ScoredAttention(2, 3, softcap=2.0, chunk=3)),
    "sinks": lambda: Causal(decoding.ScoredAttention(2, 3), sinks=jnp.ones(4)),
    "projections": lambda: decoding.SelfAttention(D, 2, kv_heads=1, rngs=RNGS),
    "context": lambda: decoding.CausalConv(D, 3, (2,), kernel_dilation=2, rngs=RNGS),
    "shift": lambda: decoding.Shift(2, D),
    "space": Spaced,
    "recurrence": Summed,
    "positions": Placed,
}


class Model(nnx.Module):
    """A layer with a dtype, as models have one."""

    dtype = jnp.float32

    def __init__(self, layer: nnx.Module):
        self.layer = layer

    def __call__(self, x: jax.Array) -> jax.Array:
        return self.layer(x)


@pytest.mark.parametrize("lengths", [[6], [3, 1, 2], [1] * 6], ids=str)
@pytest.mark.parametrize("name", LAYERS)
def test_a_sequence_in_pieces_is_that_at_once(name: str, lengths: list[int]) -> None:
    model = Model(LAYERS[name]())
    decoder = decoding.init_cache(model, STARTS, T)
    pieces, start = [], 0
    for length in lengths:
        pieces.append(decoder(X[:, start : start + length]))
        start += length
    y = jnp.concatenate(pieces, 1)
    np.testing.assert_allclose(y[0], model(X[:1])[0], rtol=1e-4, atol=1e-5)
    padded = model(X[1:, 2:])[0]
    np.testing.assert_allclose(y[1, 2:], padded, rtol=1e-4, atol=1e-5)
    assert not nnx.state(model, decoding.Cache)  # it stays as it was


def test_a_cache_of_layers_that_are_stacked() -> None:
    layers = decoding.Stepwise.stacked(decoding.Shift(2, D), 3)
    decoder = decoding.init_cache(Model(layers), STARTS, T)
    assert decoder.layer.context.shape == (3, B, 2, D)
    assert decoder.layer.index.shape == (3,)


def test_the_context_of_a_sequence() -> None:
    layer = decoding.LeftContext(2, D)
    y = layer(X)
    assert not y[:, :2].any()
    np.testing.assert_array_equal(y[:, 2:], X)


@pytest.mark.parametrize(
    ("size", "starts", "message"),
    [
        (0, STARTS, "size is 1 to 8, not 0"),
        (9, STARTS, "size is 1 to 8, not 9"),
        (2, STARTS[None], "starts are whole numbers"),
        (2, STARTS * 1.0, "starts are whole numbers"),
    ],
)
def test_no_such_cache(size: int, starts: jax.Array, message: str) -> None:
    limited = Model(nnx.List([decoding.Limits(positions=8), decoding.Limits(ids=5)]))
    with pytest.raises(ValueError, match=message):
        decoding.init_cache(limited, starts, size)
    assert decoding.limits(limited).ids == 5
    assert decoding.limits(Model(decoding.Shift(1, D))).positions is None


LOGITS = jnp.log(jnp.array([[0.5, 0.3, 0.15, 0.05], [0.05, 0.15, 0.3, 0.5]]))


@pytest.mark.parametrize(
    ("top_p", "top_k", "left"),
    [
        (None, None, 4),
        (None, 1, 1),
        (None, 3, 3),
        (0.4, None, 1),
        (0.6, None, 2),
        (0.9, None, 3),
        (1.0, None, 4),
        (0.9, 2, 2),
    ],
)
def test_tokens_that_are_left(top_p: Any, top_k: Any, left: int) -> None:
    found = decoding.filter_logits(LOGITS, top_p, top_k)
    expected = np.arange(4) < left
    np.testing.assert_array_equal(jnp.isfinite(found), [expected, expected[::-1]])
    np.testing.assert_array_equal(found[0, :left], LOGITS[0, :left])


def test_tokens_are_sampled_with_their_probabilities() -> None:
    many = jnp.broadcast_to(LOGITS[0], (4000, 4))

    def sampled(temperature: float, *limits: Any) -> np.ndarray:
        key, heat = jax.random.key(0), jnp.float32(temperature)
        tokens = decoding.sample(many, key, heat, *limits)
        return np.bincount(tokens, minlength=4) / 4000

    np.testing.assert_array_equal(sampled(0.0, None, None), [1, 0, 0, 0])
    whole = np.exp(LOGITS[0])
    np.testing.assert_allclose(sampled(1.0, None, None), whole, atol=0.03)
    sharp = whole**2 / (whole**2).sum()
    np.testing.assert_allclose(sampled(0.5, None, None), sharp, atol=0.03)
    two = [0.625, 0.375, 0, 0]
    np.testing.assert_allclose(sampled(1.0, None, 2), two, atol=0.03)


@pytest.mark.parametrize(
    ("longest", "lengths", "width"),
    [(None, [1], 2), (None, [2, 3], 3), (None, [4, 1], 5), (None, [6], 9), (7, [6], 7)],
)
def test_prompts_are_padded(longest: Any, lengths: list[int], width: int) -> None:
    prompts = [list(range(1, 1 + length)) for length in lengths]
    starts, tokens = decoding.pad_prompts(prompts, longest)
    assert tokens.shape == (len(prompts), width)
    for start, row, prompt in zip(starts, tokens, prompts, strict=True):
        assert row[start:].tolist() == prompt and not row[:start].any()


class Next(nnx.Module):
    """Prefers the token that follows the last one, of `count`."""

    dtype = jnp.float32

    def __init__(self, count: int):
        self.count = count
        self.limits = decoding.Limits(ids=count, positions=12, scores=count)
        self.positions = decoding.Positions()

    def __call__(self, tokens: jax.Array) -> jax.Array:
        self.positions(tokens)
        return jax.nn.one_hot((tokens + 1) % self.count, self.count)


def test_prompts_are_continued() -> None:
    model, prompts = Next(9), [[1, 2, 3], [6]]
    found = decoding.generate_tokens(model, prompts, max_new_tokens=4, stop=[8])
    assert found == [[4, 5, 6, 7], [7, 8]]
    steps: list[list[int]] = []
    options: decoding.Sampling = {"max_new_tokens": 3, "seed": 1, "temperature": 1e-4}
    decoding.generate_tokens(
        model, prompts, **options, on_tokens=lambda x: steps.append(x.tolist())
    )
    assert steps == [[4, 7], [5, 8], [6, 0]]
    assert decoding.generate_tokens(model, []) == []
    assert decoding.generate_tokens(model, [[1]], max_new_tokens=0) == [[]]
    assert decoding.up_to_stop([1, 2, 3], [2, 3]) == [1, 2]
    assert decoding.up_to_stop([1, 2], []) == [1, 2]


@pytest.mark.parametrize(
    ("prompt", "options", "message"),
    [
        ([], {}, "no tokens"),
        ([[1]], {}, "list of token ids"),
        ([1.0], {}, "list of token ids"),
        ([9], {}, "token ids are 0 to 8, a prompt has 9"),
        ([-1], {}, "token ids are 0 to 8, a prompt has -1"),
        ([1] * 9, {"max_new_tokens": 4}, "up to 12 tokens, not 9 and 4"),
        ([1], {"max_new_tokens": -1}, "max_new_tokens"),
        ([1], {"temperature": -0.5}, "temperature"),
        ([1], {"top_k": 10}, "top_k is 1 to 9"),
        ([1], {"top_p": 0.0}, "top_p"),
        ([1], {"stop": [9]}, "stop are 0 to 8, not 9"),
    ],
)
def test_what_is_out_of_range(prompt: Any, options: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        decoding.generate_tokens(Next(9), [prompt], **{"max_new_tokens": 2, **options})
