"""Layers with a copy for every entry of an axis: equal to each copy applied by itself."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from emitting import load, program, text_of
from flax import nnx

import nnxc
from nnxc.instance import instantiate

SPEC = """
block Expert(hidden, rate = 0.1):
    input x: [B, T, d]
    return x -> Linear(hidden) -> relu -> Dropout(rate) -> Linear(d)

block Norm(k):
    input x: [B, d], y: [B]
    return (x -> BatchNorm -> Linear(k)) + y[:, none]

block Gain:
    input x: [B, d]
    param gain: [d] = ones
    return x * gain

model Net(experts = 4, width = 8):
    input x: [B, experts, T, width], z: [B, experts, width], w: [B]
    x = x -> Expert(16, each=experts)
    norm = Norm(2, each=experts)
    y = z -> Linear(3, each=1) as heads
    return x, y, norm(z, w), z -> Gain(each=experts)
"""


def made():
    net = load(text_of(SPEC)).Net(rngs=nnx.Rngs(0))
    x, z = jax.random.normal(jax.random.key(0), (2, 4, 5, 8)), jnp.ones((2, 4, 8))
    return net, x, z, jnp.ones(2)


def test_each_copy_has_its_weights() -> None:
    net, *_inputs = made()
    assert net.heads.kernel.shape == (4, 8, 3)
    assert net.gain.gain.shape == (4, 8)
    assert len(set(np.asarray(net.heads.kernel[:, 0, 0]).tolist())) == 4
    leaves = jax.tree.leaves(nnx.state(net, nnx.Param))
    predicted = instantiate(program(SPEC), "Net").root.parameters
    assert predicted == sum(leaf.size for leaf in leaves)


def test_copies_are_as_each_alone() -> None:
    net, x, z, w = made()
    net.eval()
    out, _heads, norm, gain = net(x, z, w)
    assert out.shape == x.shape and norm.shape == (2, 4, 2) and gain.shape == z.shape
    for i in range(4):
        expert = jax.tree.map(lambda leaf, i=i: leaf[i], nnx.state(net.expert))
        alone = nnx.merge(nnx.graphdef(net.expert), expert)
        np.testing.assert_allclose(alone(x[:, i]), out[:, i], rtol=1e-5, atol=1e-5)


def test_copies_draw_and_keep_statistics() -> None:
    net, x, z, w = made()
    first, *_ = net(x, z, w, rngs=nnx.Rngs(1))
    again, *_ = net(x, z, w, rngs=nnx.Rngs(2))
    assert not jnp.allclose(first, again)
    assert net.norm.batch_norm.mean.shape == (4, 8)
    assert float(jnp.abs(net.norm.batch_norm.mean[...]).sum()) > 0


@pytest.mark.parametrize(
    ("old", "new", "code"),
    [
        ("each=experts)\n    norm", "each=B)\n    norm", "N310"),
        ("each=experts)\n    norm", "each=expert)\n    norm", "N307"),
        ("each=1", "each=7", "N307"),
        ("x -> Expert(16, each=experts)", "x -> Expert(16, each=experts) * 2", "N216"),
        ("x -> Expert(16, each=experts)", "z -> Expert(16, each=experts)", "N303"),
    ],
)
def test_mistakes_are_told(old: str, new: str, code: str) -> None:
    output = nnxc.compile(SPEC.replace(old, new).encode(), path="spec.nnx")
    codes = [d.code for d in output.diagnostics]
    assert code in codes and len(codes) <= 2


NAMED = """
block Own(r):
    input layer: [B, T, d], x: [B, d] = none
    y = layer -> Linear(r) -> Dropout(0.5) -> Linear(d)
    if x != none:
        y += (x -> Linear(d))[:, none]
    return y

block Row(r):
    input layer: [B, d], r2: [B, d]
    return (layer -> Linear(r)) * r2 -> Dropout(0.5)

model Net(r = 4):
    input x: [B, 3, 4], y: [B, 4]
    rows = Row(r, each=1)
    return (x -> Linear(r, each=1)) + rows(x, y) + (x -> Own(r) * 2)
"""


@pytest.mark.parametrize("stack", ["loop", "scan"])
def test_what_copies_are_called_hides_no_name_of_the_spec(stack: str):
    module = load(text_of(NAMED, stack=stack))
    model = module.Net(rngs=nnx.Rngs(0))
    assert model.linear.kernel.shape == (3, 4, 4)
    x, y = jnp.ones((2, 3, 4)), jnp.ones((2, 4))
    assert model(x, y, rngs=nnx.Rngs(1)).shape == (2, 3, 4)
