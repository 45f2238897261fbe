"""Sides that a call decides, wholly or in part; and one name for layers of several classes."""

from __future__ import annotations

import textwrap
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from emitting import load, text_of
from flax import nnx

import nnxc

X = jnp.linspace(-1, 1, 8).reshape(2, 4)


def module_of(spec: str, **options: Any) -> Any:
    return load(text_of(textwrap.dedent(spec), black=False, **options))


def same(found: jax.Array, wanted: jax.Array) -> None:
    np.testing.assert_allclose(found, wanted, rtol=1e-5, atol=1e-6)


MIXED = """
    model Net(d = 4, n = 0, deep = false):
        input x: [B, d], h: [B, d] = none
        if n > 0 and h != none:
            x = x + (h -> Linear(n) as into -> Linear(d) as out)
        else:
            x = 2 * x
        if deep or h != none:
            x = x -> Linear(d) as either
        else:
            x = x -> Linear(d) as neither
        for i in range(2):
            if not (h == none or i == 0):
                x = x -> Linear(d) as late
        return x
"""


def test_layers_exist_where_parameters_let_a_call_come_to_them() -> None:
    module = module_of(MIXED)
    plain = module.Net(rngs=nnx.Rngs(0))
    assert plain.into is None and plain.out is None
    same(plain(X), plain.neither(2 * X))
    same(plain(X, X), plain.late[1](plain.either(2 * X)))
    assert plain.late[0] is None

    wide = module.Net(n=3, deep=True, rngs=nnx.Rngs(0))
    assert wide.neither is None
    same(wide(X), wide.either(2 * X))
    same(wide(X, X), wide.late[1](wide.either(X + wide.out(wide.into(X)))))


def test_lists_grow_alike_on_sides_of_the_call() -> None:
    spec = """
    model Net(d = 4, sizes = [3, 5]):
        input x: [B, d], h: [B, 2] = none
        parts = [x]
        for size in sizes:
            parts.append(x -> Linear(size) as part -> Linear(2) as end)
        if h != none:
            parts.append(h)
        else:
            parts.append(x[:, :2])
        return concat(parts, axis=-1) -> Linear(2) as head
    """
    model = module_of(spec).Net(rngs=nnx.Rngs(0))
    rows = [X, *(end(part(X)) for part, end in zip(model.part, model.end, strict=True))]
    same(model(X), model.head(jnp.concatenate([*rows, X[:, :2]], -1)))
    same(model(X, 1 + X[:, 2:]), model.head(jnp.concatenate([*rows, 1 + X[:, 2:]], -1)))


@pytest.mark.parametrize("other", ["", "    else:\n        parts.append(x[:, :2])\n"])
def test_lists_that_differ_by_the_call_are_refused(other: str) -> None:
    spec = (
        "model Net(d = 4):\n    input x: [B, d], h: [B, d] = none\n    parts = [x]\n"
        f"    if h != none:\n        parts.append(h)\n{other}"
        "    return concat(parts, axis=-1) -> Linear(2)\n"
    )
    (found,) = nnxc.compile(spec).diagnostics
    assert found.code == "N301" and "as many tensors on both sides" in found.help


CLASSES = """
    block A:
        input x: [B, d]
        return tanh(x -> Linear(d) as lin)

    block C:
        input x: [B, d]
        return 3 * (x -> Linear(d) as lin)

    model Net(d = 4, n = 2, wide = true, kinds = ["a", "c"]):
        input x: [B, d]
        if wide:
            x = x -> A * n as h
        else:
            x = x -> C * n as h
        for kind in kinds:
            if kind == "a":
                x = x -> A as k
            else:
                x = x -> C as k
        return x
"""


@pytest.mark.parametrize("wide", [True, False])
def test_layers_of_one_name_are_computed_again_by_their_own_class(wide: bool) -> None:
    """Attributes of both are called alike, so that another class would compute."""
    modules = module_of(CLASSES), module_of(CLASSES, remat=True)
    plain, again = (m.Net(m.Config(wide=wide), rngs=nnx.Rngs(0)) for m in modules)
    same(again(X), plain(X))


def test_choices_between_values_have_layers_likewise() -> None:
    spec = """
    model Net(d = 4, n = 0, deep = false):
        input x: [B, d], h: [B, d] = none
        y = (h -> Linear(n) as into -> Linear(d) as out) if n > 0 and h != none else 2 * x
        z = (x -> Linear(d) as a) if deep or h == none else (x -> Linear(d) as b)
        return y + z
    """
    module = module_of(spec)
    plain = module.Net(rngs=nnx.Rngs(0))
    assert plain.into is None
    same(plain(X), 2 * X + plain.a(X))
    same(plain(X, X), 2 * X + plain.b(X))
    wide = module.Net(n=3, deep=True, rngs=nnx.Rngs(0))
    assert wide.b is None
    same(wide(X, X), wide.out(wide.into(X)) + wide.a(X))
