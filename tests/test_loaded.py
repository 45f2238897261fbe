"""What `load_pretrained` gives, what it accepts and refuses, and what is saved again."""

from __future__ import annotations

import json
from pathlib import Path
from types import ModuleType
from typing import Any

import jax
import numpy as np
import pytest
from emitting import load, text_of
from flax import nnx

pytest.importorskip("safetensors")
from safetensors.numpy import load_file, save_file

ACTIVATIONS = """
model Net(d = 4, act = relu):
    input x: [B, d]
    return x -> Linear(d) as up -> act

weights Net from "{path}":
    config d = "hidden_size", act = "hidden_act"
"""


@pytest.mark.parametrize(
    "act", ["gelu", "gelu_python", "quick_gelu", "relu2", "linear"]
)
def test_models_loaded_twice_compile_once(act: str, tmp_path: Path) -> None:
    net = load(text_of(ACTIVATIONS, black=False))
    net.save_pretrained(net.Net(net.Config(), rngs=nnx.Rngs(0)), tmp_path)
    text = f'{{"hidden_size": 4, "hidden_act": "{act}"}}'
    (tmp_path / "config.json").write_text(text)
    traced = []

    @nnx.jit
    def applied(model: Any, x: jax.Array) -> jax.Array:
        traced.append(model)
        return model(x)

    first, second = (net.load_pretrained(tmp_path) for _ in range(2))
    x = np.ones((2, 4), np.float32)
    np.testing.assert_array_equal(applied(first, x), applied(second, x))
    assert len(traced) == 1 and nnx.graphdef(first) == nnx.graphdef(second)


NET = """
model Net(d = 4, vocab = 6, classes = 3, rate = 0.5, tied = true):
    input ids: int[B, T]
    embed = Embed(vocab, d)
    x = ids -> embed -> Linear(d) as up -> BatchNorm as norm -> Dropout(rate)
    y = embed.attend(x) if tied else (x -> Linear(vocab, bias=false) as lm_head)
    return y=y, logits=x -> mean(axis=1) -> Linear(classes) as classifier

weights Net from "{path}":
    config d = "hidden_size", vocab, classes, tied
"""
IDS = np.array([[0, 1, 2], [3, 4, 5]])


@pytest.fixture(scope="module")
def net() -> ModuleType:
    return load(text_of(NET, black=False))


@pytest.fixture
def saved(net: ModuleType, tmp_path: Path) -> Path:
    """A folder with a tied model of three classes."""
    cfg = net.Config()
    net.save_pretrained(net.Net(cfg, rngs=nnx.Rngs(3)), tmp_path / "net", cfg)
    return tmp_path / "net"


def changed(folder: Path, **tensors: np.ndarray | None) -> None:
    """More tensors in a checkpoint, or fewer."""
    file = folder / "model.safetensors"
    whole = load_file(file) | {n.replace("__", "."): t for n, t in tensors.items()}
    save_file({n: t for n, t in whole.items() if t is not None}, file)


def said(folder: Path, **keys: Any) -> None:
    """More keys in a `config.json`."""
    file = folder / "config.json"
    file.write_text(json.dumps(json.loads(file.read_text()) | keys))


def test_a_loaded_model_evaluates(net: ModuleType, saved: Path) -> None:
    model = net.load_pretrained(saved)
    before = nnx.to_pure_dict(nnx.state(model))
    first, second = model(IDS), model(IDS)
    np.testing.assert_array_equal(first.logits, second.logits)
    jax.tree.map(
        np.testing.assert_array_equal, before, nnx.to_pure_dict(nnx.state(model))
    )
    model.train()
    with pytest.raises(ValueError, match=r"rngs|stream"):
        model(IDS)


def test_a_copy_of_a_tied_weight_is_accepted(net: ModuleType, saved: Path) -> None:
    embedding = load_file(saved / "model.safetensors")["embed.weight"]
    changed(saved, lm_head__weight=embedding.copy())
    assert net.load_pretrained(saved)(IDS).y.shape == (2, 3, 6)


@pytest.mark.parametrize(
    ("tensor", "told"),
    [
        (np.ones((6, 4), np.float32), " and differs from embed.weight"),
        (np.ones((5, 4), np.float32), ""),
        (np.ones(4, np.float32), ""),  # as many norms' scales are
    ],
)
def test_what_is_no_copy_is_refused(
    net: ModuleType, saved: Path, tensor: np.ndarray, told: str
) -> None:
    changed(saved, lm_head__weight=tensor)
    with pytest.raises(ValueError, match=rf"lm_head.weight is used by nothing{told}$"):
        net.load_pretrained(saved)


def test_weights_of_one_value_are_no_copies(net: ModuleType, saved: Path) -> None:
    zeros = np.zeros((6, 4), np.float32)
    changed(saved, embed__weight=zeros, lm_head__weight=zeros)
    with pytest.raises(ValueError, match=r"lm_head.weight is used by nothing"):
        net.load_pretrained(saved)


