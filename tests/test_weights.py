"""Published weights: read, checked, written again, by small checkpoints made here."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from types import ModuleType
from typing import Any

import jax.numpy as jnp
import numpy as np
import pytest
from emitting import load, text_of
from flax import nnx

pytest.importorskip("safetensors")
from safetensors.numpy import load_file, save_file

Tensors = dict[str, np.ndarray]


def random(shape: tuple[int, ...], dtype: Any = np.float32) -> np.ndarray:
    return np.random.default_rng(sum(shape) + 7).normal(size=shape).astype(dtype)


def module_of(spec: str, **options: Any) -> ModuleType:
    return load(text_of(spec, black=False, **options))


def exchanged(
    spec: str, tensors: Tensors, tmp_path: Path, **options: Any
) -> Mapping[str, np.ndarray]:
    """The weights of a model that a checkpoint was read into, after it was written out alike."""
    module = module_of(spec, **options)
    save_file(tensors, tmp_path / "given.safetensors")
    model = module.load_pretrained(tmp_path / "given.safetensors")
    module.save_pretrained(model, tmp_path / "saved")
    saved = load_file(tmp_path / "saved/model.safetensors")
    assert saved.keys() == tensors.keys()
    for name, tensor in tensors.items():
        assert saved[name].dtype == tensor.dtype
        np.testing.assert_array_equal(saved[name], tensor, err_msg=name)
    state = nnx.to_flat_state(nnx.state(model))
    return {".".join(map(str, k)): np.asarray(v.get_value()) for k, v in state}


MLP = """
model Net(hidden = 4, out = 3):
    input x: [B, 2]
    return x -> Linear(hidden) as up -> relu -> Linear(out) as down

weights Net from "net.{path}":
    config hidden, out = "sizes.hidden" or 4 * "width", "classes"
