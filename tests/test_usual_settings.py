"""Parameters whose keys in a `config.json` are the usual ones are only named in the tables of modules."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from emitting import load

import nnxc
from nnxc.check.weights.usual_keys import USUAL

ON = ("bias", "attention_bias", "mlp_bias", "tied")
FLOATS = ("eps", "rate", "theta")


def spec(name: str, line: str) -> str:
    """A model of one parameter, and of `d`."""
    if name == "act":
        return f"model M(d = 4, act = relu):\n    input x: [B, d]\n    return act(x)\n{line}"
    if name in ON:
        use = f"x -> Linear(d, bias={name}) as fc"
        return f"model M(d = 4, {name} = true):\n    input x: [B, d]\n    return {use}\n{line}"
    other = "" if name == "d" else "d = 4, "
    default = "0.5" if name in FLOATS else "none" if name in ("pad", "window") else "4"
    use = f"x * (1 if {name} == none else 2)" if default == "none" else f"x * {name}"
    return f"model M({other}{name} = {default}):\n    input x: [B, d]\n    return {use}\n{line}"


def table(name: str, keys: str) -> str:
    line = f'\nweights M from "{{path}}":\n    config {name}{keys}\n'
    output = nnxc.compile(spec(name, line), path="m.nnx")
    assert output.ok, output.diagnostics
    return output.files["m.py"].partition("SETTINGS = ")[2].partition("\n\n")[0]


@pytest.mark.parametrize("name", USUAL)
def test_a_usual_key_is_told_once_for_all(name: str) -> None:
    """The tables of the language and of what it writes are the same."""
    whole = table(name, "")
    assert f'usual="{name}"' in whole
    assert "fields=" not in whole
    if name != "theta":  # which is read by older names too, whoever says the key
        assert table(name, f" = {USUAL[name]}") == whole


def test_a_key_that_is_called_as_its_field_is_only_named() -> None:
    assert 'usual="depth"' in table("depth", "")


@pytest.mark.parametrize(
    ("name", "keys"),
    [("d", '"d_model"'), ("depth", '"num_layers"'), ("vocab", '"vocab"')],
)
def test_other_keys_are_told(name: str, keys: str) -> None:
    whole = table(name, f" = {keys}")
    assert f'fields={{"{name}": {keys}}}' in whole
    assert "usual=" not in whole


ROPE = """
model M(d = 4, factor = 1.0):
    input x: [B, d]
    return x * factor -> Linear(d) as fc

weights M from "{path}":
    config factor = "rope_parameters.factor" if ("rope_parameters.rope_type" or none) == "linear" else 1.0
    config require "rope_parameters.rope_type" in ["default", "linear"]
"""


@pytest.mark.parametrize(
    ("said", "factor"),
    [
        ({"rope_parameters": {"rope_type": "linear", "factor": 2.0}}, 2.0),
        ({"rope_scaling": {"type": "linear", "factor": 2.0}}, 2.0),
        ({"rope_parameters": {"rope_type": "default"}}, 1.0),
        ({}, 1.0),
    ],
)
def test_what_holds_where_another_key_says_so(
    tmp_path: Path, said: dict[str, object], factor: float
) -> None:
    output = nnxc.compile(ROPE, path="m.nnx")
    assert output.ok, output.diagnostics
    text = output.files["m.py"]
    assert "Setting.where(" in text and "lambda" not in text.partition("SETTINGS")[2]
    module = load(text)
    (tmp_path / "config.json").write_text(json.dumps(said))
    assert module.read_config(tmp_path).factor == factor
    written = module.SETTINGS.written(module.Config(factor=3.0))
    assert written["rope_parameters"] == {"factor": 3.0, "rope_type": "linear"}
