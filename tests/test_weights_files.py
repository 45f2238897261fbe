"""Checkpoints on disk: where weights go, what memory that takes, what is said of damaged files."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx
from test_weights import MLP, Tensors, exchanged, folder, mlp, module_of, random

import nnxc

pytest.importorskip("safetensors")
from safetensors.numpy import load_file, save_file

CONFIG = {"width": 1, "classes": 3}


def run(code: str, *args: object, **environment: str) -> str:
    env = {**os.environ, "JAX_PLATFORMS": "cpu", **environment}
    command = [sys.executable, "-c", code, *map(str, args)]
    done = subprocess.run(command, env=env, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def built(tmp_path: Path, spec: str) -> Path:
    """A folder in which `net` can be imported."""
    (tmp_path / "net.nnx").write_text(spec)
    assert nnxc.build([str(tmp_path / "net.nnx")], str(tmp_path)).ok
    return tmp_path


# ----------------------------------------------------------------- where weights lie

SHARDED = """
import sys
sys.path.insert(0, sys.argv[1])
import jax, net, numpy as np
from flax import nnx
from jax.sharding import Mesh, NamedSharding, PartitionSpec as P
assert len(jax.devices()) == 4
mesh = Mesh(np.array(jax.devices()).reshape(2, 2), ("data", "model"))
whole = NamedSharding(mesh, P())
split = NamedSharding(mesh, P(None, "model"))
model = net.load_pretrained(sys.argv[1], sharding=whole, dtype="bfloat16")
assert all(v.sharding == whole for v in jax.tree.leaves(nnx.state(model)))
assert model.up.kernel.dtype == "bfloat16"
places = {"up.kernel": split, "down.kernel": split.__class__(mesh, P("data"))}
model = net.load_pretrained(sys.argv[1], sharding=places.get)
for path, place in places.items():
    layer, name = path.split(".")
    weight = getattr(getattr(model, layer), name)
    assert weight.sharding == place, weight.sharding
    assert len(weight.get_value().addressable_shards) == 4
assert model.calls.get_value() == 7
net.save_pretrained(model, sys.argv[1] + "/again")
"""


def test_weights_lie_where_they_are_to(tmp_path: Path) -> None:
    spec = """
model Net(hidden = 4, out = 4):
    input x: [B, 2]
    state calls: int[] = 7
    calls += 1
    return x -> Linear(hidden) as up -> relu -> Linear(out) as down

weights Net from "{path}"
"""
    path = built(tmp_path, spec)
    tensors = {
        "up.weight": random((4, 2)),
        "up.bias": random((4,)),
        "down.weight": random((4, 4)),
        "down.bias": random((4,)),
    }
    save_file(tensors, path / "model.safetensors")
    run(SHARDED, path, XLA_FLAGS="--xla_force_host_platform_device_count=4")
    saved = load_file(path / "again/model.safetensors")
    assert saved.keys() == tensors.keys()
    for name, tensor in tensors.items():
        np.testing.assert_array_equal(saved[name], tensor)


# ---------------------------------------------------------------------------- memory

LARGE = """
block Layer(heads):
    input x: [B, T, d]
    x += x -> Attention(heads, bias=false) as attn
    return x + (x -> Linear(4 * d, bias=false) as up -> gelu -> Linear(d, bias=false) as down)

model Net(vocab = 16_000, d = 768, layers = 5):
    input ids: int[B, T]
    wte = Embed(vocab, d)
    return wte(ids) -> Layer(4) * layers as h -> wte.attend

weights Net from "{path}":
    h[i].attn.query, h[i].attn.key, h[i].attn.value = "h.{i}.qkv" -> transpose -> split
"""
MEASURED = """
import sys
sys.path.insert(0, sys.argv[1])
import net
small = net.load_pretrained(sys.argv[1] + "/small", net.Config(vocab=8, d=16, layers=1))
net.save_pretrained(small, sys.argv[1] + "/small")
for step in ("load", "save"):
    print("ready", flush=True), input()
    if step == "load":
        model = net.load_pretrained(sys.argv[1] + "/large")
    else:
        net.save_pretrained(model, sys.argv[1] + "/again")
    print("done", flush=True), input()