"""


def mlp(prefix: str = "net.", hidden: int = 4, dtype: Any = np.float32) -> Tensors:
    return {
        f"{prefix}up.weight": random((hidden, 2), dtype),
        f"{prefix}up.bias": random((hidden,), dtype),
        f"{prefix}down.weight": random((3, hidden), dtype),
        f"{prefix}down.bias": random((3,), dtype),
    }


def folder(path: Path, tensors: Tensors, config: Any) -> Path:
    path.mkdir(exist_ok=True)
    save_file(tensors, path / "model.safetensors")
    (path / "config.json").write_text(json.dumps(config))
    return path


# ------------------------------------------------------------------- what is said


def test_a_rule_names_all_weights(tmp_path: Path) -> None:
    tensors = mlp()
    spec = MLP.replace(
        '    config hidden, out = "sizes.hidden" or 4 * "width", "classes"\n', ""
    )
    got = exchanged(spec.replace('}":', '}"'), tensors, tmp_path)
    np.testing.assert_array_equal(got["up.kernel"], tensors["net.up.weight"].T)
    np.testing.assert_array_equal(got["down.bias"], tensors["net.down.bias"])


@pytest.mark.parametrize(
    ("config", "hidden"),
    [
        ({"sizes": {"hidden": 5}, "classes": 3}, 5),
        ({"sizes": {"hidden": None}, "width": 2, "classes": 3}, 8),
    ],
)
def test_config_json_fills_the_config(tmp_path: Path, config: Any, hidden: int) -> None:
    path = folder(tmp_path / "a", mlp(hidden=hidden), config)
    model = module_of(MLP).load_pretrained(path)
    assert model.up.kernel.shape == (2, hidden)


@pytest.mark.parametrize(
    ("value", "config", "hidden"),
    [
        ('len("names")', {"names": {"0": "a", "1": "b"}}, 2),
        ('len("names") + 1', {"names": [1, 2]}, 3),
        ('"hidden" or len("names")', {"names": ["a"], "hidden": None}, 1),
        ('2 * "width" or 5', {}, 5),
        ('max("widths") or 5', {"widths": [3, 7]}, 7),
        ('min("width", int("rate")) or 5', {"width": 3, "rate": 2.5}, 2),
        ('"a" if "wide" else 6', {"a": 2, "wide": False}, 6),
        ('"a" or hidden', {}, 4),
        ('"a" or "b" or 6', {"b": 2}, 2),
        ('"a" or "b" or 6', {}, 6),
        ('("a" or "b" or 5) + 3', {"a": 0, "b": 1}, 3),
        ('"a" or 2 * hidden + "b"', {"b": 1}, 9),
        ('"a" if "kind" == "wide" else 6', {"a": 2, "kind": "wide"}, 2),
        ('("a" if "wide" else 6) + 1', {"a": 2, "wide": True}, 3),
        ('"widths"[-1] + "widths"[0]', {"widths": [3, 4]}, 7),
        ('max(["a", "b" + 1])', {"a": 2, "b": 4}, 5),
        ('["a", "b"][1] or 3', {"a": 2}, 3),
    ],
)
def test_arithmetic_on_what_config_json_says(
    value: str, config: Any, hidden: int, tmp_path: Path
) -> None:
    text = MLP.replace('"sizes.hidden" or 4 * "width", "classes"', f"{value}, 3")
    model = module_of(text).load_pretrained(
        folder(tmp_path / "a", mlp(hidden=hidden), config)
    )
    assert model.up.kernel.shape == (2, hidden)


@pytest.mark.parametrize(
    ("value", "config", "told"),
    [
        ('4 if not "narrow" else 2', {"narrow": "no"}, "narrow is 'no', not true or"),
        ('2 if "narrow" else 4', {"narrow": 0}, "narrow is 0, not true or false"),
        ('"widths"[-1]', {"widths": [9, 8, 4]}, "widths.1 is 8, the model does not"),
    ],
)
def test_switches_are_switches_and_one_entry_is_not_the_list(
    value: str, config: Any, told: str, tmp_path: Path
) -> None:
    text = MLP.replace('"sizes.hidden" or 4 * "width", "classes"', f"{value}, 3")
    with pytest.raises(ValueError, match=told):
        module_of(text).load_pretrained(folder(tmp_path / "a", mlp(hidden=4), config))


def test_an_activation_is_read_by_its_published_name(tmp_path: Path) -> None:
    text = MLP.replace("Net(hidden", "Net(act = gelu, hidden").replace("relu", "act")
    text += '    config act = "hidden_act"\n'
    module = module_of("defaults gelu(approximate=false)\n\n" + text)
    x = jnp.linspace(-3, 3, 7)
    exact = nnx.gelu(x, approximate=False)
    np.testing.assert_array_equal(module.Config().act(x), exact)
    settings = {"width": 1, "classes": 3}
    for name, wanted in {
        "gelu": exact,
        "gelu_new": nnx.gelu(x),
        "quick_gelu": x * nnx.sigmoid(1.702 * x),
    }.items():
        path = folder(tmp_path / name, mlp(), {"hidden_act": name, **settings})
        model = module.load_pretrained(path)
        np.testing.assert_allclose(model.act(x), wanted, rtol=1e-6)
    chosen = text.replace('"hidden_act"', '"hidden_act" if "width" == "2" else act')
    model = module_of(chosen).load_pretrained(path)
    np.testing.assert_array_equal(model.act(x), nnx.gelu(x))
    path = folder(tmp_path / "none", mlp(), {"hidden_act": "geglu", **settings})
    with pytest.raises(ValueError, match=r"hidden_act is 'geglu', not one of relu, "):
        module.load_pretrained(path)


def test_config_json_is_computed_with(tmp_path: Path) -> None:
    spec = MLP.replace('"classes"', 'ceil(log2(prod("widths")) / 2)')
    config = {"sizes": {"hidden": 4}, "widths": [2, 4, 4]}
    model = module_of(spec).load_pretrained(folder(tmp_path / "a", mlp(), config))
    assert model.down.kernel.shape == (4, 3)


@pytest.mark.parametrize("heads", [3, [3, 3]])
def test_a_number_in_place_of_a_list(tmp_path: Path, heads: object) -> None:
    spec = """
model Net(widths = [8, 8], heads = [2, 2]):
    input x: [B, 6]
    total = zeros([B])
    for i in range(len(widths)):
        total += sum(x -> Linear(widths[i], heads[i]) as lines, axis=[1, 2])
    return total

weights Net from "{path}":
    config widths = "widths"
    config heads = listed("num_heads" or "heads", len("widths"))
