"""Conditions, choices, and values that loops and arms change, against the same in Python."""

from __future__ import annotations

import textwrap
from collections.abc import Callable
from itertools import product
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from emitting import class_of, load, text_of
from flax import nnx

import nnxc
from nnxc.specs import check_spec

Expected = Callable[..., jax.Array]
X = jnp.arange(8.0).reshape(2, 4) / 7 + 0.5


def agrees(body: str, expected: Expected, *configs: dict[str, Any]) -> None:
    """A model of these lines gives what Python says, for each choice of its parameters."""
    module = load(text_of(textwrap.dedent(body), black=False))
    for config in configs:
        given = {"cfg": module.Config(**config)} if "Config" in dir(module) else config
        model = module.Net(**given, rngs=nnx.Rngs(0))
        want = expected(model, X, **config)
        np.testing.assert_allclose(model(X), want, rtol=1e-5, err_msg=str(config))


def switches(*names: str) -> list[dict[str, Any]]:
    return [
        dict(zip(names, v, strict=True))
        for v in product((False, True), repeat=len(names))
    ]


def test_an_arm_that_also_computes_is_chosen_by_its_condition() -> None:
    spec = """
    model Net(d = 4, turned = true, normed = true):
        input x: [B, d]
        if turned:
            x = 2 * x
            if normed:
                x = x -> LayerNorm as norm
        else:
            x = x + 100
        return x
    """

    def python(model: Any, x: jax.Array, turned: bool, normed: bool) -> jax.Array:
        if not turned:
            return x + 100
        return model.norm(2 * x) if normed else 2 * x

    agrees(spec, python, *switches("turned", "normed"))


def test_a_chain_of_arms_with_layers() -> None:
    spec = """
    model Net(kind = "b"):
        input x: [B, 4]
        if kind == "a":
            x = x -> Linear(4) as one
        elif kind == "b":
            x = x -> Linear(4) as two
        elif kind == "c":
            x = x * 2
        else:
            x = x -> Linear(4) as three
        return x
    """

    def python(model: Any, x: jax.Array, kind: str) -> jax.Array:
        layers = {"a": model.one, "b": model.two, "d": model.three}
        assert [k for k, layer in layers.items() if layer is not None] == [
            *({kind} - {"c"})
        ]
        return layers[kind](x) if kind in layers else x * 2

    agrees(spec, python, *({"kind": kind} for kind in "abcd"))


def test_one_name_in_every_arm() -> None:
    spec = """
    model Net(d = 4, a = true, b = true):
        input x: [B, d]
        if a:
            if b:
                x = x -> Linear(d) as p
            else:
                x = 3 * x -> Linear(d, bias=false) as p
        else:
            x = 2 * x -> Linear(d) as p
        return x
    """
    agrees(
        spec,
        lambda model, x, a, b: model.p((1 if b else 3) * x if a else 2 * x),
        *switches("a", "b"),
    )


def test_arms_in_nested_loops() -> None:
    spec = """
    model Net(d = 4, n = 3, k = 2, deep = true):
        input x: [B, d]
        for i in range(n):
            if i % 2 == 0:
                if deep:
                    x = x -> Linear(d) as p
                else:
                    x = x * 2
                for j in range(k):
                    if j == 1:
                        x = x -> Linear(d) as q
                    else:
                        x = x + j
            else:
                x = x -> Linear(d) as r
        return x
    """

    def python(model: Any, x: jax.Array, n: int, k: int, deep: bool) -> jax.Array:
        for i in range(n):
            if i % 2:
                x = model.r[i](x)
                continue
            x = model.p[i](x) if deep else x * 2
            for j in range(k):
                x = model.q[i][j](x) if j == 1 else x + j
        return x

    agrees(
        spec, python, {"n": 3, "k": 2, "deep": True}, {"n": 4, "k": 3, "deep": False}
    )


def test_a_choice_constructs_its_side_alone() -> None:
    spec = """
    model Net(d = 4, a = true, b = true):
        input x: [B, d]
        y = (x -> Linear(d) as p) if a else (x -> Linear(d) as q) if b else 2 * x
        return y + 1
    """

    def python(model: Any, x: jax.Array, a: bool, b: bool) -> jax.Array:
        assert (model.p is not None, model.q is not None) == (a, b and not a)
        return (model.p(x) if a else model.q(x) if b else 2 * x) + 1

    agrees(spec, python, *switches("a", "b"))


