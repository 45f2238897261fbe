"""A number that may be none is the same however it is said: in a list, by a loop, in arms."""

from __future__ import annotations

import re

import pytest
from test_disguises import computed

LAYER = """
block Layer(window):
    input x: [B, T, d]
    q = x -> Linear(2, d // 2)
    return x + (attend(q, q, q, causal=true, window=window) -> Linear(d, over=[-2, -1]))

model Net(d = 8PARAMS):
    input x: [2, 6, 8]
BODY    return x -> Linear(d)
"""
# What stands below a line `== windows` applies a layer with each of these, in turn.
BODIES = """
== 4 none
for w in [4, none]:
    x = x -> Layer(w)
== 4 none
ws = [4, none]
for w in ws:
    x = x -> Layer(w)
== 4 none
ws = [4, none]
for i in range(2):
    x = x -> Layer(ws[i])
== none 4
w = none
for i in range(2):
    if i > 0:
        w = 4
    x = x -> Layer(w)
== none 4 none
w = none
for i in range(3):
    x = x -> Layer(w)
    v = w
    w = 4 if v == none else none
== 4 none none 4
for i in range(2):
    for j in range(2):
        w = 4 if i == j else none
        x = x -> Layer(w)
== 4 none 3 none
w = 4
for i in range(2):
    for j in range(2):
        x = x -> Layer(w)
        w = none
    w = 3
== none 4
for i in range(2):
    if p > 2:
        w = none if i == 0 else 4
        x = x -> Layer(w)
    else:
        w = 4 if i == 0 else none
        x = x -> Layer(w)
== none none
if p > 2:
    w = none
    x = x -> Layer(w)
else:
    w = 3
    x = x -> Layer(w)
x = x -> Layer(w)
== 4
if p > 5:
    w = none
elif p > 2:
    w = 4
else:
    w = none
x = x -> Layer(w)
"""
CASES = [part.partition("\n")[::2] for part in re.split(r"(?m)^== ", BODIES)[1:]]


def model(body: str) -> str:
    lines = body.splitlines()
    params = ", p = 3" * ("p > " in body)
    if lines[0].startswith("ws = "):  # a list of the model's
        params = f", {lines.pop(0)}"
    inner = "".join(f"    {line}\n" for line in lines)
    return LAYER.replace("PARAMS", params).replace("BODY", inner)


@pytest.mark.parametrize(("windows", "body"), CASES)
def test_a_number_that_may_be_none_is_the_same(windows: str, body: str) -> None:
    plain = "".join(f"x = x -> Layer({w})\n" for w in windows.split())
    wanted = computed(model(plain), {})
    assert isinstance(wanted, str), wanted
    assert computed(model(body), {}) == wanted
