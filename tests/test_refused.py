"""What would be something else than it looks is refused: one message, at its place."""

from __future__ import annotations

import re

import pytest

import nnxc

HEAD = "model Net(d = 4, a = true):\n    input x: [B, T, d]\n    "
LM = """
block Look(rows):
    input x: [B, T, d], at: int[B, T]
    return x + (at -> Embed(rows, d) as table)

model Net(vocab = 20, d = 4, two = true):
    input ids: int[B, T]
    at = positions(ids)
    x = (ids -> Embed(vocab, d) -> [B, T, 1, d] -> rope(at) -> [B, T, d]) * (2 if two else 1)
    {body}
    return x -> Linear(vocab) as head

generate Net
"""
REFUSED = {
    "a layer of both sides with the name of a function": (
        "if a:\n        norm = LayerNorm\n    else:\n        norm = RMSNorm\n    return norm(x)",
        ("N253", "norm"),
    ),
    "a layer of three sides": (
        "if d == 1:\n        norm = LayerNorm\n    elif d == 2:\n        norm = RMSNorm\n    else:\n"
        "        norm = Linear(d)\n    x = norm(x)\n    return norm(x)",
        ("N253", "norm"),
    ),
    "a layer of a loop with the name of a function": (
        "for i in range(2):\n        x = x -> LayerNorm as norm\n    return x -> norm",
        ("N253", "norm"),
    ),
    "a value of one side with the name of a function": (
        "if a:\n        max = x -> Linear(d)\n        x += max\n    return x -> Linear(max(2, d))",
        ("N253", "max"),
    ),
    "a choice of layers": (
        "f = Linear(d) if a else Linear(d, bias=false)\n    return f(x)",
        ("N235", "Linear(d) if a else Linear(d, bias=false)"),
    ),
    "a size that is none on one side": (
        "n = none if a else 8\n    return x -> Linear(n)",
        ("N207", "n"),
    ),
    "a size that an arm makes none": (
        "n = 8\n    if a:\n        n = none\n    return x -> Linear(n)",
        ("N207", "n"),
    ),
    "a rate that is none on one side": (
        "return x -> Linear(d) -> Dropout(none if a else 0.5)",
        ("N207", "none if a else 0.5"),
    ),
    "heads that are none on one side": (
        "n = none if a else 2\n    return x -> Attention(2, head_dim=n)",
        ("N207", "n"),
    ),
    "an index beyond an axis at the defaults": (
        "return x[..., 4]",
        ("N304", "4"),
    ),
    "a slice that ends beyond an axis at the defaults": (
        "return x[..., 2:9]",
        ("N304", "2:9"),
    ),
    "a state that begins between whole numbers": (
        "state n: int[] = 0.5\n    n += 1\n    return x * n",
        ("N302", "0.5"),
    ),
    "arithmetic on what may be none": (
        "for w in [none, 3]:\n        x = x -> Linear(2 * w) as up -> Linear(d) as down\n    return x",
        ("N220", "2 * w"),
    ),
}
STEPS = {
    "a block that looks up two kinds": "x = x -> Look(20, at=ids) as one -> Look(12, at=at) as two",
    "a block that looks up places by another offset": (
        "x = x -> Look(16, at=at) as one -> Look(16, at=at + 6) as two"
    ),
    "places that a loop changes": (
        "for i in range(3):\n        x += at -> Embed(12, d) as wpe\n        at = at + 1"
    ),
    "places that one side doubles": (
        "if two:\n        at = 2 * at\n    x += at -> Embed(12, d) as wpe"
    ),
    "places that one side bounds": "x += (at % 5 if two else at) -> Embed(12, d) as wpe",
    "a mask by hand": "x += x -> Attention(2, mask=tril(ones([T, T])) > 0)",
    "a context of the sequence": "x += x -> Attention(2, causal=true, context=tanh(x))",
}


