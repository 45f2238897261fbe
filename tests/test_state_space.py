"""A state that decays, computed in chunks: what a loop over the sequence gives."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

from tests.emitting import text_of
from tests.importing import from_text, shared

SPEC = """
model Net(vocab = 9, d = 8, heads = 4, e = 5, groups = 2, n = 3):
    input ids: int[B, T]
    x = ids -> Embed(vocab, d)
    y = x -> Linear(heads, e)
    b = x -> Linear(groups, n)
    c = x -> Linear(groups, n)
    kept = log_sigmoid(x -> Linear(heads) as gate)
    return state_space(y, kept, b, c) -> Linear(vocab, over=[heads, e]) as head : f32[B, T, vocab]

generate Net
"""


def inputs(t: int, decay: float = 1.0, groups: int = 2) -> tuple[jax.Array, ...]:
    """x, log_decay, b, c of two sequences."""
    rng = np.random.default_rng(t)
    x, b, c = (
        rng.normal(size=(2, t, *shape)) for shape in ((4, 5), (groups, 3), (groups, 3))
    )
    log_decay = -decay * rng.exponential(size=(2, t, 4))
    return tuple(jnp.asarray(v, jnp.float32) for v in (x, log_decay, b, c))


@jax.jit
def loop(x: jax.Array, log_decay: jax.Array, b: jax.Array, c: jax.Array) -> jax.Array:
    """One entry after the other."""
    b, c = (jnp.repeat(v, 4 // v.shape[2], axis=2) for v in (b, c))

    def step(h: jax.Array, entry: Any) -> tuple[jax.Array, jax.Array]:
        x, log_decay, b, c = entry
        h = jnp.exp(log_decay)[..., None, None] * h + x[..., None] * b[..., None, :]
        return h, jnp.einsum("zhdn,zhn->zhd", h, c)

    entries = tuple(v.swapaxes(0, 1) for v in (x, log_decay, b, c))
    ys = jax.lax.scan(step, jnp.zeros((2, 4, 5, 3)), entries)[1]
    return ys.swapaxes(0, 1)


def close(got: Any, want: Any) -> None:
    """As near as float32 is."""
    largest = max(1.0, float(np.abs(np.asarray(want)).max(initial=0)))
    np.testing.assert_allclose(got, want, rtol=0, atol=1e-5 * largest)


@pytest.mark.parametrize(("t", "groups"), [(1, 2), (5, 1), (64, 4), (65, 2), (150, 2)])
def test_chunks_are_the_loop(t: int, groups: int) -> None:
    given = inputs(t, groups=groups)
    close(jax.jit(shared("state_space"))(*given), loop(*given))


@pytest.mark.parametrize("decay", [0.0, 1e-3, 1.0, 1e3])
def test_gradients_are_finite_and_those_of_the_loop(decay: float) -> None:
    given = inputs(70, decay)

    def gradients(function: Any) -> Any:
        return jax.grad(lambda *args: (function(*args) ** 2).sum(), (0, 1, 2, 3))(
            *given
        )

    got, want = gradients(shared("state_space")), gradients(loop)
    for one, other in zip(got, want, strict=True):
        assert jnp.isfinite(one).all()
        close(one, other)


def test_a_decay_to_nothing_forgets() -> None:
    x, log_decay, b, c = inputs(9)
    log_decay = log_decay.at[:, 4].set(-jnp.inf)
    y = shared("state_space")(x, log_decay, b, c)
    alone = shared("state_space")(*(v[:, 4:] for v in (x, log_decay, b, c)))
    close(y[:, 4:], alone)


@pytest.mark.parametrize("cut", [1, 64, 100])
def test_a_state_goes_on(cut: int) -> None:
    given = inputs(130)
    chunks, h = jax.jit(shared("state_chunks")), jnp.zeros((2, 4, 5, 3))
    whole, last = chunks(*given, h)
    first, h = chunks(*(v[:, :cut] for v in given), h)
    rest, h = chunks(*(v[:, cut:] for v in given), h)
    close(jnp.concatenate([first, rest], axis=1), whole)
    close(h, last)


def test_half_precision_stays() -> None:
    given = [v.astype(jnp.bfloat16) for v in inputs(70)]
    y = shared("state_space")(*given)
    assert y.dtype == jnp.bfloat16
    want = loop(*(v.astype(jnp.float32) for v in given))
    np.testing.assert_allclose(y.astype(jnp.float32), want, rtol=2e-2, atol=2e-2)


def test_decoding_goes_on_where_it_ended() -> None:
    module = from_text(text_of(SPEC))
    model = module.Net(module.Config(), rngs=nnx.Rngs(0))
    ids = jnp.asarray(np.random.default_rng(0).integers(1, 9, (2, 12)))
    whole = model(ids)
    decoder = module.init_cache(model, jnp.array([0, 3]), 12)
    pieces = [decoder(ids[:, :7]), decoder(ids[:, 7:8]), decoder(ids[:, 8:])]
    got = jnp.concatenate(pieces, axis=1)
    close(got[0], whole[0])
    close(got[1, 3:], model(ids[1:, 3:])[0])
