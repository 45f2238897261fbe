"""A step of several batches has the gradient of all of them together, or is refused."""

from __future__ import annotations

from typing import Any

import jax
import numpy as np
import pytest
from emitting import load, text_of
from flax import nnx

import nnxc

SPEC = """
model Net(d = 4, classes = 3):
    input x: [B, T, 4]
    return x -> Linear(d) as body -> tanh -> Linear(classes) as head

train Net:
    batch x: [B, T, 4], y: int[B, T], keep: bool[B, T], goal: [B, T, 3]
    out = model(x)
    {body}
    loss = {loss}
    metric unused = mean(astype(keep, f32)) + mean(astype(y, f32)) + mean(goal)
    optimizer = sgd(0.5)
"""
RNG = np.random.default_rng(0)
BATCH = (
    RNG.normal(size=(6, 5, 4)).astype(np.float32),
    RNG.integers(3, size=(6, 5)),
    # In the last two rows nothing counts.
    np.arange(30).reshape(6, 5) % 4 * (np.arange(6) < 4)[:, None] > 1,
    RNG.normal(size=(6, 5, 3)).astype(np.float32),
)


def after(spec: str, parts: int) -> list[np.ndarray]:
    module: Any = load(text_of(spec))
    model = module.create_model()
    optimizer = module.create_optimizer(model)
    size = 6 // parts
    for _ in range(2):
        for start in range(0, 6, size):
            module.train_step(
                model, optimizer, *(x[start : start + size] for x in BATCH)
            )
    return [np.asarray(x) for x in jax.tree.leaves(nnx.state(model))]


SHARED = {
    "mean": ("", "mse(out, goal)"),
    "mask": ("", "cross_entropy(out, y, where=keep)"),
    "several": (
        "",
        "cross_entropy(out, y, where=keep) + 0.1 * cross_entropy(out, 2 - y, where=keep)",
    ),
    "by hand": (
        "kept = astype(keep, f32)\n    each = sum((out - goal)**2, axis=-1)",
        "sum(each * kept) / sum(kept)",
    ),
    "rows": ("", "sum((out - goal)**2) / B"),
    "decay": ("", "mse(out, goal) + 0.01 * sum(model.head.kernel**2)"),
}


@pytest.mark.parametrize(("body", "loss"), SHARED.values(), ids=SHARED)
def test_a_step_has_the_gradient_of_all_its_batches(body: str, loss: str) -> None:
    spec = SPEC.format(body=body, loss=loss)
    whole = after(spec, 1)
    for parts in (2, 3):
        found = after(f"{spec}    accumulate = {parts}\n", parts)
        for one, other in zip(whole, found, strict=True):
            np.testing.assert_allclose(other, one, rtol=2e-5, atol=1e-6)


def test_outputs_in_lists_are_of_the_batch_too() -> None:
    spec = """
model Net(d = 4):
    input x: [B, d]
    found = [x]
    for i in range(2):
        x = x -> Linear(d) as layer
        found.append(x)
    return y=x, found=found

train Net:
    batch x: [B, d], y: [B, d]
    out = model(x)
    loss = mse(out.y, y) + 0.5 * mse(out.found[1], y)
    metric best = top_k_accuracy(einsum("i d, j d -> i j", out.y, y), arange(B), k=1)
    optimizer = sgd(0.5)
    accumulate = 2
"""
    assert not nnxc.compile(spec).diagnostics


NOT_SHARED = (
    "sqrt(mse(out, goal))",
    "mse(out, goal) + cross_entropy(out, y, where=keep)",
    "mse(out, goal) * mse(out, goal)",
    "sum((out - goal)**2)",
    "mean((out - mean(out, axis=B))**2)",
    "mean((out - mean(out))**2)",
    "mean(einsum('b t c, a t c -> b a', out, goal))",
    "cross_entropy(out, y, where=out[..., 0] > 0)",
    "max(abs(out - goal))",
)


