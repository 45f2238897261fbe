"""What may be absent: inputs, the sizes that they alone tell, parameters that are none."""

from __future__ import annotations

import textwrap

import jax.numpy as jnp
import numpy as np
import pytest
from emitting import load, text_of
from flax import nnx

import nnxc

CROSS = """
block Cross(heads):
    input x: [B, T, d], memory: [B, S, e] = none
    if memory != none:
        x += x -> Attention(heads, context=memory) as attn
    return x

model Net(d = 8, wide = 12):
    input x: [B, T, d], m: [B, S, wide]
    y = Cross(2)(x, m) as both
    return {body}
"""
SIZES = """
model Net(d = 4):
    input x: [B, d], memory: [B, S, d] = none, mask: bool[B, S] = none
    {body}
    return x
"""
NONE = """
model Net(d = 4, p = none, act = relu):
    input x: [B, d]
    {body}
    return x -> Linear(d) -> act

config given = Net(p={value})
"""


def test_weights_need_the_input_that_tells_their_size() -> None:
    assert nnxc.compile(CROSS.format(body="y")).ok
    (found,) = nnxc.compile(CROSS.format(body="y -> Cross(2) as alone")).diagnostics
    assert (found.code, found.primary.span.text) == ("N317", "Cross(2)")
    assert found.help == "give `memory`, or make `e` a parameter of the block"


@pytest.mark.parametrize(
    "body",
    [
        "x += mean(zeros([B, S]))",
        "x = x / S",
        "if memory == none:\n        x = x * S",
        "if memory != none or mask != none:\n        x += S",
        "if mask != none:\n        x += sum(mask) / S\n    x += S",
    ],
)
def test_a_size_is_known_where_an_input_tells_it(body: str) -> None:
    used = "if memory != none and mask != none:\n        x += sum(memory, axis=S)\n    "
    (found,) = nnxc.compile(SIZES.format(body=used + body)).diagnostics
    assert (found.code, found.primary.span.text) == ("N232", "S")
    assert found.help == "guard it: `if memory != none:`"


def test_a_default_needs_no_size_of_another_absent_input() -> None:
    spec = SIZES.replace("mask: bool[B, S] = none", "y: [B] = full([B], S)")
    body = "if memory != none:\n        x += sum(memory, axis=S)\n    x += y[:, none]"
    (found,) = nnxc.compile(spec.format(body=body)).diagnostics
    assert (found.code, found.primary.span.text) == ("N232", "S")


def test_sizes_that_one_of_several_inputs_tells() -> None:
    body = """if memory != none:
        x += sum(memory, axis=S) / S
        memory = 2 * memory
        x += sum(memory, axis=S) / S
    if mask != none:
        x += sum(mask -> [B * S]) / S
    """
    net = load(text_of(SIZES.format(body=body))).Net(rngs=nnx.Rngs(0))
    x, memory = jnp.ones((2, 4)), jnp.arange(24.0).reshape(2, 3, 4)
    mask = jnp.array([[True, False, True, True]] * 2)
    np.testing.assert_allclose(net(x), x)
    np.testing.assert_allclose(net(x, memory), x + 3 * memory.mean(1), rtol=1e-6)
    np.testing.assert_allclose(net(x, mask=mask), x + 6 / 4, rtol=1e-6)


def test_numbers_that_are_chosen_by_presence() -> None:
    body = """x = x * max(1.0, 2.0 if mask == none else 3.0)
    k = [1.0, 5.0 if memory == none else 7.0]
    for i in range(2):
        x = x * k[i]
    if mask != none or memory != none:
        x += 1"""
    net = load(text_of(SIZES.format(body=body))).Net(rngs=nnx.Rngs(0))
    x, memory, mask = jnp.ones((2, 4)), jnp.ones((2, 3, 4)), jnp.ones((2, 3), bool)
    np.testing.assert_allclose(net(x), 10 * x)
    np.testing.assert_allclose(net(x, memory), 14 * x + 1)
    np.testing.assert_allclose(net(x, mask=mask), 15 * x + 1)


@pytest.mark.parametrize(
    "body",
    [
        "x = x -> Dropout(0.1 if memory == none else 0.5)",
        "x = x -> Linear(4 if memory == none else 8) -> Linear(d)",
        "param t: [d] = 0.5 if memory == none else 1.0\n    x = x * t",
        "param t: [d] = sin(1.0 if memory == none else 2.0) * ones([d])\n    x = x * t",
        "for i in range(1 if memory == none else 2):\n        x = x -> Linear(d) as l",
        "require memory != none",
    ],
)
def test_what_is_constructed_does_not_ask_for_inputs(body: str) -> None:
    used = "if memory != none and mask != none:\n        x += sum(memory, axis=S)\n    "
    (found,) = nnxc.compile(SIZES.format(body=used + body)).diagnostics
    assert found.code in ("N310", "N207")


