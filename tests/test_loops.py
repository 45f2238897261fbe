"""What loops and branches carry on: sizes of nested lists, numbers that become tensors."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import pytest
from emitting import class_of, load, program, run, text_of
from flax import nnx

from nnxc.instance import instantiate

NESTED = """
block Stage(widths, stride):
    input x: [B, H, W, C]
    for i, width in enumerate(widths):
        x = x -> Conv(width, 3x3, stride=stride if i == 0 else 1) as conv -> relu
    return x

model Net(channels = [[8, 8], [16, 12, 6]], strides = [1, 2], classes = 4):
    input image: [B, 8, 8, 3]
    x = image
    states = []
    for widths, stride in zip(channels, strides):
        x = x -> Stage(widths, stride) as stages
        states.append(x)
    for stage in channels:
        for c in stage:
            x = x -> Conv(c, 1x1) as more
    return logits=x -> mean(axis=[1, 2]) -> Linear(classes), states=states
"""


def test_lists_of_lists_make_stages() -> None:
    run(NESTED, axes={"B": 2})
    run(
        NESTED,
        axes={"B": 2},
        params={"channels": ((4,), (2, 6), (3, 3)), "strides": (2, 1, 2)},
    )
    model = load(text_of(NESTED)).Net(rngs=nnx.Rngs(0))
    out = model(jnp.ones((2, 8, 8, 3)))
    assert [s.shape for s in out.states] == [(2, 8, 8, 8), (2, 4, 4, 6)]
    ins = [[conv.kernel.shape[2] for conv in convs] for convs in model.more]
    assert ins == [[6, 8], [8, 16, 12]]


def test_a_size_is_not_called_as_a_variable_of_the_loop() -> None:
    assert "nnx.Conv(c, c," not in class_of(NESTED, "Net")
    predicted = instantiate(program(NESTED), "Net").root.parameters
    model = load(text_of(NESTED)).Net(rngs=nnx.Rngs(0))
    leaves = jax.tree.leaves(nnx.state(model, nnx.Param))
    assert predicted == sum(leaf.size for leaf in leaves)


BALANCED = """
block Layer(routed):
    input x: [B, d]
    y = x -> Linear(d)
    balance = 0.0
    if routed:
        gates = x -> Linear(4) -> softmax
        balance = mean(gates**2)
    return y=y, balance=balance

model Net(layers = 4):
    input x: [B, 6]
    total, routed = 1, 0
    for i in range(layers):
        out = x -> Layer(i % 2 == 1) as layer
        x = out.y
        total = total + out.balance
        if i % 2 == 1:
            routed = routed + out.balance
    return y=x, total=total / layers, routed=routed

train Net:
    batch x: [B, 6]
    out = model(x)
    loss = mean(out.y**2) + 0.1 * out.total
    optimizer = adam(1e-2)
    PRECISION
""".replace("total, routed = 1, 0", "total = 1\n    routed = 0.0")


@pytest.mark.parametrize("precision", ["accumulate = 1", "precision = bf16"])
def test_numbers_become_tensors_in_loops_and_branches(precision: str) -> None:
    spec = BALANCED.replace("PRECISION", precision)
    run(spec, axes={"B": 2})
    text = text_of(spec)
    assert "total = jnp." in text and "balance = jnp.zeros(()" in text
    module = load(text)
    model = module.create_model()
    optimizer = module.create_optimizer(model)
    losses = [
        float(module.train_step(model, optimizer, jnp.ones((2, 6)))[0])
        for _ in range(3)
    ]
    assert losses[-1] < losses[0]


@pytest.mark.parametrize("n", [0, 3])
def test_a_number_becomes_a_vector(n: int) -> None:
    spec = """
model M(n = 3):
    input x: [B, d]
    total = 0.0
    for i in range(n):
        total = total + sum(x, axis=-1)
    return total
"""
    model = load(text_of(spec)).M(n=n, rngs=nnx.Rngs(0))
    due = jnp.full((2,), 4.0 * n)
    assert (model(jnp.ones((2, 4))) == due).all()