"""
    made = {f"lines.{i}.weight": random((3 * w, 6)) for i, w in enumerate((4, 8))}
    made |= {f"lines.{i}.bias": random((3 * w,)) for i, w in enumerate((4, 8))}
    path = folder(tmp_path / "a", made, {"widths": [4, 8], "heads": heads})
    assert module_of(spec).load_pretrained(path).lines[1].kernel.shape == (6, 8, 3)


def test_a_config_stands_above_the_file(tmp_path: Path) -> None:
    module = module_of(MLP)
    path = folder(tmp_path / "a", mlp(hidden=6), {"classes": 9, "width": 9})
    model = module.load_pretrained(path, module.Config(hidden=6))
    assert model.up.kernel.shape == (2, 6)


def test_config_json_that_says_too_little(tmp_path: Path) -> None:
    path = folder(tmp_path / "a", mlp(), {"sizes": {"hidden": 4}})
    with pytest.raises(ValueError, match=r"classes is missing"):
        module_of(MLP).load_pretrained(path)


LAYERS = """
block Block(heads):
    input x: [B, T, d]
    {body}

model Net(d = 6, heads = 2, layers = 2):
    input x: [B, T, d]
    return x -> Block(heads) * layers as h
"""


@pytest.mark.parametrize("stack", ["loop", "scan"])
def test_layers_are_numbered(tmp_path: Path, stack: str) -> None:
    body = "return x -> LayerNorm as ln -> Attention(heads) as attn"
    spec = LAYERS.format(body=body) + (
        'weights Net from "{path}":\n    h[i] = "layer{i + 1}.body"\n'
        '    h[i].attn.out = "layer{i + 1}.proj"\n'
    )
    tensors = {}
    for i in (1, 2):
        for name in ("attn.query", "attn.key", "attn.value"):
            tensors[f"layer{i}.body.{name}.weight"] = i + random((6, 6))
            tensors[f"layer{i}.body.{name}.bias"] = i + random((6,))
        tensors[f"layer{i}.body.ln.weight"] = i + random((6,))
        tensors[f"layer{i}.body.ln.bias"] = i + random((6,))
        tensors[f"layer{i}.proj.weight"] = i + random((6, 6))
        tensors[f"layer{i}.proj.bias"] = i + random((6,))
    got = exchanged(spec, tensors, tmp_path, stack=stack)
    kernel = tensors["layer2.body.attn.query.weight"].T.reshape(6, 2, 3)
    out = tensors["layer2.proj.weight"].T.reshape(2, 3, 6)
    scanned = stack == "scan"
    mine = got["h.attn.query.kernel"][1] if scanned else got["h.1.attn.query.kernel"]
    np.testing.assert_array_equal(mine, kernel)
    mine = got["h.attn.out.kernel"][1] if scanned else got["h.1.attn.out.kernel"]
    np.testing.assert_array_equal(mine, out)


@pytest.mark.parametrize("stack", ["loop", "scan"])
def test_fused_tensors_are_split(tmp_path: Path, stack: str) -> None:
    body = "return x -> Attention(heads, kv_heads=1) as attn"
    spec = LAYERS.format(body=body) + (
        "weights Net:\n"
        '    h[i].attn.query, h[i].attn.key, h[i].attn.value = "h.{i}.c" -> transpose -> split\n'
        '    h[i].attn.out = "h.{i}.o" -> transpose\n'
    )
    tensors = {}
    for i in range(2):
        tensors[f"h.{i}.c.weight"] = i + random((6, 12))
        tensors[f"h.{i}.c.bias"] = i + random((12,))
        tensors[f"h.{i}.o.weight"] = i + random((6, 6))
        tensors[f"h.{i}.o.bias"] = i + random((6,))
    got = exchanged(spec, tensors, tmp_path, stack=stack)
    if stack == "loop":
        whole = tensors["h.1.c.weight"]
        np.testing.assert_array_equal(
            got["h.1.attn.query.kernel"], whole[:, :6].reshape(6, 2, 3)
        )
        np.testing.assert_array_equal(
            got["h.1.attn.value.kernel"], whole[:, 9:].reshape(6, 1, 3)
        )


def test_fused_tensors_head_by_head(tmp_path: Path) -> None:
    spec = LAYERS.format(body="return x -> Attention(heads) as attn") + (
        'weights Net from "{path}":\n'
        '    h[i].attn.query, h[i].attn.key, h[i].attn.value = "qkv{i}" -> interleave\n'
    )
    tensors = {}
    for i in range(2):
        tensors[f"qkv{i}.weight"] = i + random((18, 6))
        tensors[f"qkv{i}.bias"] = i + random((18,))
        tensors[f"h.{i}.attn.out.weight"] = random((6, 6))
        tensors[f"h.{i}.attn.out.bias"] = random((6,))
    got = exchanged(spec, tensors, tmp_path)
    heads = tensors["qkv1.weight"].reshape(2, 3, 3, 6)  # head, which, head_dim, d
    np.testing.assert_array_equal(
        got["h.1.attn.key.kernel"], heads[:, 1].transpose(2, 0, 1)
    )
    bias = tensors["qkv1.bias"].reshape(2, 3, 3)
    np.testing.assert_array_equal(got["h.1.attn.value.bias"], bias[:, 2])


def test_experts_are_stacked_and_gates_put_together(tmp_path: Path) -> None:
    spec = """
