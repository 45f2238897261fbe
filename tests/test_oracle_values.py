"""What entries compute, against independent formulas in NumPy or Flax's own cells."""

from __future__ import annotations

import importlib
import math
import pkgutil
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx
from oracle import Case, apply, namespace, predict
from scipy.special import softmax

from nnxc import ops
from nnxc.ops import MODEL_OPS
from nnxc.ops.base import Example, Helper
from tests.fuzz.evaluate import evaluated

RNG = np.random.default_rng(0)
ENV = {"B": 2, "T": 5, "S": 7, "d": 6, "e": 3, "H": 4, "W": 6, "C": 3, "N": 4}


def made(name: str, args: dict[str, Any], *types: str, **named: str) -> tuple[Any, Any]:
    """The layer, and its function, computed without compiling."""
    layer, run = function(name, args, *types, **named)
    return layer, partial(evaluated, run)


def function(
    name: str, args: dict[str, Any], *types: str, **named: str
) -> tuple[Any, Any]:
    """The layer, and a function of arrays in the order of the entry's inputs."""
    op = MODEL_OPS[name]
    case = Case(op, Example(args, types, named))
    layer, call = apply(case, predict(case, ENV), ENV)
    names = [*case.types]

    def run(*arrays: Any) -> Any:
        many = op.inputs and op.inputs[0].many
        given = {names[0]: arrays} if many else dict(zip(names, arrays, strict=True))
        return call(given) if layer is None else call(layer, given)

    return layer, run


def draw(*shape: int) -> np.ndarray:
    return RNG.normal(size=shape).astype(np.float32)


def close(got: Any, expected: Any) -> None:
    np.testing.assert_allclose(np.asarray(got), expected, rtol=2e-5, atol=2e-5)


# ------------------------------------------------------------------- attention


