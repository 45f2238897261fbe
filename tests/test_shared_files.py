"""The shared modules of files: what they write, read and refuse, without a generated module."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

from tests.importing import TEMPLATES

sys.path.append(str(TEMPLATES))

import nnx_adapters as adapters
import nnx_checkpoints as checkpoints
import nnx_configs as configs
import nnx_generation as generation

pytest.importorskip("safetensors")
from safetensors.numpy import load_file, save_file

RNG = np.random.default_rng(0)


def normal(*shape: int) -> np.ndarray:
    return RNG.normal(size=shape).astype(np.float32)


# -------------------------------------------------------------------- checkpoints


def test_json_files(tmp_path: Path) -> None:
    file = tmp_path / "some.json"
    file.write_text('{"a": {"__float__": "Infinity"}, "b": [1]}')
    assert checkpoints.read_json(file) == {"a": float("inf"), "b": [1]}
    for text in ("[1]", "{", '{"a": ' + "[" * 10**5, "\udcff"):
        file.write_text(text, errors="surrogateescape")
        with pytest.raises(ValueError, match="is no JSON"):
            checkpoints.read_json(file)
    with pytest.raises(ValueError, match="is no file"):
        checkpoints.read_json(tmp_path)
    with pytest.raises(ValueError, match=r"wrong:\n  a\n  b"):
        checkpoints.raise_problems("wrong:", iter("ab"))
    checkpoints.raise_problems("nothing", [])


def test_the_files_of_a_folder(tmp_path: Path) -> None:
    def files() -> list[str]:
        return [file.name for file in checkpoints.checkpoint_files(tmp_path)]

    with pytest.raises(FileNotFoundError, match="has 0 checkpoints"):
        files()
    (tmp_path / "b.safetensors").touch()
    assert files() == ["b.safetensors"]
    (tmp_path / "a.safetensors").touch()
    with pytest.raises(FileNotFoundError, match="has 2 checkpoints"):
        files()
    (tmp_path / "model.safetensors").touch()
    assert files() == ["model.safetensors"]
    index = {"weight_map": {"x": "b.safetensors", "y": "a.safetensors"}}
    (tmp_path / "model.safetensors.index.json").write_text(json.dumps(index))
    assert files() == ["a.safetensors", "b.safetensors"]
    assert checkpoints.local_path(tmp_path) == tmp_path
    assert checkpoints.beside(tmp_path / "a.safetensors", "c") == tmp_path / "c"


def test_tensors_by_the_names_of_a_model(tmp_path: Path) -> None:
    path = tmp_path / "model.safetensors"
    save_file({"old.x": normal(3, 2), "y": np.arange(3)}, path)
    files = checkpoints.open_files(path)
    tensors = checkpoints.index_tensors(files, {"new.x"}, (("old.*", "new.*"),))
    assert tensors.keys() == {"new.x", "y"}
    x = tensors["new.x"]
    assert (x.name, x.shape, x.dtype) == ("old.x", [3, 2], "F32")
    np.testing.assert_array_equal(x.read()[:1], x.first())
    renamed = (("a.*", "b.*"), ("b.*.c", "*"))
    assert checkpoints.current_names("a.1.c", renamed) == ["a.1.c", "b.1.c", "1"]
    assert checkpoints.is_ignored("bn.num_batches_tracked", ())
    assert checkpoints.is_ignored("head.w", ("head.*",))
    assert not checkpoints.is_ignored("head.w", ())
    save_file({"new.x": normal(3, 2), "old.x": normal(3, 2)}, path)
    with pytest.raises(ValueError, match=r"new\.x is there twice"):
        files = checkpoints.open_files(path)
        checkpoints.index_tensors(files, {"new.x"}, (("old.*", "new.*"),))


def test_a_file_of_all_dtypes_is_read_by_the_library(tmp_path: Path) -> None:
    arrays = {
        "scalar": np.array(2.5, np.float16),
        "empty": np.zeros((0, 3), np.float32),
        "wide": np.arange(6).reshape(2, 3),
        "large": normal(3, 400_000),
        "flags": np.array([True, False, True]),
        "last": np.array([1, 2, 3], np.int8),
    }
    groups = []
    for name, array in arrays.items():
        dtype = checkpoints.DTYPES[array.dtype.name]
        entries = [(name, dtype, [*array.shape])]
        groups.append(checkpoints.TensorGroup(entries, iter([array])))
    path = tmp_path / "model.safetensors"
    checkpoints.write_tensors(path, groups)
    read = load_file(path)
    assert read.keys() == arrays.keys()
    for name, array in arrays.items():
        assert read[name].dtype == array.dtype
        np.testing.assert_array_equal(read[name], array)
    blocks = [*checkpoints.byte_blocks(arrays["large"])]
    assert len(blocks) > 1
    assert b"".join(b.tobytes() for b in blocks) == arrays["large"].tobytes()
    assert [file.name for file in tmp_path.iterdir()] == ["model.safetensors"]


def test_rngs_of_a_dry_run_end() -> None:
    rngs = checkpoints.LimitedRngs(3)
    keys = [rngs.params(), rngs.dropout(), rngs["params"]()]
    assert len({key.unsafe_buffer_pointer() for key in keys}) == 3
    rngs.params()
    with pytest.raises(ValueError, match="too few tensors"):
        rngs.params()


# ------------------------------------------------------------------------ settings


def test_settings_by_dotted_keys() -> None:
    whole = {"a": {"b": 1, "c": [2, {"d": 3}]}, "e": None, "f": [], "on": 1}
    given = configs.Settings(Path("config.json"), whole)
    assert given["a.b"] == 1 and given["a.c.1.d"] == 3 and given["f"] == ()
    assert given.single.keys() == {"a.b", "a.c.0", "a.c.1.d", "e", "f", "on"}
    assert given.says("e") and "e" not in given
    assert given.first("x", "a.b") == 1
    assert given.either("x", "a.b", default=7) == 1
    assert given.either("x", "y", default=7) == 7
    assert given.either("e", default=7) is None
    assert not given.missing
    assert given["x"] == given.first("y", "z") == 1
    assert given.missing == ["x", "y or z"]
    assert given.on("on") and given.odd == ["on is 1, not true or false"]
    assert given.place("a.c.-1") == "a.c.1"
    given.put({"a.b": 5, "g.h": 6, "i.0": 7, "a.c.0": 8})
    assert given.whole["a"] == {"b": 5, "c": [8, {"d": 3}]}
    assert given.whole["g"] == {"h": 6} and given.whole["i"] == [7]
    assert given["g.h"] == 6


def test_types_of_fields() -> None:
    for value, kind in (
        (1, float),
        (1.5, float),
        (None, int | None),
        ((1, 2), tuple[int, ...]),
    ):
        assert configs.has_type(value, kind)
    for value, kind in (
        (True, int),
        (1, bool),
        (1.5, int),
        (2**63, int),
        (float("nan"), float),
    ):
        assert not configs.has_type(value, kind)
    assert not configs.has_type((1, "a"), tuple[int, ...])
    assert configs.accepts(int | None, int) and not configs.accepts(float, int)
    assert configs.is_rate(0) and configs.is_rate(1.0) and not configs.is_rate(1.5)
    assert configs.frozen([1, [2]]) == (1, (2,))


def test_names_of_keys() -> None:
    assert configs.split_keys("a b") == ["a", "b"] and configs.split_keys(("a b",)) == (
        "a b",
    )
    assert configs.is_called("x.hidden_dropout", ("*dropout",))
    assert configs.is_called("dropout.p", ("dropout",))
    assert not configs.is_called("dropouts", ("dropout",))
    assert configs.covers({"a"}, "a.b") and configs.covers({"a.0"}, "a")
    assert not configs.covers({"a.b"}, "a")


def test_activations_by_name() -> None:
    for name, function in configs.ACTIVATIONS.items():
        assert configs.activation_named(name) is function
        found = configs.activation_name(lambda x, f=function: f(x))
        assert configs.is_same(configs.ACTIVATIONS[found], function)
    assert configs.activation_name(nnx.gelu) == "gelu_new"
    with pytest.raises(ValueError, match="not one of relu"):
        configs.activation_named("cosine")
    with pytest.raises(ValueError, match="has no name"):
        configs.activation_name(jnp.cos)
    assert configs.is_same(0.3, 1 - 0.7) and not configs.is_same(0.3, 0.30001)


# ---------------------------------------------------------------------- generation


def test_options_of_generate_come_and_go(tmp_path: Path) -> None:
    file = tmp_path / "generation_config.json"
    for options in (
        {"stop": (1, 2), "max_new_tokens": 5},
        {"stop": (3,), "temperature": 0.5, "top_k": 4, "top_p": 0.9},
        {"stop": (), "temperature": 1.0, "top_k": None, "top_p": None},
    ):
        file.write_text(json.dumps(generation.generation_config(options)))
        assert generation.read_generation_config(tmp_path) == options
    file.write_text(
        '{"do_sample": false, "num_beams": 4, "top_k": 1.5, "pad_token_id": 3}'
    )
    with pytest.raises(ValueError) as error:
        generation.read_generation_config(tmp_path)
    told = str(error.value)
    assert "num_beams is 4" in told and "top_k is 1.5" in told and "pad" not in told
    with pytest.raises(TypeError, match="no option heat"):
        generation.generation_config({"heat": 1.0})
    file.write_text('{"num_beams": 1, "top_k": 9, "pad_token_id": 3}')
    content = generation.generation_config({"temperature": 2.0}, tmp_path)
    assert content["pad_token_id"] == 3 and content["top_k"] == 0
    file.unlink()
    (tmp_path / "config.json").write_text('{"eos_token_id": [7, 8], "num_beams": 4}')
    assert generation.read_generation_config(tmp_path) == {"stop": (7, 8)}


# ------------------------------------------------------------------------ adapters


class Net(nnx.Module):
    """Linear layers in a list, and one to heads."""

    def __init__(self) -> None:
        rngs = nnx.Rngs(0)
        self.layers = nnx.List([nnx.Linear(4, 4, rngs=rngs) for _ in range(2)])
        self.head = nnx.LinearGeneral((2, 2), (3, 2), axis=(-2, -1), rngs=rngs)

    def __call__(self, x: Any) -> Any:
        for layer in self.layers:
            x = layer(x)
        return self.head(x.reshape(-1, 2, 2))


X = normal(5, 4)
NAMES = ("layers", "head")
SETTINGS = {"peft_type": "LORA", "r": 2, "lora_alpha": 4.0}


@pytest.mark.parametrize("int8", [False, True])
def test_adapters_begin_at_nothing_and_merge(int8: bool, tmp_path: Path) -> None:
    plain = Net()
    model = adapters.adapt(Net(), NAMES, 2, 4.0, 0, int8)
    tolerance = {"atol": 0.1} if int8 else {"rtol": 1e-5, "atol": 1e-6}
    np.testing.assert_allclose(model(X), plain(X), **tolerance)
    found = adapters.adapters_of(model)
    assert [path for path, _ in found] == [("head",), ("layers", 0), ("layers", 1)]
    for _, layer in found:
        assert layer.scale == 2.0 and isinstance(layer.base, adapters.Int8) == int8
        layer.lora_b[...] = normal(*layer.lora_b.shape)
    y = model(X)
    assert not np.allclose(y, plain(X), atol=0.2)
    merged = adapters.merge_adapters(model)
    assert not adapters.adapters_of(merged) and isinstance(
        merged.head, nnx.LinearGeneral
    )
    np.testing.assert_allclose(merged(X), y, rtol=1e-4, atol=1e-4)
    np.testing.assert_array_equal(model(X), y)  # it stays as it is
    assert adapters.adapt(model, NAMES, 2, 4.0, 1, int8) is model
    assert adapters.adapters_of(model) == found
    names = adapters.own_names(adapters.merge_adapters(model))
    adapters.write_adapters(model, tmp_path, names, SETTINGS)
    config = json.loads((tmp_path / "adapter_config.json").read_text())
    assert config["target_modules"] == ["head", "layers.0", "layers.1"]
    again = adapters.adapt(Net(), NAMES, 2, 4.0, 5, int8)
    read = adapters.read_adapters(again, tmp_path, names, SETTINGS)
    own = [w[...] for _, layer in found for w in (layer.lora_a, layer.lora_b)]
    for one, other in zip(read, own, strict=True):
        np.testing.assert_array_equal(one, other)
    with pytest.raises(ValueError, match="r is 2, not 3"):
        adapters.read_adapters(again, tmp_path, names, {**SETTINGS, "r": 3})
    (tmp_path / "adapter_model.safetensors").unlink()
    save_file({"x": X}, tmp_path / "adapter_model.safetensors")
    with pytest.raises(ValueError, match=r"is missing(.|\n)*x is used by nothing"):
        adapters.read_adapters(again, tmp_path, names, SETTINGS)


def test_modules_that_files_name() -> None:
    names = {(i,): (name, None) for i, name in enumerate(["a.q", "a.k", "b.q", "b.k"])}
    assert adapters.target_modules(["a.q", "b.q"], names) == ["q"]
    assert adapters.target_modules(["a.q"], names) == ["a.q"]
