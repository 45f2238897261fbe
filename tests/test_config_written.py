"""A `config.json` that is written is read as the same Config, or refused by name."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from emitting import ZOO, load, text_of
from flax import nnx

pytest.importorskip("safetensors")

SPEC = """
model Net(
    d = 4, widths = [4, 4], rate = 0.1, act = gelu, bias = true, kind = false,
    theta = 2.0, window = none, heads = [1, 2], scale = 0.25, plain = 7, size = 2, share = 0.75,
):
    input x: [B, d]
    for width in widths:
        x = x -> Linear(width, bias=bias) as layer -> act -> Dropout(rate)
    x = x * theta * scale * plain * size * (1 if kind else 2) * (1 if window == none else window)
    return x * heads[0] * share

weights Net from "{path}":
    config d, widths, rate = "text.hidden_size", "widths", "rate" or rate
    config act, bias, kind = "hidden_act", not "no_bias", "kind" == "deep"
    config theta = "rope.theta" or "rope_theta" or theta
    config window, heads = "window" or none, ["encoder_heads", "decoder_heads"]
    config scale, size = 1 / sqrt("head_dim"), "size"[0] or "size" or len("sizes")
    config share = "rope.share" if ("rope.type" or none) == "part" else 1.0
    config require "model_type" in ["net", "older"], "kind" in ["deep", "flat"], "mlp_bias" == false
    config require ("rope.type" or "rope_scaling.type") in ["default", "part"]
    config require "size"[1] == "size"[0], "kinds" == ["a"] * len("widths")
    config ignore "eos_token_id"
    config write "architectures" = ["Net"], "total" = len(widths) * "text.hidden_size"
    config write "later" = 2 * "total"
"""
WRITTEN = {
    "text": {"hidden_size": 4},
    "widths": [4, 4],
    "rate": 0.1,
    "hidden_act": "gelu_new",
    "no_bias": False,
    "kind": "flat",
    "rope": {"theta": 2.0, "share": 0.75, "type": "part"},
    "window": None,
    "encoder_heads": 1,
    "decoder_heads": 2,
    "head_dim": 16,
    "size": 2,
    "model_type": "net",
    "mlp_bias": False,
    "kinds": ["a", "a"],
    "architectures": ["Net"],
    "total": 8,
    "later": 16,
}


@pytest.fixture(scope="module")
def net() -> ModuleType:
    return load(text_of(SPEC, black=False))


def config_of(net: ModuleType, cfg: Any, folder: Path, **more: Any) -> Any:
    """What is in the folder once a model of a Config is saved with it."""
    net.save_pretrained(net.Net(cfg, rngs=nnx.Rngs(0)), folder, cfg, **more)
    return json.loads((folder / "config.json").read_text())


def test_what_is_written(net: ModuleType, tmp_path: Path) -> None:
    assert config_of(net, net.Config(), tmp_path) == WRITTEN
    assert sorted(f.name for f in tmp_path.iterdir()) == [
        "config.json",
        "model.safetensors",
    ]
    assert net.read_config(tmp_path) == net.Config()


SCALED = """
model Net(depths = [1, 2]):
    input x: [B, 4]
    for depth in depths:
        for i in range(depth):
            x = x -> Linear(4) as layer
    return x

weights Net from "{path}":
    config depths = scaled("repeats", "depth")