def attention(
    q: np.ndarray, k: np.ndarray, v: np.ndarray, seen: np.ndarray | None = None
) -> np.ndarray:
    """[T, heads, head_dim] each, head by head; `seen` says which key each query sees."""
    out = np.zeros((q.shape[0], q.shape[1], v.shape[2]))
    group = q.shape[1] // k.shape[1]
    for head in range(q.shape[1]):
        scores = q[:, head] @ k[:, head // group].T / np.sqrt(q.shape[2])
        if seen is not None:
            scores = np.where(seen, scores, -np.inf)
        out[:, head] = softmax(scores, axis=-1) @ v[:, head // group]
    return out


def test_attend_is_scaled_dot_product_attention_in_groups() -> None:
    _, run = made("attend", {}, "B T 4 d", "B S 2 d", "B S 2 d")
    q, k, v = draw(2, 5, 4, 6), draw(2, 7, 2, 6), draw(2, 7, 2, 6)
    close(run(q, k, v), [attention(*item) for item in zip(q, k, v, strict=True)])


def test_attend_is_causal_within_a_window() -> None:
    args = {"causal": True, "window": 3}
    _, run = made("attend", args, "B T 2 d", "B T 2 d", "B T 2 d")
    q, k, v = (draw(2, 5, 2, 6) for _ in range(3))
    i, j = np.arange(5)[:, None], np.arange(5)
    seen = (j <= i) & (j > i - 3)
    close(run(q, k, v), [attention(*item, seen) for item in zip(q, k, v, strict=True)])


def test_attend_in_full() -> None:
    args = {"causal": True, "softcap": 2.0, "chunk": 3, "scale": 0.7}
    given = {"slopes": "2", "sinks": "2", "segments": "int:B T"}
    _, run = made("attend", args, "B T 2 6", "B T 1 6", "B T 1 4", **given)
    q, k, v = draw(2, 5, 2, 6), draw(2, 5, 1, 6), draw(2, 5, 1, 4)
    slopes, sinks = np.array([0.5, 0.25]), np.array([0.3, -0.2])
    segments = np.array([[0, 0, 0, 1, 1], [0, 1, 1, 1, 1]])
    i, j = np.arange(5)[:, None], np.arange(5)
    want = np.zeros((2, 5, 2, 4))
    for b in range(2):
        seen = (j <= i) & (i // 3 == j // 3)
        seen &= segments[b][:, None] == segments[b]
        for head in range(2):
            scores = 2 * np.tanh(q[b, :, head] @ k[b, :, 0].T * 0.7 / 2)
            scores = np.where(seen, scores - slopes[head] * (i - j), -np.inf)
            scores = np.concatenate([scores, np.full((5, 1), sinks[head])], axis=1)
            want[b, :, head] = softmax(scores, axis=-1)[:, :-1] @ v[b, :, 0]
    close(run(q, k, v, slopes, sinks, segments), want)


def test_rope_turns_neighbours_of_the_first_features() -> None:
    args = {"theta": 100.0, "dim": 4, "interleaved": True}
    _, run = made("rope", args, "B T heads 6", "int:B T")
    x, at = draw(2, 3, 2, 6), np.array([[0, 1, 2], [5, 6, 7]])
    angles = at[..., None] / 100.0 ** (np.arange(2) / 2)  # (2, 3, 2)
    turned = (x[..., :4:2] + 1j * x[..., 1:4:2]) * np.exp(1j * angles)[:, :, None]
    want = x.copy()
    want[..., :4:2], want[..., 1:4:2] = turned.real, turned.imag
    close(run(x, at), want)
    _, rotated = made("rotate", {"interleaved": True}, "B T heads 6", "B T 2")
    close(rotated(x, angles), want)


def test_shift_moves_along_the_sequence() -> None:
    _, run = made("shift", {"n": 2}, "B T d")
    x = draw(2, 5, 3)
    close(run(x), np.concatenate([np.zeros((2, 2, 3)), x[:, :3]], axis=1))


@pytest.mark.parametrize("causal", [False, True])
def test_attention_projects_attends_and_projects(causal: bool) -> None:
    args = {"heads": 2, "kv_heads": 1, "head_dim": 4, "causal": causal}
    layer, run = made("Attention", args, "B T d")
    x = draw(2, 5, 6)
    w = {
        n: np.asarray(getattr(layer, n).kernel[...]) for n in ("query", "key", "value")
    }
    seen = np.tri(5, dtype=bool) if causal else None
    for item, got in zip(x, run(x), strict=True):
        q, k, v = (np.einsum("td,dhk->thk", item, w[n]) for n in w)
        y = attention(q, k, v, seen)
        close(got, np.einsum("thk,hkd->td", y, np.asarray(layer.out.kernel[...])))


def test_attention_over_a_context_with_a_mask() -> None:
    _, run = made(
        "Attention", {"heads": 2}, "B T d", context="B S e", mask="bool:B 1 1 S"
    )
    x, context = draw(2, 5, 6), draw(2, 7, 3)
    mask = np.ones((2, 1, 1, 7), bool)
    mask[:, :, :, 5:] = False
    close(run(x, context, mask), run(x, context * mask[:, 0, 0, :, None], mask))
    assert not np.allclose(run(x, context, mask), run(x, context, ~mask))


# ------------------------------------------------------------------- positions


def test_rope_rotates_complex_numbers() -> None:
    _, run = made("rope", {"theta": 100.0}, "B T N d", "int:B T")
    x, positions = draw(2, 5, 4, 6), RNG.integers(0, 50, (2, 5))
    z = x[..., :3] + 1j * x[..., 3:]
    turned = z * np.exp(1j * positions[..., None, None] * 100.0 ** (-np.arange(3) / 3))
    close(run(x, positions), np.concatenate([turned.real, turned.imag], axis=-1))


def test_rope_makes_scores_depend_on_distance() -> None:
    _, run = made("rope", {}, "B T N d", "int:B T")
    q, k = draw(2, 1, 4, 6), draw(2, 1, 4, 6)

    def score(i: int, j: int) -> Any:
        at = [np.full((2, 1), n) for n in (i, j)]
        return jnp.sum(run(q, at[0]) * run(k, at[1]), axis=-1)

    close(score(9, 4), score(25, 20))


def test_sinusoidal_is_as_published() -> None:
    _, run = made("sinusoidal", {"length": 5, "d": 6})
    expected = np.zeros((5, 6))
    for position in range(5):
        for i in range(0, 6, 2):
            angle = position / 10_000 ** (i / 6)
            expected[position, i : i + 2] = np.sin(angle), np.cos(angle)
    close(run(), expected)


# ------------------------------------------------------------------ convolution


@pytest.mark.parametrize(("axis", "kept"), [("out", 2), ("in", 1), ("window", 0)])
def test_weight_norm_learns_lengths_apart(axis: str, kept: int) -> None:
    args = {"features": 4, "window": (3,), "weight_norm": axis}
    layer, run = made("Conv", args, "B T d")
    plain, run_plain = made("Conv", args | {"weight_norm": None}, "B T d")
    others = tuple(i for i in range(3) if i != kept)
    kernel, x = np.asarray(layer.layer.kernel[...]), draw(2, 5, 6)
    lengths = np.sqrt((kernel**2).sum(axis=others, keepdims=True))
    close(layer.scale[...], lengths)
    layer.scale[...] = draw(*lengths.shape)
    plain.kernel[...] = kernel / lengths * layer.scale[...]
    close(run(x), run_plain(x))
    np.testing.assert_array_equal(layer.layer.kernel[...], kernel)


# ------------------------------------------------------------------- recurrent


def weights(layer: nnx.Module) -> dict[str, Any]:
    return {
        ".".join(map(str, path)): np.asarray(v[...])
        for path, v in nnx.to_flat_state(nnx.state(layer, nnx.Param))
    }


def sigmoid(x: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(-x))


def lstm(x: np.ndarray, w: dict[str, Any], hidden: int) -> list[np.ndarray]:
    h = c = np.zeros(hidden)
    states = []
    for xt in x:
        gates = xt @ w["input.kernel"] + w["input.bias"]
        gates += h @ w["recurrent.kernel"] + w["recurrent.bias"]
        i, f, g, o = np.split(gates, 4)
        c = sigmoid(f) * c + sigmoid(i) * np.tanh(g)
        h = sigmoid(o) * np.tanh(c)
        states.append(h)
    return states


@pytest.mark.parametrize("reverse", [False, True])
def test_lstm_steps_through_time(reverse: bool) -> None:
    layer, run = made("LSTM", {"hidden": 4, "reverse": reverse}, "B T d")
    x, w = draw(2, 5, 6), weights(layer)
    way = slice(None, None, -1 if reverse else 1)
    close(run(x), [lstm(item[way], w, 4)[way] for item in x])


def test_lstm_is_flax_s_own() -> None:
    layer, run = made("LSTM", {"hidden": 4}, "B T d")
    cell = nnx.OptimizedLSTMCell(6, 4, rngs=nnx.Rngs(0))
    cell.dense_i.kernel[...] = layer.input.kernel[...]
    cell.dense_h.kernel[...] = layer.recurrent.kernel[...]
    x = draw(2, 5, 6)
    close(run(x), nnx.RNN(cell)(x))


@pytest.mark.parametrize("reverse", [False, True])
def test_gru_is_flax_s_own(reverse: bool) -> None:
    layer, run = made("GRU", {"hidden": 4, "reverse": reverse}, "B T d")
    cell = nnx.GRUCell(6, 4, rngs=nnx.Rngs(0))
    cell.dense_i.kernel[...] = layer.input.kernel[...]
    cell.dense_h.kernel[...] = layer.recurrent.kernel[...]
    x = draw(2, 5, 6)
    close(run(x), nnx.RNN(cell, reverse=reverse, keep_order=True)(x))


LENGTHS = np.array([5, 3])
MASK = np.arange(5) < LENGTHS[:, None]


@pytest.mark.parametrize("reverse", [False, True])
@pytest.mark.parametrize("name", ["LSTM", "GRU"])
def test_masked_steps_do_not_matter(name: str, reverse: bool) -> None:
    layer, _ = made(name, {"hidden": 4, "reverse": reverse}, "B T d")
    x = draw(2, 5, 6)
    ys, *states = layer.run(x, mask=MASK)
    for i, n in enumerate(LENGTHS):
        alone, *last = layer.run(x[i : i + 1, :n])
        close(ys[i, :n], alone[0])
        close(ys[i, n:], 0)
        for state, due in zip(states, last, strict=True):
            close(state[i], due[0])


@pytest.mark.parametrize("name", ["LSTM", "GRU"])
def test_a_sequence_goes_on_where_it_was_left(name: str) -> None:
    layer, run = made(name, {"hidden": 4}, "B T d")
    x = draw(2, 5, 6)
    first, *states = layer.run(x[:, :2])
    given = dict(zip("hc", states, strict=False))
    close(np.concatenate([first, layer(x[:, 2:], **given)], axis=1), run(x))


@pytest.mark.parametrize("name", ["LSTM", "GRU"])
def test_cells_are_single_steps(name: str) -> None:
    layer, run = made(name, {"hidden": 4}, "B T d")
    states = ["B 4"] * (2 if name == "LSTM" else 1)
    cell, step = made(f"{name}Cell", {"hidden": 4}, "B d", *states)
    nnx.update(cell, nnx.state(layer))
    x, state = draw(2, 5, 6), [np.zeros((2, 4), np.float32)] * len(states)
    for t in range(5):
        found = step(x[:, t], *state)
        state = list(found) if isinstance(found, tuple) else [found]
    close(state[0], run(x)[:, -1])


@pytest.mark.parametrize("name", ["LSTM", "GRU"])
def test_gradients_flow_to_every_weight(name: str) -> None:
    layer, _ = made(name, {"hidden": 4}, "B T d")
    graphdef, state = nnx.split(layer)
    x = draw(2, 5, 6)
    grads = jax.grad(lambda s: jnp.sum(nnx.merge(graphdef, s)(x) ** 2))(state)
    assert all(np.abs(g).max() > 0 for g in jax.tree.leaves(grads))


# ------------------------------------------------------------- moving and taking


@pytest.mark.parametrize(
    ("pattern", "sizes", "shape", "expected"),
    [
        ("b t d -> b d t", {}, (2, 5, 6), lambda x: np.swapaxes(x, 1, 2)),
        (
            "b t (h k) -> b h t k",
            {"h": 2},
            (2, 5, 6),
            lambda x: np.stack(np.split(x, 2, axis=-1), axis=1),
        ),
        (
            "b (h p) w -> b h (p w)",
            {"p": 2},
            (2, 4, 3),
            lambda x: np.stack([x[:, ::2], x[:, 1::2]], 2).reshape(2, 2, 6),
        ),
        ("a b -> (b a)", {}, (2, 3), lambda x: x.T.ravel()),
        ("b 1 d -> d b 1", {}, (2, 1, 3), lambda x: x[:, 0].T[..., None]),
    ],
)
def test_rearrange(
    pattern: str, sizes: dict[str, int], shape: tuple[int, ...], expected: Any
) -> None:
    text = " ".join(map(str, shape))
    _, run = made("rearrange", {"pattern": pattern, **sizes}, text)
    x = draw(*shape)
    np.testing.assert_array_equal(run(x), expected(x))


def test_patches_are_read_row_by_row() -> None:
    pattern = "b (h p) (w q) c -> b (h w) (p q c)"
    _, run = made("rearrange", {"pattern": pattern, "p": 2, "q": 3}, "B 4 6 C")
    x = draw(2, 4, 6, 3)
    got = run(x)
    for i in range(2):
        for j in range(2):
            patch = x[:, 2 * i : 2 * i + 2, 3 * j : 3 * j + 3].reshape(2, -1)
            np.testing.assert_array_equal(got[:, 2 * i + j], patch)


def test_einsum_with_names() -> None:
    pattern = "... query dim, ... key dim -> ... query key"
    _, run = made("einsum", {"pattern": pattern}, "B H T d", "B H S d")
    q, k = draw(2, 4, 5, 6), draw(2, 4, 7, 6)
    close(run(q, k), q @ np.swapaxes(k, -1, -2))


def test_take_goes_row_by_row() -> None:
    _, run = made("take", {"axis": 2}, "B T N d", "int:B T 2")
    x, chosen = draw(2, 5, 4, 6), RNG.integers(0, 4, (2, 5, 2))
    got = run(x, chosen)
    for b in range(2):
        for t in range(5):
            np.testing.assert_array_equal(got[b, t], x[b, t, chosen[b, t]])


def test_take_one_of_each_row() -> None:
    _, run = made("take", {"axis": 1}, "B T d", "int:B")
    x, chosen = draw(2, 5, 6), np.array([3, 1])
    np.testing.assert_array_equal(run(x, chosen), [x[0, 3], x[1, 1]])


def test_pools() -> None:
    x = draw(2, 4, 6, 3)
    tiles = x.reshape(2, 2, 2, 3, 2, 3)
    for name, expected in (
        ("max_pool", tiles.max(axis=(2, 4))),
        ("avg_pool", tiles.mean(axis=(2, 4))),
    ):
        close(made(name, {"window": (2, 2)}, "B 4 6 C")[1](x), expected)
    close(made("adaptive_avg_pool", {"size": (2, 3)}, "B 4 6 C")[1](x), expected)


def test_padding_need_not_count_in_a_mean() -> None:
    args = {"window": 3, "stride": 1, "padding": 1, "count_padding": False}
    x = draw(2, 5, 3)
    expected = [x[:, max(i - 1, 0) : i + 2].mean(axis=1) for i in range(5)]
    close(made("avg_pool", args, "B 5 C")[1](x), np.stack(expected, axis=1))


@pytest.mark.parametrize("size", [1, 3, 5, 9])
def test_corners_stay_where_they_are(size: int) -> None:
    args = {"size": (size,), "method": "bilinear", "corners": True}
    x = draw(2, 5, 3)
    at = np.linspace(0, 4, size)
    rows = [[np.interp(at, range(5), x[b, :, c]) for c in range(3)] for b in range(2)]
    expected = np.swapaxes(np.array(rows), 1, 2)
    close(made("resize", args, "B 5 C")[1](x), expected)


@pytest.mark.parametrize(("old", "new"), [(3, 7), (5, 3), (4, 4), (5, 1), (2, 5)])
def test_pytorch_has_kernels_of_its_own(old: int, new: int) -> None:
    x, shape = draw(2, old, 3), f"B {old} C"
    floor = made("resize", {"size": (new,), "method": "torch_nearest"}, shape)[1](x)
    ratio = np.float32(old / new)  # PyTorch's own rounding
    close(floor, x[:, [int(np.float32(i) * ratio) for i in range(new)]])
    near = made("resize", {"size": (new,)}, shape)[1](x)
    close(near, x[:, [int((i + 0.5) * old / new) for i in range(new)]])
    for corners in (False, True):
        args = {"size": (new,), "method": "torch_bicubic", "corners": corners}
        rows = []
        for i in range(new):
            at = (i + 0.5) * old / new - 0.5
            if corners:
                at = i * (old - 1) / (new - 1) if new > 1 else 0
            first = math.floor(at)
            weights = cubic(at - first)
            places = np.clip(range(first - 1, first + 3), 0, old - 1)
            rows.append(sum(w * x[:, p] for w, p in zip(weights, places, strict=True)))
        close(made("resize", args, shape)[1](x), np.stack(rows, axis=1))


def cubic(t: float, a: float = -0.75) -> list[float]:
    """Weights of four neighbours, `t` past the second."""

    def near(s: float) -> float:
        return ((a + 2) * s - (a + 3)) * s * s + 1

    def far(s: float) -> float:
        return ((a * s - 5 * a) * s + 8 * a) * s - 4 * a

    return [far(t + 1), near(t), near(1 - t), far(2 - t)]


def test_groups_of_a_transposed_convolution_do_not_mix() -> None:
    args = {"features": 6, "window": (3, 2), "stride": (2, 3), "padding": "valid"}
    layer, run = made("ConvTranspose", args | {"groups": 2}, "2 5 4 8")
    kernel, bias = np.asarray(layer.kernel[...]), np.asarray(layer.bias[...])
    assert kernel.shape == (3, 2, 4, 2, 3)
    x = draw(2, 5, 4, 8)
    wanted = np.zeros((2, 11, 12, 6), np.float32) + bias
    for i, j, p, q, group in np.ndindex(5, 4, 3, 2, 2):
        taken = x[:, i, j, 4 * group : 4 * group + 4]
        # JAX does not mirror a transposed kernel, PyTorch does.
        point = taken @ kernel[2 - p, 1 - q, :, group]
        wanted[:, 2 * i + p, 3 * j + q, 3 * group : 3 * group + 3] += point
    close(run(x), wanted)


@pytest.mark.parametrize("padding", [0, 1, "same"])
@pytest.mark.parametrize(("stride", "dilation"), [(1, 1), (2, 1), (3, 2)])
def test_windows_slide(padding: int | str, stride: int, dilation: int) -> None:
    args = {"window": (3,), "stride": stride, "dilation": dilation, "padding": padding}
    x, reach = draw(2, 10, 3), 2 * dilation + 1
    pads = (padding, padding)
    if isinstance(padding, str):
        missing = (-(-10 // stride) - 1) * stride + reach - 10
        pads = (max(missing, 0) // 2, max(missing, 0) - max(missing, 0) // 2)
    around = np.pad(x, ((0, 0), pads, (0, 0)))
    firsts = range(0, around.shape[1] - reach + 1, stride)
    wanted = [[around[:, i + j * dilation] for j in range(3)] for i in firsts]
    close(
        made("unfold", args, "B 10 C")[1](x), np.transpose(wanted, (2, 0, 1, 3)).copy()
    )


def test_windows_over_two_axes_are_axes_of_their_own() -> None:
    x = draw(2, 6, 5, 3)
    got = made("unfold", {"window": (2, 3), "stride": 2}, "B 6 5 C")[1](x)
    assert got.shape == (2, 3, 2, 2, 3, 3)
    for i, j, p, q in np.ndindex(3, 2, 2, 3):
        close(got[:, i, j, p, q], x[:, 2 * i + p, 2 * j + q])


def test_what_becomes_smaller_is_smoothed_or_not() -> None:
    x = draw(2, 8, 3)
    args = {"size": (2,), "method": "bilinear"}
    sharp = made("resize", args | {"antialias": False}, "B 8 C")[1](x)
    close(sharp, (x[:, 1::4] + x[:, 2::4]) / 2)
    assert np.abs(made("resize", args, "B 8 C")[1](x) - sharp).max() > 0.01


# --------------------------------------------------------------------- dropping


def test_dropout_shares_its_draw_along_axes() -> None:
    _, run = made("Dropout", {"rate": 0.5, "axes": (1,)}, "B T 64")
    kept = np.asarray(run(np.ones((2, 5, 64), np.float32))) > 0
    assert (kept == kept[:, :1]).all()
    assert 0.2 < kept[:, 0].mean() < 0.8


def test_drop_path_drops_whole_samples_and_keeps_the_mean() -> None:
    op = MODEL_OPS["DropPath"]
    case = Case(op, Example({"rate": 0.25}, ("4096 3",)))
    layer, call = apply(case, predict(case, {}), {})
    y = np.asarray(call(layer, {"x": np.ones((4096, 3), np.float32)}))
    close(np.unique(y), [0, 4 / 3])
    assert (y == y[:, :1]).all()
    assert abs(y.mean() - 1) < 0.05
    still = nnx.view(layer, deterministic=True)
    np.testing.assert_array_equal(still(np.ones((2, 3), np.float32)), np.ones((2, 3)))


def test_batch_norm_uses_its_statistics_in_evaluation() -> None:
    layer, run = function("BatchNorm", {}, "B T d")
    x = 3 + draw(2, 5, 6)
    close(np.asarray(run(x)).mean(axis=(0, 1)), np.zeros(6))
    still = nnx.view(layer, **dict.fromkeys(MODEL_OPS["BatchNorm"].modes, True))
    mean, var = layer.mean[...], layer.var[...]
    close(still(x), (x - mean) / np.sqrt(var + 1e-5))
    assert np.abs(mean).max() > 0


@pytest.mark.parametrize("graph", [True, False])
def test_batch_norm_keeps_the_unbiased_variance_and_divides_by_the_biased(
    graph: bool,
) -> None:
    args = {"momentum": 0.9, "unbiased": True}
    layer, run = function("BatchNorm", args, "B T d")
    x = 3 + draw(2, 5, 6)
    with nnx.set_graph_mode(graph):
        close(run(x), (x - x.mean((0, 1))) / np.sqrt(x.var((0, 1)) + 1e-5))
    close(layer.mean[...], 0.1 * x.mean((0, 1)))
    close(layer.var[...], 0.9 + 0.1 * x.var((0, 1), ddof=1))
    mean, var = np.asarray(layer.mean[...]), np.asarray(layer.var[...])
    still = nnx.view(layer, use_running_average=True)
    close(still(x), (x - mean) / np.sqrt(var + 1e-5))
    close(still.var[...], var)


@pytest.mark.parametrize(("window", "stride", "pad"), [(3, 2, 0), (2, 3, 1), (3, 2, 1)])
def test_max_pool_may_reach_beyond_the_end(window: int, stride: int, pad: int) -> None:
    for size in range(4, 12):
        args = {"window": (window,), "stride": stride, "padding": pad, "ceil": True}
        _, run = made("max_pool", args, f"1 {size} 1")
        x = draw(1, size, 1)
        starts = range(-pad, size, stride)  # each window begins in the input or before
        while starts[-1] - stride + window >= size + pad:
            starts = starts[:-1]
        wanted = [x[0, max(s, 0) : s + window, 0].max() for s in starts]
        close(np.asarray(run(x))[0, :, 0], wanted)


def test_avg_pool_may_leave_out_what_was_added() -> None:
    args = {"window": (3,), "stride": 1, "padding": 1, "count_padding": False}
    _, run = made("avg_pool", args, "1 5 1")
    x = draw(1, 5, 1)
    wanted = [x[0, max(i - 1, 0) : i + 2, 0].mean() for i in range(5)]
    close(np.asarray(run(x))[0, :, 0], wanted)


@pytest.mark.parametrize(
    "args",
    [
        {"stride": 2, "padding": "valid"},
        {"stride": (1, 2), "padding": (1, 0), "groups": 2, "dilation": 2},
    ],
)
def test_convolve_is_what_conv_does(args: dict[str, Any]) -> None:
    layer, run = made(
        "Conv", {"features": 4, "window": (2, 3), "bias": False, **args}, "2 9 8 6"
    )
    kernel = np.asarray(layer.kernel[...])
    axes = " ".join(map(str, kernel.shape))
    _, same = made("convolve", args, "2 9 8 6", axes)
    x = draw(2, 9, 8, 6)
    close(same(x, kernel), run(x))


def test_embed_attend_scores_every_id() -> None:
    layer, run = made("Embed", {"vocab": 11, "d": 6}, "int:B T")
    ids = RNG.integers(0, 11, (2, 5))
    table = np.asarray(layer.embedding[...])
    close(run(ids), table[ids])
    x = draw(2, 5, 6)
    close(layer.attend(x), x @ table.T)


@pytest.mark.parametrize(
    "name", ["Attention", "LSTM", "GRU", "GRUCell", "rope", "sinusoidal"]
)
def test_helpers_stand_alone(name: str) -> None:
    assert callable(namespace(MODEL_OPS[name])[name])


def test_helpers_are_black_stable() -> None:
    import black

    modules = pkgutil.walk_packages(ops.__path__, f"{ops.__name__}.")
    held = [vars(importlib.import_module(m.name)).values() for m in modules]
    helpers = {v.name: v for values in held for v in values if isinstance(v, Helper)}
    assert len(helpers) > 40
    for helper in helpers.values():
        assert black.format_str(helper.source, mode=black.Mode()) == helper.source


def test_helpers_take_the_activations_dtype() -> None:
    names = namespace(MODEL_OPS["LSTM"]) | namespace(MODEL_OPS["Attention"])
    for text in ("LSTM(6, 4", "Attention(6, 2"):
        layer = eval(text + ", dtype=jnp.bfloat16, rngs=nnx.Rngs(0))", names)
        assert layer(jnp.ones((2, 5, 6))).dtype == jnp.bfloat16


def test_padding_does_not_learn_where_it_is_looked_up() -> None:
    names = namespace(MODEL_OPS["Embed"])
    ids = jnp.array([1, 3, 1])
    for padding, counts in ((1, [0, 0, 0, 1]), (None, [0, 2, 0, 1])):
        layer = names["PaddedEmbed"](4, 2, padding, rngs=nnx.Rngs(0))
        gradients = nnx.grad(lambda layer: layer(ids).sum())(layer)
        np.testing.assert_array_equal(gradients["embedding"][...][:, 0], counts)


# ------------------------------------------------------------------- operations


@pytest.mark.parametrize(
    ("name", "args", "types"),
    [
        ("Linear", {"out": 64, "bias": False}, ("8 16 32",)),
        ("Linear", {"out": 64, "over": (2, 3), "bias": False}, ("8 16 4 32",)),
        ("Conv", {"features": 8, "window": (3, 3), "padding": "valid"}, ("2 16 16 4",)),
        (
            "Conv",
            {"features": 8, "window": 3, "groups": 4, "stride": 2},
            ("2 16 16 8",),
        ),
        ("ConvTranspose", {"features": 8, "window": (2, 2), "stride": 2}, ("2 8 8 4",)),
        (
            "ConvTranspose",
            {"features": 8, "window": (2, 2), "stride": 2, "groups": 2},
            ("2 8 8 4",),
        ),
        ("matmul", {}, ("8 16 32", "32 64")),
        ("einsum", {"pattern": "b t d, e d f -> b t e f"}, ("2 8 16", "4 16 32")),
        ("attend", {}, ("2 16 4 32", "2 16 4 32", "2 16 4 32")),
        ("Attention", {"heads": 4, "bias": False}, ("2 16 128",)),
    ],
)
def test_operations_are_counted_as_xla_counts_them(
    name: str, args: dict[str, Any], types: tuple[str, ...]
) -> None:
    case = Case(MODEL_OPS[name], Example(args, types))
    _, run = function(name, args, *types)
    flat = [
        t
        for types in case.types.values()
        for t in (types if isinstance(types, tuple) else (types,))
    ]
    arrays = [np.zeros([s.value for s in t.sizes], np.float32) for t in flat]
    cost = jax.jit(run).lower(*arrays).compile().cost_analysis()["flops"]
    assert predict(case).flops.value == pytest.approx(cost, rel=0.2)


# -------------------------------------------------------------------- spectra


@pytest.mark.parametrize("norm", ["backward", "ortho"])
def test_fourier_transforms_are_those_of_numpy(norm: str) -> None:
    args = {"axis": 1, "norm": norm}
    x, y = draw(2, 7, 3), draw(2, 7, 3)
    z = x + 1j * y
    for name in ("fft", "ifft"):
        _, run = made(name, args, "B 7 e", im="B 7 e")
        wanted = getattr(np.fft, name)(z, axis=1, norm=norm)
        re, im = run(x, y)
        close(re, wanted.real)
        close(im, wanted.imag)
    _, run = made("rfft", args, "B 7 e")
    re, im = run(x)
    close(re, np.fft.rfft(x, axis=1, norm=norm).real)
    close(im, np.fft.rfft(x, axis=1, norm=norm).imag)
    _, run = made("irfft", args | {"n": 7}, "B 4 e", "B 4 e")
    close(run(re, im), x)
