"""Lines of a weights section that hold in every block, or layer, of a kind."""

from __future__ import annotations

import pytest
from emitting import program

from nnxc import driver

SPEC = """
block Double(features):
    input x: [B, d]
    return x -> Linear(features) as one -> relu -> Linear(features, bias=false) as two -> LayerNorm(bias=false) as norm

block Stage(features, depth):
    input x: [B, d]
    for i in range(depth):
        x = x -> Double(features) as units
    return x : [B, features]

model Net(widths = [8, 16]):
    input x: [B, 3]
    x = x -> Double(4) as stem
    for width in widths:
        x = x -> Stage(width, 2) as stages
    return x

weights Net from "net.{path}":
    LINES
"""


def names(*lines: str) -> list[str]:
    (section,) = program(SPEC.replace("LINES", "\n    ".join(lines))).weights
    return sorted(name for row in section.rows for name in row.names)


def inside(*places: str, norm: str = "norm.weight") -> list[str]:
    parts = ("0.weight", "0.bias", "2.weight", norm)
    return sorted(f"{place}.{part}" for place in places for part in parts)


DOUBLE = 'Double.one, Double.two = "0", "2"'


def test_names_begin_where_the_rule_says_that_the_block_s_do() -> None:
    assert names(DOUBLE) == inside("net.stem", "net.stages.{0}.units.{1}")


def test_names_begin_where_a_line_says_so() -> None:
    lines = DOUBLE, 'stem = "first"', 'stages[n].units[m] = "blocks.{n + 1}.{m}.{path}"'
    assert names(*lines) == inside("first", "blocks.{0+1}.{1}")


def test_blocks_within_blocks() -> None:
    lines = 'Stage.units[k] = "unit{k}"', DOUBLE
    assert names(*lines) == inside("net.stem", "net.stages.{0}.unit{1}")


def test_layers_are_of_a_kind_as_well() -> None:
    lines = DOUBLE, 'LayerNorm.scale = "gamma"'
    places = "net.stem", "net.stages.{0}.units.{1}"
    assert names(*lines) == inside(*places, norm="norm.gamma")


def test_one_of_a_list_begins_elsewhere() -> None:
    places = "net.stem", "net.stages.{0}.units.{1}", "zero.units.{0}"
    assert names(DOUBLE, 'stages[0] = "zero"') == inside(*places)


def test_lines_of_the_model_go_before() -> None:
    found = names(DOUBLE, 'stem.two = "other"')
    assert "other.weight" in found and "net.stem.2.weight" not in found


def test_a_line_may_be_about_several_kinds() -> None:
    apart = DOUBLE, 'LayerNorm.scale = "gamma"', 'Stage.units[i] = "{i}"', 'stem = "s"'
    paths = "Double.one, LayerNorm.scale, stem, Stage.units[i], Double.two"
    assert names(f'{paths} = "0", "gamma", "s", "{{i}}", "2"') == names(*apart)


def test_conversions_hold_in_every_block() -> None:
    line = 'Double.one.kernel, Double.two.kernel = "both" -> split'
    found = names(line, 'Double.one.bias = "bias"')
    assert [name for name in found if "both" in name] == [
        "net.stages.{0}.units.{1}.both",
        "net.stem.both",
    ]


@pytest.mark.parametrize(
    ("line", "code", "message"),
    [
        ('Duble.one = "0"', "N602", "`Net` has no `Duble` inside"),
        ('Double.won = "0"', "N602", "`Double` has no weights `won`"),
        ('Double = "0"', "N602", "`Double` is a kind of block, not a path"),
        ('Double.one, Double.one = "0", "1"', "N603", "this is named twice"),
        ('Double.one, Stage.units[i] = "0" -> split', "N605", "one kind of block"),
        ('Stage.units[i] = "unit"', "N604", "`{i}` is missing"),
    ],
)
def test_mistakes(line: str, code: str, message: str) -> None:
    found = driver.analyse(SPEC.replace("LINES", line)).diagnostics
    assert [d.code for d in found] == [code]
    assert message in found[0].message


SIDES = """
block First():
    input x: [B, d]
    param a: [d] = ones
    param b: [d] = ones
    return x * a + b

block Second():
    input x: [B, d]
    param a: [d] = ones
    param c: [d] = ones
    return x * c + a

model Net(d = 4, kinds = ["a", "b"]):
    input x: [B, d]
    for kind in kinds:
        if kind == "a":
            x = x -> First as mixer
        else:
            x = x -> Second as mixer
    return x

weights Net from "{path}":
    LINES
"""


def test_lines_for_each_kind_that_a_name_stands_for() -> None:
    lines = 'First.b = "B"', 'Second.c = "C"', 'First.a = "A"', 'Second.a = "A"'
    (section,) = program(SIDES.replace("LINES", "\n    ".join(lines))).weights
    found = {row.paths[0][-1]: row.names for row in section.rows}
    assert found == {n: (f"mixer.{{0}}.{n.upper()}",) for n in "abc"}


@pytest.mark.parametrize("other", ["", 'Second.a = "other"'])
def test_one_weight_of_two_kinds_is_called_alike(other: str) -> None:
    text = SIDES.replace("LINES", f'First.a = "A"\n    {other}')
    found = driver.analyse(text).diagnostics
    assert [d.code for d in found] == ["N605"]


def test_a_name_of_both_sides_excludes_nothing() -> None:
    text = SIDES.replace(
        "            x = x -> Second as mixer",
        "            x = x -> Second as mixer -> Linear(d, bias=false) as more",
    )
    lines = 'mixer[i].a = "{i}.t"\n    more[i].kernel = "{i}.t"'
    found = driver.analyse(text.replace("LINES", lines)).diagnostics
    assert [d.code for d in found] == ["N608"]


COPIES = """
block Expert(hidden):
    input x: [B, T, d]
    return x -> Linear(hidden, bias=false) as up -> relu -> Linear(d, bias=false) as down

model Net(d = 4, experts = 3, layers = 2):
    input x: [B, experts, T, d]
    for i in range(layers):
        x = x -> Expert(5, each=experts) as expert
    return x -> mean(axis=1) -> Expert(6) as shared

weights Net from "net.{path}":
    expert[i] = "layers.{i}.experts.{e}.{path}" -> stack
    Expert.up, Expert.down = "w1", "w2"
"""


def test_inner_names_of_copies_are_stacked_as_their_block_is() -> None:
    (section,) = program(COPIES).weights
    found = {name: row.join for row in section.rows for name in row.names}
    assert found == {
        "layers.{0}.experts.{1}.w1.weight": "stack",
        "layers.{0}.experts.{1}.w2.weight": "stack",
        "net.shared.w1.weight": "",
        "net.shared.w2.weight": "",
    }