def test_a_choice_in_a_loop_and_in_a_scan() -> None:
    agrees(
        """
        model Net(d = 4, n = 3, g = true):
            input x: [B, d]
            for i in range(n):
                x = (x -> Linear(d) as p) if i == 1 else x + i
            scan over n with h = x:
                h = (h -> Linear(d) as u) if g else h * 2
            return h
        """,
        lambda model, x, n, g: _repeated(
            (lambda h: model.u(h)) if g else (lambda h: h * 2),
            model.p[1](x + 0) + 2,
            n,
        ),
        {"n": 3, "g": True},
        {"n": 3, "g": False},
    )


def _repeated(f: Callable[[jax.Array], jax.Array], x: jax.Array, n: int) -> jax.Array:
    for _ in range(n):
        x = f(x)
    return x


def test_a_choice_knows_its_condition() -> None:
    spec = """
    block Unit(window, stride):
        input x: [B, H, W, C]
        y = x -> Conv(C, [window, window], stride, padding=window // 2)
        return x + y if stride == 1 else y

    model Net:
        input x: [B, 8, 8, 3]
        return x -> Unit(3, 1) as one -> Unit(3, 2) as two
    """
    module = load(text_of(textwrap.dedent(spec)))
    model = module.Net(rngs=nnx.Rngs(0))
    assert model(jnp.ones((1, 8, 8, 3))).shape == (1, 4, 4, 3)


def test_numbers_that_loops_change() -> None:
    spec = """
    model Net(d = 4, n = 3, k = 2):
        input x: [B, d]
        s = 1
        t = 0.0
        for i in range(n):
            for j in range(k):
                s = s + j
                t = t + s * 0.5
                x = x * t
            s = s + 1
            x = (x -> Linear(d) as layer) + s
        return x + s + t
    """

    def python(model: Any, x: jax.Array, n: int, k: int) -> jax.Array:
        s, t = 1, 0.0
        for i in range(n):
            for j in range(k):
                s += j
                t += s * 0.5
                x = x * t
            s += 1
            x = model.layer[i](x) + s
        return x + s + t

    agrees(
        spec,
        python,
        {"n": 1, "k": 1},
        {"n": 3, "k": 2},
        {"n": 2, "k": 0},
        {"n": 0, "k": 1},
    )


def test_values_that_loops_swap() -> None:
    spec = """
    model Net(d = 4, n = 5):
        input x: [B, d]
        a = 1
        b = 2
        for i in range(n):
            c = a
            a = b
            b = c + b
            x = x * a + b
        return x + a - b
    """

    def python(model: Any, x: jax.Array, n: int) -> jax.Array:
        a, b = 1, 2
        for _ in range(n):
            a, b = b, a + b
            x = x * a + b
        return x + a - b

    agrees(spec, python, {"n": 0}, {"n": 4})


def test_texts_and_switches_that_loops_change() -> None:
    spec = """
    model Net(d = 4, n = 5):
        input x: [B, d]
        mode = "a"
        first = true
        limit = none
        for i in range(n):
            if limit != none:
                x = x * limit
            if mode == "a":
                x = x -> Linear(d) as p
                mode = "b"
            elif mode == "b":
                x = x + 7
                mode = "c"
            else:
                x = x -> Linear(d) as q
                mode = "a"
            first = false
            limit = 0.5
        return x if first else x + 1
    """

    def python(model: Any, x: jax.Array, n: int) -> jax.Array:
        for i in range(n):
            x = x * 0.5 if i else x
            x = x + 7 if i % 3 == 1 else (model.q if i % 3 else model.p)[i](x)
        return x + 1 if n else x

    agrees(spec, python, {"n": 0}, {"n": 2}, {"n": 5})


def test_sizes_that_loops_and_arms_change() -> None:
    spec = """
    model Net(d = 4, n = 3, flag = true):
        input x: [B, d]
        w = 3
        for i in range(n):
            if i % 2 == 1:
                w += 2
            elif flag:
                w = w + 1
            x = x -> Linear(w) as a
            w = w * 2
            x = x -> Linear(w) as b
        return x -> Linear(w) as c
    """

    def python(model: Any, x: jax.Array, n: int, flag: bool) -> jax.Array:
        w, widths = 3, []
        for i in range(n):
            w += 2 if i % 2 else flag
            widths += [w, 2 * w]
            w *= 2
            x = model.b[i](model.a[i](x))
        found = [p[i].kernel.shape[1] for i in range(n) for p in (model.a, model.b)]
        assert found == widths and model.c.kernel.shape[1] == w
        return model.c(x)

    agrees(spec, python, {"n": 1, "flag": True}, {"n": 4, "flag": False})