@pytest.mark.parametrize("body, expected", REFUSED.values(), ids=REFUSED)
def test_what_looks_like_something_else(body: str, expected: tuple[str, str]) -> None:
    used = "" if "a" in re.findall(r"\w+", body) else "require a\n    "
    found = nnxc.compile(f"{HEAD}{used}{body}\n").diagnostics
    assert [(d.code, d.primary.span.text) for d in found] == [expected]
    assert found[0].help


@pytest.mark.parametrize("body", STEPS.values(), ids=STEPS)
def test_what_has_no_stepwise_form(body: str) -> None:
    (found,) = nnxc.compile(LM.format(body=body)).diagnostics
    assert found.code == "N701" and found.help


LIMITS = {
    "x += at * 2 -> Embed(20, d) as wpe": "positions=10",
    "x += at // 2 -> Embed(6, d) as wpe": "positions=12",
    "x += at % 5 -> Embed(5, d) as wpe": "",
    "x = x -> Look(12, at=at) as one -> Look(10, at=at) as two": "positions=rows",
    "x = x * (rope(x -> [B, T, 1, d], at + 3) -> [B, T, d])": "",
}


@pytest.mark.parametrize("body", LIMITS)
def test_tables_of_places_know_their_end(body: str) -> None:
    text = LM.format(body=body)
    file = next(iter(nnxc.compile(text).files.values()))
    kept = [line for line in file.splitlines() if "= Limits(" in line]
    assert LIMITS[body] in "".join(kept)
    assert bool(LIMITS[body]) == ("positions=" in "".join(kept))


SIDES = {
    "if two:\n        at = at + 2\n    x += at -> Embed(12, d) as wpe": "positions=10",
    "scan xt, p in x, at over T with h = zeros([B, d]):\n        h += xt + one_hot(p, 9)[:, :4]\n"
    "        collect ys = h\n    x = ys": "positions=9",
    "param table: [3, 11, d] = normal(1.0)\n    x += table[0, at] + table[1, at, ...]": "positions=11",
}


@pytest.mark.parametrize("body", SIDES)
def test_places_are_followed_through_arms_scans_and_indices(body: str) -> None:
    file = next(iter(nnxc.compile(LM.format(body=body)).files.values()))
    assert SIDES[body] in file


def test_heads_of_keys_may_be_absent() -> None:
    """`none` for `kv_heads` is `heads`, whatever gives it."""
    spec = HEAD.replace("a = true", "kv = none, heads = 2")
    file = next(
        iter(
            nnxc.compile(
                f"{spec}return x -> Attention(heads, kv_heads=kv)\n"
            ).files.values()
        )
    )
    assert "kv_heads = heads if kv is None else kv" in file


def test_values_that_are_exchanged_are_computed_first() -> None:
    body = "a, b = 1.0, 2.0\n    a, b = b, a + b\n    return x * a * b"
    spec = HEAD.replace(", a = true", "") + body + "\n"
    while found := nnxc.compile(spec).diagnostics:
        fix, place = (found[0].fix, found[0].fix.span)
        spec = spec[: place.start] + fix.text + spec[place.end :]
    assert "next_b = a + b\n    a = b\n    b = next_b\n" in spec


MENDED = {
    "for i in range(3):\n        if a and (i + 1 not in [2] or i == 0):\n            x = x -> Linear(d) as l\n"
    "    return x": "not i + 1 in [2]",
    "return x -> Linear(d) as l * sqrt(d)": "(x -> Linear(d) as l) * sqrt(d)",
    "y = x -> LayerNorm -> Linear(d) * sqrt(d) -> relu\n    return y": (
        "y = (x -> LayerNorm -> Linear(d)) * sqrt(d) -> relu"
    ),
    "return x * zeros([B, T], int)[..., none]": "zeros([B, T], dtype=int)",
    "return 2 * x -> tanh -> Linear(d) if a else x -> LayerNorm -> Linear(d)": (
        "return (2 * x -> tanh -> Linear(d)) if a else (x -> LayerNorm -> Linear(d))"
    ),
    "y = x -> Linear(d) -> relu if a else tanh -> LayerNorm\n    return y": (
        "y = ((x -> Linear(d) -> relu) if a else (x -> Linear(d) -> tanh)) -> LayerNorm"
    ),
}