ZERO = """
block Experts(shared, hidden):
    input x: [B, d]
    if shared {op} 0:
        x += x -> Linear(shared * hidden) as up -> relu -> Linear(d) as down
    return x

block Layer(shared, hidden):
    input x: [B, d]
    return x -> Experts(shared, hidden) as one -> Experts(2 * shared, hidden) as two

model Net(d = 4, shared = 2, layers = 2):
    input x: [B, d]
    for i in range(layers):
        x = x -> Layer(shared, 3) as layer
    return x
"""


def test_a_size_of_a_block_is_0_where_its_condition_says_so() -> None:
    net = load(text_of(ZERO.format(op=">"))).Net
    x = jnp.ones((2, 4))
    np.testing.assert_array_equal(net(shared=0, rngs=nnx.Rngs(0))(x), x)
    assert not np.allclose(net(shared=2, rngs=nnx.Rngs(0))(x), x)
    below = load(text_of(ZERO.format(op="> -1 +"))).Net
    with pytest.raises(ValueError, match="shared must be at least 1, got shared=0"):
        below(shared=0, rngs=nnx.Rngs(0))


@pytest.mark.parametrize(
    "body, value",
    {
        "x = x * p": 2.0,
        "x = maximum(x, p)": 2.0,
        "x += full([B, d], p)": 2.0,
        "x = x -> Dropout(p)": 0.5,
        "x = x -> LayerNorm(eps=p)": 0.1,
        "x = leaky_relu(x, p)": 0.1,
        "x = x -> Linear(d, bias=p)": "true",
        "x = x -> Linear(d + p) -> Linear(d)": 2,
        "x = x * (p // 2)": 2,
        "for i in range(p):\n        x = x -> Linear(d) as l": 2,
        "for n in p:\n        x = x -> Linear(n * d) as l\n    x = x -> Linear(d)": "[1, 2]",
        "if p > 2:\n        x = x -> Linear(d)": 3,
    }.items(),
)
def test_where_a_value_is_needed_none_is_asked_for(body: str, value: object) -> None:
    spec = NONE.format(body=body, value=value)
    (found,) = nnxc.compile(spec).diagnostics
    assert found.code == "N322" and found.help == "ask for it before: `if p != none:`"
    guarded = "if p != none:\n" + textwrap.indent(f"    {body}", "    ")
    assert nnxc.compile(NONE.format(body=guarded, value=value)).ok


def test_what_may_be_absent_takes_none() -> None:
    assert nnxc.compile(NONE.format(body="x = clip(x, max=p)", value=2.0)).ok


def test_a_size_is_not_taken_for_one_that_is_none() -> None:
    """`Linear(heads, 4)` has two axes, whatever the width of its input may be."""
    spec = """
block Queries(heads, rank = none):
    input x: [B, T, d]
    if rank != none:
        q = x -> Linear(rank) as down -> Linear(heads, 4) as up
    else:
        q = x -> Linear(heads, 4) as whole
    return q -> Linear(d, over=[-2, -1]) as out

model Net(d = 8, heads = 2, rank = none):
    input x: [B, T, d]
    return x -> Queries(heads, rank=rank) as queries
"""
    assert nnxc.compile(spec).ok


@pytest.mark.parametrize("chosen", ["by a choice", "by an if", "beside a mask"])
def test_a_head_of_one_side_is_a_head_for_tunix(chosen: str) -> None:
    head = "embed.attend(x) if tied else (x -> Linear(vocab) as head)"
    made, mask = "", ""
    if chosen == "beside a mask":
        mask = ", mask: bool[B, T] = none"
        made = "if mask != none:\n        x = where(mask[..., none], x, 0.0) -> Linear(d) as masked\n    "
    if chosen == "by an if":
        made = "if not tied:\n        head = Linear(vocab)\n    "
        head = "embed.attend(x) if tied else head(x)"
    spec = f"""
model Net(vocab = 20, d = 8, tied = true):
    input ids: int[B, T]{mask}
    embed = Embed(vocab, d)
    x = embed(ids)
    {made}
    x += x -> Attention(2, causal=true) as attn
    return {head}

generate Net
"""
    output = nnxc.compile(spec, options=nnxc.Options(interface="tunix"))
    text = next(iter(output.files.values()))
    start = text.index("def compute_final_logits")
    assert "self.head" in text[start : start + 300]


def test_a_size_that_a_block_asks_for_may_be_none() -> None:
    spec = """
block Mix(width):
    input x: [B, d]
    if width == none:
        x = x -> Linear(2 * d) as wide
    {last}
    return x

model Net(d = 4, widths = [none, 2]):
    input x: [B, d]
    for width in widths:
        x = x -> Mix(width) as mix
    return x
"""
    guarded = "else:\n        x = x -> Linear(width) as narrow"
    net = load(text_of(spec.format(last=guarded))).Net
    assert net(rngs=nnx.Rngs(0))(jnp.ones((2, 4))).shape == (2, 2)
    with pytest.raises(ValueError, match="width must be at least 1, got width=0"):
        net(widths=(None, 0), rngs=nnx.Rngs(0))
    (found,) = nnxc.compile(spec.format(last="x = x -> Linear(width)")).diagnostics
    assert found.help == "ask for it before: `if width != none:`"