"""
MIB = 2**20


def large(vocab: int, d: int, layers: int) -> Tensors:
    shapes = {"wte.weight": (vocab, d)}
    for i in range(layers):
        shapes[f"h.{i}.qkv.weight"] = (d, 3 * d)
        shapes[f"h.{i}.attn.out.weight"] = (d, d)
        shapes[f"h.{i}.up.weight"] = (4 * d, d)
        shapes[f"h.{i}.down.weight"] = (d, 4 * d)
    return {name: np.ones(shape, np.float32) for name, shape in shapes.items()}


class Watched:
    """The memory of a process that no file backs, in MiB; how much it is at most."""

    def __init__(self, pid: int):
        self.status, self.peak = Path(f"/proc/{pid}/status"), 0.0
        self.done = threading.Event()
        self.thread = threading.Thread(target=self.watch)
        self.thread.start()

    def now(self) -> float:
        lines = self.status.read_text().splitlines()
        (line,) = (line for line in lines if line.startswith("RssAnon"))
        return int(line.split()[1]) / 1024

    def watch(self) -> None:
        while not self.done.is_set():
            self.peak = max(self.peak, self.now())

    def above(self) -> float:
        """Ends the watch: how much the peak was above what is needed now."""
        self.done.set()
        self.thread.join()
        return self.peak - self.now()


@pytest.mark.skipif(
    not Path("/proc/self/status").exists(), reason="needs Linux's /proc"
)
def test_memory_is_that_of_the_model_and_one_tensor(tmp_path: Path) -> None:
    path = built(tmp_path, LARGE)
    for name, tensors in (("small", large(8, 16, 1)), ("large", large(16_000, 768, 5))):
        (path / name).mkdir()
        save_file(tensors, path / name / "model.safetensors")
    largest = max(tensor.nbytes for tensor in tensors.values()) / MIB
    assert sum(tensor.nbytes for tensor in tensors.values()) > 180 * MIB
    with subprocess.Popen(
        [sys.executable, "-c", MEASURED, path],
        env={**os.environ, "JAX_PLATFORMS": "cpu"},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as child:
        assert child.stdin and child.stdout
        for step in ("load", "save"):
            assert child.stdout.readline() == "ready\n"
            watched = Watched(child.pid)
            print(file=child.stdin, flush=True)
            assert child.stdout.readline() == "done\n"
            above = watched.above()
            print(file=child.stdin, flush=True)
            assert above < largest + 10, (step, above, largest)
    assert child.returncode == 0


# ---------------------------------------------------------------------------- dtypes

NUMBERS = """
model Net(n = 4):
    input x: [B, n]
    state small: i8[n] = 0
    state short: i16[n] = 0
    state whole: int[n] = 0
    state bytes: u8[n] = 0
    state natural: u32[n] = 0
    state on: bool[n] = zeros
    return x * astype(small + short + whole + bytes + natural, float) -> Linear(n) as head

weights Net from "{path}":
    small, short, whole, bytes, natural, on = "small", "short", "whole", "bytes", "natural", "on"