def test_unknown_keys_are_a_warning_if_asked(net: ModuleType, saved: Path) -> None:
    said(saved, tuner=7, nested={"odd": 1})
    with pytest.raises(
        ValueError, match=r"tuner is 7.*\n.*nested.odd.*\n.*strict=False"
    ):
        net.load_pretrained(saved)
    with pytest.warns(UserWarning, match=r"does not read tuner, nested.odd$") as found:
        cfg = net.read_config(saved, strict=False)
    assert cfg == net.Config() and len(found) == 1
    with pytest.warns(UserWarning, match="tuner") as loading:
        net.load_pretrained(saved, strict=False)
    assert {w.filename for w in (*found, *loading)} == {__file__}
    said(saved, hidden_size="wide")
    with pytest.raises(ValueError, match="d would be 'wide'") as caught:
        net.read_config(saved, strict=False)
    assert "tuner" not in str(caught.value)


@pytest.mark.parametrize("headless", [True, False])
def test_a_new_head(net: ModuleType, saved: Path, headless: bool) -> None:
    """A file of three classes, or of no head, becomes a model of ten."""
    if headless:
        changed(saved, classifier__weight=None, classifier__bias=None)
    cfg = net.Config(classes=10)
    with pytest.raises(ValueError, match=r"classifier.weight is"):
        net.load_pretrained(saved, cfg)
    model = net.load_pretrained(saved, cfg, fresh=("classifier",))
    new = net.Net(cfg, rngs=nnx.Rngs(0))
    tensors = load_file(saved / "model.safetensors")
    np.testing.assert_array_equal(model.embed.embedding, tensors["embed.weight"])
    np.testing.assert_array_equal(model.classifier.kernel, new.classifier.kernel)
    assert model(IDS).logits.shape == (2, 10)


def test_fresh_paths_are_of_the_model(net: ModuleType, saved: Path) -> None:
    with pytest.raises(ValueError, match="classifie has no weights"):
        net.load_pretrained(saved, fresh=("classifie",))


def test_what_is_saved_is_what_is_loaded(net: ModuleType, saved: Path) -> None:
    """Also in a folder that has an index: its files would be loaded instead."""
    file = saved / "model.safetensors"
    file.rename(saved / "model-00001-of-00001.safetensors")
    weights = dict.fromkeys(["embed.weight"], "model-00001-of-00001.safetensors")
    index = saved / "model.safetensors.index.json"
    index.write_text(json.dumps({"weight_map": weights}))
    model = net.load_pretrained(saved)
    with pytest.raises(
        ValueError, match=r"another checkpoint.*\n  model.safetensors.ind"
    ):
        net.save_pretrained(model, saved)
    assert not file.exists()
    index.unlink()
    net.save_pretrained(model, saved)
    net.load_pretrained(saved)


def test_labels_of_another_number_are_not_kept(net: ModuleType, saved: Path) -> None:
    labels = {str(i): f"label {i}" for i in range(3)}
    said(saved, id2label=labels, label2id={v: int(k) for k, v in labels.items()})
    file = json.loads((saved / "config.json").read_text())
    del file["num_labels"]
    (saved / "config.json").write_text(json.dumps(file))
    for classes, kept in ((3, True), (10, False)):
        cfg = net.Config(classes=classes)
        model = net.Net(cfg, rngs=nnx.Rngs(0))
        net.save_pretrained(model, saved.parent / "new", cfg, like=saved)
        found = json.loads((saved.parent / "new/config.json").read_text())
        assert ("id2label" in found, "label2id" in found) == (kept, kept)
        assert net.read_config(saved.parent / "new") == cfg


def test_an_integer_tensor_is_told_by_dtypes(net: ModuleType, saved: Path) -> None:
    changed(saved, up__bias=np.zeros(4, np.int32))
    told = (
        "up.bias is of dtype I32, the model needs a floating-point dtype, such as F32"
    )
    with pytest.raises(ValueError, match=told):
        net.load_pretrained(saved)


def test_lists_of_tensors_end(net: ModuleType, saved: Path) -> None:
    """What is missing, and what is used by nothing, each after so many."""
    names = list(load_file(saved / "model.safetensors"))
    odd = {f"odd_{i}": np.ones(1, np.float32) for i in range(13)}
    changed(saved, **odd, **{names[0].replace(".", "__"): None})
    with pytest.raises(ValueError, match="does not fit") as caught:
        net.load_pretrained(saved)
    lines = str(caught.value).split("\n  ")[1:]
    assert lines[0] == f"{names[0]} is missing"
    assert lines[1:] == [
        *(f"{n} is used by nothing" for n in sorted(odd)[:10]),
        "and 3 more",
    ]


def test_a_config_is_of_its_class(net: ModuleType, saved: Path) -> None:
    with pytest.raises(TypeError, match="cfg must be a Config, not a value of type di"):
        net.load_pretrained(saved, {"d": 4})
    model = net.load_pretrained(saved)
    with pytest.raises(TypeError, match="cfg must be a Config, not a value of type di"):
        net.save_pretrained(model, saved, {"d": 4})


@pytest.mark.parametrize("name", ["config.json", "new.json", "notes.txt"])
def test_a_checkpoint_is_no_other_file(net: ModuleType, saved: Path, name: str) -> None:
    (saved / "notes.txt").write_text("")
    model = net.load_pretrained(saved)
    with pytest.raises(ValueError, match=f"{name} is neither a folder nor a safetens"):
        net.save_pretrained(model, saved / name)
