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
