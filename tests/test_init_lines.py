"""`init`: which layers begin as it says, by the deviations that Flax draws; what is refused."""

from __future__ import annotations

import re

import numpy as np
import pytest
from emitting import load
from flax import nnx

import nnxc

BLOCKS = """\
block MLP(rate):
    input x: [B, T, d]
    return x -> Linear(4 * d) as up -> gelu -> Linear(d) as c_proj -> Dropout(rate)

block Block(heads):
    input x: [B, T, d]
    x += x -> LayerNorm as norm -> Linear(heads, d // heads) as query -> Linear(d, over=[-2, -1]) as c_proj
    x += x -> MLP(0.1) as mlp
    return x

model Net(vocab = 500, d = 64, layers = 3, heads = 4):
    input tokens: int[B, T]
    INIT
    x = tokens -> Embed(vocab, d) as wte
    for i in range(layers):
        x = x -> Block(heads) as h
    return x -> LayerNorm -> Linear(vocab) as head
"""


def built(*lines: str, text: str = BLOCKS) -> tuple[dict[str, float], str]:
    """The deviation of each weight by its path, and the code."""
    spec = text.replace("INIT\n", "\n    ".join(lines) + "\n" if lines else "\n")
    output = nnxc.compile(spec, path="net.nnx")
    assert not output.diagnostics, output.diagnostics
    code = output.files["net.py"]
    module = load(code)
    given = (module.Config(),) if "class Config" in code else ()
    model = module.Net(*given, rngs=nnx.Rngs(0))
    found = {}
    for path, param in nnx.to_flat_state(nnx.state(model, nnx.Param)):
        found[".".join(map(str, path))] = float(np.std(param[...]))
    return found, code


def told(*lines: str, text: str = BLOCKS) -> list[tuple[str, str]]:
    """Codes and messages."""
    spec = text.replace("INIT\n", "\n    ".join(lines) + "\n")
    output = nnxc.compile(spec, path="net.nnx")
    return [(d.code, d.message) for d in output.diagnostics]


def test_weights_begin_as_the_last_line_that_names_them_says() -> None:
    found, code = built(
        "init kernel = normal(0.5), embedding = normal(0.2)",
        "init c_proj.kernel = normal(0.5 / sqrt(2 * layers)), MLP.up.bias = normal(0.1)",
    )
    for path, deviation in found.items():
        due = {"bias": 0.0, "scale": 0.0, "embedding": 0.2}.get(
            path.split(".")[-1], 0.5
        )
        due = 0.5 / 6**0.5 if "c_proj.kernel" in path else due
        due = 0.1 if path.endswith("up.bias") else due
        assert deviation == pytest.approx(due, rel=0.15), path
    assert "math.sqrt(2 * cfg.layers)" in re.sub(r"\s+", " ", code)


@pytest.mark.parametrize(
    ("path", "due"),
    [
        ("kernel", r"kernel"),
        ("Linear.kernel", r"kernel"),
        ("c_proj.kernel", r"c_proj\.kernel"),
        ("MLP.c_proj.kernel", r"mlp\.c_proj\.kernel"),
        ("mlp.c_proj.kernel", r"mlp\.c_proj\.kernel"),
        ("h.mlp.c_proj.kernel", r"mlp\.c_proj\.kernel"),
        ("Block.c_proj.kernel", r"h\.\d\.c_proj\.kernel"),
        ("MLP.Linear.kernel", r"mlp\..*\.kernel"),
        ("wte.embedding", r"wte"),
        ("h.norm.scale", r"h\.\d\.norm\.scale"),
    ],
)
def test_a_path_is_the_end_of_a_path(path: str, due: str) -> None:
    plain, _ = built()
    found, _ = built(f"init {path} = normal(5.0)")
    assert {p for p in found if found[p] > 3} == {p for p in plain if re.search(due, p)}


def test_a_layer_says_what_it_begins_as_before_all_lines() -> None:
    text = BLOCKS.replace("Linear(vocab)", "Linear(vocab, kernel_init=zeros)")
    text = "defaults Linear(kernel_init=normal(9.0), bias=false)\n\n" + text
    found, code = built(
        "init kernel = normal(5.0), Linear.bias = ones",
        text=text.replace("Linear(4 * d)", "Linear(4 * d, bias=true)"),
    )
    assert found["head.kernel"] == 0
    assert found["h.0.query.kernel"] == pytest.approx(5, rel=0.1)
    assert code.count("bias_init=nnx.initializers.ones") == 1


def test_blocks_as_arguments_and_bare_layers() -> None:
    text = """\
block Stage(norm = LayerNorm, part = MLP):
    input x: [B, T, d]
    return x -> norm as first -> part as inner

block MLP:
    input x: [B, T, d]
    return x -> Linear(d) as up

model Net(d = 32, layers = 2):
    input x: [B, T, d]
    init scale = normal(d**-0.5), MLP.up.kernel = normal(4.0 / layers)
    return x -> Stage -> Stage(norm=RMSNorm) as other -> RMSNorm as last
"""
    text = text.replace("d**-0.5", "3.0 / layers")
    found, _ = built(text=text)
    assert found["last.scale"] == pytest.approx(1.5, rel=0.4)
    scales = [found[p] for p in found if p.endswith("first.scale")]
    assert len(scales) == 2 and min(scales) > 0.5
    assert found["other.inner.up.kernel"] == pytest.approx(2, rel=0.1)