model Net(experts = 3, hidden = 4, d = 2):
    input x: [B, d]
    param up: [experts, d, hidden] = lecun_normal
    y = einsum("b d, e d f -> b f", x, up)
    return y -> Linear(2 * d) as gates

weights Net:
    up = "experts.{e}.w1" -> transpose -> stack
    gates = ["gate", "value"] -> concat
"""
    tensors = {f"experts.{e}.w1": e + random((4, 2)) for e in range(3)}
    for name in ("gate", "value"):
        tensors[f"{name}.weight"] = len(name) + random((2, 4))
        tensors[f"{name}.bias"] = len(name) + random((2,))
    got = exchanged(spec, tensors, tmp_path)
    np.testing.assert_array_equal(got["up"][2], tensors["experts.2.w1"].T)
    kernel = np.concatenate([tensors["gate.weight"], tensors["value.weight"]]).T
    np.testing.assert_array_equal(got["gates.kernel"], kernel)


# ------------------------------------------------------------------------ layouts


@pytest.mark.parametrize("rank", [1, 2, 3])
@pytest.mark.parametrize("groups", [1, 2])
def test_convolutions(tmp_path: Path, rank: int, groups: int) -> None:
    axes = ("H", "W", "D")[:rank]
    window = "x".join(str(2 + i) for i in range(rank)) if rank > 1 else "2"
    spec = f"""
model Net(out = 6):
    input x: [B, {", ".join(axes)}, 4]
    return x -> Conv(out, {window}, groups={groups}) as conv

weights Net from "{{path}}"
"""
    shape = (6, 4 // groups, *range(2, 2 + rank))
    tensors = {"conv.weight": random(shape), "conv.bias": random((6,))}
    got = exchanged(spec, tensors, tmp_path)
    kernel = np.moveaxis(tensors["conv.weight"], (0, 1), (-1, -2))
    np.testing.assert_array_equal(got["conv.kernel"], kernel)


@pytest.mark.parametrize(
    ("padding", "kept"),
    [
        ('padding="valid"', slice(0, 9)),
        ("padding=1", slice(1, 8)),
        ("padding=cut, output_padding=1", slice(1, 9)),
    ],
)
def test_transposed_convolutions_compute_the_same(
    padding: str, kept: slice, tmp_path: Path
) -> None:
    spec = f"""
model Net(out = 3{", cut = 1" * ("cut" in padding)}):
    input x: [B, H, 2]
    return x -> ConvTranspose(out, 3, stride=2, {padding}) as conv

weights Net from "{{path}}"
"""
    tensors = {"conv.weight": random((2, 3, 3)), "conv.bias": random((3,))}
    exchanged(spec, tensors, tmp_path)
    model = module_of(spec).load_pretrained(tmp_path / "given.safetensors")
    x = random((1, 4, 2))
    wanted = np.zeros((1, 9, 3), np.float32) + tensors["conv.bias"]
    for t in range(4):
        for k in range(3):
            wanted[0, 2 * t + k] += x[0, t] @ tensors["conv.weight"][:, :, k]
    got = model(jnp.asarray(x))
    np.testing.assert_allclose(got, wanted[:, kept], rtol=1e-5, atol=1e-5)


def test_transposed_convolutions_in_groups(tmp_path: Path) -> None:
    spec = """
model Net(out = 6, groups = 2):
    input x: [B, H, 4]
    return x -> ConvTranspose(out, 3, stride=2, padding=1, groups=groups) as conv

