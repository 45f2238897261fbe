"""What a constructor cannot compute is one ValueError that shows the arguments."""

from __future__ import annotations

from functools import cache
from typing import Any

import pytest
from emitting import load, text_of
from flax import nnx

import nnxc

HEAD = "\nmodel Net({}):\n    input x: [B, d]\n"
CASES = [  # parameters, body, arguments that are right, those that are not with the message
    ("d = 8", "x -> Linear(d - 4)", {"d": 5}, {"d": 4}, "sizes must be at least 1, got d=4, d - 4=0"),
    ("d = 8, n = 2", "x -> Linear(n)", {"n": 1}, {"d": 0}, "sizes must be at least 1, got d=0, n=2"),
    ("d = 8, n = 2", "x -> Linear(d // n)", {"n": 8}, {"n": 9}, "d // n must be at least 1"),
    ("d = 8, n = 2", "x * (1 / (n - 1))", {"n": 0}, {"n": 1}, "n - 1 must not be 0, got n=1"),
    ("d = 8, n = 2", "x * (d % (n - 1))", {"n": 0}, {"n": 1}, "n - 1 must not be 0"),
    ("d = 8, n = 2", "x * (n - 1) ** -2", {"n": 0}, {"n": 1}, "n - 1 must not be 0"),
    ("d = 8, r = 0.5", "x * log(r)", {"r": 2.0}, {"r": 0.0}, "`log` of r needs a number above 0"),
    ("d = 8, r = 0.5", "x * sqrt(1 - r)", {"r": 1.0}, {"r": 2.0}, "`sqrt` of 1 - r needs"),
    ("d = 8, r = 0.5", "x * (1 / r if r > 0 else 1.0)", {"r": 0.0}, None, ""),
    ("d = 8, r = 0.5", "x * (1 / r if d > 8 else 1.0)", {"r": 0.0}, {"r": 0.0, "d": 9}, "r must not be 0"),
    ("d = 8, w = [4, 8]", "x -> Linear(w[1])", {"w": (1, 2, 3)}, {"w": (4,)}, "w must have 2 values"),
    ("d = 8, w = [4, 8]", "x -> Linear(w[-2])", {"w": (1, 2)}, {"w": (4,)}, "w must have 2 values"),
    ("d = 8, w = [4, 8]", "x -> Linear(w[0])", {"w": (1,)}, {"w": (0, 3)}, "sizes must be at least 1"),
    ("d = 8, w = [4, 8]", "x * max(w)", {"w": (0,)}, {"w": ()}, "w must have 1 value"),
    ("d = 8, w = [4, 8], k = 1", "x * w[k]", {"k": -2}, {"k": 2}, "w must have k + 1 values"),
    ("d = 8, w = [4, 8], k = 1", "x * w[k]", {"k": 0}, {"k": -3}, "w must have -k values"),
    ("d = 8, w = [4, 8]", "x * (w[1] if len(w) > 1 else 0)", {"w": ()}, None, ""),
]  # fmt: skip


@cache
def module(spec: str) -> Any:
    return load(text_of(spec, black=False))


def made(spec: str, args: dict[str, Any]) -> Any:
    return nnx.eval_shape(lambda: module(spec).Net(**args, rngs=nnx.Rngs(0)))


@pytest.mark.parametrize(("params", "value", "right", "wrong", "message"), CASES)
def test_arguments_are_right_or_told(
    params: str, value: str, right: Any, wrong: Any, message: str
) -> None:
    spec = f"{HEAD.format(params)}    return {value}\n"
    made(spec, right)
    if wrong:
        with pytest.raises(ValueError) as told:
            made(spec, wrong)
        assert str(told.value).startswith(message)