@pytest.mark.parametrize("body", MENDED)
def test_the_help_is_what_is_meant(body: str) -> None:
    head = HEAD if "if a" in body else HEAD.replace(", a = true", "")
    (found,) = nnxc.compile(f"{head}{body}\n").diagnostics
    assert found.fix is not None
    place, spec = found.fix.span, f"{head}{body}\n"
    mended = spec[: place.start] + found.fix.text + spec[place.end :]
    assert MENDED[body] in mended and not nnxc.compile(mended).diagnostics


ONCE = {
    "numbers in a list that grows": (
        "model Net(d = 4):\n    input x: [B, d]\n    widths = []\n    for i in range(2):\n"
        "        widths.append(d * (i + 1))\n    for w in widths:\n        x = x -> Linear(w) as l\n"
        "    return x\n",
        ("N233", "d * (i + 1)"),
    ),
    "an axis with the name of a block": (
        "block B:\n    input x: [B, d]\n    return x -> Linear(d)\n\n"
        "model Net(d = 4):\n    input x: [B, d]\n    return x -> B\n",
        ("N203", "B"),
    ),
    "an initialiser with another's arguments": (
        "model Net(d = 4):\n    input x: [B, d]\n    param t: [d] = uniform(-1, 1)\n    return x * t\n",
        ("N205", "1"),
    ),
    "an activation with arguments": (
        "model Net(d = 4, act = gelu(approximate=true)):\n    input x: [B, d]\n"
        "    return x -> Linear(d) -> act\n",
        ("N207", "gelu(approximate=true)"),
    ),
    "a value with the name of a parameter": (
        "model Net(rate = 0.5):\n    input x: [B, 4]\n    rate = x -> Linear(4) -> sigmoid\n"
        "    y = rate -> [B, 2, 2]\n    return sum(y, axis=1), softmax(rate, axis=-1)\n",
        ("N202", "rate"),
    ),
    "a value of a train with the name of a parameter": (
        "model Net(d = 4, aux = 3.0):\n    input x: [B, d]\n    return aux * x -> Linear(d)\n\n"
        "train Net:\n    batch x: [B, d], y: [B, d]\n    aux = mse(model(x), y)\n"
        "    loss = 0.5 * aux\n    optimizer = adam(1e-3)\n",
        ("N202", "aux"),
    ),
    "a size that a call finds": (
        "block Trunk(widths):\n    input x: [B, H, W, C]\n    for width in widths:\n"
        "        x = x -> Conv(width, 3x3, 2)\n    return x\n\nmodel Net(widths = [4, 8]):\n"
        "    input x: [B, 28, 28, 1]\n    y = x -> Trunk(widths)\n"
        '    return y -> rearrange("b h w c -> b (h w c)") -> Linear(3)\n',
        ("N310", "Linear(3)"),
    ),
    "a parameter with a name of Python": (
        "model Net(global = 3):\n    input x: [B, 4]\n    if global > 2:\n        x = global * x\n"
        "    return x -> Linear(global)\n",
        ("N124", "global"),
    ),
    "a list of layers": (
        "model Net(d = 4):\n    input x: [B, d]\n    layers = [Linear(d), Linear(d)]\n"
        "    for i in range(2):\n        x = x -> layers[i]\n    return x\n",
        ("N235", "Linear(d), Linear(d)"),
    ),
}


@pytest.mark.parametrize("spec, expected", ONCE.values(), ids=ONCE)
def test_one_mistake_is_one_message(spec: str, expected: tuple[str, str]) -> None:
    found = nnxc.compile(spec).diagnostics
    assert [(d.code, d.primary.span.text) for d in found] == [expected]


