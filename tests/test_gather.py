"""Loops over like layers that gather what each gives, in every option; remat in loops."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from emitting import class_of, load, run, text_of
from flax import nnx

from tests.fuzz.evaluate import evaluated

LOOPS = {
    "after": "x = x -> Layer(0.0) as layer\n        states.append(x)",
    "before": "states.append(x)\n        x = x -> Layer(0.0) as layer",
    "none": "x = x -> Layer(0.0) as layer",
    "masked": "x = x -> Layer(0.0, mask=mask[:, none]) as layer\n        states.append(x)",
}
SPEC = """
block Layer(rate):
    input x: [B, T, d], mask: [B, 1, T] = none
    y = x -> Linear(d) -> NORM -> tanh -> Dropout(rate)
    if mask != none:
        y = y * mean(mask)
    return x + y

model Encoder(d = 3, layers = 4):
    input x: [B, T, d], mask: [B, T]
    states = [x]
    for i in range(layers):
        LOOP
    return last=x * mean(mask), states=states
"""


def spec(loop: str, norm: str = "LayerNorm") -> str:
    return SPEC.replace("LOOP", LOOPS[loop]).replace("NORM", norm)


def outputs(text: str, like: nnx.Module | None) -> tuple[nnx.Module, object, object]:
    """A model with the weights of another, what it gives, and gradients."""
    module = load(text)
    model = module.Encoder(rngs=nnx.Rngs(0))
    if like is not None:
        states = [nnx.state(layer) for layer in like.layer]
        whole = jax.tree.map(lambda *xs: jnp.stack(xs), *states)
        each = isinstance(model.layer, nnx.List)
        for i, layer in enumerate(model.layer if each else [model.layer]):
            nnx.update(layer, states[i] if each else whole)
    x, mask = jnp.linspace(-1, 1, 18).reshape(2, 3, 3), jnp.ones((2, 3))

    graphdef, params, rest = nnx.split(model, nnx.Param, ...)

    def results(params):
        def loss(params):
            out = nnx.merge(graphdef, params, rest, copy=True)(
                x, mask, rngs=nnx.Rngs(0)
            )
            return jnp.sum(out.last**2) + sum(jnp.sum(s**3) for s in out.states), out

        return jax.grad(loss, has_aux=True)(params)

    gradients, out = evaluated(results, params)
    return model, out, sum(float(abs(g).sum()) for g in jax.tree.leaves(gradients))


@pytest.mark.parametrize("norm", ["LayerNorm", "BatchNorm"])
@pytest.mark.parametrize("loop", LOOPS)
def test_every_option_computes_the_same(loop: str, norm: str) -> None:
    text = spec(loop, norm)
    _, found, size = outputs(text_of(text), None)
    fresh = load(text_of(text)).Encoder(rngs=nnx.Rngs(0))
    for options in (
        {"remat": True},
        {"stack": "scan"},
        {"stack": "scan", "remat": True},
    ):
        _, other, its_size = outputs(text_of(text, **options), fresh)
        for one, two in zip(
            jax.tree.leaves(found), jax.tree.leaves(other), strict=True
        ):
            np.testing.assert_allclose(one, two, rtol=1e-4, atol=1e-5)
        np.testing.assert_allclose(size, its_size, rtol=1e-3)


def test_a_scan_gathers_and_a_loop_stays_a_loop() -> None:
    scanned = class_of(spec("after"), "Encoder", stack="scan")
    assert "x, every = jax.lax.scan(body, x, (self.layer, keys))" in scanned
    assert "return x, x" in scanned and "states.extend(every)" in scanned
    before = class_of(spec("before"), "Encoder", stack="scan")
    assert "return layer(x, rngs=r), x" in before
    plain = class_of(spec("after"), "Encoder")
    assert "for layer in self.layer:" in plain and "states.append(x)" in plain


@pytest.mark.parametrize(
    "line",
    [
        "x = x -> Layer(0.1 * i) as layer\n        states.append(x)",
        "x = (x -> Layer(0.0) as layer) + x\n        states.append(x)",
        "x = x -> Layer(0.0) as layer\n        states.append(2 * x)",
        "x = x -> Layer(0.0, mask=x[:, none, :, 0]) as layer",
        "x = x -> Layer(0.0) as layer -> Layer(0.0) as more",
    ],
)
def test_iterations_that_differ_stay_a_loop(line: str) -> None:
    text = SPEC.replace("LOOP", line).replace("NORM", "LayerNorm")
    assert "scan" not in class_of(text, "Encoder", stack="scan")
    for options in ({"stack": "scan"}, {"remat": True}):
        run(text, axes={"B": 2, "T": 3}, **options)


NESTED = """
block Layer(hidden):
    input x: [B, d]
    return x + (x -> Linear(hidden) -> relu -> Linear(d))

model Stages(widths = [4, 8], depths = [1, 3]):
    input x: [B, 4]
    maps = []
    for i, width in enumerate(widths):
        x = x -> Linear(width) as down
        for j in range(depths[i]):
            x = x -> Layer(2 * width) as layers
        maps.append(x)
    return maps
"""


def test_stages_are_scanned_one_by_one() -> None:
    for options in ({}, {"stack": "scan"}, {"stack": "scan", "remat": True}):
        run(NESTED, axes={"B": 2}, **options)
    scanned = class_of(NESTED, "Stages", stack="scan")
    assert "jax.lax.scan(body, x, layers)" in scanned
    assert "for layer in layers:" in class_of(NESTED, "Stages")


HANDED = """
block Layer(k):
    input x: [B, d], one: [B, d], other: [B, d]
    param own: [d] = ones
    return own * (k * x + 2.0 * one - other)

model Net(d = 3, layers = 3):
    input x: [B, d]
    LOOP
    return x
"""
HANDS = {
    "stack": "x = x -> Layer(1.0, one=x + 1.0, other=x * 3.0) * layers as layer",
    "loop": "z = x + 1.0\n    for i in range(layers):\n"
    "        x = x -> Layer(1.0, one=z + 1.0, other=z * 3.0) as layer",
}


@pytest.mark.parametrize("way", HANDS)
@pytest.mark.parametrize("stack", ["loop", "scan"])
def test_what_layers_are_handed_is_told_apart(way: str, stack: str) -> None:
    """Each further input has a name of its own, and is computed once."""
    module = load(text_of(HANDED.replace("LOOP", HANDS[way]), stack=stack))
    x = jnp.linspace(-1, 1, 6).reshape(2, 3)
    z = x if way == "stack" else x + 1
    due = x + 3 * (2 * (z + 1) - 3 * z)
    found = module.Net(rngs=nnx.Rngs(0))(x)
    np.testing.assert_allclose(found, due, rtol=1e-5, atol=1e-5)


def test_what_a_loop_draws_anew_is_not_drawn_once() -> None:
    line = "x = x -> Layer(0.0, one=normal([B, d], rng=noise)) as layer"
    text = HANDED.replace(", other: [B, d]", "").replace(" - other", "")
    text = text.replace("LOOP", f"for i in range(layers):\n        {line}")
    assert "scan" not in class_of(text, "Net", stack="scan")
