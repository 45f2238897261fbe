"""Adapters: only they train, files are PEFT's, and merged they are part of the weights."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from emitting import load, text_of
from flax import nnx
from safetensors.numpy import load_file, save_file

import nnxc

BLOCKS = """
block Attn(heads, dim):
    input x: [B, T, d]
    q = x -> Linear(heads, dim) as q_proj
    k = x -> Linear(heads, dim) as k_proj
    v = x -> Linear(heads, dim) as v_proj
    return attend(q, k, v) -> Linear(d, over=[heads, dim]) as o_proj

block Layer(heads, dim):
    input x: [B, T, d]
    x += x -> LayerNorm as norm -> Attn(heads, dim) as attn
    return x + (x -> Linear(2 * d) as up -> relu -> Linear(d) as down)

model Net(d = 8, depth = 2, classes = 3):
    input x: [B, T, d]
    x = x -> Layer(2, 4) * depth as layers -> mean(axis=T)
    return x -> Linear(classes) as head
"""
TRAIN = """
train Net:
    batch x: [B, T, d], y: int[B]
    loss = cross_entropy(model(x), y)
    optimizer = adam(3e-2)
    adapt lora(rank=4, alpha=8) on attn.q_proj, o_proj, down, head
"""
X = jnp.asarray(np.random.default_rng(0).normal(size=(12, 5, 8)), jnp.float32)
Y = jnp.arange(12) % 3


@pytest.fixture(scope="module")
def module() -> ModuleType:
    return load(text_of(BLOCKS + TRAIN))


@pytest.fixture(params=[True, False], ids=["graph mode", "tree mode"])
def mode(request: pytest.FixtureRequest) -> Iterator[bool]:
    with nnx.set_graph_mode(request.param):
        yield request.param


def held(model: nnx.Module) -> dict[tuple, np.ndarray]:
    """Copies of all that a model has."""
    state = nnx.to_flat_state(nnx.state(model))
    return {path: np.array(leaf[...]) for path, leaf in state}


def trained(module: ModuleType, model: nnx.Module, steps: int = 5) -> list[float]:
    """The losses of some steps."""
    optimizer = module.create_optimizer(model)
    return [float(module.train_step(model, optimizer, X, Y)[0]) for _ in range(steps)]


def test_new_adapters_change_nothing(module: ModuleType, mode: bool) -> None:
    plain = module.Net(rngs=nnx.Rngs(0))
    before = plain(X)
    model = module.add_adapters(plain, seed=3)
    assert model is plain
    np.testing.assert_array_equal(model(X), before)
    kinds = [type(layer) for _, layer in nnx.iter_modules(model)]
    assert kinds.count(module.LoRA) == 7
    module.add_adapters(model)
    assert len(module.adapters_of(model)) == 7


@pytest.mark.parametrize("dtype", [jnp.float32, jnp.bfloat16])
def test_only_adapters_move(
    module: ModuleType, mode: bool, dtype: jax.typing.DTypeLike
) -> None:
    model = module.create_model()
    for path, leaf in nnx.to_flat_state(nnx.state(model, nnx.Param)):
        if not path[-1].startswith("lora"):
            leaf[...] = leaf[...].astype(dtype)
    nnx.update(model, nnx.state(model))
    before = held(model)
    losses = trained(module, model)
    assert losses[-1] < 0.9 * losses[0]
    after = held(model)
    for path, value in before.items():
        same = value.tobytes() == after[path].tobytes()
        assert same != path[-1].startswith("lora"), path


def test_the_kernels_below_may_be_int8(module: ModuleType, mode: bool) -> None:
    plain = module.Net(rngs=nnx.Rngs(0))
    before, kernels = plain(X), held(plain)
    model = module.add_adapters(plain, int8=True)
    np.testing.assert_allclose(model(X), before, atol=0.03 * float(jnp.std(before)))
    old = held(model)
    int8 = {p: v for p, v in old.items() if v.dtype == np.int8}
    assert len(int8) == 7 and all(p[-1] == "kernel" for p in int8)
    losses = trained(module, model)
    assert losses[-1] < 0.9 * losses[0]
    for path, value in held(model).items():
        assert path[-1].startswith("lora") or (value == old[path]).all(), path
    merged = module.merge_adapters(model)
    np.testing.assert_allclose(merged(X), model(X), atol=1e-5)
    assert {p: v.shape for p, v in held(merged).items()} == {
        p: v.shape for p, v in kernels.items()
    }


def test_a_step_compiles_once(module: ModuleType) -> None:
    model = module.create_model()
    optimizer = module.create_optimizer(model)
    trainer = module.Trainer(module.train_step, model, optimizer)
    losses = [float(trainer.step(X, Y)[0]) for _ in range(3)]
    assert trainer.run._cache_size() == 1
    np.testing.assert_allclose(losses, trained(module, module.create_model(), 3), 1e-4)
    assert float(module.eval_step(model, X, Y)[0]) < losses[-1]


def test_merged_is_plain_and_computes_the_same(module: ModuleType, mode: bool) -> None:
    model = module.create_model()
    trained(module, model)
    before = held(model)
    merged = module.merge_adapters(model)
    np.testing.assert_allclose(merged(X), model(X), atol=1e-5)
    fresh = held(module.Net(rngs=nnx.Rngs(0)))
    assert held(merged).keys() == fresh.keys()
    for path, value in held(model).items():
        np.testing.assert_array_equal(value, before[path])


def test_files_hold_adapters(module: ModuleType, tmp_path: Path, mode: bool) -> None:
    model = module.create_model()
    trained(module, model)
    module.save_adapters(model, tmp_path)
    other = module.load_adapters(module.Net(rngs=nnx.Rngs(0)), tmp_path)
    np.testing.assert_array_equal(other(X), model(X))
    tensors = load_file(tmp_path / "adapter_model.safetensors")
    stem = "base_model.model.layers.1.attn.o_proj"
    assert tensors[f"{stem}.lora_A.weight"].shape == (4, 8)
    assert tensors[f"{stem}.lora_B.weight"].shape == (8, 4)
    assert len(tensors) == 14
    config = json.loads((tmp_path / "adapter_config.json").read_text())
    assert config["target_modules"] == ["down", "head", "o_proj", "q_proj"]
    assert (config["peft_type"], config["r"], config["lora_alpha"]) == ("LORA", 4, 8)


def test_files_that_do_not_fit_are_refused(module: ModuleType, tmp_path: Path) -> None:
    model = module.create_model()
    module.save_adapters(model, tmp_path)
    file = tmp_path / "adapter_model.safetensors"
    tensors = load_file(file)
    tensors["base_model.model.other.lora_A.weight"] = tensors.pop(
        "base_model.model.head.lora_A.weight"
    )
    save_file(tensors, file)
    config = tmp_path / "adapter_config.json"
    config.write_text(config.read_text().replace('"lora_alpha": 8', '"lora_alpha": 4'))
    before = held(model)
    with pytest.raises(ValueError, match="lora_alpha is 4, not 8") as caught:
        module.load_adapters(model, tmp_path)
    assert "head.lora_A.weight is missing" in str(caught.value)
    assert "other.lora_A.weight is used by nothing" in str(caught.value)
    for path, value in held(model).items():
        np.testing.assert_array_equal(value, before[path])


def test_scanned_stacks_become_loops() -> None:
    assert text_of(BLOCKS + TRAIN, stack="scan") == text_of(BLOCKS + TRAIN)


LLAMA = Path(__file__).parents[1] / "dsl/nnxc/zoo/pretrained/llama.nnx"
TINY = {"vocab": 11, "d": 8, "layers": 2, "heads": 2, "kv_heads": 1, "head_dim": 4}


@pytest.fixture(scope="module")
def llama() -> ModuleType:
    spec = LLAMA.read_text()
    assert spec.count("    decays kernel\n") == 1
    adapted = "    adapt lora on q_proj, o_proj\n"
    return load(text_of(spec.replace("    decays kernel\n", adapted)))


def test_names_are_those_of_the_checkpoint(llama: ModuleType, tmp_path: Path) -> None:
    model = llama.create_model(llama.Config(**TINY, hidden=12))
    for _, layer in llama.adapters_of(model):
        layer.lora_b[...] += 0.1
    llama.save_adapters(model, tmp_path / "adapters")
    llama.save_pretrained(model, tmp_path / "merged")
    tensors = load_file(tmp_path / "adapters/adapter_model.safetensors")
    stem = "base_model.model.model.layers.1.self_attn"
    assert tensors[f"{stem}.q_proj.lora_A.weight"].shape == (8, 8)
    config = json.loads((tmp_path / "adapters/adapter_config.json").read_text())
    assert config["target_modules"] == ["o_proj", "q_proj"]
    merged = load_file(tmp_path / "merged/model.safetensors")
    for name in ("q_proj", "o_proj"):
        a, b = (tensors[f"{stem}.{name}.lora_{k}.weight"] for k in "AB")
        layer = getattr(model.layers[1].attention, name)
        outs = 8
        kernel = np.array(layer.base.kernel[...]).reshape(-1, outs).T
        whole = merged[f"model.layers.1.self_attn.{name}.weight"]
        np.testing.assert_allclose(whole, kernel + 2.0 * b @ a, atol=1e-6)


def test_an_adapted_model_generates(llama: ModuleType) -> None:
    model = llama.create_model(llama.Config(**TINY, hidden=12))
    for _, layer in llama.adapters_of(model):
        layer.lora_b[...] += 0.1
    plain = llama.merge_adapters(model)
    made = [llama.generate(m, [[1, 2, 3]], max_new_tokens=5) for m in (model, plain)]
    assert made[0] == made[1]


def test_adapters_of_several_models_with_statistics_and_precision() -> None:
    spec = """