KINDS = """
block First:
    input x: [B, d]
    return x -> Linear(8) as inner -> Linear(d) as outer

block Second:
    input x: [B, d]
    return x -> LayerNorm as norm

model Net(d = 4, kinds = ["a", "b"]):
    input x: [B, d]
    for kind in kinds:
        if kind == "a":
            x = x -> {} as mixer
        else:
            x = x -> {} as mixer
    return x

train Net:
    batch x: [B, d]
    loss = mean(model(x) ** 2)
    optimizer = adam(1e-3)
    freeze mixer.{}
"""


@pytest.mark.parametrize("sides", [("First", "Second"), ("Second", "First")])
def test_of_two_kinds_of_one_name_one_has_the_layer(sides: tuple[str, str]) -> None:
    text = next(iter(nnxc.compile(KINDS.format(*sides, "inner")).files.values()))
    assert '("mixer", "inner")' in text
    (found,) = nnxc.compile(KINDS.format(*sides, "innr")).diagnostics
    assert found.code == "N511" and found.help == "did you mean `inner`?"


IDLE = """
model Net(d = 4, deep = false, n = 2):
    input x: [B, d]
    if deep:
        x = x -> Linear(d) as extra
    for i in range(n):
        x = x -> Linear(d) as h
    return x -> Linear(2) as head

train Net:
    batch x: [B, d]
    loss = mean(model(x) ** 2)
    optimizer = adam(1e-3)
    {}
"""
TRAINS = {
    "only extra": False,
    "only extra, head": True,
    "only h[2]": False,
    "only h[-2:]": True,
    "only h[1]": True,
    "only h[2:]": False,
    "freeze h, head": False,
    "freeze h[:1], head": True,
    "freeze extra": True,
}


@pytest.mark.parametrize("chosen, trains", TRAINS.items())
def test_something_trains_at_the_defaults(chosen: str, trains: bool) -> None:
    found = nnxc.compile(IDLE.format(chosen)).diagnostics
    assert [d.code for d in found] == ([] if trains else ["N518"])


FIXED = {
    "int(7.5) * 2": 14,
    "2 if 3 > 2 else 5": 2,
    "ceil(2.5) + 1": 4,
    "max(int(7.5), 3)": 7,
}


@pytest.mark.parametrize("value", FIXED)
def test_a_config_computes_what_has_no_form(value: str) -> None:
    spec = f"{HEAD.replace(', a = true', '')}return x -> Linear(d)\n\nconfig big = Net(d={value})\n"
    file = next(iter(nnxc.compile(spec).files.values()))
    assert f"BIG = Config(d={FIXED[value]})" in file
    (found,) = nnxc.compile(spec.replace(value, "int(1e300)")).diagnostics
    assert found.code == "N322"


def test_a_switch_of_a_list_is_a_condition() -> None:
    block = "block Blk(flags):\n    input x: [B, d]\n    for flag in flags:\n        if flag:\n"
    block += "            x = x -> Linear(d) as l\n    return x\n\n"
    model = "model Net(d = 4, flags = [true, false]):\n    input x: [B, d]\n    return x -> Blk(flags)\n"
    file = next(iter(nnxc.compile(block + model).files.values()))
    assert re.search(r" if flag\s+else None\s+\)\s+for flag in flags\s", file)


INDEXED = """
block Pick(k = 0, d = 8):
    input x: [B, d]
    return x * x[:, k, none]

model Net(n = 8, k = 7, shift = 1):
    input x: [B, n], y: [B, T], z: [B, 8]
    for i in range(n):
        x = x * x[:, i, none] + z[:, k, none]
    return (x -> Pick(k) -> Pick(k - shift)) + y[:, 0, none]
"""