"""


def test_what_may_be_absent_is_written_too(tmp_path: Path) -> None:
    """A computation that another value stands for where its key is absent."""
    spec = SPEC.replace('1 / sqrt("head_dim"),', '1 / sqrt("head_dim") or scale,')
    net = load(text_of(spec))
    cfg = net.Config(scale=0.125)
    assert config_of(net, cfg, tmp_path) == WRITTEN | {"head_dim": 64}
    assert net.read_config(tmp_path) == cfg


def test_null_is_no_name_of_a_kind(tmp_path: Path) -> None:
    """It is written and read where it may stand, and has to be there."""
    spec = SPEC.replace('"kind" in ["deep", "flat"]', '"kind" in ["deep", none]')
    net = load(text_of(spec))
    cfg = net.Config(d=6)
    assert config_of(net, cfg, tmp_path)["kind"] is None
    assert net.read_config(tmp_path) == cfg
    file = tmp_path / "config.json"
    said = json.loads(file.read_text())
    file.write_text(json.dumps(said | {"kind": "flat"}))
    with pytest.raises(ValueError, match="kind is 'flat', the model assumes"):
        net.read_config(tmp_path)
    del said["kind"]
    file.write_text(json.dumps(said))
    with pytest.raises(ValueError, match="kind is missing"):
        net.read_config(tmp_path)


def test_a_list_that_is_scaled(tmp_path: Path) -> None:
    """Rounded up, and written as it is, by 1; a file that already says it stays."""
    net = load(text_of(SCALED))
    like = tmp_path / "config.json"
    like.write_text('{"repeats": [1, 2, 4], "depth": 1.1}')
    cfg = net.read_config(tmp_path)
    assert cfg.depths == (2, 3, 5)
    assert net.SETTINGS.written(cfg, tmp_path) == {"repeats": [1, 2, 4], "depth": 1.1}
    other = net.Config(depths=(3, 1))
    said = net.SETTINGS.written(other, tmp_path)
    assert said == {"repeats": (3, 1), "depth": 1.0}
    assert config_of(net, other, tmp_path / "other") == json.loads(json.dumps(said))
    like.write_text('{"repeats": [1, "2"], "depth": 1.1}')
    with pytest.raises(ValueError, match="does not fit"):
        net.read_config(tmp_path)


def test_without_a_config_there_is_none(net: ModuleType, tmp_path: Path) -> None:
    net.save_pretrained(net.Net(net.Config(), rngs=nnx.Rngs(0)), tmp_path)
    assert [file.name for file in tmp_path.iterdir()] == ["model.safetensors"]


@pytest.mark.parametrize(
    "more",
    [
        {"d": 5, "widths": (1, 2, 3), "rate": 0.0, "size": 3},
        {"bias": False, "kind": True, "window": 3, "heads": (5, 6)},
        {"act": nnx.relu, "scale": 0.5, "theta": 1e4},
        {"share": 1.0},
        {"act": nnx.silu},
    ],
)
def test_a_changed_config(net: ModuleType, tmp_path: Path, more: Any) -> None:
    cfg = net.Config(**more)
    config_of(net, cfg, tmp_path)
    again = net.read_config(tmp_path)
    assert dataclasses.replace(again, act=cfg.act) == cfg
    assert net.SETTINGS.differing(cfg, net.read_settings(tmp_path)) == []


@pytest.mark.parametrize(
    ("more", "message"),
    [
        ({"plain": 8}, "plain is 8"),  # which no line reads
        ({"scale": 0.3}, "scale is 0.3"),  # of no whole number
        ({"heads": (1, 2, 3)}, r"heads is \(1, 2, 3\)"),
        ({"act": lambda x: x + 1}, "act is <function"),
        ({"bias": "no"}, "bias is 'no'"),
    ],
)
def test_what_cannot_be_written(
    net: ModuleType, tmp_path: Path, more: Any, message: str
) -> None:
    with pytest.raises(ValueError, match=f"^config.json cannot say this:\n  {message}"):
        small = net.Net(net.Config(), rngs=nnx.Rngs(0))
        net.save_pretrained(small, tmp_path, net.Config(**more))
    assert not list(tmp_path.iterdir())


def test_a_config_of_another_model(net: ModuleType, tmp_path: Path) -> None:
    """Its shapes tell: what the file says has to be what the weights beside it are."""
    small = net.Net(net.Config(), rngs=nnx.Rngs(0))
    told = r"^this is not the model's Config:\n  layer.1.bias is \(4,\), with it \(5,\)\n  layer"
    with pytest.raises(ValueError, match=told):
        net.save_pretrained(small, tmp_path, net.Config(widths=(4, 5)))
    with pytest.raises(ValueError, match=r"layer.1.kernel is .*, with it not there$"):
        net.save_pretrained(small, tmp_path, net.Config(widths=(4,)))
    many = net.Config(widths=(4,) * 40)
    with pytest.raises(ValueError, match=r"\n  and 66 more$") as error:
        net.save_pretrained(small, tmp_path, many)
    assert str(error.value).count("\n") == net.SHOWN + 1
    assert not list(tmp_path.iterdir())


def test_a_config_of_a_model_with_adapters(tmp_path: Path) -> None:
    """It is that of the model that is saved, with the adapters in its weights."""
    adapted = SPEC + """
train Net:
    batch x: [B, d]
    loss = mse(model(x), x)
    adapt lora(rank=1) on layer
    optimizer = adam(1e-3)
