"""A number computes the same however it is said, wherever statements take one: bounds, counts,
indices, shapes, conditions, arithmetic. See `test_disguises.py`, which is about arguments.
"""

from __future__ import annotations

import re
from typing import Any

import pytest
from disguises import LITERAL, Disguise, disguises
from test_disguises import computed

INPUT = "    input x: [2, 6, 4]\n"
BLOCK = f"block Two(h):\n{INPUT}    return x + (x -> Linear(h) -> Linear(4))\n\n"
# What each says of `n` stands below a line `== name`.
BODIES = """
== range
y = x
for i in range(N):
    y = y -> Linear(4)
return y
== range2
y = x
for i in range(1, N + 1):
    y = y * i -> Linear(4)
return y
== range3
y = x
for i in range(N * 2, 0, -N):
    y = y * i
return y
== nested
y = x
for i in range(N):
    for j in range(i):
        y = y * (i + j) -> Linear(4)
return y
== stack
return x -> Linear(4) * N
== stackb
return x -> Two(3) * N
== index
ys = [x, x * 2, x * 3, x * 4]
return ys[N]
== index-
ys = [x, x * 2, x * 3, x * 4]
return ys[-N]
== sub
return x[:, N]
== sub-
return x[:, -N]
== from
return x[:, N:]
== to
return x[:, :N]
== to-
return x[:, :-N]
== step
return x[:, ::N]
== both
return x[:, N:N + 2]
== shape
return x -> [2, 6, N, 4 // N]
== shape2
return x -> [2, N, 6 // N, 4]
== flat
return x -> [2 * N, 12 // N, 2]
== param
param w: [N, 4] = normal(0.02)
return x[:, :N] * w
== state
state s: [N] = 0
return x[:, :N] * s[:, none]
== zeros
return zeros([N, 4]) + x[0, :N]
== scan
scan over N with h = x:
    h = h * 2 + 1
return h
== arith
return x * N + N ** 2 - 1 / N
== power
return x ** N
== where
return where(arange(4) < N, x, 0)
== each
return x -> Linear(3, each=N)
== width
return x -> Linear(N * 5 // 3 + N % 2)
== over
return x -> Linear(N, 4) -> Linear(4, over=[-2, -1])
== cond
y = x
if N == 2:
    y = y -> Linear(4)
else:
    y = y -> Linear(3) -> Linear(4)
return y
== cond2
y = x
if N > 1 and N < 5:
    y = y -> Linear(N + 1)
return y -> Linear(2)
== times
widths = [4] * N
y = x
for w in widths:
    y = y -> Linear(w)
return y
== max
return x -> Linear(max(N, 3)) -> Linear(min(N, 3))
== int
return x -> Linear(int(N * 1.5)) -> Linear(round(N / 3) + 1)
== changed
w = N
y = x
for i in range(3):
    w = w * 2
    y = y -> Linear(w)
return y -> Linear(w // N)
== roll
return concat(x[:, N:], x[:, :N], axis=1)
== masked
return x * (arange(6) % N == 0)[:, none]
== assert
y = x -> Linear(2 * N)
y = y : [2, 6, 4]
return y + x
== broadcast
return x[:, :1] + zeros([2, N, 4])
== mean
return mean(x[:, :N], axis=1) -> Linear(N)
== split
a, b = split(x, [N, 6 - N], axis=1)
return a[:, 0] + b[:, 0]
== heads
q = x -> Linear(N, 4 // N)
return attend(q, q, q, causal=true) -> Linear(4, over=[-2, -1])
== pop
ys = []
y = x
for i in range(N):
    y = y -> Linear(4)
    ys.append(y)
for i in range(N):
    y = y + ys.pop()
return y
== text
kind = "a" if N == 2 else "b"
y = x
if kind == "a":
    y = relu(x)
return y
== in
y = x
if N in [2, 5]:
    y = relu(x)
return y
== ifrange
y = x
for i in range(4):
    if i % N == 0:
        y = y -> Linear(4)
    elif i > N:
        y = relu(y)
return y
== choice
return (x -> Linear(N)) if N > 1 else x[:, :, :N]
"""
SAID = {
    part.partition("\n")[0]: part.partition("\n")[2]
    for part in re.split(r"(?m)^== ", BODIES)[1:]
}
# A list's tensors, the copies of a layer and how many a choice has may need a number itself.
TOLD = {"N205", "N207", "N220", "N223", "N234", "N304", "N307"}
VALUES = [(2, 1), (1, 2), (3, 2)]


def spec(body: str, way: Disguise) -> str:
    """A model with a body that says its number in some way."""
    value = f"({way.value})" if way.name.startswith("choice") else way.value
    lines = body.replace("N", value).splitlines()
    inner = "".join(f"    {line}\n" for line in lines)
    blocks = BLOCK if "Two(" in body else ""
    if way.inside is not None:
        blocks += f"block Own(own):\n{INPUT}{inner}\n"
        inner = f"    return x -> Own({way.inside})\n"
        return f"{blocks}model Net({way.params}):\n{INPUT}{inner}"
    return f"{blocks}model Net({way.params}):\n{INPUT}{way.before}{inner}"


def said(body: str, way: Disguise) -> str | set[str]:
    """What the model computes; a constructor tells of arguments as the compiler of defaults."""
    try:
        return computed(spec(body, way), way.given)
    except ValueError:
        if not way.given:
            raise
        return {"N304"}


def differing(body: str, value: int, other: int) -> dict[str, Any]:
    """The ways to say a number that compute something else, or fail as they should not."""
    literal = computed(spec(body, LITERAL._replace(value=str(value))), {})
    found = {
        way.name: said(body, way)
        for way in disguises(str(value), str(other))
        if "{call}" not in way.around or way.around == LITERAL.around
    }
    if isinstance(literal, set):  # too large for this body: so it is in every way
        return {n: r for n, r in found.items() if not isinstance(r, set)}
    return {
        n: r
        for n, r in found.items()
        if r != literal and not (isinstance(r, set) and r <= TOLD)
    }


@pytest.mark.heavy
@pytest.mark.parametrize(("value", "other"), VALUES)
@pytest.mark.parametrize("name", SAID)
def test_a_number_is_the_same_however_it_is_said(
    name: str, value: int, other: int
) -> None:
    assert differing(SAID[name], value, other) == {}