"""


def test_whole_numbers(tmp_path: Path) -> None:
    tensors: Tensors = {"head.weight": random((4, 4)), "head.bias": random((4,))}
    kinds = {
        "small": "i1",
        "short": "i2",
        "whole": "i4",
        "bytes": "u1",
        "natural": "u4",
    }
    for name, kind in kinds.items():
        tensors[name] = np.array([0, 1, 2, np.iinfo(kind).max], kind)
    tensors["on"] = np.array([True, False, True, True])
    spec = NUMBERS.replace("astype(small +", "astype(astype(on, int) + small +")
    exchanged(spec, tensors, tmp_path)


@pytest.mark.parametrize("given", ["float16", "bfloat16", "float32", "float64"])
@pytest.mark.parametrize("wanted", ["float16", "bfloat16", "float32", "float64"])
def test_every_dtype_from_every_other(tmp_path: Path, given: str, wanted: str) -> None:
    module = module_of(MLP)
    tensors = mlp(dtype=jnp.dtype(given))
    path = folder(tmp_path / "a", tensors, CONFIG)
    with jax.enable_x64(True):
        model = module.load_pretrained(path, dtype=wanted)
        assert {str(v.dtype) for v in jax.tree.leaves(nnx.state(model))} == {wanted}
        module.save_pretrained(model, tmp_path / "b")
    saved = load_file(tmp_path / "b/model.safetensors")
    for name, tensor in tensors.items():
        assert saved[name].dtype == jnp.dtype(wanted)
        np.testing.assert_array_equal(saved[name], tensor.astype(wanted))


def test_weights_are_no_whole_numbers(tmp_path: Path) -> None:
    tensors = mlp() | {"net.up.bias": np.arange(4)}
    path = folder(tmp_path / "a", tensors, CONFIG)
    with pytest.raises(ValueError, match=r"net\.up\.bias is of dtype I64, the model"):
        module_of(MLP).load_pretrained(path)


# ----------------------------------------------------------------------------- files


def sharded(path: Path, tensors: Tensors, **shards: Tensors) -> Path:
    """A folder of several files and their index."""
    path.mkdir()
    for shard, part in shards.items():
        save_file(part, path / f"{shard}.safetensors")
    place = {n: f"{s}.safetensors" for s, part in shards.items() for n in part}
    index = {"weight_map": {name: place.get(name, "b.safetensors") for name in tensors}}
    (path / "model.safetensors.index.json").write_text(json.dumps(index))
    (path / "config.json").write_text(json.dumps(CONFIG))
    return path


def test_a_tensor_in_two_files(tmp_path: Path) -> None:
    tensors = mlp()
    first = dict(list(tensors.items())[:2])
    path = sharded(tmp_path / "a", tensors, a=tensors, b=first)
    with pytest.raises(
        ValueError, match=r"b\.safetensors: net\.up\.(.|\n)*is there twice"
    ):
        module_of(MLP).load_pretrained(path)


def test_files_of_an_index_that_are_not_there(tmp_path: Path) -> None:
    tensors = mlp()
    path = sharded(tmp_path / "a", tensors, a=dict(list(tensors.items())[:2]))
    with pytest.raises(ValueError, match=r"cannot be read:\n.*b\.safetensors"):
        module_of(MLP).load_pretrained(path)


@pytest.mark.parametrize(
    "text",
    ["", "{", "[]", "{}", '{"weight_map": 3}', '{"weight_map": {"a": 3}}', "\udcff"],
)
def test_an_index_that_is_none(tmp_path: Path, text: str) -> None:
    path = sharded(tmp_path / "a", mlp(), a=mlp())
    index = path / "model.safetensors.index.json"
    index.write_bytes(text.encode("utf-8", "surrogateescape"))
    with pytest.raises(ValueError, match=r"is no index of files|is no JSON"):
        module_of(MLP).load_pretrained(path)


@pytest.mark.parametrize("name", ["nowhere", "nowhere.safetensors", "a.index.json"])
def test_a_path_that_is_not_there(tmp_path: Path, name: str) -> None:
    module = module_of(MLP)
    with pytest.raises(FileNotFoundError, match=f"there is no checkpoint .*{name}"):
        module.load_pretrained(tmp_path / name)
    with pytest.raises(FileNotFoundError, match=f"there is no checkpoint .*{name}"):
        module.load_pretrained(tmp_path / name, module.Config())


def test_the_checkpoint_among_other_files(tmp_path: Path) -> None:
    path = folder(tmp_path / "a", mlp(), CONFIG)
    (path / "model.safetensors").rename(path / "diffusion_pytorch_model.safetensors")
    module = module_of(MLP)
    module.load_pretrained(path)
    save_file({"x": random((1,))}, path / "grad.safetensors")
    module.load_pretrained(path)
    (path / "diffusion_pytorch_model.safetensors").rename(path / "weights.safetensors")
    with pytest.raises(FileNotFoundError, match="has 2 checkpoints, not one"):
        module.load_pretrained(path)


def damaged(header: dict[str, Any], data: bytes = b"") -> bytes:
    head = json.dumps(header).encode()
    return len(head).to_bytes(8, "little") + head + data


@pytest.mark.parametrize(
    "content",
    [
        damaged({"a": {"dtype": "F32", "shape": [2], "data_offsets": [0, 8]}}, b"1234"),
        damaged(
            {"a": {"dtype": "F32", "shape": [3], "data_offsets": [0, 8]}}, b"12345678"
        ),
        damaged(
            {"a": {"dtype": "F32", "shape": [2], "data_offsets": [8, 16]}}, b"0" * 16
        ),
        damaged(
            {"a": {"dtype": "F99", "shape": [2], "data_offsets": [0, 8]}}, b"0" * 8
        ),
        damaged({"a": 3}),
        (2**40).to_bytes(8, "little") + b"{}",
        b"\x02\0\0\0\0\0\0\0{]",
        b"PK\x03\x04 a pickle, perhaps",
    ],
)
def test_damaged_headers(tmp_path: Path, content: bytes) -> None:
    path = folder(tmp_path / "a", mlp(), CONFIG)
    (path / "model.safetensors").write_bytes(content)
    with pytest.raises(ValueError, match=r"cannot be read:\n.*model\.safetensors"):
        module_of(MLP).load_pretrained(path)


def test_what_no_weight_takes_is_copied(tmp_path: Path) -> None:
    spec = """