@pytest.mark.parametrize("loss", NOT_SHARED)
def test_what_parts_do_not_share_is_refused(loss: str) -> None:
    spec = SPEC.format(body="", loss=loss.replace("'", '"'))
    assert nnxc.compile(spec).ok
    found = nnxc.compile(f"{spec}    accumulate = 2\n").diagnostics
    assert [d.code for d in found] == ["N519"]


MODEL = """
block Inner(each = true):
    input x: [B, T, d], at: int[B], way: int[B, T]
    {body}
    return x

model Net(d = 4):
    input x: [B, T, d], at: int[B], way: int[B, T]
    y = Inner()(x, at, way)
    return y=y -> Linear(3) as head, level=mean(y)

train Net:
    batch x: [B, T, d], at: int[B], way: int[B, T], y: int[B, T]
    out = model(x, at, way)
    loss = cross_entropy(out.y, y)
    optimizer = sgd(0.5)
    accumulate = 2
"""
USED = "x = x * astype(at, float)[:, none, none] + astype(way, float)[..., none]\n    "
USED += "x = x if each else 2 * x\n    "
TOGETHER = (
    "x = x - mean(x, axis=B)",
    "x = softmax(x, axis=0)",
    "x = x / norm(x)",
    "x = x - x[0]",
    "x = x[::-1]",
    "x = x * B",
    "x = x + arange(B)[:, none, none]",
    'x = x + einsum("b t d, a t d -> b a", x, x)[:, :1, none]',
    'x = x -> rearrange("b t d -> t d b") -> softmax -> rearrange("t d b -> b t d")',
    "for i in range(2):\n        y = x\n        x = y - mean(y, axis=[B, T])",
    "scan xb in x over B with h = zeros([T, d]):\n        h = 0.5 * h + xb\n        collect hs = h\n"
    "    x = hs",
    "if each:\n        x = x - max(x, axis=B)",
    "x = (x - mean(x, axis=0)) if each else x",
    "total = [x]\n    for i in range(2):\n        total.append(cumsum(x, axis=0))\n    x = total[-1]",
)
ALONE = (
    "x = x + x[arange(B), at][:, none]",
    "rows = arange(B)\n    x = x + x[rows, at][:, none]",
    "x += x -> LayerNorm -> Attention(2)",
    "x = x -> BatchNorm",
    "x = x -> GRU(d)",
    "x = (x -> Dropout(0.5)) + normal([B, T, d], rng=noise)",
    "x = x + softmax(x, axis=T) + mean(x, axis=[1, 2], keepdims=true) + positions(x)[..., none]",
    'x = x -> rearrange("b t d -> (b t) d") -> Linear(d) -> LayerNorm -> [B, T, d]',
    'x = x -> rearrange("b t (h k) -> b h t k", h=2) -> softmax -> rearrange("b h t k -> b t (h k)")',
    "param w: [d, d] = lecun_normal\n    x = x + broadcast(w[0], [B, T, d]) + matmul(x, w)",
    "scan xt in x over T with h = zeros([B, d]):\n        h = 0.5 * h + xt\n        collect hs = h\n"
    "    x = hs",
    "x = x + (way -> Embed(9, d)) + one_hot(at, d)[:, none]",
    "a, b = split(x, 2)\n    x = concat(b, a, axis=-1) + take(x, way % T, axis=1)",
    "x = x -> Conv(d, [3])",
)


@pytest.mark.parametrize("body", TOGETHER)
def test_a_model_that_compares_examples_is_refused(body: str) -> None:
    (found,) = nnxc.compile(MODEL.format(body=USED + body)).diagnostics
    assert found.code == "N519" and found.related


@pytest.mark.parametrize("body", ALONE)
def test_a_model_of_single_examples_is_not(body: str) -> None:
    assert not nnxc.compile(MODEL.format(body=USED + body)).diagnostics