weights Net from "{path}"
"""
    tensors = {"conv.weight": random((4, 3, 3)), "conv.bias": random((6,))}
    exchanged(spec, tensors, tmp_path)
    model = module_of(spec).load_pretrained(tmp_path / "given.safetensors")
    x = random((1, 4, 4))
    wanted = np.zeros((1, 9, 6), np.float32) + tensors["conv.bias"]
    for t, k, group in np.ndindex(4, 3, 2):
        taken = slice(2 * group, 2 * group + 2)
        part = x[0, t, taken] @ tensors["conv.weight"][taken, :, k]
        wanted[0, 2 * t + k, 3 * group : 3 * group + 3] += part
    got = model(jnp.asarray(x))
    np.testing.assert_allclose(got, wanted[:, 1:8], rtol=1e-5, atol=1e-5)


def test_statistics_embeddings_and_what_is_ignored(tmp_path: Path) -> None:
    spec = """
model Net(vocab = 5, d = 3):
    input ids: int[B, T]
    return ids -> Embed(vocab, d) as emb -> BatchNorm as bn -> PReLU as act

weights Net from "{path}":
    ignore "*.num_batches_tracked"
"""
    tensors = {
        "emb.weight": random((5, 3)),
        "act.weight": random((1,)),
        **{
            f"bn.{n}": random((3,))
            for n in ("weight", "bias", "running_mean", "running_var")
        },
    }
    got = exchanged(spec, tensors, tmp_path)
    np.testing.assert_array_equal(got["bn.var"], tensors["bn.running_var"])
    tensors["bn.num_batches_tracked"] = np.array(3)
    save_file(tensors, tmp_path / "more.safetensors")
    module_of(spec).load_pretrained(tmp_path / "more.safetensors")


def test_recurrent_layers(tmp_path: Path) -> None:
    spec = """
model Net(hidden = 3):
    input x: [B, T, 2]
    a = x -> LSTM(hidden) as first
    b = x -> GRU(hidden, reverse=true) as second
    return a + b

weights Net:
    first = "rnn.{path}_l0"
    second = "gru.{path}_l0_reverse"
"""
    tensors = {}
    for layer, gates in (("rnn.{}_l0", 4), ("gru.{}_l0_reverse", 3)):
        tensors[layer.format("weight_ih")] = random((gates * 3, 2))
        tensors[layer.format("weight_hh")] = random((gates * 3, 3))
        tensors[layer.format("bias_ih")] = random((gates * 3,))
        tensors[layer.format("bias_hh")] = random((gates * 3,))
    got = exchanged(spec, tensors, tmp_path)
    for name, tensor in (("input", "bias_ih"), ("recurrent", "bias_hh")):
        stored = tensors[f"rnn.{tensor}_l0"]
        np.testing.assert_array_equal(got[f"first.{name}.bias"], stored)


def test_normalized_weights(tmp_path: Path) -> None:
    spec = """
model Net(d = 4):
    input x: [B, T, 6]
    return x -> Conv(d, 3, weight_norm="out") as conv
        -> ConvTranspose(d, 5, weight_norm="in") as up -> Conv(d, 8, groups=2, weight_norm="window") as wide

weights Net from "{path}"
"""
    stored = "{}.parametrizations.weight.original{}"
    tensors = {}
    for name, lengths, directions in (
        ("conv", (4, 1, 1), (4, 6, 3)),
        ("up", (4, 1, 1), (4, 4, 5)),
        ("wide", (1, 1, 8), (4, 2, 8)),
    ):
        tensors[stored.format(name, 0)] = random(lengths)
        tensors[stored.format(name, 1)] = random(directions)
        tensors[f"{name}.bias"] = random((4,))
    got = exchanged(spec, tensors, tmp_path)
    wide = tensors[stored.format("wide", 1)]
    np.testing.assert_array_equal(got["wide.layer.kernel"], wide.transpose(2, 1, 0))
    up = tensors[stored.format("up", 0)]
    np.testing.assert_array_equal(got["up.scale"], up.transpose(2, 0, 1))


def test_params_of_inner_blocks_keep_their_paths(tmp_path: Path) -> None:
    spec = """
block Scale:
    input x: [B, d]
    param weight: [d] = ones
    return x * weight

block Layer:
    input x: [B, d]
    return x -> Linear(d, bias=false) as mlp -> Scale as norm

model Net(d = 2):
    input x: [B, d]
    return x -> Layer as body

weights Net:
    body = "net.layer"
"""
    tensors = {"net.layer.mlp.weight": random((2, 2))}
    tensors |= {"net.layer.norm.weight": random((2,))}
    exchanged(spec, tensors, tmp_path)


def test_one_name_for_blocks_that_are_used_alike(tmp_path: Path) -> None:
    spec = """
block Plain:
    input x: [B, d]
    return x -> Linear(d, bias=false) as mix

