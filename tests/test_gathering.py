"""`*states, x = x -> Block * n`, what flows through a stack or a loop; `[*states, x]`, lists in lists."""

from __future__ import annotations

import jax.numpy as jnp
import numpy as np
import pytest
from emitting import class_of, load, run, text_of
from flax import nnx

from nnxc import driver

LAYER = """
block Layer(rate):
    input x: [B, T, d], other: [B, T, d] = 0
    return x + (x + other -> Linear(d) -> tanh -> Dropout(rate))

model Net(d = 3, layers = 4):
    input x: [B, T, d]
"""
# A line, and the loop that it stands for.
SAME = {
    "plain": (
        "*states, x = x -> Layer(0.1) * layers as layer",
        "states = []\n    for i in range(layers):\n        states.append(x)\n"
        "        x = x -> Layer(0.1) as layer",
    ),
    "behind a chain, of a number": (
        "*states, x = x -> Linear(layers) -> Linear(d) -> Layer(0.1, other=x) * 3",
        "other = x\n    x = x -> Linear(layers) -> Linear(d)\n    states = []\n"
        "    for i in range(3):\n        states.append(x)\n"
        "        x = x -> Layer(0.1, other=other)",
    ),
    "computed once": (
        "*states, x = x -> Layer(0.1, other=normal([B, T, d], rng=noise)) * layers",
        "other = normal([B, T, d], rng=noise)\n    states = []\n"
        "    for i in range(layers):\n        states.append(x)\n"
        "        x = x -> Layer(0.1, other=other)",
    ),
    "under other names": (
        "i = 2\n    other = x\n    *states, y = other -> Layer(0.1 * i, other=2 * other) * layers\n"
        "    x = y + other",
        "i = 2\n    other = x\n    y = other\n    states = []\n"
        "    for j in range(layers):\n        states.append(y)\n"
        "        y = y -> Layer(0.1 * i, other=2 * other)\n    x = y + other",
    ),
}
# Lines of a loop, and what they stand for.
LOOPS = {
    "a line": (
        "for i in range(layers):\n        *states, x = x -> Layer(0.1 * i)",
        "states = []\n    for i in range(layers):\n        states.append(x)\n"
        "        x = x -> Layer(0.1 * i)",
    ),
    "behind others, added": (
        "for i in range(layers):\n        y = x -> Layer(0.1)\n"
        "        *states, x += y -> Linear(d)",
        "states = []\n    for i in range(layers):\n        y = x -> Layer(0.1)\n"
        "        states.append(x)\n        x += y -> Linear(d)",
    ),
    "of loops in loops, begun once": (
        "for i in range(2):\n        for j in range(layers):\n"
        "            *states, x = x -> Layer(0.1)\n        *states, x = 2 * x",
        "states = []\n    for i in range(2):\n        for j in range(layers):\n"
        "            states.append(x)\n            x = x -> Layer(0.1)\n"
        "        states.append(x)\n        x = 2 * x",
    ),
    "where it is reached": (
        "for i in range(layers):\n        if i > 0:\n            *states, x = x -> Layer(0.1)\n"
        "        else:\n            x = x -> Linear(d)",
        "states = []\n    for i in range(layers):\n        if i > 0:\n"
        "            states.append(x)\n            x = x -> Layer(0.1)\n"
        "        else:\n            x = x -> Linear(d)",
    ),
    "the first of several, and a stack": (
        "more = x\n    for i in range(2):\n        *states, x, more = concat(x, more) -> split(2)\n"
        "        *inner, more = more -> Layer(0.1) * layers\n        x += inner[0]\n    x += more",
        "more = x\n    states = []\n    for i in range(2):\n        states.append(x)\n"
        "        x, more = concat(x, more) -> split(2)\n"
        "        *inner, more = more -> Layer(0.1) * layers\n        x += inner[0]\n    x += more",
    ),
}
END = "\n    return x, [*states, x]\n"


def codes(text: str) -> list[str]:
    return [d.code for d in driver.analyse(text).diagnostics]