@pytest.mark.parametrize(
    ("right", "wrong"),
    [
        ("x[:, i, none]", "x[:, n, none]"),
        ("y[:, 0, none]", "y[:, T, none]"),
        ("x[:, k, none]\n\n", "x[:, d, none] + k\n\n"),
        ("k = 7", "k = 8"),
        ("Pick(k)", "Pick(8)"),
        ("shift = 1", "shift = -1"),
    ],
)
def test_an_index_is_within_its_axis(right: str, wrong: str) -> None:
    assert not nnxc.compile(INDEXED).diagnostics
    assert right in INDEXED
    found = nnxc.compile(INDEXED.replace(right, wrong)).diagnostics
    assert {d.code for d in found} & {"N307", "N304"}


STEPS = """
model Net(d = 4):
    input x: [B, d]
    return x -> Linear(d) as layer

train Net:
    batch x: [B, d], y: [B, d]
    loss = mse(model(x), y)
    optimizer = sgd({})
"""


@pytest.mark.parametrize(
    "schedule",
    ["piecewise(0.1, [2, 4], 0.5)", "piecewise(0.1, [2, 4], scale=0.5)"],
)
def test_a_list_that_is_written_takes_nothing_further(schedule: str) -> None:
    text = next(iter(nnxc.compile(STEPS.format(schedule)).files.values()))
    assert "dict.fromkeys((2, 4), 0.5)" in text


MAY_ATTEND = """
model Net(vocab = 20, d = 4, deep = {deep}):
    input ids: int[B, T]
    x = ids -> Embed(vocab, d)
    if deep:
        x = x + (x -> Attention(2, causal=true) as attention)
    return x -> Linear(vocab) as head

generate Net
{config}"""


@pytest.mark.parametrize(
    ("deep", "config", "codes"),
    [
        ("false", "", ["N702"]),
        ("true", "", []),
        ("false", "config deep = Net(deep=true)", []),
        ("false", "config wide = Net(d=8)", ["N702"]),
    ],
)
def test_tunix_needs_attention_that_is_constructed(
    deep: str, config: str, codes: list[str]
) -> None:
    spec = MAY_ATTEND.format(deep=deep, config=config)
    found = nnxc.compile(spec, options=nnxc.Options(interface="tunix")).diagnostics
    assert [d.code for d in found] == codes


HELPED = {
    "a condition by another name": (
        "flag = m != none\n    if flag:\n        x = x + m\n    return x",
        ("N310", "write what it stands for in its place: `m != none`"),
    ),
    "a tensor or a number": (
        "return x * (x if d == 1 else d)",
        ("N301", "choose between results: `y * x if d == 1 else y * d`"),
    ),
    "a rate above 1": ("return x -> Dropout(1.5) -> Linear(d)", ("N305", None)),
    "a rate in percent": (
        "return x -> Dropout(15) -> Linear(d)",
        ("N305", "write `0.15`"),
    ),
}


@pytest.mark.parametrize("name", HELPED)
def test_help_says_what_is_meant(name: str) -> None:
    body, said = HELPED[name]
    spec = f"model Net(d = 4):\n    input x: [B, d], m: [B, d] = none\n    {body}\n"
    found = nnxc.compile(spec).diagnostics
    assert said in [(d.code, d.help) for d in found]


def test_lists_of_which_a_part_is_gone_through_are_equally_long() -> None:
    spec = "model Net(widths = [4, 8, 4], steps = [1, 2]):\n    input x: [B, 4]\n"
    spec += (
        "    for a, b in zip(widths[1:], steps):\n        x = x -> Linear(a * b) as l\n"
    )
    text = next(iter(nnxc.compile(spec + "    return x\n").files.values()))
    assert "if len(steps) != len(widths) - 1:" in text
    found = nnxc.compile(spec.replace("[1, 2]", "[1]") + "    return x\n").diagnostics
    assert [d.code for d in found] == ["N322"]
