"""Kinds of state: a class for each, which no optimizer trains and whatever holds state keeps."""

from __future__ import annotations

from pathlib import Path
from types import ModuleType
from typing import Any

import jax.numpy as jnp
import numpy as np
import pytest
from emitting import load, text_of
from flax import nnx
from safetensors.numpy import load_file, save_file

import nnxc
from nnxc.driver import reformat

BLOCK = """
block Count(start = 0):
    input x: [B, d]
    # How often it was called.
    state calls: int[] = start as Counter
    state mean: [d] = zeros as BatchStat, shift: [d] = 0.5
    param scale: [d] = ones
    calls += 1
    mean = 0.5 * mean + 0.5 * sum(x, axis=0)
    return scale * x + shift - stop_gradient(mean)
"""
SPEC = f"""{BLOCK}
model Net(d = 4, depth = 3):
    input x: [B, d]
    state seen: [] = 0 as Counter
    seen += 1
    return x -> Linear(d) as fc -> Count * depth as counts
"""
TRAIN = """
train Net:
    batch x: [B, d], y: [B, d]
    loss = mse(model(x), y)
    optimizer = adam(1e-2)
"""


def built(spec: str, **options: Any) -> ModuleType:
    return load(text_of(spec, **options))


def kind(model: nnx.Module, of: Any) -> dict[str, np.ndarray]:
    """The values of one kind of variable, by path."""
    state = nnx.to_flat_state(nnx.state(model, of))
    return {".".join(map(str, path)): np.asarray(v[...]) for path, v in state}


def test_each_kind_is_a_class() -> None:
    module = built(SPEC)
    model = module.Net(rngs=nnx.Rngs(0))
    assert kind(model, module.Counter).keys() == {
        "seen",
        *(f"counts.{i}.calls" for i in range(3)),
    }
    assert kind(model, nnx.BatchStat).keys() == {f"counts.{i}.mean" for i in range(3)}
    assert kind(model, module.Buffer).keys() == {f"counts.{i}.shift" for i in range(3)}
    assert "counts.0.scale" in kind(model, nnx.Param)
    assert not issubclass(module.Counter, nnx.Param | nnx.BatchStat)
    text = text_of(SPEC)
    assert text.count("class Counter(nnx.Variable[jax.Array])") == 1
    doc = "How often it was called.\n\nState that no optimizer trains: `calls` of Count; `seen` of\nNet."
    assert " ".join(module.Counter.__doc__.split()) == " ".join(doc.split())


def test_what_names_no_kind_is_a_buffer() -> None:
    spec = "model Net:\n    input x: [B, 2]\n    state a: [2] = 1{}\n    return x + a\n"
    assert text_of(spec.format("")) == text_of(spec.format(" as Buffer"))
    # A block of that name keeps it.
    block = "block Buffer:\n    input x: [B, d]\n    return x -> Linear(d)\n\n"
    module = built(block + spec.format("").replace("x + a", "(x -> Buffer) + a"))
    assert isinstance(module.Net(rngs=nnx.Rngs(0)).buffer, module.Buffer)
    assert issubclass(module.Buffer, nnx.Module)


@pytest.mark.parametrize("stack", ["loop", "scan"])
@pytest.mark.parametrize("more", ["", "    ema = 0.5\n", "    freeze fc\n"])
def test_a_step_keeps_what_the_model_assigns(stack: str, more: str) -> None:
    module = built(SPEC + TRAIN + more, stack=stack)
    model = module.create_model()
    optimizer = module.create_optimizer(model)
    objects = [model, optimizer, *([module.create_ema(model)] if "ema" in more else [])]
    begun = {k: kind(model, k) for k in (module.Counter, nnx.BatchStat, module.Buffer)}
    x = jnp.arange(8.0).reshape(2, 4)
    for _ in range(3):
        module.train_step(*objects, x, -x)
    for name, calls in kind(model, module.Counter).items():
        assert (calls == begun[module.Counter][name] + 3).all()
    for name, mean in kind(model, nnx.BatchStat).items():
        assert (mean != begun[nnx.BatchStat][name]).all()
    for name, shift in kind(model, module.Buffer).items():
        assert (shift == begun[module.Buffer][name]).all()
    # Moments are kept of weights alone.
    trained = nnx.state(optimizer, nnx.optimizer.OptState)
    names = {str(p) for path, _ in nnx.to_flat_state(trained) for p in path}
    assert "scale" in names
    assert not names & {"calls", "mean", "shift", "seen"}
    if "ema" in more:
        paths = nnx.to_flat_state(nnx.state(objects[-1].params)).paths
        averaged = {name for path in paths for name in path}
        assert "mean" in averaged and not averaged & {"calls", "shift", "seen"}
    # Evaluation counts nothing.
    before = kind(model, module.Counter)
    module.eval_step(model, x, -x)
    after = kind(model, module.Counter)
    assert all((before[name] == after[name]).all() for name in before)