@pytest.mark.parametrize("case", SAME)
@pytest.mark.parametrize("stack", ["loop", "scan"])
def test_it_is_the_loop(case: str, stack: str) -> None:
    line, loop = (LAYER + "    " + text + END for text in SAME[case])
    found = class_of(line, "Net", stack=stack)
    assert found == class_of(loop, "Net", stack=stack)
    run(line, axes={"B": 2, "T": 3}, stack=stack)


@pytest.mark.parametrize("case", LOOPS)
def test_a_loop_keeps_what_flows(case: str) -> None:
    line, loop = (LAYER + "    " + text + END for text in LOOPS[case])
    assert class_of(line, "Net") == class_of(loop, "Net")
    run(line, axes={"B": 2, "T": 3})


def test_a_loop_keeps_values_from_before_its_lines() -> None:
    text = (
        "model Net:\n    input x: [B, 2]\n    for i in range(3):\n        x += 1\n"
        "        *states, x *= 2\n    return [*states, x]\n"
    )
    found = load(text_of(text)).Net(rngs=nnx.Rngs(0))(jnp.zeros((1, 2)))
    np.testing.assert_allclose([float(x[0, 0]) for x in found], [1, 3, 7, 14])


def test_what_is_kept_goes_into_the_layers() -> None:
    text = (
        "block Twice:\n    input x: [B, d]\n    param own: [d] = ones\n"
        "    return 2 * own * x\n\nmodel Net(layers = 3):\n    input x: [B, 2]\n"
        "    *states, y = x + 1 -> Twice * layers\n    return [x, *states, y, *states[1:]]\n"
    )
    found = load(text_of(text)).Net(rngs=nnx.Rngs(0))(jnp.zeros((1, 2)))
    due = [0, 1, 2, 4, 8, 2, 4]
    np.testing.assert_allclose([float(x[0, 0]) for x in found], due)


def test_lists_in_lists() -> None:
    """A list with others in it is one: known tensor by tensor where they are, else of one type."""
    text = LAYER + (
        "    first = [x, 2 * x]\n    *states, x = x -> Layer(0.0) * layers\n"
        "    known = [*[x, x], x] if d > 9 else [x, x, x]\n"
        "    every = concat([*states, x], axis=-1) : [B, T, (layers + 1) * d]\n"
        "    return every, [*states, x][0] + stack([*states, *states], axis=0)[-1]\n"
    )
    text = text.replace("    first = [x, 2 * x]\n", "")
    text = text.replace("    known = [*[x, x], x] if d > 9 else [x, x, x]\n", "")
    run(text, axes={"B": 2, "T": 3})


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ("*states, x = x -> Linear(d)", "N234"),
        ("*states, x = x", "N234"),
        ("*states, x, y = x -> Linear(d) * 2", "N234"),
        ("*states, x += x -> Linear(d) * 2", "N234"),
        ("h = Linear(d) * 2\n    *states, x = x -> h", "N234"),
        ("states = [*x]", "N255"),
        ("states = [*[1, 2], x]", "N255"),
        ("states = [x]\n    x = concat(*states)", "N122"),
        ("states = [x]\n    x = x -> [*states, d]", "N255"),
        ("*states, x = x -> Linear(d, 3) * 2", "N205"),
        ("*states, x = x -> Linear(d) * 0.5", "N220"),
        (
            "if d > 1:\n        *states, x = 2 * x\n    else:\n        states = [x]",
            "N234",
        ),
        ("states = [x]\n    for i in range(2):\n        *states, x = 2 * x", "N260"),
        ("for i in range(2):\n        *states, y = x -> Linear(d)", "N201"),
        ("*States, x = x -> Linear(d) * 2", "N141"),
    ],
)
def test_what_it_is_not(body: str, code: str) -> None:
    text = LAYER + f"    require layers > d\n    {body}\n    return x, states\n"
    if "States" in body:
        text = text.replace(", states\n", "\n")
    assert codes(text) == [code]


def test_a_train_keeps_nothing() -> None:
    text = LAYER + (
        "    return x -> Layer(0.0) * layers\n\ntrain Net:\n    batch x: [B, T, d]\n"
        "    *a, b = model(x)\n    loss = mean(b)\n    optimizer = adam(1e-3)\n"
    )
    assert codes(text) == ["N255"]