def test_attention_and_its_output() -> None:
    text = """\
model Net(d = 64, layers = 2):
    input x: [B, T, d]
    INIT
    return x -> Attention(4) * layers as attn
"""
    plain, _ = built(text=text)
    assert plain["attn.0.query.kernel"] == pytest.approx(1 / 8, rel=0.1)
    found, _ = built(
        "init kernel = normal(0.5), out.kernel = normal(0.5 / layers)", text=text
    )
    assert found["attn.0.query.kernel"] == pytest.approx(0.5, rel=0.1)
    assert found["attn.1.out.kernel"] == pytest.approx(0.25, rel=0.1)


SHARED = """\
block Part:
    input x: [B, d]
    return x -> Linear(d) as up

model One(d = 8):
    input x: [B, d]
    init up.kernel = zeros
    return x -> Part

model Other(d = 8):
    input x: [B, d]
    return x -> Part
"""


@pytest.mark.parametrize(
    ("lines", "code", "message"),
    [
        (["init c_porj.kernel = zeros"], "N277", "`Net` has no weight `c_porj.kernel` that a layer draws"),
        (["init c_proj.bais = zeros"], "N277", "`Net` has no weight `c_proj.bais` that a layer draws"),
        (["init c_proj.kernel = zeros, kernel = ones"], "N277", "no weight begins as `c_proj.kernel` says"),
        (["init kernel = normal(0.02 / sqrt(depth))"], "N200", "`Net` has no parameter `depth`"),
        (["init kernel = normal(0.02 / sqrt(i))"], "N200", "`Net` has no parameter `i`"),
        (["init kernel = nomral(0.02)"], "N200", "`Net` has no parameter `nomral`"),
        (["init kernel = normal(d)"], "N278", "`d` is another in `Block`"),
        (["init kernel = normal(heads=2)"], "N204", "`normal` has no argument `heads`"),
        (["init kernel = 'zeros'"], "N207", "an initialiser such as `normal(0.02)` must stand here"),
    ],
)  # fmt: skip
def test_a_mistake_is_one_message(lines: list[str], code: str, message: str) -> None:
    assert told(*lines) == [(code, message)]


def test_blocks_of_several_models_begin_alike() -> None:
    assert [c for c, _ in told(text=SHARED)] == ["N278"]
    alone = SHARED.partition("model Other")[0]
    assert told(text=alone) == []


@pytest.mark.parametrize("place", ["block", "train", "if"])
def test_init_stands_in_a_model(place: str) -> None:
    text = {
        "block": BLOCKS.replace("    x += x -> MLP", "    init up.kernel = zeros\n    x += x -> MLP"),
        "train": BLOCKS + "\ntrain Net:\n    batch t: int[B, T]\n    init kernel = zeros\n    loss = mean(model(t))\n    optimizer = adam(1e-3)\n",
        "if": BLOCKS.replace("INIT", "if layers > 2:\n        init kernel = zeros"),
    }[place]  # fmt: skip
    code = {"train": "N501"}.get(place, "N278")
    assert [c for c, _ in told("", text=text)] == [code]


@pytest.mark.parametrize("kind", ["LSTM", "GRU"])
def test_recurrent_layers(kind: str) -> None:
    text = f"""\
model Net(d = 64):
    input x: [B, T, d]
    INIT
    return x -> {kind}(d) as rnn
"""
    found, _ = built(text=text)
    assert found["rnn.input.kernel"] == pytest.approx(1 / 8, rel=0.1)
    assert found["rnn.input.bias"] == found["rnn.recurrent.bias"] == 0
    lines = (
        "init kernel = normal(2.0), recurrent.kernel = normal(0.5), bias = normal(3.0)"
    )
    found, _ = built(lines, text=text)
    assert found["rnn.input.kernel"] == pytest.approx(2, rel=0.1)
    assert found["rnn.recurrent.kernel"] == pytest.approx(0.5, rel=0.1)
    assert min(found["rnn.input.bias"], found["rnn.recurrent.bias"]) > 2


@pytest.mark.parametrize("interface", [None, "tunix"])
@pytest.mark.parametrize("layer", ["Attention(4, causal=true)", "LSTM(64)", "GRU(64)"])
def test_what_keeps_its_past_begins_alike(layer: str, interface: str | None) -> None:
    """Layers that `generate` puts in the place of others draw what these do."""
    text = f"""\
model Net(vocab = 20, d = 64):
    input tokens: int[B, T]
    init kernel = normal(0.5)
    return tokens -> Embed(vocab, d) -> {layer} as mix -> Linear(vocab) as head

generate Net
"""
    output = nnxc.compile(text, options=nnxc.Options(interface=interface))
    if interface and "Attention" not in layer:
        assert output.diagnostics
        return
    assert not output.diagnostics
    module = load(next(t for n, t in output.files.items() if "class Net" in t))
    model = module.Net(module.Config(), rngs=nnx.Rngs(0))
    for path, param in nnx.to_flat_state(nnx.state(model, nnx.Param)):
        if path[-1] == "kernel":
            assert float(np.std(param[...])) == pytest.approx(0.5, rel=0.1), path