block Inner(w):
    input x: [B, d]
    return x -> BatchNorm -> Linear(w) as fc -> Dropout(0.1)

model A(w = 8, depth = 3):
    input x: [B, 8]
    x = x -> Linear(8) * depth as lin -> Inner(w) * depth as inner
    return x -> Linear(2) as base

model LoRA(w = 8):
    input x: [B, 8]
    return x -> Inner(w) as adapt -> Linear(2) as head
"""
    for name, paths in (("A", "lin, inner.fc, base"), ("LoRA", "adapt.fc")):
        spec += f"""
train {name}:
    batch x: [B, 8], y: int[B]
    loss = cross_entropy(model(x), y)
    optimizer = adam(1e-2)
    precision = bf16
    ema = 0.9
    adapt lora on {paths}
"""
    module = load(text_of(spec))
    model = module.create_model_a()
    assert len(module.adapters_of(model)) == 7
    optimizer = module.create_optimizer_a(model)
    ema, rngs = module.create_ema_a(model), module.create_rngs_a()
    x, y = X[:, 0], Y % 2
    before = held(model)
    module.train_step_a(model, optimizer, ema, rngs, x, y)
    moved = {p[-1] for p, v in held(model).items() if (v != before[p]).any()}
    assert "lora_b" in moved and not moved & {"kernel", "bias", "scale"}
    assert len(module.adapters_of(module.create_model_lo_ra())) == 1


def test_a_loaded_model_is_adapted(llama: ModuleType, tmp_path: Path) -> None:
    cfg = llama.Config(**TINY, hidden=12)
    model = llama.create_model(cfg)
    for _, layer in llama.adapters_of(model):
        layer.lora_b[...] += 0.1
    llama.save_adapters(model, tmp_path / "adapters")
    plain = llama.Llama(cfg, rngs=nnx.Rngs(0))
    llama.save_pretrained(plain, tmp_path)
    loaded = llama.load_pretrained(tmp_path, cfg)
    llama.load_adapters(loaded, tmp_path / "adapters")
    ids = jnp.arange(6).reshape(1, 6)
    np.testing.assert_array_equal(loaded(ids).logits, model(ids).logits)


WRONG = [
    ("lora on q_pro", "N511", "did you mean `q_proj`?"),
    ("lora on layers.attn.k", "N511", None),
    ("lora on norm", "N516", "a `Linear` can be"),
    ("lora on attn", "N516", "layers.attn.q_proj"),
    ("lora on head[0]", "N510", None),
    ("lora on head, head", "N202", None),
    ("lorra on head", "N508", "did you mean `lora`?"),
    ("lora(rank=0) on head", "N507", None),
    ("lora(rank=d) on head", "N514", None),
    ("lora on head\n    adapt lora on down", "N517", None),
    ("lora on head\n    freeze down", "N517", None),
]


def test_a_layer_lost_by_a_mistake_is_not_missed_too() -> None:
    spec = (BLOCKS + TRAIN).replace("as attn", "-> Droput(0.1) as attn")
    found = nnxc.compile(spec, path="net.nnx").diagnostics
    assert [d.code for d in found] == ["N200"]


@pytest.mark.parametrize(("line", "code", "help"), WRONG)
def test_what_cannot_be_adapted_is_refused(
    line: str, code: str, help: str | None
) -> None:
    spec = BLOCKS + TRAIN.split("    adapt")[0] + f"    adapt {line}\n"
    found = nnxc.compile(spec.encode(), path="spec.nnx").diagnostics
    assert [d.code for d in found] == [code]
    assert help is None or help in str(found[0].help)


def test_adapters_go_over_loaded_weights(tmp_path: Path) -> None:
    spec = """