def test_what_was_made_of_a_number_stays() -> None:
    spec = """
    model Net(d = 4, n = 5):
        input x: [B, d]
        w = 3
        y = x -> Linear(w) as p
        v = w
        w = w + 1
        z = x -> Linear(w) as q
        u = v + w
        if n > 3:
            w = w * v
            v = 2
        y = y -> Linear(w) as r
        return concat(y, z, axis=-1) * u + v
    """

    def python(model: Any, x: jax.Array, n: int) -> jax.Array:
        assert model.r.kernel.shape == (3, 12 if n > 3 else 4)
        y = jnp.concatenate([model.r(model.p(x)), model.q(x)], axis=-1)
        return y * 7 + (2 if n > 3 else 3)

    agrees(spec, python, {"n": 2}, {"n": 5})


def test_numbers_in_the_loops_of_a_scan() -> None:
    spec = """
    model Net(n = 3, k = 2):
        input x: [B, d]
        scan over n with h = x:
            s = 1.0
            for i in range(k):
                s = s * 0.5
                h = h * s
            t = s + 1.0
            h = h + t
        return h
    """
    agrees(
        spec,
        lambda model, x, n, k: _repeated(lambda h: h * 0.125 + 1.25, x, n),
        {"n": 3, "k": 2},
    )


def test_numbers_become_tensors() -> None:
    spec = """
    model Net(n = 3, deep = true):
        input x: [B, d]
        total = 1.5
        for i in range(n):
            if i > 0:
                total = total + x
        y = 0.0
        if deep:
            y = x * 2
        return total + y
    """
    agrees(
        spec,
        lambda model, x, n, deep: (1.5 + max(n - 1, 0) * x + (2 * x if deep else 0)),
        {"n": 3, "deep": True},
        {"n": 1, "deep": False},
        {"n": 0, "deep": True},
    )


def test_numbers_of_a_presence_are_of_the_call() -> None:
    spec = """
    model Net(d = 4):
        input x: [B, d], mask: [B, d] = none
        k = 3.0
        if mask != none:
            k = 5.0
            x = x + mask
        return x * k * d
    """
    model = load(text_of(textwrap.dedent(spec))).Net(rngs=nnx.Rngs(0))
    np.testing.assert_allclose(model(X), X * 12, rtol=1e-6)
    np.testing.assert_allclose(model(X, mask=X), 2 * X * 20, rtol=1e-6)


def test_generated_code_asks_for_the_condition() -> None:
    spec = """
model Net(d = 4, n = 3, turned = true):
    input x: [B, d]
    scale = 1.0
    for i in range(n):
        if turned:
            x = x -> Linear(d) as layer
            scale = scale * 0.5
    if turned:
        for i in range(n):
            x = scale * x -> LayerNorm as norm
    else:
        x = x + 1
    return x
"""
    text = class_of(spec, "Net")
    assert "        if self.turned:\n            for norm in self.norm:" in text
    assert "if layer is not None:" in text


REFUSED = {
    "a layer of one side of a choice": (
        "N253",
        "y = (x -> Linear(4) as p) if a else x\n    return p(y)",
    ),
    "a layer of one arm": (
        "N253",
        "if a:\n        x = x -> Linear(4) as p\n    return p(x)",
    ),
    "a number of one arm": ("N253", "if a:\n        k = 3\n    return x * k"),
    "a number of a loop": (
        "N253",
        "for i in range(3):\n        k = i\n        x = x * k if a else x\n    return x * k",
    ),
    "a size of a presence": (
        "N310",
        "k = 3 if a else 4\n    if mask != none:\n        k = 5\n    return x + (x -> Linear(k) -> Linear(4))",
    ),
    "a rate of an axis": ("N310", "s = 1.0 / B\n    return x * a -> Dropout(s)"),
}


@pytest.mark.parametrize("code, body", REFUSED.values(), ids=REFUSED)
def test_what_is_not_known_is_refused(code: str, body: str) -> None:
    head = "model Net(a = true):\n    input x: [B, 4], mask: [B, 4] = none\n    "
    found = nnxc.compile(f"{head}{body}\n").diagnostics
    assert code in {d.code for d in found}


