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


def test_statistics_are_not_rounded_before_they_normalize() -> None:
    mean = 1 + 2.0**-12  # which bfloat16 has not
    for promote, expected in ((layers.keep_dtypes, -1.0), (None, 0.0)):
        options = {} if promote is None else {"promote_dtype": promote}
        norm = nnx.BatchNorm(1, dtype=jnp.bfloat16, rngs=nnx.Rngs(0), **options)
        norm.mean[...], norm.var[...] = jnp.array([mean]), jnp.array([2.0**-24])
        norm.epsilon = 0.0
        norm.eval()
        assert norm(jnp.ones((1, 1), jnp.bfloat16)) == expected * 2**-12 / 2**-12


def test_an_embedding_without_padding_is_that_of_flax() -> None:
    embed = layers.PaddedEmbed(5, 4, None, rngs=nnx.Rngs(0))
    grads = nnx.grad(lambda embed: embed(jnp.array([2])).sum())(embed)
    np.testing.assert_array_equal(grads.embedding[...].sum(1), [0, 0, 4, 0, 0])


def test_orthogonal_weights_in_half_precision() -> None:
    matrix = layers.orthogonal(jax.random.key(0), (4, 8), jnp.bfloat16)
    assert matrix.dtype == jnp.bfloat16
    wide = np.asarray(matrix, np.float32)
    np.testing.assert_allclose(wide @ wide.T, np.eye(4), atol=0.02)


def test_masked_steps_change_no_state() -> None:
    mask = jnp.arange(7) < jnp.array([[7], [3], [0]])
    for layer in (layers.LSTM, layers.GRU):
        for reverse in (False, True):
            rnn = layer(4, 5, reverse=reverse, rngs=nnx.Rngs(0))
            y, *last = rnn.run(X, mask=mask)
            short, *state = rnn.run(X[1:2, :3])
            np.testing.assert_allclose(y[1, :3], short[0], atol=1e-6)
            np.testing.assert_allclose(last[0][1], state[0][0], atol=1e-6)
            assert not y[1, 3:].any() and not last[0][2].any()
            np.testing.assert_array_equal(rnn(X, mask=mask), y)


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


def test_windows_and_shifts() -> None:
    windows = functions.unfold(X, (3,), (2,), (1,), "VALID")
    np.testing.assert_array_equal(windows[:, 1], X[:, 2:5])
    shifted = functions.shift(X, 2)
    np.testing.assert_array_equal(shifted[:, 2:], X[:, :-2])
    assert not shifted[:, :2].any()


def test_windows_in_two_axes_with_steps_and_padding() -> None:
    image = jax.random.normal(jax.random.key(1), (2, 6, 5, 3))
    pads = ((1, 0), (2, 1))
    windows = functions.unfold(image, (2, 3), (2, 1), (3, 2), pads)
    padded = np.pad(image, [(0, 0), *pads, (0, 0)])
    assert windows.shape == (2, 2, 4, 2, 3, 3)
    for i, j, k, m in np.ndindex(2, 4, 2, 3):
        np.testing.assert_array_equal(
            windows[:, i, j, k, m], padded[:, 2 * i + 3 * k, j + 2 * m]
        )


def test_cubic_convolution_repeats_edges() -> None:
    """Weights of a = -0.75 at a distance of a half: -0.09375 and 0.59375."""
    found = functions.resize_bicubic(jnp.array([0.0, 1, 0, 0]), (2,))
    near, far = 0.59375, -0.09375
    np.testing.assert_allclose(found, [near, far], atol=1e-6)
    edge = functions.resize_bicubic(jnp.array([1.0, 0, 0, 0]), (2,))
    np.testing.assert_allclose(edge, [near + far, 0], atol=1e-6)


def test_numbers_of_channels() -> None:
    rounded = [functions.divisible(n, 8) for n in (3, 12, 30, 35.9, 27)]
    assert rounded == [8, 16, 32, 40, 32]
    assert functions.divisible(3, 8, 16) == 16


def test_activations_and_complex_numbers() -> None:
    np.testing.assert_allclose(functions.quick_gelu(2.0), 2 / (1 + np.exp(-3.404)))
    z = functions.complex_of(jnp.ones(2, jnp.bfloat16), jnp.zeros(2, jnp.bfloat16))
    assert z.dtype == jnp.complex64
    re, im = functions.real_and_imag(1j * z, jnp.bfloat16)
    assert re.dtype == im.dtype == jnp.bfloat16 and not re.any() and im.all()


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
    np.testing.assert_allclose(losses.gaussian_kl(jnp.ones(3), jnp.zeros(3)), 1.5)
    np.testing.assert_allclose(
        losses.gaussian_nll(1.0, jnp.log(4.0), 3.0), np.log(2) + 0.5
    )
    np.testing.assert_allclose(losses.poisson_nll(jnp.log(2.0), 3.0), 2 - 3 * np.log(2))
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