model Net(d = 4):
    input x: [B, d]
    return x -> Linear(d) as up -> relu -> Linear(d) as down

weights Net from "{path}"

train Net:
    batch x: [B, d], y: [B, d]
    loss = mse(model(x), y)
    optimizer = adam(1e-3)
    adapt lora(rank=2, alpha=4) on up
"""
    net = load(text_of(spec))
    plain = net.create_model(seed=1)
    net.save_pretrained(plain, tmp_path / "plain")
    model = net.add_adapters(net.load_pretrained(tmp_path / "plain"))
    model.up.lora_b[...] += 0.1
    net.save_adapters(model, tmp_path / "adapters")
    net.save_pretrained(model, tmp_path / "merged")
    again = net.load_pretrained(tmp_path / "plain")
    net.load_adapters(again, tmp_path / "adapters")
    x = jnp.ones((2, 4))
    wanted = model(x)
    assert not np.allclose(plain(x), wanted)
    np.testing.assert_allclose(again(x), wanted)
    np.testing.assert_allclose(
        net.load_pretrained(tmp_path / "merged")(x), wanted, rtol=1e-6
    )


def test_saving_adapters_follows_no_link_and_leaves_nothing(
    module: ModuleType, tmp_path: Path
) -> None:
    model = module.add_adapters(module.Net(rngs=nnx.Rngs(0)))
    precious, place = tmp_path / "precious", tmp_path / "out"
    precious.write_text("kept")
    place.mkdir()
    names = ["adapter_config.json", "adapter_model.safetensors"]
    for name in names:
        (place / name).symlink_to(precious)
    module.save_adapters(model, place)
    assert precious.read_text() == "kept"
    assert sorted(file.name for file in place.iterdir()) == names
    assert not any(file.is_symlink() for file in place.iterdir())
    module.load_adapters(model, place)
