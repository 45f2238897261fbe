"""What a `config.json` says is followed or refused; what comes from elsewhere is bounded."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
from emitting import load, text_of
from flax import nnx

from nnxc import driver
from nnxc.diagnostics import Sink
from nnxc.source import Source
from nnxc.syntax.formatting.format import format_source

pytest.importorskip("safetensors")
from safetensors.numpy import save_file

SPEC = """
model Net(d = 4, widths = [4, 4], rate = 0.1, size = 2, act = relu, tied = true, scale = 1.0):
    input x: [B, d]
    for width in widths:
        dropped = rate / 1
        x = x -> Linear(width, bias=false) as layer -> act -> Dropout(rate) -> Dropout(dropped)
    return (x if tied else -x) * size * scale

weights Net from "{path}":
    config d, widths, rate = "rate" or rate
    config size = "size"[0] or "size" or size, act = "act" or act
    config tied = "share" or "tied" or true, scale = "first_scale" or "scale" or scale
    config require "hidden_act" in ["silu", "swish"], "mlp_bias" == false, "size"[1] == "size"[0]
    config require ("rope.type" or "rope_scaling.type") == "default", "head_dim" == "hidden_size" // 2
    config require "kinds" == ["a"] * len("widths"), "window" in [none, 8], "limit" == inf
    config ignore "pad_token_id", "vision"
