"""Lines of weights come with the blocks that they are about."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from emitting import load, stored_names
from flax import nnx
from safetensors.numpy import load_file, save_file

import nnxc

BLOCKS = """
block Layer(hidden):
    input x: [B, T, d]
    x += x -> Attention(2) as attention
    return x + (x -> Linear(hidden) as up -> relu -> Linear(d) as down)

block Encoder(layers, hidden):
    input x: [B, T, d]
    param start: [d] = zeros
    state shift: [d] = zeros
    return x + start + shift -> Layer(hidden) * layers as h

model Whole(vocab = 9, d = 4, layers = 2):
    input ids: int[B, T]
    return ids -> Embed(vocab, d) as words -> Encoder(layers, 8) as encoder -> Linear(vocab) as lm

weights Whole from "net.{path}":
    ignore "unused"
"""
LINES = """    words, encoder.start = "emb.words", "net.encoder.first"
    Layer.up, Layer.down = "mlp.in", "mlp.out"
    Layer.attention = "att"
    Attention.query, Attention.key = "q", "k"
"""
HEAD = """use Encoder from "blocks.nnx"

model Mine(d = 4):
    input x: [B, T, d]
    x = x -> Encoder(2, 8) as encoder -> Attention(2) as pool
    return x -> Linear(3) as head

weights Mine from "{path}":
    ignore "unused"
"""


def compiled(spec: str, lines: str = LINES, **files: str) -> nnxc.Output:
    texts = {"blocks.nnx": BLOCKS + lines, **{f"{n}.nnx": t for n, t in files.items()}}
    read = {name: text.encode() for name, text in texts.items()}
    return nnxc.compile(spec, path="net.nnx", read=read.__getitem__)


def names(spec: str, lines: str = LINES, **files: str) -> dict[str, str]:
    """Which tensor is which weight."""
    output = compiled(spec, lines, **files)
    assert output.ok, output.diagnostics
    return stored_names(load(output.files["net.py"]))


def test_lines_come_with_a_block() -> None:
    found = names(HEAD + '    encoder = "bert.enc"\n')
    assert found["encoder.start"] == "bert.enc.first"
    assert found["encoder.h.{}.up.kernel"] == "bert.enc.h.{0}.mlp.in.weight"
    assert found["encoder.h.{}.attention.query.bias"] == "bert.enc.h.{0}.att.q.bias"
    assert found["encoder.h.{}.attention.value.bias"] == "bert.enc.h.{0}.att.value.bias"
    # Lines for layers hold inside of the blocks alone.
    assert found["pool.query.kernel"] == "pool.query.weight"
    assert found["head.kernel"] == "head.weight"
    # A state is named by itself alone.
    assert "encoder.shift" not in found


def test_without_lines_nothing_changes() -> None:
    found = names(HEAD + '    encoder = "bert.enc"\n', "")
    assert found["encoder.h.{}.up.kernel"] == "bert.enc.h.{0}.up.weight"


def test_what_is_said_here_goes_before() -> None:
    # Of a kind that the section speaks of, it says all.
    found = names(HEAD + '    Layer.up = "fc"\n')
    assert found["encoder.h.{}.up.kernel"] == "encoder.h.{0}.fc.weight"
    assert found["encoder.h.{}.down.kernel"] == "encoder.h.{0}.down.weight"
    # A path of the model goes before, for what it names alone.
    found = names(HEAD + '    encoder.h[i].up = "fc.{i}"\n')
    assert found["encoder.h.{}.up.kernel"] == "fc.{0}.weight"
    assert found["encoder.h.{}.down.kernel"] == "encoder.h.{0}.mlp.out.weight"
    assert found["encoder.h.{}.attention.key.bias"] == "encoder.h.{0}.att.k.bias"


def test_lines_of_the_model_that_are_about_a_block() -> None:
    lines = '    encoder.h[j].up = "net.encoder.h.{j}.fc" -> transpose\n    encoder.h[0].down = "net.encoder.h.0.x"\n'
    found = names(HEAD + '    encoder = "enc"\n', lines)
    assert found["encoder.h.{}.up.kernel"] == "enc.h.{0}.fc.weight"
    assert found["encoder.h.0.down.kernel"] == "enc.h.0.x.weight"
    assert found["encoder.h.{}.down.kernel"] == "enc.h.{0}.down.weight"
    # Below a name that the model's section gives.
    more = '    encoder = "net.body"\n    encoder.h[j].up = "net.body.layer.{j}.fc"\n'
    found = names(HEAD + '    encoder = "enc"\n', more)
    assert found["encoder.h.{}.up.kernel"] == "enc.layer.{0}.fc.weight"
    # Of several layers, each by its number.
    spec = HEAD.replace("Encoder", "Layer").replace("(2, 8) as encoder", "(8) as layer")
    found = names(spec, '    encoder.h[j].up = "net.encoder.h.{j}.fc"\n')
    assert found["layer.up.kernel"] == "layer.fc.weight"


@pytest.mark.parametrize(
    "line",
    [
        'encoder.h[i].up = "other.{i}.fc"',  # it begins elsewhere
        'encoder.h[i].up = "net.encoder.h.{i + layers}.fc"',  # numbers of the model
        'Layer.up = "fc{layers}"',
        'encoder.h[0].up = "net.encoder.h.{layers}.fc"',
    ],
)
def test_what_needs_its_model_does_not_come(line: str) -> None:
    spec = HEAD.replace("model Mine(d = 4)", "model Mine(d = 4, layers = 2)")
    spec = spec.replace("Encoder(2, 8)", "Encoder(layers, 8)") + '    encoder = "e"\n'
    plain = names(spec, "")
    assert (
        names(
            spec,
            f"{LINES}    {line}\n".replace("Layer.up, Layer", "Layer").replace(
                '"mlp.in", ', ""
            ),
        )
        == plain
    )


WHOLE = """use Whole from "blocks.nnx"

