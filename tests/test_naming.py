"""Layers that are called as a value is, and axes that are called by a local."""

from __future__ import annotations

import textwrap

import jax.numpy as jnp
import numpy as np
import pytest
from emitting import load, text_of
from flax import nnx

from nnxc import driver


def messages(body: str, head: str = "model Net(d = 8):") -> list[str]:
    """What the compiler says of a model with this body."""
    text = f"{head}\n    input x: [B, T, d]\n" + textwrap.indent(
        textwrap.dedent(body).strip(), "    "
    )
    return [d.message for d in driver.analyse(text + "\n").diagnostics]


def test_a_layer_may_be_called_as_the_value_beside_it() -> None:
    spec = """
    model Net(d = 8, layers = 2):
        input query: [B, d]
        key = query -> Linear(d) as key
        q = query -> Linear(d) as query
        h = q + key + layers
        return h -> Linear(d) * layers as layers
    """
    text = text_of(textwrap.dedent(spec).lstrip())
    net = load(text).Net(rngs=nnx.Rngs(0))
    x = jnp.arange(8.0)[None]
    y = net.query(x) + net.key(x) + 2
    for layer in net.layers:
        y = layer(y)
    np.testing.assert_allclose(net(x), y, rtol=1e-6)
    assert "self.num_layers = layers" in text  # the number gives way


def test_such_a_layer_is_applied_where_the_value_is_not_there_yet() -> None:
    assert messages("h = x -> Linear(d) as h2\nh2 = h -> h2\nreturn h2 + 1") == []
    assert messages("h = x -> Linear(d) as h\nreturn h -> h") == [
        "`h` is a value here, and a layer too"
    ]
    assert messages("h = x -> Linear(d) as h\nreturn h(h)") == [
        "`h` is a value here, and a layer too"
    ]


@pytest.mark.parametrize(
    "body",
    [
        "h = x -> Linear(d) as q\nfor i in range(3):\n    q = h -> q\n    h = q + 1\nreturn h",
        """
        h = x -> Linear(d) as q
        scan t in x over T with s = zeros([B, d]):
            q = t -> q
            s = s + q
        return h + expand(s, 1)
        """,
    ],
)
def test_a_layer_that_is_applied_again_keeps_its_name(body: str) -> None:
    assert messages(body) == ["`q` already names a layer"]


def test_a_layer_on_one_side_and_a_value_on_the_other_is_neither() -> None:
    body = """
    if layers > 1:
        h = x -> Linear(d) as q
    else:
        q = x
        h = x
    return h + q
    """
    head = "model Net(d = 8, layers = 2):"
    assert messages(body, head) == ["`q` has no value on every way here"]


def test_what_may_be_applied_or_stored_keeps_its_name() -> None:
    head = "model Net(d = 8, act = gelu):"
    taken = messages("return x -> Linear(d) as act -> act", head)
    assert taken == ["`act` already names a parameter"]
    stored = "param q: [d] = zeros\nreturn (x -> Linear(d) as q) + q"
    assert messages(stored) == ["`q` already names a param"]


def test_a_local_names_the_axis_that_has_its_size() -> None:
    body = "n = d // 4\nreturn x -> [B, T, n, 4] -> Linear(d, over=[n, 3])"
    assert messages(body) == []
    number = "two = 2\nreturn x -> [B, T, 2, d // 2] -> mean(axis=two)"
    assert messages(number) == [
        "[B, T, 2, d // 2] has no axis `two`"  # it is a position as well
    ]


ROTATED = """
block Attention(d, heads):
    input x: [B, T, d], mask: bool[B, T]
    q, k, v = x -> Linear(heads, d // heads) as (query, key, value)
    at = positions(x)
    y = attend(rope(q, at), rope(k, at), v, mask=mask[:, none, none]) -> Linear(d, over=[heads, -1]) as out
    return y

model Net(d = 8, heads = 2):
    input x: [B, T, d], mask: bool[B, T]
    return x -> Attention(d, heads, mask=mask) as attention
"""


def test_what_is_rotated_keeps_its_name() -> None:
    text = text_of(ROTATED)
    assert "y = rope(" not in text and "rope(q, " in text


def test_a_quotient_that_is_even_is_said_by_its_remainder() -> None:
    text = text_of(ROTATED)
    assert "if (d // heads) % 2 != 0:" in text
    module = load(text)
    module.Net(8, 2, rngs=nnx.Rngs(0))
    with pytest.raises(ValueError, match="must be even"):
        module.Net(6, 2, rngs=nnx.Rngs(0))
