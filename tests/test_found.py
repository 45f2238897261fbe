"""Sizes of what a block returns that only the block can tell: callers build and compute with them."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import pytest
from emitting import class_of, maker, program

from nnxc import driver
from nnxc.instance import instantiate

BLOCKS = """
block Trunk(widths):
    input x: [B, d]
    for width in widths:
        x = x -> Linear(width) -> relu
    return x

block Wide(factor):
    input x: [B, d]
    n = int(d * factor)
    return x -> Linear(n)

block Down(widths):
    input x: [B, H, W, C]
    states = []
    for width in widths:
        x = x -> Conv(width, 3x3, stride=2) -> relu
        states.append(x)
    return features=x, states=states

block Tokens(widths):
    input x: [B, H, W, C]
    for width in widths:
        x = x -> Conv(width, 3x3, stride=2) -> relu
    return x -> rearrange("b h w c -> b (h w) c")

block Outer(widths):
    input x: [B, d]
    return x -> Trunk(widths) as inner -> LayerNorm
"""
VECTOR = "input x: [B, 6]"
IMAGE = "input x: [B, 10, 12, 3]"


def spec_of(inputs: str, *body: str, more: str = "") -> str:
    lines = "".join(f"\n    {line}" for line in (inputs, *body))
    return f"{BLOCKS}{more}\nmodel Net(widths = [8, 4], factor = 1.5):{lines}\n"


CASES = {
    "a head": (VECTOR, "return x -> Trunk(widths) -> Linear(3) as head, factor"),
    "no form": (VECTOR, "return x -> Wide(factor) -> Linear(3), x -> Trunk(widths)"),
    "handed on": (VECTOR, "return x -> Outer(widths) -> Linear(3), factor"),
    "in a loop": (
        VECTOR,
        "for i in range(3):",
        "    x = x -> Wide(factor) as wide",
        "return x -> Linear(3), x -> Trunk(widths)",
    ),
    "of one shape": (VECTOR, "return (x -> Trunk([5, 6])) + x, widths[0] * factor"),
    "shared": (
        VECTOR,
        "trunk = Trunk(widths)",
        "return trunk(x) + trunk(x + 1) -> Linear(3), factor",
    ),
    "cells": (
        VECTOR,
        "trunk = Trunk(widths)",
        "scan over 3 with total = zeros([B]):",
        "    total = total + sum(trunk(x), axis=-1)",
        "return total, factor",
    ),
    "at the call": (
        IMAGE,
        "out = x -> Down(widths)",
        'return out.features -> rearrange("b h w c -> b (h w) c") -> Linear(3), factor',
    ),
    "in a pipeline": (
        IMAGE,
        "y = x -> Tokens(widths) -> LayerNorm",
        'z = y -> rearrange("b t (c k) -> b (t k) c", k=2)',
        "return z -> Linear(3), factor",
    ),
    "chosen": (
        VECTOR,
        "if factor > 1:",
        "    x = x -> Trunk(widths) as trunk -> Linear(3) as first",
        "else:",
        "    x = x -> Wide(2.5) as wide -> Linear(3) as second",
        "return x",
    ),
    "copies": (
        "input x: [B, 5, 6]",
        "return x -> Trunk(widths, each=1) -> Linear(3), factor",
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_callers_build_and_compute_with_them(case: str) -> None:
    """The model runs, with the shapes that an instance predicts."""
    spec = spec_of(*CASES[case])
    definition, make = maker(spec)
    x = jnp.ones(
        [2 if s.value is None else s.value for s in definition.inputs[0].type.sizes]
    )
    outputs = jax.tree.leaves(jax.eval_shape(lambda: make()(x)))
    predicted = instantiate(program(spec), "Net", {}, {"B": 2}).outputs
    types = predicted if isinstance(predicted, tuple) else (predicted,)
    assert [o.shape for o in outputs] == [
        tuple(s.value for s in t.sizes) for t in types
    ]


def test_a_constructor_reads_the_attribute() -> None:
    spec = spec_of(*CASES["a head"])
    assert "self.out_features = features" in class_of(spec, "Trunk")
    head = "self.head = nnx.Linear(self.trunk.out_features, 3, **dtypes, rngs=rngs)"
    assert head in class_of(spec, "Net")


def test_what_nobody_asks_for_is_not_kept() -> None:
    spec = spec_of(VECTOR, "return x -> Wide(factor), widths[0] * x")
    assert "out_" not in class_of(spec, "Wide")


def test_what_does_not_fit_is_told() -> None:
    spec = spec_of(VECTOR, "return (x -> Trunk(widths)) + x, factor")
    (found,) = driver.analyse(spec, path="spec.nnx").diagnostics
    assert (found.code, found.primary.span.text) == ("N304", "(x -> Trunk(widths)) + x")


def test_texts_may_decide_the_width_of_a_block() -> None:
    spec = """
block Kinds(kinds):
    input x: [B, d]
    for kind in kinds:
        if kind == "wide":
            x = x -> Linear(8)
    return x

model Net(features = 4):
    input x: [B, features]
    return x -> Kinds(["narrow", "wide"]) -> Kinds(["narrow"]) -> Linear(3)
"""
    make = maker(spec)[1]
    assert jax.eval_shape(make(), jnp.zeros((2, 4))).shape == (2, 3)


MIXED = """
block Trunk(widths):
    input x: [B, T, d]
    for width in widths:
        x = x -> Linear(width)
    return x

block Mix(widths):
    input x: [B, T, d]
    h = x
    for width in widths:
        h = h -> Linear(width)
    return h + x

model Net(d = 8, first = [4, 6], second = [9, 6]):
    input x: [B, T, d]
    return x -> Trunk(first) -> Mix(second) -> Mix([6]) -> Linear(3)
"""


def test_what_a_block_found_is_known_where_the_next_requires_it() -> None:
    root = instantiate(program(MIXED), "Net").root
    sizes = [d.value for c in root.children for w in c.weights[:1] for d in w.sizes]
    assert sizes == [6, 3]
    wrong = MIXED.replace("[9, 6]", "[9, 7]")
    (told,) = driver.analyse(wrong).diagnostics
    assert told.code == "N304" and "(7 and 6)" in told.message


def test_a_sum_has_the_size_that_its_inputs_tell() -> None:
    assert '"""Maps (b, t, d) to (b, t, d)."""' in class_of(MIXED, "Mix")