"""
    module = load(text_of(adapted, black=False))
    cfg = module.Config()
    model = module.create_model(cfg)
    module.create_optimizer(model)
    module.save_pretrained(model, tmp_path, cfg)
    assert json.loads((tmp_path / "config.json").read_text()) == WRITTEN
    with pytest.raises(ValueError, match="this is not the model's Config"):
        module.save_pretrained(model, tmp_path, module.Config(widths=(4, 5)))


def test_over_the_file_of_another(net: ModuleType, tmp_path: Path) -> None:
    """What that file says besides stays, as do the places where it says it."""
    base = WRITTEN | {"architectures": ["Mine"], "eos_token_id": 3, "size": [2, 2]}
    base |= {"total": 9}  # what the file says is changed with the Config
    base |= {"id2label": {"0": "a", "1": "b"}}  # which is no list
    base |= {"rope": {"share": 0.75, "type": "part"}, "rope_theta": 2.0}
    config_of(net, net.Config(), tmp_path / "base")
    (tmp_path / "base/config.json").write_text(json.dumps(base))
    (tmp_path / "base/generation_config.json").write_text('{"eos_token_id": 3}')
    place = tmp_path / "same"
    assert config_of(net, net.Config(), place, like=tmp_path / "base") == base
    cfg = net.Config(widths=(4, 4), theta=3.0, kind=True, window=5)
    found = config_of(net, cfg, tmp_path / "new", like=tmp_path / "base")
    rope = {"share": 0.75, "type": "part", "theta": 3.0}
    base |= {"total": 8, "later": 16}
    assert found == base | {"kind": "deep", "window": 5, "rope": rope}
    wider = config_of(net, net.Config(widths=(1, 2, 3)), place, like=tmp_path / "base")
    assert wider["kinds"] == ["a"] * 3  # what is required follows the Config
    sampling = (tmp_path / "new/generation_config.json").read_text()
    assert json.loads(sampling) == {"eos_token_id": 3}


def changed(value: Any) -> Iterator[Any]:
    """Other values of the same type."""
    match value:
        case bool():
            yield not value
        case int():
            yield from (value + 1, 2 * value)
        case float():
            yield value / 2
        case (first, *rest):
            yield (*value, first)
            yield from ((other, *rest) for other in changed(first))


def other(cfg: Any, name: str) -> Any:
    """The Config with another value in a field; as it is where there is none that it takes."""
    for value in changed(getattr(cfg, name)):
        with suppress(ValueError):
            return dataclasses.replace(cfg, **{name: value})
    return cfg


# Fields whose values the keys of a file cannot say, or not all of them.
UNSAID = {
    "detr": {"heads", "hidden", "depth"},  # one of the encoder, one of the decoder
    "gemma2": {"scale"},
    "gemma3": {"scale"},
}
SOME = (
    "bert",
    "encodec",
    "gemma3",
    "gpt2",
    "llama31",
    "resnet",
    "t5",
    "vit",
    "whisper",
)
FAMILIES = [
    pytest.param(p.stem, marks=() if p.stem in SOME else (pytest.mark.heavy,))
    for p in sorted(ZOO.glob("*.nnx"))
    if "\nweights " in p.read_text()
]


@pytest.mark.parametrize("name", FAMILIES)
def test_every_published_model(name: str, tmp_path: Path) -> None:
    """Its default Config, and every field of it changed, is read as it was written."""
    module = load(text_of((ZOO / f"{name}.nnx").read_text(), black=False))
    if not hasattr(module, "SETTINGS"):
        return
    table = module.SETTINGS
    cfg = table.config()
    read = {*table.settings()} - UNSAID.get(name, set())
    for field, wanted in [("", cfg), *((n, other(cfg, n)) for n in sorted(read))]:
        try:
            whole = table.written(wanted)
        except ValueError as error:
            # Fields that are read from one key, or are to be rates.
            assert any(n != field for n in named(error)) or "rate" in str(error)
            continue
        (tmp_path / "config.json").write_text(json.dumps(whole))
        assert table.read(tmp_path)
        given = module.read_settings(tmp_path)
        assert table.differing(wanted, given) == [], field


def named(error: ValueError) -> list[str]:
    """The fields that an error names."""
    return [line.split()[0] for line in str(error).splitlines()[1:]]