block Gated:
    input x: [B, d]
    return x * sigmoid((x -> Linear(d, bias=false) as mix) + (x -> Linear(d, bias=false) as gate))

model Net(d = 2, gated = true):
    input x: [B, d]
    if gated:
        x = x -> Gated as body
    else:
        x = x -> Plain as body
    return x

weights Net from "net.{path}":
    config gated = "gated"
"""
    tensors = {"net.body.mix.weight": random((2, 2))}
    module = module_of(spec)
    for gated, gate in ((False, {}), (True, {"net.body.gate.weight": random((2, 2))})):
        path = folder(tmp_path / str(gated), tensors | gate, {"gated": gated})
        model = module.load_pretrained(path)
        assert type(model.body).__name__ == ("Gated" if gated else "Plain")
        mix = tensors["net.body.mix.weight"]
        np.testing.assert_array_equal(model.body.mix.kernel[...], mix.T)
        assert model(jnp.ones((1, 2))).shape == (1, 2)


NUMBERED = """
block Stage(depth):
    input x: [B, d]
    for i in range(depth):
        x = x -> Linear(d, bias=false) as body
    return x -> PReLU as last

model Net(stages = 2, depth = 3, d = 2):
    input x: [B, d]
    for i in range(stages):
        x = x -> Stage(depth) as stages_
    return x -> Linear(1, bias=false) as head

weights Net:
    stages_[i].body[j] = "{2 - i}.layers.{(depth + 1) * i + j}"
    stages_[i].last = "layers.{(depth + 1) * i + depth}"
    head = "layers.{(depth + 1) * stages}"
"""


def test_numbers_are_computed(tmp_path: Path) -> None:
    bodies = [f"{2 - i}.layers.{4 * i + j}.weight" for i in range(2) for j in range(3)]
    tensors = {name: n + random((2, 2)) for n, name in enumerate(bodies)}
    tensors |= {f"layers.{n}.weight": n + random((1,)) for n in (3, 7)}
    tensors |= {"layers.8.weight": random((1, 2))}
    got = exchanged(NUMBERED, tensors, tmp_path)
    body = tensors["1.layers.5.weight"]
    np.testing.assert_array_equal(got["stages_.1.body.1.kernel"], body.T)


def test_numbers_are_computed_for_stacks(tmp_path: Path) -> None:
    spec = """
block Layer:
    input x: [B, d]
    param up: [3, d, d] = lecun_normal
    return x -> Linear(d, bias=false) as mlp -> relu -> einsum("b d, e d f -> b f", up)

model Net(d = 2, layers = 2):
    input x: [B, d]
    return x -> Layer * layers as h

weights Net:
    h[i].mlp = "h.{2 * i}"
    h[i].up = "h.{2 * i + 1}.{e}" -> stack
"""
    tensors = {f"h.{2 * i}.weight": i + random((2, 2)) for i in range(2)}
    for i in range(2):
        for e in range(3):
            tensors[f"h.{2 * i + 1}.{e}"] = i + e + random((2, 2))
    for stack in ("loop", "scan"):
        exchanged(spec, tensors, tmp_path, stack=stack)


def test_several_tensors_are_added(tmp_path: Path) -> None:
    spec = """
model Net(hidden = 3):
    input x: [B, 2]
    return x -> Linear(hidden) as out

weights Net from "{path}":
    out.bias = ["out.bias", "shift"] -> sum
"""
    tensors = {"out.weight": random((3, 2)), "out.bias": random((3,))}
    save_file({**tensors, "shift": np.ones(3, np.float32)}, tmp_path / "a.safetensors")
    module = module_of(spec)
    model = module.load_pretrained(tmp_path / "a.safetensors")
    np.testing.assert_array_equal(model.out.bias.get_value(), tensors["out.bias"] + 1)
    module.save_pretrained(model, tmp_path / "b.safetensors")
    saved = load_file(tmp_path / "b.safetensors")
    np.testing.assert_array_equal(saved["out.bias"], tensors["out.bias"] + 1)
    np.testing.assert_array_equal(saved["shift"], np.zeros(3))


def test_one_position_apart_from_the_others(tmp_path: Path) -> None:
    spec = """
model Net(layers = 3):
    input x: [B, 2]
    for i in range(layers):
        x = x -> Linear(2, bias=false) as h
    return x

weights Net:
    h[i] = "h.{i}"
    h[0] = "first"