model Net(d = 3):
    input x: [B, d]
    return x -> BatchNorm as bn -> Linear(d) as head

weights Net from "{path}":
    ignore "*.odd"
"""
    names = ("bn.weight", "bn.bias", "bn.running_mean", "bn.running_var", "head.bias")
    tensors = {name: random((3,)) for name in names} | {"head.weight": random((3, 3))}
    more = {
        "bn.num_batches_tracked": np.array(12),
        "x.odd": np.array([True]),
    }
    save_file(tensors | more, tmp_path / "a.safetensors")
    module = module_of(spec)
    model = module.load_pretrained(tmp_path / "a.safetensors")
    module.save_pretrained(model, tmp_path / "b", like=tmp_path / "a.safetensors")
    saved = load_file(tmp_path / "b/model.safetensors")
    assert saved.keys() == (tensors | more).keys()
    for name, tensor in (tensors | more).items():
        assert saved[name].dtype == tensor.dtype and saved[name].shape == tensor.shape
        np.testing.assert_array_equal(saved[name], tensor)


# ------------------------------------------------------------------------ config.json


@pytest.mark.parametrize(
    ("text", "error", "message"),
    [
        (None, FileNotFoundError, "config.json is not there"),
        ("{", ValueError, "is no JSON"),
        ("\udcff", ValueError, "is no JSON"),
        ("[1]", ValueError, "is no JSON object"),
        ("{}", ValueError, "width is missing"),
        ('{"width": null, "classes": 3}', ValueError, "width is null"),
        ('{"sizes": 3, "width": 1}', ValueError, "classes is missing"),
        ('{"width": "1", "classes": 3}', ValueError, "hidden would be '1111', not int"),
        ('{"width": 1.5, "classes": 3}', ValueError, r"hidden would be 6\.0, not int"),
        ('{"width": true, "classes": true}', ValueError, "out would be True, not int"),
        (
            '{"width": [1], "classes": {}}',
            ValueError,
            r"\n.*hidden.*\n.*out would be {}",
        ),
        (
            '{"width": {}, "classes": 3}',
            ValueError,
            "cannot be read: unsupported operand",
        ),
    ],
)
def test_config_json_that_does_not_fit(
    tmp_path: Path, text: str | None, error: type[Exception], message: str
) -> None:
    path = folder(tmp_path / "a", mlp(), CONFIG)
    config = path / "config.json"
    config.unlink()
    if text is not None:
        config.write_bytes(text.encode("utf-8", "surrogateescape"))
    with pytest.raises(error, match=message) as caught:
        module_of(MLP).load_pretrained(path)
    assert str(config) in str(caught.value)


def test_all_kinds_of_settings(tmp_path: Path) -> None:
    spec = """
model Net(sizes = [2, 2], kind = "a", deep = true, rate = 0.5, window = none, act = relu, patch = 4):
    input x: [B, sizes[0]]
    if deep and kind == "b":
        x = x * rate
    if window != none:
        x = x * patch
    return x -> Linear(sizes[1]) as head -> act

weights Net from "{path}":
    config sizes, kind, deep, rate = "a.sizes", "kind", "deep", "rate"
    config window, act = "window" or none, "act"
    config patch = "patch"[0] or "patch"
    config require "patch"[1] == "patch"[0]
"""
    module = module_of(spec)
    config = {
        "a": {"sizes": [3, 4]},
        "kind": "b",
        "deep": False,
        "rate": 1,
        "act": "tanh",
    }
    tensors = {"head.weight": random((4, 3)), "head.bias": random((4,))}
    for patch in ([5, 5], 5):
        path = folder(tmp_path / "a", tensors, {**config, "patch": patch})
        cfg = module.read_config(path)
        assert (cfg.sizes, cfg.kind, cfg.deep, cfg.rate) == ((3, 4), "b", False, 1)
        assert (cfg.window, cfg.act, cfg.patch) == (None, nnx.tanh, 5)
        module.load_pretrained(path)
