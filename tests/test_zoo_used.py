"""Specs that ship are used by their names."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

import nnxc
from nnxc.driver import reformat
from nnxc.shipped import ZOO, zoo_names, zoo_spec

FOLDER = Path(nnxc.__file__).parent
SPEC = """use {} from zoo.{}

model Mine:
    input ids: int[B, T]
    return (ids -> {} as net).{}
"""
BERT = SPEC.format("Bert", "bert", "Bert(50)", "logits")


def test_a_spec_that_ships_needs_no_file() -> None:
    output = nnxc.compile(BERT)  # alone: nothing is read beside it
    assert output.ok, output.diagnostics
    text = output.files["spec.py"]
    assert "class Bert(nnx.Module)" in text and "class Mine(nnx.Module)" in text
    spec = (FOLDER / "zoo/pretrained/bert.nnx").read_bytes()
    plain = BERT.replace("zoo.bert", '"bert.nnx"')
    other = nnxc.compile(plain, read={"bert.nnx": spec}.__getitem__)
    assert _body(text) == _body(other.files["spec.py"])


def _body(text: str) -> str:
    return text.split('"""', 1)[1]


def test_what_a_shipped_spec_uses_ships_too() -> None:
    spec = SPEC.format("MiniLM", "minilm_l6", "MiniLM(50)", "embedding")
    mine = b"block Encoder:\n    input x: [B, d]\n    return x\n"
    # A file of the user's that has the name is not meant.
    output = nnxc.compile(spec, read={"bert.nnx": mine}.__getitem__)
    assert output.ok, output.diagnostics
    assert "class Layer(nnx.Module)" in output.files["spec.py"]


@pytest.mark.parametrize("folder", ZOO)
def test_shipped_specs_use_their_neighbours(folder: str) -> None:
    """So that a name is enough to find a file that one of them uses."""
    for path in sorted((FOLDER / folder).glob("*.nnx")):
        for name in re.findall(
            r'(?m)^(?:use|train) .* from "(.*)\.nnx"$', path.read_text()
        ):
            assert zoo_spec(name) == (path.parent / f"{name}.nnx").read_bytes()


def test_of_two_the_published_model_is_meant() -> None:
    assert zoo_spec("gpt2") == (FOLDER / "zoo/pretrained/gpt2.nnx").read_bytes()
    assert zoo_spec("unet") == (FOLDER / "zoo/unet.nnx").read_bytes()
    assert {"gpt2", "unet", "llama"} <= set(zoo_names())
    assert zoo_spec("nothing") is None


def test_a_file_of_that_name_is_a_file() -> None:
    part = b"block Part:\n    input x: [B, d]\n    return x -> Linear(d)\n"
    spec = 'use Part from "zoo.part.nnx"\n\nmodel M:\n    input x: [B, 3]\n    return x -> Part\n'
    assert nnxc.compile(spec, read={"zoo.part.nnx": part}.__getitem__).ok


def test_the_header_knows_what_was_used() -> None:
    header = nnxc.compile(BERT).files["spec.py"].split("\n")[2]
    other = BERT.replace("Bert(50)", "Bert(50)  ")
    assert nnxc.compile(other).files["spec.py"].split("\n")[2] != header


def test_fmt_and_names() -> None:
    text, found = reformat(BERT.replace("from zoo.bert", "from  zoo . bert"))
    assert (text, found) == (BERT, ())
    # `zoo` is a word of `use` alone.
    spec = "model M(zoo = 3):\n    input x: [B, 3]\n    return x -> Linear(zoo)\n"
    assert nnxc.compile(spec).ok


@pytest.mark.parametrize(
    "line, code, said",
    [
        ("use Bert from zoo.brt", "N901", "`zoo.bert`"),
        ("use Bert from zoo.Bert", "N901", "`zoo.bert`"),
        ("use Bert from zoo.xyzzy", "N901", "`nnxc new --list`"),
        ('use Bert from "zoo.bert"', "N901", "without quotes: `zoo.bert`"),
        ("use Bert from zoo", "N137", "`use Bert from zoo.name`"),
        ("use Bert, from zoo.bert", "N137", "`use Bert from zoo.bert`"),
        ("use Bert from zoo/bert.nnx", "N137", "`use Bert from zoo.bert`"),
        ("use Bert from zoo.bert as B", "N137", "`use Bert from zoo.bert`"),
        ("use zoo.bert.Bert", "N137", "`use Bert from zoo.bert`"),
        ("use * from zoo.bert", "N137", "`Bert`"),
        ("from zoo.bert import Bert", "N122", "`use Bert from zoo.bert`"),
    ],
)
def test_a_slip_is_told_once(line: str, code: str, said: str) -> None:
    (found,) = nnxc.compile(BERT.replace("use Bert from zoo.bert", line)).diagnostics
    assert found.code == code and said in str(found.help)
    if found.fix is not None:
        fix = found.fix
        spec = BERT.replace("use Bert from zoo.bert", line)
        mended = spec[: fix.span.start] + fix.text + spec[fix.span.end :]
        assert nnxc.compile(mended).ok
