"""Convolutional blocks: windows as parameters, sizes that stages hand on."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import pytest
from emitting import class_of, maker

from nnxc import driver

STAGE = """
block Unit(features, window, stride):
    input x: [B, H, W, C]
    y = x -> Conv(features, window, stride, padding=window // 2)
    if stride != 1 or C != features:
        x = x -> Conv(features, 1x1, stride) as shortcut
    return relu(x + y)

block Stage(features, depth, stride):
    input x: [B, H, W, C]
    for i in range(depth):
        x = x -> Unit(features, 3, stride if i == 0 else 1) as units
    return x : [..., features]

model Net(widths = [6, 8], depth = 2):
    input x: [B, H, W, 4]
    for i, width in enumerate(widths):
        x = x -> Stage(width, depth, i + 1) as stages
    return x
"""


def test_sizes_reach_the_next_iteration_alone() -> None:
    model = maker(STAGE)[1]()
    assert model.stages[0].units[1].shortcut is None
    assert model.stages[1].units[0].shortcut.kernel.shape == (1, 1, 6, 8)
    assert model.stages[1].units[1].conv.kernel.shape == (3, 3, 8, 8)
    out = jax.eval_shape(model, jnp.zeros((2, 9, 7, 4)))
    assert out.shape == (2, 5, 4, 8)


def test_a_parameter_that_arithmetic_takes_is_a_size() -> None:
    unit = " ".join(class_of(STAGE, "Unit").split())
    assert "window: int, stride: int" in unit
    assert "stride: int" in class_of(STAGE, "Stage")


WINDOWS = """
block Unit(features, window, stride, wide):
    input x: [B, H, W, C]
    return x -> Conv(2 * features if wide else features, window, stride) -> Conv(features, 1)

model Net(n = 8, k = 3, wide = false):
    input x: [B, H, W, 4]
    return x -> Unit(n, 3x5, 1, wide) -> Unit(4, k, [1, 2], true) -> Unit(4, 3, 2, wide)
"""


def test_one_number_is_a_window_over_all_axes() -> None:
    model = maker(WINDOWS)[1]()
    kernels = [
        u.conv_1.kernel.shape for u in (model.unit_1, model.unit_2, model.unit_3)
    ]
    assert kernels == [(3, 5, 4, 8), (3, 3, 8, 8), (3, 3, 4, 4)]
    out = jax.eval_shape(model, jnp.zeros((2, 9, 7, 4)))
    assert out.shape == (2, 5, 2, 4)


def test_a_condition_makes_its_parameter_a_switch() -> None:
    assert "wide: bool" in class_of(WINDOWS, "Unit")


SIDES = """
block Unit(features, window, same = true):
    input x: [B, H, W, C]
    if same:
        x = x -> Conv(features, window, bias=false) as conv
    else:
        pad = window // 2
        x = x -> Conv(features, window, padding=pad) as conv
    return x -> LayerNorm as norm

model Net(n = 8):
    input x: [B, H, W, 4]
    return x -> Unit(n, 3) -> Unit(n, 5, same=false)

weights Net from "{path}"
"""


def mistakes(spec: str) -> list[str]:
    return [d.code for d in driver.analyse(spec).diagnostics]


def test_sides_of_an_if_may_have_one_layer() -> None:
    model = maker(SIDES)[1]()
    assert model.unit_1.conv.bias is None
    assert model.unit_2.conv.bias.shape == (8,)
    text = class_of(SIDES, "Unit")
    assert (
        "x = self.conv(x)  # (b, h, w, features)\n        return self.norm(x)" in text
        and "self.same" not in text
    )
    assert jax.eval_shape(model, jnp.zeros((2, 9, 7, 4))).shape == (2, 9, 7, 8)


def test_layers_of_one_name_are_of_one_kind() -> None:
    for other in ("Linear(features)", "Conv(features, 3, bias=false) * 2"):
        spec = SIDES.replace("Conv(features, window, padding=pad)", other)
        spec = spec.replace("        pad = window // 2\n", "")
        assert mistakes(spec) == ["N202"]


def test_layers_of_one_name_exclude_each_other() -> None:
    both = SIDES.replace("    else:\n", "    if window > 1:\n")
    assert mistakes(both) == ["N202"]
    given = """
model Net(n = 8):
    input x: [B, 4], y: [B, 4] = none
    if y != none:
        z = y -> Linear(n) as head
    else:
        z = x -> Linear(n) as head
    return x + z
"""
    assert mistakes(given)[0] == "N202"


def test_what_one_side_constructs_is_not_there_afterwards() -> None:
    after = SIDES.replace("x -> LayerNorm as norm", "x -> conv")
    assert mistakes(after) != []


STRIDED = """
block Down(features, stride, padding):
    input x: [B, T, d]
    return x -> Conv(features, 3, stride=stride, padding=padding)

model Net(d = 4, k = 3, steps = [1, 2], rest = 2):
    input x: [B, T, d]
    x = x -> Down(d, 2, 1) -> Conv(d, k, dilation=1)
    for step in steps:
        x = x -> Conv(d, 3, stride=step)
    x = x -> max_pool(2, stride=rest - 1) -> Conv(d, 3, padding=rest - 1, groups=1)
    return x -> avg_pool(1, padding=0)

config other = Net(rest=3)
"""


@pytest.mark.parametrize(
    ("right", "wrong", "code"),
    [
        ("dilation=1", "dilation=0", "N305"),
        ("stride=step", "stride=0", "N305"),
        ("padding=0", "padding=-1", "N305"),
        ("padding=0", "padding=[-1]", "N305"),
        ("avg_pool(1,", "avg_pool(0,", "N305"),
        ("groups=1", "groups=0", "N315"),
        ("Down(d, 2, 1)", "Down(d, 0, 1)", "N305"),
        ("Down(d, 2, 1)", "Down(d, 2, -1)", "N305"),
        ("[1, 2]", "[1, 0]", "N322"),
        ("rest = 2", "rest = 1", "N322"),
        ("rest=3", "rest=1", "N322"),
        ("k = 3", "k = 0", "N322"),
    ],
)
def test_windows_and_steps_are_at_least_1(right: str, wrong: str, code: str) -> None:
    assert mistakes(STRIDED) == []
    assert right in STRIDED
    assert set(mistakes(STRIDED.replace(right, wrong))) == {code}


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"k": 0}, "sizes must be at least 1, got .*k=0"),
        ({"steps": (2, 0)}, r"sizes must be at least 1, got .*steps=\(2, 0\)"),
        ({"rest": 1}, "the stride of max_pool must be at least 1, got rest=1"),
    ],
)
def test_steps_that_a_caller_gives_are_checked(
    given: dict[str, Any], said: str
) -> None:
    make = maker(STRIDED, params=given)[1]
    with pytest.raises(ValueError, match=said):
        make()


def test_a_step_that_a_condition_rules_out_is_no_mistake() -> None:
    spec = "model Net(d = 4, stride = 0, padding = -1):\n    input x: [B, T, d]\n"
    spec += "    y = (x -> max_pool(2, stride=stride)) if stride > 0 else x\n"
    spec += "    return y -> Conv(d, 3, padding=padding if padding >= 0 else 1)\n"
    assert mistakes(spec) == []


CHOSEN = """
block Row(window = 3x3):
    input x: [B, H, W, C]
    return x -> Conv(C, window)

model Net(k = 3x3, ks = [3x3, 1x5], down = true):
    input x: [B, 8, 6, 4]
    step = 2x1 if down else 1x1
    own = 1x1
    if down:
        own = k
    for window in ks:
        x = x -> Row(window) as rows
    return x -> Conv(4, own, stride=step) -> Row([3]) -> max_pool(step)
"""


def test_windows_are_chosen_looped_over_and_named() -> None:
    make = maker(CHOSEN, params={"ks": ((3, 3), (1, 5))})[1]
    out = jax.eval_shape(make(), jnp.zeros((2, 8, 6, 4)))
    assert out.shape == (2, 2, 6, 4)
    assert [r.conv.kernel.shape[:2] for r in make().rows] == [(3, 3), (1, 5)]
    make = maker(CHOSEN, params={"down": False})[1]
    assert make().conv.kernel.shape == (1, 1, 4, 4)
    assert jax.eval_shape(make(), jnp.zeros((2, 8, 6, 4))).shape == (2, 8, 6, 4)


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"k": (3,)}, r"k must have 2 values, got k=\(3,\)"),
        ({"k": (3, 0)}, r"the window of Conv must be at least 1, got own=\(3, 0\)"),
        ({"ks": ((3, 3), (3, 3, 3))}, "window must have 2 values of at least 1"),
    ],
)
def test_windows_that_a_caller_gives_are_checked(
    given: dict[str, Any], said: str
) -> None:
    make = maker(CHOSEN, params=given)[1]
    with pytest.raises(ValueError, match=said):
        make()


@pytest.mark.parametrize(
    ("right", "wrong"),
    [
        ("Row([3])", "Row([3, 3, 3])"),
        ("Row([3])", "Row(3x3x3)"),
        ("2x1 if down", "2x1x1 if down"),
        ("ks = [3x3, 1x5]", "ks = [3x3, 1x5x5]"),
        ("model Net", "config odd = Net(k=3x3x3)\n\nmodel Net"),
    ],
)
def test_windows_over_other_axes_are_mistakes(right: str, wrong: str) -> None:
    assert mistakes(CHOSEN) == []
    assert len(mistakes(CHOSEN.replace(right, wrong))) == 1


ABSENT = """
block P(window):
    input x: [B, H, W, C]
    return x -> Conv(C, window)

model Net(win = none, k = none, ws = [3x3]):
    input x: [B, 8, 8, 3]
    if win != none:
        x = x -> P(win)
    for w in ws:
        x = x -> Conv(3, w)
    return x -> Conv(3, 3x3 if k == none else k) as last

config a = Net(win=3x3, k=5x5)
"""


def test_windows_may_be_absent() -> None:
    assert mistakes(ABSENT) == []
    assert maker(ABSENT)[1]().last.kernel.shape == (3, 3, 3, 3)
    given = maker(ABSENT, params={"win": (1, 3), "k": (5, 5)})[1]()
    assert given.p.conv.kernel.shape == (1, 3, 3, 3)
    assert given.last.kernel.shape == (5, 5, 3, 3)


@pytest.mark.parametrize("given", ["win=3x3x3", "k=5x5x5", "ws=[3x3x3]", "ws=[3]"])
def test_a_config_has_windows_like_the_defaults(given: str) -> None:
    assert mistakes(ABSENT.replace("win=3x3, k=5x5", given)) == ["N305"]


FIRST_OF_THREE = """
block Unit(sizes=[3, 3, 5]):
    input x: [B, H, W, C]
    return x -> Conv(4, [sizes[0], sizes[1]]) -> max_pool([sizes[0], sizes[1]])

model Net(sizes=[1, 2, 5]):
    input x: [B, H, W, 4]
    return x -> Unit(sizes) -> avg_pool([sizes[1], sizes[2]])
"""


def test_sizes_taken_from_a_longer_list_are_just_those() -> None:
    """`(sizes[0], sizes[1])` is not `sizes`, of which there are more; and a list is no size."""
    model = maker(FIRST_OF_THREE)[1]()
    assert model.unit.conv.kernel.shape == (1, 2, 4, 4)
    assert jax.eval_shape(model, jnp.zeros((1, 12, 20, 4))).shape == (1, 6, 2, 4)