def test_the_trainer_steps_likewise() -> None:
    module = built(SPEC + TRAIN)
    model = module.create_model()
    trainer = module.Trainer(module.train_step, model, module.create_optimizer(model))
    x = jnp.ones((2, 4))
    for _ in range(2):
        trainer.step(x, -x)
    assert {int(v) for v in kind(model, module.Counter).values()} == {2}


def test_weights_hold_every_kind(tmp_path: Path) -> None:
    section = """
weights Net from "{path}":
    counts[i].mean = "counts.{i}.running_mean"
    counts[i].calls = "counts.{i}.num_batches_tracked"
    counts[i].shift = "counts.{i}.shift"
    counts[i].scale = "counts.{i}.weight"
    seen = "seen"
"""
    module = built(SPEC + section)
    tensors = {
        "fc.weight": np.eye(4, dtype=np.float32),
        "fc.bias": np.ones(4, np.float32),
    }
    tensors["seen"] = np.full((), 7, np.float32)
    for i in range(3):
        tensors[f"counts.{i}.running_mean"] = np.full(4, i + 1, np.float32)
        tensors[f"counts.{i}.num_batches_tracked"] = np.array(10 + i, np.int32)
        tensors[f"counts.{i}.shift"] = np.full(4, 3, np.float32)
        tensors[f"counts.{i}.weight"] = np.full(4, 2, np.float32)
    save_file(tensors, tmp_path / "model.safetensors")
    model = module.load_pretrained(tmp_path)
    assert kind(model, module.Counter)["counts.2.calls"] == 12
    assert (kind(model, nnx.BatchStat)["counts.1.mean"] == 2).all()
    assert (kind(model, module.Buffer)["counts.0.shift"] == 3).all()
    module.save_pretrained(model, tmp_path / "saved")
    saved = load_file(next((tmp_path / "saved").glob("*.safetensors")))
    assert saved.keys() == tensors.keys()
    for name, tensor in tensors.items():
        np.testing.assert_array_equal(saved[name], tensor)


def test_files_share_a_kind() -> None:
    part = "block Part:\n    input x: [B, d]\n    state n: int[] = 0 as Counter\n    n += 1\n    return x + astype(n, float)\n"
    spec = 'use Part from "part.nnx"\n\nmodel Net:\n    input x: [B, 2]\n    state m: int[] = 0 as Counter\n    m += 1\n    return (x -> Part) + astype(m, float)\n'
    output = nnxc.compile(
        spec, path="net.nnx", read={"part.nnx": part.encode()}.__getitem__
    )
    assert output.ok, output.diagnostics
    text = output.files["net.py"]
    assert text.count("(nnx.Variable[jax.Array])") == 1
    assert "`n` of Part; `m` of Net" in text


HEAD = "model Net(d = 4):\n    input x: [B, d]\n"


@pytest.mark.parametrize(
    "line, code, said",
    [
        ("state m: [d] = 0 as Net", "N202", "Net"),
        ("state m: [d] = 0 as Other", "N202", "Other"),
        ("state m: [d] = 0 as Config", "N203", "Config"),
        ("state m: [d] = 0 as Param", "N203", "Param"),
        ("state m: [d] = 0 as RngKey", "N203", "RngKey"),
        ("state m: [d] = 0 as buffer", "N140", "buffer"),
        ("param m: [d] = 0 as Codebook", "N215", "Codebook"),
        ("state = x -> Linear(d) as Codebook\n    m = state", "N141", "Codebook"),
    ],
)
def test_what_is_no_kind_is_told_once(line: str, code: str, said: str) -> None:
    other = "block Other:\n    input x: [B, d]\n    return x -> Linear(d)\n\n"
    spec = f"{other}{HEAD}    {line}\n    return (x -> Other) + m\n"
    found = nnxc.compile(spec).diagnostics
    assert [(d.code, d.primary.span.text) for d in found] == [(code, said)]
    if found[0].fix is not None:
        assert nnxc.compile(_fixed(spec, found[0].fix)).ok


def _fixed(spec: str, fix: Any) -> str:
    return spec[: fix.span.start] + fix.text + spec[fix.span.end :]


def test_fmt_keeps_kinds() -> None:
    lines = [
        "    state a: [d] = 0 as Codes, b: [d] = 1",
        "    state c: [d] = (arange(d) -> astype(float)) as Codes",
    ]
    spec = HEAD + "\n".join(lines) + "\n    return x + a + b + c\n"
    text, found = reformat(spec.replace(" as ", "   as   "))
    assert not found and text == spec
    bare = spec.replace("(arange(d) -> astype(float))", "arange(d) -> astype(float)")
    assert reformat(bare)[0] == spec
    assert text_of(spec).count("= Codes(jnp") == 2