"""
GIVEN: dict[str, Any] = {"hidden_size": 4, "widths": [4, 4]}


@pytest.fixture(scope="module")
def net() -> ModuleType:
    return load(text_of(SPEC, black=False))


def written(path: Path, config: Any) -> Path:
    rows = np.random.default_rng(0).normal(size=(2, 4, 4)).astype("f4")
    tensors = {f"layer.{i}.weight": row for i, row in enumerate(rows)}
    save_file(tensors, path / "model.safetensors")
    (path / "config.json").write_text(json.dumps(config))
    return path


@pytest.mark.parametrize(
    "more",
    [
        {"hidden_act": "swish", "mlp_bias": False, "head_dim": 2, "window": None},
        {"rope": {"type": "default"}, "window": 8, "kinds": ["a", "a"]},
        {"size": [3, 3]},
        {"is_decoder": False, "use_mrope": None, "text": {"is_decoder": False}},
        {"first_scale": None, "scale": 2.0},
        {"size": 3, "limit": {"__float__": "Infinity"}},
        {"pad_token_id": 1, "vision": {"x": {"y": [1]}}, "odd": None, "none": {}},
        {
            "ctc_zero_infinity": True,
            "mask_loss_coefficient": 2,
            "init_config": {"x": 1},
        },
        {"attention_softmax_in_fp32": True, "sparse_pred_ignore_index": -1},
        {"use_cache": True, "text": {"attention_dropout": 0.5}, "id2label": {"0": "a"}},
    ],
)
def test_what_is_assumed_or_cannot_matter(
    net: ModuleType, tmp_path: Path, more: Any
) -> None:
    cfg = net.read_config(written(tmp_path, {**GIVEN, **more}))
    assert cfg.d == 4 and cfg.size == (3 if "size" in more else 2)
    assert cfg.scale == (2.0 if "scale" in more else 1.0)


def test_one_error_names_all_that_is_not_followed(
    net: ModuleType, tmp_path: Path
) -> None:
    more = {
        "hidden_act": "gelu",
        "mlp_bias": None,
        "rope_scaling": {"type": "yarn", "factor": 4.0},
        "size": [2, 3],
        "head_dim": 3,
        "kinds": ["a", "b"],
        "odd": [0, {"deep": "er"}],
        "limit": 1.0,
    }
    with pytest.raises(ValueError) as error:
        net.load_pretrained(written(tmp_path, {**GIVEN, **more}))
    assert str(error.value).splitlines()[1:] == [
        "  hidden_act is 'gelu', the model assumes 'silu' or 'swish'",
        "  mlp_bias is None, the model assumes False",
        "  size.1 is 3, the model assumes 2",
        "  rope_scaling.type is 'yarn', the model assumes 'default'",
        "  head_dim is 3, the model assumes 2",
        "  kinds is ('a', 'b'), the model assumes ('a', 'a')",
        "  limit is 1.0, the model assumes inf",
        "  rope_scaling.factor is 4.0, the model does not read it",
        "  odd.0 is 0, the model does not read it",
        "  odd.1.deep is 'er', the model does not read it",
        "  with strict=False, what the model does not read is a warning",
    ]


def test_switches_are_refused_where_they_are_on(
    net: ModuleType, tmp_path: Path
) -> None:
    on = {"is_decoder": True, "use_mrope": "yes", "text": {"use_sliding_window": True}}
    with pytest.raises(ValueError) as error:
        net.read_config(written(tmp_path, {**GIVEN, **on}), strict=False)
    assert str(error.value).splitlines()[1:] == [
        "  is_decoder is True, the model assumes False",
        "  use_mrope is 'yes', the model assumes False",
        "  text.use_sliding_window is True, the model assumes False",
    ]
    like = written(tmp_path, {**GIVEN, **on})
    saved = net.PRETRAINED.settings.written(net.Config(), like)
    assert not saved["is_decoder"] and not saved["text"]["use_sliding_window"]


IGNORED = 'config ignore "pad_token_id", "vision"'


@pytest.mark.parametrize(
    ("line", "more", "unread"),
    [
        ('config ignore "is_decoder"', {"is_decoder": True}, None),
        ('config require "is_decoder" == true', {"is_decoder": True}, None),
        ('config require "is_decoder" == true', {"is_decoder": False}, "assumes True"),
        ('config ignore "pooler_*"', {"pooler_act": "a", "pooler_n": {"x": 1}}, None),
        ('config ignore "pooler_*"', {"pooler": 1}, "pooler is 1"),
        ('config ignore "pooler_*"', {"text": {"pooler_act": 1}}, "text.pooler_act"),
        ('config ignore "*.top_k"', {"text": {"top_k": 1}}, None),
        ('config ignore "*.top_k"', {"top_k": 1}, "top_k is 1"),
        ('config ignore "h*"', {"hidden_act": "gelu"}, "the model assumes 'silu'"),
    ],
)
def test_what_a_section_says_of_keys(
    line: str, more: Any, unread: str | None, tmp_path: Path
) -> None:
    module = load(text_of(SPEC.replace(IGNORED, line), black=False))
    path = written(tmp_path, {**GIVEN, **more})
    if unread is None:
        assert module.read_config(path).d == 4
    else:
        with pytest.raises(ValueError, match=unread):
            module.read_config(path)


def test_a_config_that_is_given_stands_above_the_file(
    net: ModuleType, tmp_path: Path
) -> None:
    path = written(tmp_path, {**GIVEN, "hidden_act": "gelu"})
    net.load_pretrained(path, net.Config())


@pytest.mark.parametrize(
    ("config", "message"),
    [
        ({}, "\n  hidden_size is missing\n  widths is missing$"),
        ({**GIVEN, "hidden_size": None}, "\n  hidden_size is null$"),
        ({**GIVEN, "hidden_size": "4"}, "d would be '4', not int"),
        ({**GIVEN, "hidden_size": True}, "d would be True, not int"),
        ({**GIVEN, "widths": 4}, "widths would be 4"),
        ({**GIVEN, "widths": [4, "4"]}, "widths would be"),
        ({**GIVEN, "rate": float("nan")}, "rate would be nan"),
        ({**GIVEN, "act": "odd"}, "cannot be read: .*odd"),
        ({**GIVEN, "act": None}, "cannot be read: .*None"),
        ({**GIVEN, "act": {"a": 1}}, "cannot be read"),
        ({**GIVEN, "rate": None}, "rate would be None, not float"),
        ({**GIVEN, "rate": 10**400}, "rate would be 1000"),
        ({**GIVEN, "rate": 5}, "rate would be 5, not from 0 to 1"),
        ({**GIVEN, "rate": -0.1}, "rate would be -0.1, not from 0 to 1"),
        ({**GIVEN, "tied": None}, "tied would be None, not bool"),
        ({**GIVEN, "tied": [True]}, r"tied would be \(True,\), not bool"),
        ({**GIVEN, "first_scale": None}, "scale would be None, not float"),
        ({**GIVEN, "first_scale": None, "scale": None}, "scale would be None"),
        ({**GIVEN, "share": None, "tied": True}, "tied would be None, not bool"),
        ({**GIVEN, "x_dropout": 5}, "x_dropout is 5, not from 0 to 1"),
        ({**GIVEN, "text": {"resid_pdrop": -1}}, "resid_pdrop is -1, not from 0 to 1"),
        ({**GIVEN, "layerdrop": "0.1"}, "layerdrop is '0.1', not from 0 to 1"),
        ({**GIVEN, "attention_dropout": float("nan")}, "nan, not from 0 to 1"),
        ({**GIVEN, "a.b": 1}, "'a.b' is 1, the model does not read it"),
        ({**GIVEN, "rope.type": "default"}, "'rope.type' is 'default', the model does"),
        ({**GIVEN, "size": 2**63}, "size would be 9223372036854775808, not int"),
        ({**GIVEN, "hidden_size": 0}, "does not fit"),
        ({**GIVEN, "hidden_size": -4}, "does not fit"),
        ({**GIVEN, "widths": [4, 0]}, "does not fit"),
    ],
)
def test_odd_values(net: ModuleType, tmp_path: Path, config: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        net.load_pretrained(written(tmp_path, config))


def test_files_that_are_none(net: ModuleType, tmp_path: Path) -> None:
    path = written(tmp_path, GIVEN)
    file = path / "config.json"
    file.write_text("[" * 100_000)
    with pytest.raises(ValueError, match="is no JSON"):
        net.read_config(path)
    file.write_text('{"a":' * 900 + "1" + "}" * 900)
    with pytest.raises(ValueError, match=r"missing|deep"):
        net.read_config(path)
    os.truncate(file, 2**36)  # sparse
    with pytest.raises(ValueError, match="too large"):
        net.read_config(path)
    file.unlink()
    os.mkfifo(file)
    with pytest.raises(ValueError, match="is no file"):
        net.read_config(path)
    file.unlink()
    file.mkdir()
    with pytest.raises(ValueError, match="is no file"):
        net.read_config(path)


@pytest.mark.parametrize(
    "name", ["../model.safetensors", "/etc/passwd", "a/b", [1], ""]
)
def test_an_index_names_files_beside_it(
    net: ModuleType, tmp_path: Path, name: object
) -> None:
    path = written(tmp_path, GIVEN)
    index = path / "model.safetensors.index.json"
    index.write_text(json.dumps({"weight_map": {"layer.0.weight": name}}))
    with pytest.raises(ValueError, match="is no index of files beside it"):
        net.load_pretrained(path)


def test_saving_follows_no_link_and_leaves_nothing(
    net: ModuleType, tmp_path: Path
) -> None:
    model = net.load_pretrained(written(tmp_path, GIVEN))
    precious = tmp_path / "precious"
    precious.write_text("kept")
    place = tmp_path / "out"
    place.mkdir()
    (place / "model.safetensors").symlink_to(precious)
    (place / "model.safetensors.part").symlink_to(precious)
    net.save_pretrained(model, place)
    assert precious.read_text() == "kept"
    (place / "model.safetensors.part").unlink()
    assert [file.name for file in place.iterdir()] == ["model.safetensors"]
    del model.layer[1].kernel
    with pytest.raises(OSError, match="no space left"):
        net.write_tensors(place / "b", [net.TensorGroup([("a", "F32", [1])], broken())])
    assert [file.name for file in place.iterdir()] == ["model.safetensors"]


def broken() -> Iterator[Any]:
    yield np.ones(1, np.float32)
    raise OSError("no space left")


def test_a_percent_sign_in_a_new_name() -> None:
    text = SPEC.replace(
        "    config d", '    rename "*.a%" as "*.weight%"\n    config d', 1
    )
    module = load(text_of(text, black=False))
    assert module.current_names("x.a%", (("*.a%", "*.weight%"),)) == [
        "x.a%",
        "x.weight%",
    ]


def test_the_formatter_keeps_what_is_required() -> None:
    sink = Sink()
    assert format_source(Source("a.nnx", SPEC.lstrip()), sink) == SPEC.lstrip()


@pytest.mark.parametrize(
    ("line", "code"),
    [
        ('config require "a"', "N609"),
        ('config require "a" < 3', "N609"),
        ('config require d == "a"', "N609"),
        ('config require "a" in []', "N609"),
        ('config require "a" == 1, "a" == 2', "N603"),
        ('config require ("a" or "b") == 1, "b" == 2', "N603"),
        ('config require "a" == odd', "N607"),
        ('config ignore "a", "*.*"', "N609"),
    ],
)
def test_mistakes(line: str, code: str) -> None:
    text = SPEC.replace(IGNORED, line)
    assert [d.code for d in driver.analyse(text).diagnostics] == [code]


def test_a_parameter_may_be_called_ignore() -> None:
    text = """
