"""The summary's table and its JSON, of hand-built definitions."""

from __future__ import annotations

import json
import re

import pytest
from test_instance import BLOCK, MLP, doubling, listed, loop, program, stacked

from nnxc import ir
from nnxc.dims import const, symbol
from nnxc.report.model_summary import SummaryError, summarize
from nnxc.report.units import byte_size, polynomial, scaled
from nnxc.source import NOWHERE


def lines(text: str) -> list[str]:
    """Lines with their spaces squeezed."""
    return [re.sub(" +", " ", line) for line in text.splitlines()]


def test_a_table_of_an_mlp() -> None:
    assert lines(summarize(program(MLP)).text())[:7] == [
        "MLP(hidden=4)",
        "",
        "layer type output parameters FLOPs weights",
        "-" * 49,
        "up Linear [B, 4] 12 16*B 48 B",
        "down Linear [B, 1] 4 8*B 16 B",
        "-" * 49,
    ]


def test_axes_and_parameters_can_be_set() -> None:
    summary = summarize(program(MLP), sizes={"B": 8, "hidden": 100})
    assert summary.total.flops == 8 * 600
    assert summary.total.output_bytes == 8 * 101 * 4
    assert "total [8, 1] 400 4.80k 1.56 KiB 3.16 KiB" in lines(summary.text())


def test_stacks_are_folded() -> None:
    summary = summarize(program(BLOCK, stacked(12)))
    table = lines(summary.text())
    assert [line.split(" B")[0] for line in table[4:6]] == [
        "h x 12",
        " fc Linear [B, 6] 42 72*B 168",
    ]
    assert [r.parameters for r in summary.rows] == [12 * 42, 42]
    assert "rows inside a repeated layer describe one copy" in table


def test_equal_elements_of_a_loop_are_folded() -> None:
    equal = summarize(program(loop(listed(3, 3, 3))))
    assert [r.name for r in equal.rows] == ["fc x 3"]
    mixed = summarize(program(loop(listed(3, 3, 8))))
    assert [r.name for r in mixed.rows] == ["fc.0..1", "fc.2"]


def test_depth_limits_the_rows_and_not_the_total() -> None:
    summary = summarize(doubling(40), model="B40", depth=2)
    assert [r.name for r in summary.rows] == ["f", "f", "g", "g", "f", "g"]
    assert summary.total.parameters == 6 * 2**40


def test_failures_are_shown() -> None:
    text = summarize(program(BLOCK, stacked(2, heads=4))).text()
    assert "cannot be built: heads must divide d" in text


def test_json_has_numbers_and_open_sizes() -> None:
    found = json.loads(summarize(program(MLP)).json())
    assert found["values"] == {"hidden": 4}
    assert [(r["name"], r["parameters"]) for r in found["layers"]] == [
        ("up", 12),
        ("down", 4),
    ]
    assert (found["total"]["flops"], found["total"]["output_bytes"]) == ("24 * B", None)


def test_a_config_sets_parameters() -> None:
    config = ir.Config("wide", "MLP", (("hidden", ir.Literal(50)),), NOWHERE)
    spec = ir.Program("t.nnx", "", (MLP,), (config,), ())
    assert summarize(spec, config="wide").total.parameters == 200


@pytest.mark.parametrize(
    ("wanted", "help"),
    [
        ({"model": "MPL"}, "did you mean `MLP`?"),
        ({"config": "wide"}, None),
        ({"sizes": {"hiden": 3}}, "did you mean `hidden`?"),
        ({"sizes": {"Q": 3}}, "there are `hidden`, `B`"),
    ],
)
def test_what_is_not_there(wanted: dict[str, object], help: str | None) -> None:
    with pytest.raises(SummaryError) as caught:
        summarize(program(MLP), **wanted)  # type: ignore[arg-type]
    assert caught.value.help == help


@pytest.mark.parametrize(
    ("number", "text"),
    [(0, "0"), (999, "999"), (1500, "1.50k"), (124_439_808, "124M"), (12_345, "12.3k")],
)
def test_numbers_have_three_digits(number: int, text: str) -> None:
    assert scaled(number) == text


def test_units() -> None:
    assert [byte_size(n) for n in (4, 1024, 497_759_232)] == [
        "4 B",
        "1.00 KiB",
        "475 MiB",
    ]
    b, t = symbol("B"), symbol("T")
    size = b * t * 37_000 + b * t * t * 170_000_000 - const(3)
    assert polynomial(size) == "170M*B*T**2 + 37.0k*B*T - 3"
