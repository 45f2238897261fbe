"""Layers, functions and losses in modules that outputs share: what they compute, by hand."""

from __future__ import annotations

import sys

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

from tests.importing import TEMPLATES

sys.path.append(str(TEMPLATES))

import nnx_functions as functions
import nnx_layers as layers
import nnx_losses as losses

X = jax.random.normal(jax.random.key(0), (3, 7, 4))


def test_batch_norm_keeps_the_unbiased_variance() -> None:
    norm = layers.BatchNorm(4, momentum=0.9, rngs=nnx.Rngs(0))
    norm(X)
    unbiased = np.var(X, axis=(0, 1), ddof=1)
    np.testing.assert_allclose(norm.var[...], 0.9 + 0.1 * unbiased, rtol=1e-5)
    before = norm.var[...]
    norm.eval()
    norm(X)
    np.testing.assert_array_equal(norm.var[...], before)


def test_batch_norm_counts_what_is_not_masked() -> None:
    norm = layers.BatchNorm(4, momentum=0.0, rngs=nnx.Rngs(0))
    mask = jnp.arange(7)[None, :, None] < 5
    norm(X, mask=mask)
    unbiased = np.var(X[:, :5], axis=(0, 1), ddof=1)
    np.testing.assert_allclose(norm.var[...], unbiased, rtol=1e-4)


def test_statistics_stay_in_float32() -> None:
    options = {"dtype": jnp.bfloat16, "promote_dtype": layers.keep_dtypes}
    norm = nnx.BatchNorm(4, **options, rngs=nnx.Rngs(0))
    norm(X.astype(jnp.bfloat16))
    assert norm.mean.dtype == norm.var.dtype == jnp.float32


def test_the_vector_of_padding_does_not_learn() -> None:
    embed = layers.PaddedEmbed(5, 4, 2, rngs=nnx.Rngs(0))
    ids = jnp.array([[1, 2, 2]])
    grads = nnx.grad(lambda embed: embed(ids).sum())(embed)
    np.testing.assert_array_equal(grads.embedding[...].sum(1), [0, 4, 0, 0, 0])


@pytest.mark.parametrize("axis", [-1, -2, 0])
def test_weight_norm_begins_as_the_layer_and_scales(axis: int) -> None:
    conv = nnx.Conv(4, 6, (3,), rngs=nnx.Rngs(0))
    plain = conv(X)
    normed = layers.WeightNorm(conv, axis)
    np.testing.assert_allclose(normed(X), plain, atol=1e-5)
    conv.kernel[...] *= 3  # directions alone
    np.testing.assert_allclose(normed(X), plain, atol=1e-5)
    normed.scale[...] *= 2
    np.testing.assert_allclose(normed(X), 2 * plain, atol=1e-5)


def test_groups_of_a_transposed_convolution_do_not_mix() -> None:
    conv = layers.GroupedConvTranspose(4, 6, (3,), 2, strides=(2,), rngs=nnx.Rngs(0))
    other = X.at[..., 2:].set(0)
    np.testing.assert_allclose(conv(X)[..., :3], conv(other)[..., :3], atol=1e-6)
    assert conv(X).shape == (3, 14, 6)
    assert not np.allclose(conv(X)[..., 3:], conv(other)[..., 3:])


def test_recurrent_layers_are_their_cells_in_turn() -> None:
    for whole, cell, states in (
        (layers.LSTM, layers.LSTMCell, 2),
        (layers.GRU, layers.GRUCell, 1),
    ):
        over, once = whole(4, 5, rngs=nnx.Rngs(0)), cell(4, 5, rngs=nnx.Rngs(0))
        carry = [jnp.zeros((3, 5))] * states
        found = []
        for t in range(7):
            made = once(X[:, t], *carry)
            carry = [*made] if states == 2 else [made]
            found.append(carry[0])
        y, *last = over.run(X)
        np.testing.assert_allclose(y, jnp.stack(found, 1), atol=1e-5)
        np.testing.assert_allclose(last, carry, atol=1e-5)
        kernel = over.recurrent.kernel[...]
        np.testing.assert_allclose(kernel @ kernel.T, np.eye(5), atol=1e-5)


