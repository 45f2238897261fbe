"""An activation is one object, wherever it comes from: Configs that are the same are equal."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from emitting import load

import nnxc

SPEC = """
defaults gelu(approximate=false)

model Net(d = 4, act = gelu, other = quick_gelu):
    input x: [B, d]
    return x -> Linear(d) -> act -> Linear(d) as out -> other

config small = Net(d=3)
"""
WEIGHTS = """
weights Net from "{path}":
    config d, act, other = "other_act"
"""


@pytest.mark.parametrize("single", [False, True])
def test_what_is_read_is_what_is_published(tmp_path: Path, single: bool) -> None:
    output = nnxc.compile(SPEC + WEIGHTS, options=nnxc.Options(single_file=single))
    assert output.ok, output.diagnostics
    module = load(output.files["spec.py"])
    said = {"hidden_size": 3, "hidden_act": "gelu", "other_act": "quick_gelu"}
    (tmp_path / "config.json").write_text(json.dumps(said))
    cfg = module.read_config(tmp_path)
    assert cfg == module.SMALL
    assert hash(cfg) == hash(module.SMALL)
    assert module.SETTINGS.written(cfg) == said


def test_a_model_that_reads_no_file_has_them_too() -> None:
    output = nnxc.compile(SPEC)
    assert "from nnx_functions import exact_gelu, quick_gelu" in output.files["spec.py"]
    module = load(output.files["spec.py"])
    assert module.SMALL.act is module.Config().act