"""
    names = ("first.weight", "h.1.weight", "h.2.weight")
    tensors = {name: len(name) + random((2, 2)) for name in names}
    got = exchanged(spec, tensors, tmp_path)
    np.testing.assert_array_equal(got["h.0.kernel"], tensors["first.weight"].T)


def test_state_without_a_tensor_starts_afresh(tmp_path: Path) -> None:
    spec = """
model Net(out = 3):
    input x: [B, 2]
    state calls: int[] = 7
    calls += 1
    return x -> Linear(out) as head

weights Net from "{path}"
"""
    got = exchanged(
        spec, {"head.weight": random((3, 2)), "head.bias": random((3,))}, tmp_path
    )
    assert got["calls"] == 7


# -------------------------------------------------------------------------- files


def test_dtypes(tmp_path: Path) -> None:
    for dtype in (np.float16, np.float64, jnp.bfloat16):
        path = folder(tmp_path / "a", mlp(dtype=dtype), {"width": 1, "classes": 3})
        module = module_of(MLP)
        assert module.load_pretrained(path).up.kernel.dtype == jnp.float32
        half = module.load_pretrained(path, dtype=jnp.bfloat16)
        assert half.up.kernel.dtype == jnp.bfloat16
        module.save_pretrained(half, tmp_path / "b")
        again = module.load_pretrained(
            tmp_path / "b", module.Config(), dtype=jnp.bfloat16
        )
        assert (again.up.kernel[...] == half.up.kernel[...]).all()


@pytest.mark.parametrize("linear", [True, False])
def test_one_tensor_of_layers_on_the_two_sides_of_an_if(
    tmp_path: Path, linear: bool
) -> None:
    spec = f"""
block Project(linear):
    input x: [B, H, W, C]
    if linear:
        x = x -> Linear(C) as lines
    else:
        x = x -> Conv(C, 1x1) as conv
    return x

model Net(linear = {str(linear).lower()}):
    input x: [B, 2, 2, 3]
    return x -> Project(linear) as body

weights Net from "{{path}}":
    Project.lines, Project.conv = "proj", "proj"
"""
    shape = (3, 3) if linear else (3, 3, 1, 1)
    tensors = {"body.proj.weight": random(shape), "body.proj.bias": random((3,))}
    exchanged(spec, tensors, tmp_path)


def test_several_files(tmp_path: Path) -> None:
    tensors = mlp()
    path = folder(tmp_path / "a", {}, {"width": 1, "classes": 3})
    (path / "model.safetensors").unlink()
    shards = {name: f"model-{i % 2}.safetensors" for i, name in enumerate(tensors)}
    for shard in set(shards.values()):
        part = {n: t for n, t in tensors.items() if shards[n] == shard}
        save_file(part, path / shard)
    index = path / "model.safetensors.index.json"
    index.write_text(json.dumps({"weight_map": shards}))
    for place in (path, index):
        model = module_of(MLP).load_pretrained(place)
        np.testing.assert_array_equal(
            model.up.kernel.get_value(), tensors["net.up.weight"].T
        )
    (path / "model-1.safetensors").unlink()
    with pytest.raises(ValueError, match=r"model-1\.safetensors"):
        module_of(MLP).load_pretrained(path)


def test_names_that_have_changed(tmp_path: Path) -> None:
    spec = """
model Net(d = 4):
    input x: [B, T, 2]
    return x -> Conv(d, 3, weight_norm="out") as conv -> LayerNorm as norm

weights Net from "net.{path}":
    optional "net."
    rename "*.gamma" as "*.weight", "*old.beta" as "*norm.bias"