def test_a_number_that_cannot_become_a_tensor_says_what_to_write() -> None:
    spec = """
block Sum(n):
    input x: [..., d]
    total = 0.0
    for i in range(n):
        total += x * i
    return total

model Net(d = 4, n = 3):
    input x: [B, d]
    return x -> Sum(n)
"""
    (found,) = nnxc.compile(spec).diagnostics
    assert found.code == "N252" and found.help is not None
    line = found.help.split("`")[1]
    mended = spec.replace("    for i", f"    {line}\n    for i")
    agrees(mended, lambda model, x, n: x * 3, {"n": 3})


def test_a_parameter_that_may_be_none_is_asked_for() -> None:
    spec = """
model Net(d = 4, limit = none):
    input x: [B, d]
    if limit:
        x = clip(x, -limit, limit)
    return x -> Linear(d) as layer

config clipped = Net(limit=3.0)
"""
    (found,) = nnxc.compile(spec).diagnostics
    assert found.code == "N207" and found.primary.span.text == "limit"
    asked = str(found.help).split("`")[1]
    assert nnxc.compile(spec.replace("if limit:", f"if {asked}:")).ok


def test_sizes_that_a_block_finds_at_a_call_do_not_build() -> None:
    spec = """
block Trunk(widths):
    input x: [B, H, W, C]
    for width in widths:
        x = x -> Conv(width, 3x3, stride=2, padding=1) as conv -> relu
    return x

model Net(widths = [8, 16], classes = 3):
    input x: [B, 32, 32, 3]
    return x -> Trunk(widths) -> {}Linear(classes)
"""
    shaped = load(text_of(spec.format("[B, 8 * 8 * widths[-1]] -> ")))
    assert shaped.Net(rngs=nnx.Rngs(0))(jnp.ones((2, 32, 32, 3))).shape == (2, 3)
    found = nnxc.compile(spec.format("flatten -> ")).diagnostics
    assert [d.code for d in found] == ["N310"]


def test_a_mistake_of_an_earlier_pass_over_a_loop_is_forgotten() -> None:
    spec = """
block Steps(limit):
    input x: [B, 4]
    total = x -> Linear(3)
    for i in range(3):
        if i > 0:
            total = total + (x -> [B, 3])
        if i < limit:
            total = total + 1
        x = x -> Linear(3)
    return total

model Net(n = 2):
    input x: [B, 4]
    return x -> Steps(n) -> Linear(2)
"""
    module = load(text_of(spec))
    assert module.Net(rngs=nnx.Rngs(0))(X).shape == (2, 2)


def test_check_runs_the_whole_compiler(tmp_path: Any, monkeypatch: Any) -> None:
    path = tmp_path / "net.nnx"
    path.write_text("model Net:\n    input x: [B, 2]\n    return x -> Linear(2)\n")
    assert check_spec(str(path)) == ()

    def broken(*_: Any) -> str:
        raise KeyError("emission")

    monkeypatch.setattr("nnxc.emit.files", broken)
    with pytest.raises(KeyError):
        check_spec(str(path))


def test_each_size_is_explained_by_itself() -> None:
    """One axis differs between the sides, another is the same where the condition holds."""
    spec = """
block Unit(width, stride):
    input x: [B, H, C]
    y = x -> Conv(width, [3], stride, padding=1)
    if stride > 1:
        z = y
    elif C == width:
        z = x + y
    else:
        z = y * 2
    return z

model Net:
    input x: [B, 8, 4]
    return x -> Unit(4, 1) as one -> Unit(6, 1) as two -> Unit(6, 2) as three -> Linear(2)
"""
    output = nnxc.compile(spec)
    assert not output.diagnostics
    text = next(iter(output.files.values()))
    assert "Maps (b, h, c) to (b, h_out, width)." in text


FLAGGED = """
model Net(d = 4, bias = true):
    input x: [B, 4]
    return x -> Linear(d, bias=bias)

config chosen = Net({})
"""


def test_a_config_negates_conditions() -> None:
    for value, expected in (
        ("not true", False),
        ("not false", True),
        ("not (1 > 2 or false)", True),
        ("not not false", False),
    ):
        module = load(text_of(FLAGGED.format(f"bias={value}")))
        assert module.CHOSEN.bias is expected, value


@pytest.mark.parametrize(
    ("argument", "code", "at"),
    [
        ("bias=not 3", "N220", "not 3"),
        ("bias=not none", "N220", "not none"),
        ("bias=not d", "N200", "d"),
        ("d=not true", "N207", "not true"),
    ],
)
def test_what_a_config_negates_is_a_condition(
    argument: str, code: str, at: str
) -> None:
    (found,) = nnxc.compile(FLAGGED.format(argument)).diagnostics
    assert (found.code, found.primary.span.text) == (code, at)