LOOPS = """
block Part(hidden, k):
    input x: [B, d]
    return x -> Linear(hidden // k) -> Linear(d)

model Net(d = 8, n = 2, k = 2, w = [4, 8, 9], wide = false, extra = 2):
    input x: [B, d]
    for i in range(n):
        x = x * (i / (n - k + 3)) -> Linear(w[i + 1])
        if i + 1 < len(w):
            x = x * w[i + 1]
    for j in range(len(w) - 1):
        x = x -> Linear(w[j + 1] * d)
    if wide:
        x = x -> Linear(d // extra)
    x = x -> Linear(d)
    if extra > 0:
        x = x -> Linear(extra) -> Linear(d)
    return x -> Part(d - 2, k)
"""


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"n": 3}, "w must have n + 1 values or more, got w=(4, 8, 9), n=3"),
        ({"k": 5}, "n + 3 - k must not be 0, got n=2, k=5"),
        ({"k": 0}, "k must not be 0, got k=0"),
        ({"d": 2}, "sizes must be at least 1, got d=2, w=(4, 8, 9), d - 2=0"),
        ({"d": 3}, "hidden // k must be at least 1, got hidden=1, k=2"),
        ({"extra": 0, "wide": True}, "extra must not be 0, got extra=0"),
    ],
)
def test_loops_arms_and_blocks_are_checked(wrong: Any, message: str) -> None:
    with pytest.raises(ValueError) as told:
        made(LOOPS, config(wrong))
    assert message in str(told.value)


def config(args: dict[str, Any]) -> dict[str, Any]:
    return {"cfg": module(LOOPS).Config(**args)}


@pytest.mark.parametrize(
    "right",
    [{}, {"n": 0, "k": 3}, {"extra": 0}, {"w": (3, 4), "n": 1}, {"w": (3,), "n": 0}],
)
def test_what_is_not_computed_is_not_checked(right: Any) -> None:
    made(LOOPS, config(right))


def test_what_cannot_be_computed_at_the_defaults_is_a_mistake() -> None:
    for value in ("log(n - 2)", "1 / (n - 2)", "sqrt(n - 3)", "w[n]", "max(w[n:])"):
        spec = f"{HEAD.format('d = 8, n = 2, w = [1, 2]')}    x = x * len(w)\n    return x * ({value})\n"
        (found,) = nnxc.compile(spec.encode(), path="spec.nnx").diagnostics
        assert found.code in ("N322", "N304", "N222"), value


def test_what_conditions_rule_out_needs_no_check() -> None:
    spec = LOOPS.replace("w[j + 1] * d", "w[j + 1] * w[j]")
    text = next(iter(nnxc.compile(spec.encode(), path="s.nnx").files.values()))
    assert "j + " not in text.split("for j in")[0]
    assert "len(w) < j" not in text


NONE = """
block Mix(window = none):
    input x: [B, T, d]
    q = x -> Linear(2, d) as query
    return attend(q, q, q, causal=true, window=window) -> Linear(d, over=[2, -1]) as out

model Net(kinds = ["near", "far"], reach = 8):
    input x: [B, T, 4]
    for kind in kinds:
        seen = none if kind == "far" else reach // 2 - 1
        x = x -> Mix(seen) as mix
    return x
"""


def test_what_may_be_none_is_a_size_where_it_is_one() -> None:

    net = load(text_of(NONE)).Net
    for args in ({}, {"kinds": ("far", "far"), "reach": 1}):
        net(**args, rngs=nnx.Rngs(0))
    with pytest.raises(ValueError, match="seen must be at least 1, got seen=0"):
        net(reach=2, rngs=nnx.Rngs(0))


RATES = """
block Part(rate, n):
    input x: [B, d]
    return x -> Dropout(rate) -> Dropout(rate / n) as scaled

model Net(d = 8, rate = 0.1, drop = 0.2, n = 2, more = none, rates = [0.1, 0.2], deep = 1):
    input x: [B, d]
    x = x -> Dropout(rate) -> Part(drop, n) -> DropPath(1 - rate * drop)
    if more != none:
        x = x -> Dropout(more)
    for p in rates:
        x = x -> Dropout(p) as each
    width = 3
    last = 3
    for i in range(deep):
        x = x -> Linear(last) -> Linear(d)
        last = width
        width = width - 1
    return x -> Linear(width + 1) -> Linear(width) as last
"""


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"rate": 1.5}, "rates must be between 0 and 1, got rate=1.5, drop=0.2"),
        ({"drop": -0.1}, "rates must be between 0 and 1, got rate=0.1, drop=-0.1"),
        ({"drop": 0.8, "n": -2}, "the rate of Dropout must be between 0 and 1, got rate=0.8, n=-2"),
        ({"more": 2}, "more must be between 0 and 1, got more=2"),
        ({"rates": (0.5, 7.0)}, "p must be between 0 and 1, got p=7.0"),
        ({"deep": 5}, "last must be at least 1, got last=0"),
        ({"deep": 3}, "width must be at least 1, got width=0"),
    ],
)  # fmt: skip
def test_rates_and_sizes_that_change_are_checked(wrong: Any, message: str) -> None:
    cfg = module(RATES).Config
    right = {"rate": 0.0, "drop": 1, "more": 1.0, "rates": (), "deep": 2}
    made(RATES, {"cfg": cfg(**right)})
    with pytest.raises(ValueError) as told:
        made(RATES, {"cfg": cfg(**wrong)})
    assert str(told.value) == message