"""
    tensors = {
        "conv.weight_g": random((4, 1, 1)),
        "conv.weight_v": random((4, 2, 3)),
        "conv.bias": random((4,)),
        "net.norm.gamma": random((4,)),
        "net.old.beta": 1 + random((4,)),
    }
    save_file(tensors, tmp_path / "old.safetensors")
    module = module_of(spec)
    model = module.load_pretrained(tmp_path / "old.safetensors")
    np.testing.assert_array_equal(model.norm.bias[...], tensors["net.old.beta"])
    module.save_pretrained(model, tmp_path / "new.safetensors")
    saved = load_file(tmp_path / "new.safetensors")
    lengths = saved["net.conv.parametrizations.weight.original0"]
    np.testing.assert_array_equal(lengths, tensors["conv.weight_g"])
    np.testing.assert_array_equal(saved["net.norm.weight"], tensors["net.norm.gamma"])


def test_names_without_what_is_optional(tmp_path: Path) -> None:
    module = module_of(MLP + '    optional "net."\n')
    for prefix in ("", "net."):
        path = folder(tmp_path / "a", mlp(prefix), {"width": 1, "classes": 3})
        module.load_pretrained(path)


def test_older_names_are_understood(tmp_path: Path) -> None:
    more = (
        '    optional "net."\n    rename "*.w" as "*.weight", "*top.*" as "*down.*"\n'
    )
    module = module_of(MLP + more)
    for prefix in ("", "net."):
        old = {
            name.replace("down", "top").replace("weight", "w"): array
            for name, array in mlp(prefix).items()
        }
        config = {"width": 1, "classes": 3}
        model = module.load_pretrained(folder(tmp_path / "a", old, config))
        module.save_pretrained(model, tmp_path / "b")
        saved = load_file(tmp_path / "b/model.safetensors")
        assert saved.keys() == mlp().keys()
        np.testing.assert_array_equal(saved["net.down.bias"], mlp()["net.down.bias"])


def test_all_that_does_not_fit_is_one_error(tmp_path: Path) -> None:
    tensors = mlp()
    del tensors["net.up.bias"]
    tensors["net.down.weight"] = random((4, 3))
    tensors["net.extra"] = random((1,))
    tensors["net.down.bias"] = np.zeros(3, np.complex64)
    path = folder(tmp_path / "a", tensors, {"width": 1, "classes": 3})
    with pytest.raises(ValueError, match="does not fit Net") as caught:
        module_of(MLP).load_pretrained(path)
    assert str(caught.value).split("\n  ")[1:] == [
        "net.down.bias is of dtype C64, which is not supported",
        "net.down.weight is [4, 3], the model needs [3, 4]",
        "net.up.bias is missing",
        "net.extra is used by nothing",
    ]


def test_corrupt_files(tmp_path: Path) -> None:
    path = folder(tmp_path / "a", mlp(), {"width": 1, "classes": 3})
    file = path / "model.safetensors"
    whole = file.read_bytes()
    for bad in (whole[:-3], whole[:20], b"", b"\xff" * 64):
        file.write_bytes(bad)
        with pytest.raises(ValueError, match=r"model\.safetensors"):
            module_of(MLP).load_pretrained(path)


def test_a_folder_of_no_or_many_checkpoints(tmp_path: Path) -> None:
    module = module_of(MLP)
    with pytest.raises(FileNotFoundError, match="has 0 checkpoints"):
        module.load_pretrained(tmp_path, module.Config())


def test_what_was_there_stays_until_all_is_written(tmp_path: Path) -> None:
    module = module_of(MLP)
    path = folder(tmp_path / "a", mlp(), {"width": 1, "classes": 3})
    model = module.load_pretrained(path)
    module.save_pretrained(model, path)
    assert sorted(p.name for p in path.iterdir()) == [
        "config.json",
        "model.safetensors",
    ]


def test_a_rule_names_variables_of_inner_blocks(tmp_path: Path) -> None:
    spec = """
block Shift:
    input x: [B, 3]
    param shift: [3] = zeros
    return x + shift

block Outer:
    input x: [B, 3]
    return x -> Shift as inner

model Net:
    input x: [B, 3]
    return x -> Outer as outer

weights Net from "net.{path}"
"""
    exchanged(spec, {"net.outer.inner.shift": random((3,))}, tmp_path)


def test_a_line_for_a_kind_has_positions_of_its_own(tmp_path: Path) -> None:
    spec = """
block Inner(depth):
    input x: [B, 3]
    for i in range(depth):
        x = x -> Linear(3, bias=false) as layer
    return x

model Net(depths = [1, 2]):
    input x: [B, 3]
    for depth in depths:
        x = x -> Inner(depth) as stages
    return x

weights Net:
    stages[i] = "stage.{i + 1}"
    Inner.layer[i] = "inner.{i}.linear"
"""
    names = ["stage.1.inner.0", "stage.2.inner.0", "stage.2.inner.1"]
    tensors = {
        f"{name}.linear.weight": random((3, 3)) + i for i, name in enumerate(names)
    }
    got = exchanged(spec, tensors, tmp_path)
    np.testing.assert_array_equal(
        got["stages.1.layer.0.kernel"], tensors["stage.2.inner.0.linear.weight"].T
    )
