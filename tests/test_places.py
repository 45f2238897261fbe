"""Indices and slices that parameters decide: within their axis, or refused; sizes that may be none."""

from __future__ import annotations

from typing import Any

import jax.numpy as jnp
import pytest
from emitting import load, text_of
from flax import nnx

import nnxc

X = jnp.arange(40.0).reshape(2, 5, 4)


def spec_of(head: str, body: str) -> str:
    return f"model Net({head}):\n    input x: [B, T, 4]\n    {body}\n"


FAULTS = (
    ("w = 5", "return x[..., w]", "index w is outside an axis of size 4"),
    ("w = -5", "return x[..., w]", "index w is outside an axis of size 4"),
    ("w = 5", "return x[..., :w]", "this slice ends beyond an axis of size 4"),
    ("w = 4", "return x[..., w:]", "this slice of an axis of size 4 is empty"),
    ("w = -3", "return x[..., w:]", "bound w is 0 or more, unless it is written `-n`"),
    (
        "n = 5",
        "y = 0.0\n    for i in range(n):\n        y += x[..., i]\n    return y",
        "index i is outside an axis of size 4",
    ),
)


@pytest.mark.parametrize("head, body, message", FAULTS)
def test_places_beyond_their_axis_are_refused(
    head: str, body: str, message: str
) -> None:
    (found,) = nnxc.compile(spec_of(head, body)).diagnostics
    assert found.message.startswith(message)
    name, value = head.split(" = ")
    module = load(text_of(spec_of(f"{name} = 1", body), black=False))
    module.Net(rngs=nnx.Rngs(0))(X)
    with pytest.raises(ValueError, match=f"{message.split('`')[0]}.*{name}={value}"):
        module.Net(**{name: int(value)}, rngs=nnx.Rngs(0))


def test_places_within_their_axis_are_taken() -> None:
    spec = spec_of("w = 1, n = 2", "return x[..., w], x[..., :n], x[..., n:]")
    module = load(text_of(spec, black=False))
    for w, n in ((0, 1), (3, 3), (-1, 2), (-4, 1)):
        found = module.Net(w=w, n=n, rngs=nnx.Rngs(0))(X)
        for one, other in zip(found, (X[..., w], X[..., :n], X[..., n:]), strict=True):
            assert (one == other).all()


OPTIONAL = (
    "if w != none:\n        x = x -> Conv(4, [w]) as c\n    return x",
    "if w != none:\n        x = x -> Linear(w) as c -> Linear(4) as d\n    return x",
    "q = x[:, :, none]\n    return attend(q, q, q, window=w, causal=true)",
)


@pytest.mark.parametrize("body", OPTIONAL)
def test_sizes_that_may_be_none_are_at_least_1(body: str) -> None:
    module: Any = load(text_of(spec_of("w = none", body), black=False))
    for w in (None, 2):
        module.Net(w=w, rngs=nnx.Rngs(0))(X)
    with pytest.raises(ValueError, match="w must be at least 1, got w=0"):
        module.Net(w=0, rngs=nnx.Rngs(0))


COUNTED = """
model Net(n = 4, m = 6, at = [0, 3]):
    input x: [B, n], y: [B, T]
    for i in range(n - 1):
        x = x * x[:, i + 1, none] * x[:, n - 1 - i, none]
    for i in range(m):
        x = (x * x[:, i, none]) if i < n else x
        if i + 1 < n:
            x = x * x[:, i + 1, none]
    for i in at:
        x = x * x[:, i, none]
    for i in range(len(at)):
        x = x * x[..., at[i], none] + mean(x[:, :at[i] + 1], axis=1, keepdims=true)
    return x * x[:, n // 2, none] + y[:, 0, none]
"""


@pytest.mark.parametrize(
    ("right", "wrong"),
    [
        ("range(n - 1)", "range(n)"),
        ("x[:, i + 1, none] *", "x[:, 2 * i, none] *"),
        ("x[:, n - 1 - i, none]", "x[:, n - i, none]"),
        ("if i < n else x", "if i < m else x"),
        ("if i + 1 < n:", "if i < n:"),
        ("[0, 3]", "[0, 4]"),
        ("[0, 3]", "[0, -5]"),
        ("n // 2", "n * n // 2"),
    ],
)
def test_what_loops_and_lists_count_is_within_an_axis(right: str, wrong: str) -> None:
    assert not nnxc.compile(COUNTED).diagnostics
    assert right in COUNTED
    found = nnxc.compile(COUNTED.replace(right, wrong, 1)).diagnostics
    assert {d.code for d in found} & {"N307", "N304"}


def test_a_counter_that_a_caller_takes_too_far_is_told() -> None:
    spec = """
model Net(n = 4, m = 2):
    input x: [B, n]
    for i in range(m):
        x = x * x[:, 2 * i + 1, none]
    return x
"""
    module: Any = load(text_of(spec, black=False))
    module.Net(rngs=nnx.Rngs(0))
    with pytest.raises(ValueError, match=r"index 2 \* i \+ 1 is outside .* of size n"):
        module.Net(m=3, rngs=nnx.Rngs(0))