def test_spectra_are_those_of_numpy() -> None:
    re, im = functions.fft(X, axis=1)
    np.testing.assert_allclose(re + 1j * im, np.fft.fft(X, axis=1), atol=1e-4)
    np.testing.assert_allclose(functions.ifft(re, im, axis=1)[0], X, atol=1e-5)
    half = functions.rfft(X, axis=1)
    np.testing.assert_allclose(half[1], np.fft.rfft(X, axis=1).imag, atol=1e-4)
    np.testing.assert_allclose(functions.irfft(*half, n=7, axis=1), X, atol=1e-5)


def test_windows_shifts_and_sizes() -> None:
    windows = functions.unfold(X, (3,), (2,), (1,), "VALID")
    np.testing.assert_array_equal(windows[:, 1], X[:, 2:5])
    shifted = functions.shift(X, 2)
    np.testing.assert_array_equal(shifted[:, 2:], X[:, :-2])
    assert not shifted[:, :2].any()
    assert [functions.divisible(n, 8) for n in (3, 30, 35.9, 27)] == [8, 32, 40, 24 + 8]


def test_corners_stay_where_they_are() -> None:
    for method in ("linear", "cubic"):
        found = functions.resize_corners(X, (3, 13, 4), method)
        np.testing.assert_allclose(found[:, [0, -1]], X[:, [0, -1]], atol=1e-4)
    found = functions.resize_bicubic(X, (3, 13, 4), corners=True)
    np.testing.assert_allclose(found[:, ::2], X, atol=1e-5)


def test_losses_by_chunks_and_by_hand() -> None:
    kernel = jax.random.normal(jax.random.key(1), (4, 9))
    labels = jnp.arange(21).reshape(3, 7) % 9
    where = labels != 3
    logs = losses.log_prob(X @ kernel, labels)
    mean = -(logs * where).sum() / where.sum()
    for chunk in (4, 21, 100):
        found = losses.chunked_cross_entropy(
            X, kernel, labels, where=where, chunk=chunk
        )
        np.testing.assert_allclose(found, mean, rtol=1e-5)
    logits, true = jnp.array([1.0, 1, -1, -1]), jnp.array([1, 0, 1, 1])
    assert losses.precision(logits, true) == 1 / 2
    np.testing.assert_allclose(losses.recall(logits, true), 1 / 3)
    np.testing.assert_allclose(losses.f1(logits, true), 2 / 5)
    assert losses.r2(logits, logits) == 1
    np.testing.assert_allclose(
        losses.pinball(1.0, jnp.array([3.0, 0]), 0.9), [1.8, 0.1], atol=1e-6
    )
    assert losses.gaussian_kl(jnp.zeros(3), jnp.zeros(3)) == 0
    np.testing.assert_allclose(losses.distillation(X, X, 2.0), 0, atol=1e-6)
    np.testing.assert_allclose(
        losses.dpo(1.0, 0.0, 1.0, 0.0, 0.5), np.log(2), rtol=1e-6
    )


def test_why_some_layers_are_not_those_of_flax() -> None:
    """What the page on weights says of them; a release that changes it makes ours spare."""
    rngs = nnx.Rngs(0)

    def weights(layer: nnx.Module) -> set[str]:
        state = nnx.to_flat_state(nnx.state(layer, nnx.Param))
        return {".".join(map(str, path)) for path, _ in state}

    assert "dense_i.bias" not in weights(nnx.OptimizedLSTMCell(3, 4, rngs=rngs))
    assert "dense_h.bias" not in weights(nnx.GRUCell(3, 4, rngs=rngs))
    linear = nnx.Linear(3, 4, rngs=rngs)
    normed, before = nnx.WeightNorm(linear, rngs=rngs), linear.kernel[...]
    assert not any("scale" in name for name in weights(normed))
    normed(jnp.ones((2, 3)))
    assert not np.allclose(linear.kernel[...], before)
