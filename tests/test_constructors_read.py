"""Constructors as a person writes them: what an iteration changes, what is kept, what is chosen."""

from __future__ import annotations

import textwrap

import jax.numpy as jnp
from emitting import load, text_of
from flax import nnx


def spec(body: str, head: str = "model Net(d = 8)", input: str = "[B, T, d]") -> str:
    """A model with this body."""
    lines = textwrap.indent(textwrap.dedent(body).strip(), "    ")
    return f"{head}:\n    input x: {input}\n{lines}\n"


def test_what_an_iteration_changes_is_changed_in_place() -> None:
    body = """
    index = 0
    rate = 0.5
    for i in range(3):
        x = x -> Linear(d) as proj -> Dropout(rate / (1 + index)) as drop
        x = concat(x, x, axis=-1) -> Linear(2 * d) as wide -> Linear(d) as narrow
        index += 1
        rate = rate * 0.5
    return x
    """
    text = text_of(spec(body))
    assert "index += 1" in text and "rate *= 0.5" in text
    net = load(text).Net(rngs=nnx.Rngs(0))
    assert [d.rate for d in net.drop] == [0.5, 0.125, 0.125 / 3]


def test_sizes_grow_in_place() -> None:
    body = """
    for i in range(3):
        x = concat(x, x -> Linear(d) as more, axis=-1)
    h = x
    for i in range(2):
        h = concat(h, h, axis=-1) -> LayerNorm as norm
    return h
    """
    text = text_of(spec(body))
    assert "features += d" in text and "*= 2" in text
    net = load(text).Net(rngs=nnx.Rngs(0))
    assert [layer.in_features for layer in net.more] == [8, 16, 24]
    assert [layer.num_features for layer in net.norm] == [64, 128]
    assert net(jnp.ones((2, 3, 8))).shape == (2, 3, 128)


def test_what_only_an_attribute_takes_is_that_attribute() -> None:
    body = """
    half = d // 2
    y = x -> Linear(half) as down
    scale = sqrt(d) if d > 4 else 1.0
    return y * scale + half
    """
    text = text_of(spec(body))
    assert "self.scale = math.sqrt(d) if d > 4 else 1.0" in text
    assert "self.half = half" in text  # the layer reads it too
    net = load(text).Net(rngs=nnx.Rngs(0))
    assert net.scale == 8**0.5 and net.half == net.down.out_features == 4


def test_a_size_that_callers_ask_for_is_kept_from_the_start() -> None:
    text = text_of(textwrap.dedent("""
            block Half(features, halves):
                input x: [B, C]
                if halves:
                    x = x -> Linear(features)
                return x

            model Net(d = 8):
                input x: [B, d]
                return x -> Half(4, d > 4) -> LayerNorm
            """).lstrip())
    assert "self.out_features = features if halves else c" in text
    assert load(text).Net(rngs=nnx.Rngs(0)).layer_norm.num_features == 4