ASKED = """
block Part(hidden, extra = 2):
    input x: [B, d]
    if extra > 0:
        x = x -> Linear(extra) -> Linear(d) as back
    return x -> Linear(hidden)

model Net(d = 8, extra = {}, flag = false, rate = 0.1, wide = [{}]):
    input x: [B, d]
    has = extra > 0
    if has:
        x = x -> Linear(extra) -> Linear(d) as back
    for w in wide:
        if flag:
            x = x -> Linear(w) -> Linear(d) as other
    return x -> Part(d, extra) -> Part(d, 0) as last -> Dropout(rate)

config small = Net({})
"""


@pytest.mark.parametrize(
    ("extra", "wide", "config", "code"),
    [
        (2, 4, "extra=0", ""),
        (2, 4, "extra=-1", ""),
        (0, 4, "extra=0", ""),
        (0, 0, "wide=[0]", ""),
        (2, 4, "wide=[0], flag=true", "N304"),
        (2, 4, "d=0", "N315"),
        (2, 4, "rate=1.5", "N305"),
        (2, 4, "rate=-1", "N305"),
    ],
)
def test_a_config_may_be_what_a_default_may_be(
    extra: int, wide: int, config: str, code: str
) -> None:
    spec = ASKED.format(extra, wide, config).encode()
    result = nnxc.compile(spec, path="spec.nnx")
    assert {d.code for d in result.diagnostics} == ({code} if code else set())
    if not code:
        net = load(next(iter(result.files.values())))
        nnx.eval_shape(lambda: net.Net(net.SMALL, rngs=nnx.Rngs(0)))
        nnx.eval_shape(lambda: net.Net(net.Config(), rngs=nnx.Rngs(0)))


SPELLED = """
model Net(d = 8, n = 3, window = 4, rate = 0.5):
    input x: [B, 8]
    if d > 4:
        width = window - 2
    else:
        width = window - 1
    x = x -> Linear(width) -> Linear(8) as back
    reach = 3
    for i in range(n):
        reach = reach - 1 if i > 0 else reach
        x = x -> Linear(reach) -> Linear(8) as inner
    reach = window + 2
    for i in range(n):
        reach = reach - 2 if i > 0 else reach
        x = x -> Linear(reach) -> Linear(8) as other
    odd = x -> Linear(int(d * 0.5) - 2) -> Linear(4 if d > 6 else window - 3) as choice
    return odd -> Dropout(rate * d / 8)
"""


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"window": 2}, "width must be at least 1, got width=0"),
        ({"n": 4}, "reach must be at least 1, got reach=0"),
        ({"window": 3, "n": 1, "d": 5}, "int(d * 0.5) - 2 must be at least 1, got d=5"),
        ({"window": 3, "n": 1, "d": 6}, "4 if d > 6 else window - 3 must be at least 1, got d=6, window=3"),
        ({"d": 24}, "the rate of Dropout must be between 0 and 1, got rate=0.5, d=24"),
    ],
)  # fmt: skip
def test_messages_have_the_names_of_the_spec(wrong: Any, message: str) -> None:
    with pytest.raises(ValueError) as told:
        made(SPELLED, {"cfg": module(SPELLED).Config(**wrong)})
    assert str(told.value) == message


def test_pi_is_told_by_its_name() -> None:
    text = text_of("""
model Net(n = 2.0):
    input x: [B, 4]
    return x / sqrt(pi - n) -> Linear(3)
""")
    assert "`sqrt` of pi - n needs a number of 0 or more" in text
