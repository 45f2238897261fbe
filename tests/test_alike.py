"""Layers that are alike, written once: `x -> Linear(d) as (a, b)`."""

from __future__ import annotations

import pytest

import nnxc
from nnxc.driver import reformat

SPEC = """model Net(d = 4, heads = 2):
    input x: [B, T, d]
    q, k, v = x -> LAYERS
    return heads * q * k + v
"""
ONCE = "Linear(heads, d // heads) as (query, key, value)"
EACH = "({0}query | {0}key | {0}value)".format("Linear(heads, d // heads) as ")


def code(layers: str) -> str:
    """What is generated of the spec, without its header."""
    output = nnxc.compile(SPEC.replace("LAYERS", layers), path="net.nnx")
    assert output.ok, output.diagnostics
    return output.files["net.py"].split("\n", 3)[3]


def told(layers: str) -> list[tuple[str, str]]:
    """Each mistake: its code, and what it is about."""
    output = nnxc.compile(SPEC.replace("LAYERS", layers), path="net.nnx")
    return [(d.code, d.primary.span.text) for d in output.diagnostics]


def test_it_is_each_written_out() -> None:
    assert code(ONCE) == code(EACH)


def test_layers_of_the_right_names() -> None:
    text = code(ONCE)
    assert all(text.count(f"self.{name} = ") == 1 for name in ("query", "key", "value"))


@pytest.mark.parametrize("names", ["( query,key,value )", "(query, key, value,)"])
def test_it_has_one_form(names: str) -> None:
    made = reformat(SPEC.replace("LAYERS", ONCE.replace("(query, key, value)", names)))
    assert made == (SPEC.replace("LAYERS", ONCE), ())


@pytest.mark.parametrize(
    ("old", "new", "code", "about"),
    [
        ("heads, d", "heads, zz", "N200", "zz"),
        ("d // heads", "d // heads, biass=true", "N204", "biass=true"),
        ("Linear(heads, d // heads)", "Linear", "N211", "Linear"),
        ("Linear(heads, d // heads)", "relu", "N215", "query"),
        ("d // heads", "d - 9", "N304", "Linear(heads, d - 9)"),
        ("value", "Value", "N141", "Value"),
        (", value", "", "N234", f"x -> {ONCE}".replace(", value", "")),
    ],
)
def test_a_mistake_is_told_once(old: str, new: str, code: str, about: str) -> None:
    assert told(ONCE.replace(old, new, 1)) == [(code, about)]


def test_they_stand_after_an_arrow() -> None:
    text = SPEC.replace("x -> LAYERS", ONCE)
    output = nnxc.compile(text, path="net.nnx")
    assert [d.code for d in output.diagnostics] == ["N212"]
