"""The rows of blocks that a table has several times stand once, where that is shorter."""

from __future__ import annotations

from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
from emitting import load
from safetensors.numpy import load_file, save_file

import nnxc

SPEC = """
block Pair(width):
    input x: [B, d]
    y = x -> Linear(width) as up -> relu -> Linear(width) as mid -> relu
    y = y -> Linear(d) as down -> LayerNorm as norm
    return x + (y -> Linear(d) as last)

block Stack(width):
    input x: [B, d]
    for i in range(2):
        x = x -> Pair(width) as pairs
    return x -> Linear(d) as end

model Net(d = 4, width = 6):
    input x: [B, d]
    x = x -> Pair(width) as first -> Stack(width) as left -> Stack(width) as right
    return x -> Pair(width) as second

"""
PLAIN = 'weights Net from "net.{path}":\n    Pair.up = "one"\n    Pair.last = "two"\n'


def compiled(weights: str, stack: str = "loop") -> tuple[str, ModuleType]:
    options = nnxc.Options(stack=stack)
    output = nnxc.compile(SPEC + weights, options=options)
    assert output.ok, output.diagnostics
    text = output.files["spec.py"]
    return " ".join(text.split()), load(text)


def round_trip(module: ModuleType, path: Path) -> set[str]:
    """The tensors of a new model, saved, changed, loaded and saved again."""
    model = module.Net(module.Config(), rngs=module.nnx.Rngs(0))
    module.save_pretrained(model, path / "one")
    saved = load_file(path / "one" / "model.safetensors")
    rng = np.random.default_rng(0)
    given = {name: rng.random(t.shape, np.float32) for name, t in saved.items()}
    save_file(given, path / "one" / "model.safetensors")
    module.save_pretrained(module.load_pretrained(path / "one"), path / "two")
    again = load_file(path / "two" / "model.safetensors")
    assert {n: t.tolist() for n, t in again.items()} == {
        n: t.tolist() for n, t in given.items()
    }
    return set(given)


def expected() -> set[str]:
    layers = ("one", "mid", "down", "norm", "two")
    pairs = [
        "first",
        "second",
        *(f"{s}.pairs.{i}" for s in ("left", "right") for i in (0, 1)),
    ]
    whole = [f"net.{pair}.{layer}" for pair in pairs for layer in layers]
    whole += ["net.left.end", "net.right.end"]
    return {f"{name}.{end}" for name in whole for end in ("weight", "bias")}


@pytest.mark.parametrize("stack", ["loop", "scan"])
def test_blocks_that_are_alike_are_told_once(tmp_path: Path, stack: str) -> None:
    text, module = compiled(PLAIN, stack)
    assert (
        'PAIR_ROWS = ( Stored("up", "one"), *alike("mid down norm"), Stored("last", "two"), )'
        in text
    )
    assert '*within("first.", "net.first.", *PAIR_ROWS)' in text
    assert round_trip(module, tmp_path) == expected()


def test_names_that_are_computed(tmp_path: Path) -> None:
    spec = PLAIN.replace(
        "    Pair.up",
        '    left.pairs[i] = "l.{width + i}"\n    right.pairs[i] = "r.{width - i}"\n    Pair.up',
    )
    text, module = compiled(spec)
    assert (
        '*within("left.pairs.{}.", lambda model, i: f"l.{model.width + i}.", *PAIR_ROWS)'
        in text
    )
    names = round_trip(module, tmp_path)
    assert {
        "l.6.one.weight",
        "l.7.two.bias",
        "r.5.norm.weight",
        "net.first.mid.bias",
    } <= names


def test_a_block_of_which_one_weight_is_elsewhere_has_its_own_rows(
    tmp_path: Path,
) -> None:
    text, module = compiled(PLAIN + '    second.norm.bias = "beta"\n')
    assert '"second.", "net.second.", *PAIR_ROWS' not in text
    names = round_trip(module, tmp_path)
    assert names == expected() - {"net.second.norm.bias"} | {"beta"}


def test_what_is_there_once_stands_where_it_is() -> None:
    spec = SPEC.replace(" -> Stack(width) as right", "").replace(
        " -> Pair(width) as second", ""
    )
    output = nnxc.compile(spec + PLAIN)
    assert output.ok, output.diagnostics
    assert "STACK_ROWS" not in output.files["spec.py"]