model Mine(d = 4):
    input ids: int[B, T]
    return ids -> Whole(9, d) as base -> Linear(3) as head

weights Mine from "{path}":
    ignore "unused"
"""


def test_a_model_that_is_used_brings_all_its_names() -> None:
    found = names(WHOLE + '    base = "{path}"\n')
    assert found["base.words.embedding"] == "emb.words.weight"
    assert found["base.encoder.start"] == "net.encoder.first"
    assert found["base.encoder.h.{}.down.kernel"] == "net.encoder.h.{0}.mlp.out.weight"
    assert (
        found["base.encoder.h.{}.attention.key.bias"] == "net.encoder.h.{0}.att.k.bias"
    )
    assert found["base.lm.kernel"] == "net.lm.weight"
    assert found["head.kernel"] == "head.weight"
    below = names(WHOLE + '    base = "text"\n')
    assert {n for n in found.values() if not n.startswith("head")} == {
        n.removeprefix("text.") for n in below.values() if not n.startswith("head")
    }
    own = names(WHOLE + '    Whole.words = "w"\n')
    assert own["base.words.embedding"] == "base.w.weight"
    assert own["base.lm.kernel"] == "base.lm.weight"


def test_the_file_that_is_nearer_goes_before() -> None:
    near = """use Encoder from "blocks.nnx"

model Near(d = 4):
    input x: [B, T, d]
    return x -> Encoder(2, 8) as body

weights Near from "near.{path}":
    Layer.up = "near_up"
"""
    spec = HEAD.replace('use Encoder from "blocks.nnx"', 'use Near from "near.nnx"')
    spec = spec.replace("Encoder(2, 8) as encoder", "Near as near")
    found = names(spec + '    near = "{path}"\n', near=near)
    assert found["near.body.h.{}.up.kernel"] == "near.body.h.{0}.near_up.weight"
    # What it says nothing of comes from the file behind it.
    assert found["near.body.start"] == "near.body.first"
    assert found["near.body.h.{}.attention.key.bias"].endswith("attention.k.bias")


def test_files_that_differ_are_asked_about() -> None:
    other = """use Layer from "blocks.nnx"

block Two(hidden):
    input x: [B, T, d]
    return x -> Layer(hidden) as one -> Layer(hidden) as two

model Other(d = 4):
    input x: [B, T, d]
    return x -> Two(8) as body

weights Other from "{path}":
    Layer.up, Layer.down = "mlp.in", "{}"
    Layer.attention = "att"
"""
    spec = HEAD.replace("\n\nmodel", '\nuse Two from "other.nnx"\n\nmodel', 1)
    spec = spec.replace("-> Linear(3) as head", "-> Two(8) as pair")
    same = other.replace("{}", "mlp.out").replace(
        'Layer.up, Layer.down = "mlp.in", "mlp.out"',
        'Layer.down, Layer.up = "mlp.out", "mlp.in"',
    )
    assert compiled(spec, other=same).ok
    differs = other.replace("{}", "mlp.down")
    (found,) = compiled(spec, other=differs).diagnostics
    assert (found.code, found.primary.span.text) == ("N605", "Mine")
    assert [label.span.text for label in found.related] == ["Whole", "Other"]
    own = '    Layer.up, Layer.down, Layer.attention = "a", "b", "c"\n'
    assert compiled(spec + own, other=differs).ok


def test_weights_are_loaded_and_saved(tmp_path: Path) -> None:
    spec = """use Encoder from zoo.bert

model Tagger(vocab = 11, tags = 3, d = 8, layers = 2):
    input ids: int[B, T], mask: bool[B, T]
    x = ids -> Embed(vocab, d) as words
    x, _ = x -> Encoder(layers, 2, 16, gelu, 1e-12, 0.1, mask=mask) as encoder
    return x -> Linear(tags) as classifier

weights Tagger from "{path}":
    words, encoder = "bert.embeddings.word_embeddings", "bert.encoder"
"""
    output = nnxc.compile(spec, path="net.nnx")
    assert output.ok, output.diagnostics
    module = load(output.files["net.py"])
    model = module.Tagger(module.Config(), rngs=nnx.Rngs(0))
    module.save_pretrained(model, tmp_path)
    tensors = load_file(tmp_path / "model.safetensors")
    layer = "bert.encoder.layer.1"
    assert tensors[f"{layer}.intermediate.dense.weight"].shape == (16, 8)
    assert f"{layer}.attention.self.query.bias" in tensors
    changed = {name: np.asarray(t) + 1 for name, t in tensors.items()}
    save_file(changed, tmp_path / "model.safetensors")
    other = module.load_pretrained(tmp_path, module.Config())
    up = other.encoder.layers[1].up.kernel[...]
    np.testing.assert_allclose(
        up, model.encoder.layers[1].up.kernel[...] + 1, rtol=1e-6
    )