model Net(ignore = 4):
    input x: [B, ignore]
    return x -> Linear(ignore) as up

weights Net from "{path}":
    config ignore = "hidden_size"
    config ignore "ignore"
"""
    (section,) = driver.analyse(text).program.weights
    assert section.config[0][0] == "ignore" and section.immaterial == ("ignore",)


DEEP = """
block Layer():
    input x: [B, d]
    return x -> Linear(d) as up -> LayerNorm as norm

model Net(d = 4, layers = 3):
    input x: [B, d]
    return x -> Layer * layers as h -> Dropout(0.5)

weights Net from "{path}":
    config d, layers = "d", "layers"
"""


@pytest.mark.parametrize("stack", ["loop", "scan"])
@pytest.mark.parametrize("more", [{"layers": 10**9}, {"d": 10**9}, {"d": 10**30}])
def test_a_model_is_bounded_by_its_file(tmp_path: Path, stack: str, more: Any) -> None:
    net = load(text_of(DEEP, black=False, stack=stack))
    model = net.Net(net.Config(), rngs=nnx.Rngs(0))
    net.save_pretrained(model, tmp_path)
    (tmp_path / "config.json").write_text(json.dumps({"d": 4, "layers": 3, **more}))
    began = time.process_time()
    with pytest.raises(ValueError):
        net.load_pretrained(tmp_path)
    assert time.process_time() - began < 10
    (tmp_path / "config.json").write_text(json.dumps({"d": 4, "layers": 3}))
    again = net.load_pretrained(tmp_path)
    x = np.ones((2, 4), "f4")
    again.eval(), model.eval()
    np.testing.assert_array_equal(again(x), model(x))
