"""A list is the same however it comes to where it is used: written there, by a parameter, a local,
a choice, a part of a longer one, through blocks. See `test_numbers_said.py`.
"""

from __future__ import annotations

import re
from typing import NamedTuple

import pytest
from test_disguises import computed

LIST, OTHER = "[3, 2, 4]", "[2, 3, 5]"
INPUT = "    input x: [2, 6, 4]\n"
IMAGE = "    input x: [2, 12, 12, 4]\n"
# What a definition says of `ks` stands below a line `== name`.
BODIES = """
== widths
return x -> Linear(ks[0]) -> Linear(ks[1]) -> Linear(ks[-1])
== loop
for k in ks:
    x = x -> Linear(k) as layers
return mean(x, axis=-1)
== enumerate
for i, k in enumerate(ks):
    x = x -> Linear(k) as layers
    if i < len(ks) - 1:
        x = relu(x) * i
return mean(x, axis=-1)
== pairs
for a, b in zip(ks, ks[1:] + [5]):
    x = x -> Linear(a) as ups -> Linear(b) as downs
return mean(x, axis=-1)
== window
return x -> Conv(4, [ks[0], ks[1]]) -> max_pool([ks[1], ks[0]]) -> mean(axis=[1, 2])
== strides
return x -> Conv(4, 3, [ks[1], ks[0]], padding=[ks[0], ks[1]]) -> mean(axis=[1, 2])
== pools
return x -> avg_pool([ks[1], ks[1]], ks[1]) -> max_pool([ks[0], ks[1]], padding=1) -> mean(axis=[1, 2])
== param
param w: [4, ks[0], ks[1]] = normal(0.5)
return einsum("b t d, d h k -> b t h k", x, w)
== state
state s: [ks[1], 4] = 0
return x[:, :ks[1]] + s
== shape
y = x -> Linear(ks[0] * ks[1])
return y -> [2, 6, ks[0], ks[1]]
== heads
return x -> Linear(ks[0], ks[1]) -> Linear(ks[2], over=[-2, -1])
== slices
return x[:, ks[1]:ks[2]] * x[:, ks[0]:ks[0] + 1]
== totals
return x -> Linear(sum(ks)) -> Linear(max(ks) + min(ks)) -> Linear(len(ks))
== condition
if ks[0] > ks[1] and 4 in ks:
    x = x -> Linear(ks[2])
else:
    x = x -> Linear(7)
return x
== counts
for i in range(ks[1]):
    x = x -> Linear(4) as layers
return x -> Linear(4) * ks[0]
== changing
n = 1
for k in ks:
    n = n * k
    x = x -> Linear(n) as layers
return x -> Linear(n // ks[0])
== split
a, b, c = split(x, [ks[1], ks[0], 1], axis=1)
return a[:, 0] + b[:, 0] + c[:, 0]
== rearrange
return rearrange(x, "b (t k) d -> b t (k d)", k=ks[1]) -> Linear(ks[0])
== rates
for k in ks:
    x = x -> Linear(4) as layers -> Dropout(0.1 * k) as drops
return x
== sums
return x * ks[0] + ks[1] / ks[2] + arange(4) * ks[2]
== tensor
return x * tensor(ks)[:1]
== folded
if ks != none:
    x = x -> Linear(ks[0])
return x
"""
BODY = {
    part.partition("\n")[0]: part.partition("\n")[2]
    for part in re.split(r"(?m)^== ", BODIES)[1:]
}


class Way(NamedTuple):
    """The head of a block that uses the list, and the model around it."""

    head: str
    model: str
    before: str
    call: str
    given: bool = False


def ways(default: str) -> dict[str, Way]:
    """The ways in which the list may come; the block's parameter has that default, if any."""
    own = f"Own(ks{default})"
    params = f"Net(ks={LIST})"
    return {
        "position": Way(own, "Net()", "", f"Own({LIST})"),
        "keyword": Way(own, "Net()", "", f"Own(ks={LIST})"),
        "parameter": Way(own, params, "", "Own(ks)"),
        "given": Way(own, f"Net(ks={OTHER})", "", "Own(ks)", True),
        "other name": Way(own, f"Net(list={LIST})", "", "Own(list)"),
        "local": Way(own, params, "js = ks", "Own(js)"),
        "written local": Way(own, "Net()", f"js = {LIST}", "Own(js)"),
        "chosen": Way(own, f"Net(ks={LIST}, a=true)", "", f"Own(ks if a else {OTHER})"),
        "other side": Way(
            own, f"Net(ks={LIST}, a=true)", "", f"Own({OTHER} if not a else ks)"
        ),
        "end": Way(own, "Net(more=[7, 3, 2, 4])", "", "Own(more[1:])"),
        "begin": Way(own, "Net(more=[3, 2, 4, 7])", "", "Own(more[:3])"),
        "rebuilt": Way(own, params, "", "Own([ks[0], ks[1], ks[2]])"),
        "computed": Way(own, "Net(n=2)", "", "Own([n + 1, n, 2 * n])"),
        "joined": Way(own, "Net(ks=[3, 2])", "", "Own(ks + [4])"),
        "in a list": Way(own, f"Net(all=[{OTHER}, {LIST}])", "", "Own(all[1])"),
        "used too": Way(own, params, "n = ks[0] + len(ks)", "Own(ks)"),
    }


def spec(name: str, way: Way, deep: bool) -> str:
    """A model whose block has a body that says the list in some way."""
    inputs = IMAGE if "Conv" in BODY[name] or "pool" in BODY[name] else INPUT
    inner = "".join(f"    {line}\n" for line in BODY[name].splitlines())
    blocks = f"block {way.head}:\n{inputs}{inner}\n"
    call = way.call
    if deep:
        blocks += f"block Outer(ks):\n{inputs}    return x -> Own(ks)\n\n"
        call = call.replace("Own", "Outer")
    before = f"    {way.before}\n" if way.before else ""
    back = f"    return x * n -> {call}\n" if "n =" in way.before else ""
    return f"{blocks}model {way.model}:\n{inputs}{before}{back or f'    return x -> {call}'}\n"


def different(name: str, default: str, deep: bool = False) -> dict[str, object]:
    """The ways that compute something else than the list written where the block is made. Without a
    default, and with a use that takes numbers as well, a list is refused everywhere."""
    found: dict[str, object] = {}
    own = ways(default)
    plain = computed(spec(name, own["position"], deep), {})
    assert isinstance(plain, str) or not default, plain
    for key, way in own.items():
        given = {"ks": (3, 2, 4)} if way.given else {}
        made = computed(spec(name, way, deep), given)
        beside = way.before.startswith("n =") and isinstance(made, str)
        refused = isinstance(made, set) and isinstance(plain, set)
        if made != plain and not beside and not refused:
            found[key] = made
    return found


@pytest.mark.parametrize("name", ["widths", "window", "loop", "param"])
def test_a_list_is_the_same_however_it_is_said(name: str) -> None:
    assert different(name, f" = {OTHER}") == {}


@pytest.mark.heavy
@pytest.mark.parametrize("deep", [False, True])
@pytest.mark.parametrize("default", ["", f" = {OTHER}"])
@pytest.mark.parametrize("name", BODY)
def test_every_list_is_the_same_however_it_is_said(
    name: str, default: str, deep: bool
) -> None:
    assert different(name, default, deep) == {}
