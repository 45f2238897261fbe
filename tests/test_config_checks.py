"""A Config checks itself; checks of one kind are one."""

from __future__ import annotations

import dataclasses
import json
import random
from pathlib import Path
from typing import Any

import pytest
from emitting import ZOO, load, text_of
from flax import nnx

STAGES = """
block Unit(features, stride):
    input x: [B, d]
    require stride == 1 or stride == 2, "strides are 1 or 2"
    if stride != 1:
        x = x -> Linear(stride)
    return x -> Linear(features)

model Net(d = 8, extra = 2, half = 4, widths = [8, 4], strides = [2, 1], depths = [1, 1], share = 0.5, by = 2, kinds = none):
    input x: [B, d]
    require kinds == none or len(kinds) == extra, "a kind for each"
    for width, stride, depth in zip(widths, strides, depths):
        for i in range(depth):
            x = x -> Unit(width, stride) as units
    for i in range(extra):
        if kinds != none and kinds[i] == "wide":
            x = x -> Linear(d) as wide
    x = x * widths[0] * depths[1] -> Linear(divisible(d * share, by)) -> Linear(half - 2) as inner
    return x -> Linear(half // 2 + extra) as last
"""


def post_init(text: str) -> str:
    """What a Config checks of itself, in one line."""
    start = text.index("def __post_init__(self)")
    return " ".join(text[start:].split("\n\n\n")[0].split())


def test_a_config_refuses_what_its_model_cannot_be() -> None:
    module = load(text_of(STAGES))
    right = module.Config()
    for wrong, told in (
        ({"d": 0}, "sizes must be at least 1, got d=0, "),
        ({"half": 2}, "half - 2=0"),
        ({"half": 1, "extra": 0}, "half - 2=-1"),
        ({"by": 0}, "by=0"),
        ({"widths": (8,)}, "strides and depths must be as long as widths, got "),
        ({"kinds": ("wide",)}, r"a kind for each, got extra=2, kinds=\('wide',\)$"),
    ):
        with pytest.raises(ValueError, match=told):
            module.Config(**wrong)
        with pytest.raises(ValueError, match=told):
            dataclasses.replace(right, **wrong)
    for more in ({}, {"kinds": ("wide", "plain")}, {"extra": 0, "kinds": ()}):
        cfg = module.Config(**more)
        nnx.eval_shape(lambda cfg=cfg: module.Net(cfg, rngs=nnx.Rngs(0)))
    with pytest.raises(ValueError, match="strides are 1 or 2, got stride=3"):
        module.Net(module.Config(strides=(3, 1)), rngs=nnx.Rngs(0))


def test_checks_of_one_kind_are_one() -> None:
    text = text_of(STAGES)
    checks = post_init(text)
    assert checks.count("raise ValueError") == 6, checks
    for test in (
        "smallest = min( self.d, self.by, self.half - 2, self.extra + self.half // 2,",
        "lists = (self.strides, self.depths) if any(len(values) != len(self.widths)",
        "if len(self.depths) < 2:",
        "if self.kinds is not None and len(self.kinds) != self.extra:",
    ):
        assert test in checks
    constructor = text.partition("class Net(")[2].partition("def __call__")[0]
    assert "ValueError" not in constructor


def test_what_follows_is_not_checked() -> None:
    unit = text_of(STAGES).partition("class Unit(")[2].partition("class ")[0]
    assert unit.count("if stride not in (1, 2):") == unit.count("raise ValueError") == 1


def test_a_model_without_a_config_checks_its_arguments() -> None:
    spec = """
model Net(a = [4, 2], b = [4, 2], c = [1, 2]):
    input x: [B, 3]
    for i, j, k in zip(a, b, c):
        x = x -> Linear(i) -> Linear(j) -> Linear(k)
    return x
"""
    text = text_of(spec)
    assert "any(len(values) != len(a) for values in (b, c))" in text
    with pytest.raises(ValueError, match="b and c must be as long as a, got b="):
        load(text).Net(b=(1,), rngs=nnx.Rngs(0))


def test_long_checks_name_what_they_look_at() -> None:
    names = [f"kinds_of_layers_{i}" for i in range(6)]
    spec = f"""
model Net({", ".join(f"{n} = [4, 2]" for n in names)}, size_of_all = 3):
    input x: [B, size_of_all]
    for {", ".join("abcdef")} in zip({", ".join(names)}):
        x = x * {" * ".join("abcdef")} -> Linear(size_of_all)
    return x
"""
    module = load(text := text_of(spec))
    assert "lists = (" in text and "for values in lists" in text
    with pytest.raises(ValueError, match="kinds_of_layers_5 must be as long as"):
        module.Config(kinds_of_layers_1=())


WEIGHTS = """
weights Net from "{path}":
    config d = "d", hidden = "hidden", rate = "rate", depths, widths, flag
"""
READ = """
model Net(d = 4, hidden = 8, depths = [1, 2], widths = [3, 4], rate = 0.1, flag = true):
    input x: [B, d]
    for depth, width in zip(depths, widths):
        x = x * depth -> Linear(width) as layer -> Dropout(rate)
    if flag:
        x = x -> Linear(hidden // 2) as wide
    return x -> Linear(d) as out
""" + WEIGHTS


@pytest.mark.parametrize(
    ("said", "told"),
    [
        ({"hidden": 0}, "hidden=0"),
        ({"depths": [1]}, r"depths=\(1,\)"),
        ({"d": "4"}, "d would be '4', not int"),
        ({"d": None}, "d is null"),
        ({"widths": [3, "4"]}, "widths would be"),
        ({"rate": 2.0}, "rate would be 2.0, not from 0 to 1"),
    ],
)
def test_a_file_is_refused_by_its_key(said: Any, told: str, tmp_path: Path) -> None:
    pytest.importorskip("safetensors")
    module = load(text_of(READ))
    whole = {"d": 4, "hidden": 8, "depths": [1, 2], "widths": [3, 4], "rate": 0.1}
    whole |= {"flag": True}
    (tmp_path / "config.json").write_text(json.dumps(whole))
    assert module.read_config(tmp_path).hidden == 8
    (tmp_path / "config.json").write_text(json.dumps(whole | said))
    with pytest.raises(ValueError, match=told) as error:
        module.read_config(tmp_path)
    assert str(error.value).startswith(f"{tmp_path / 'config.json'} does not fit:\n")


SOME = ("detr", "efficientnet", "gemma3", "mlp_mixer", "resnet", "segformer")
TRIED = 12


def odd(value: Any, rng: random.Random) -> Any:
    """Another value of the same type, likely one that does not fit."""
    match value:
        case bool():
            return not value
        case int():
            return rng.choice((-1, 0, 1, 2, 3, 4, 7, 8))
        case float():
            return rng.choice((-1.0, 0.0, 0.5, 1.0, 2.0))
        case (first, *rest):
            changed = (odd(first, rng), *rest)
            return rng.choice((changed, tuple(rest), (*value, first)))
    return value


def shallow(name: str, value: Any) -> Any:
    """Fewer layers, where that is what a number or a list counts."""
    match value:
        case int() if "layers" in name and not isinstance(value, bool):
            return 2
        case (int(), *_) if name in ("depths", "depth"):
            return (1,) * len(value)
    return value


@pytest.mark.parametrize(
    "name",
    [
        pytest.param(p.stem, marks=() if p.stem in SOME else (pytest.mark.heavy,))
        for p in sorted(ZOO.glob("*.nnx"))
        if "\nweights " in p.read_text()
    ],
)
def test_any_numbers_make_a_model_or_one_error(name: str) -> None:
    """Whatever a Config holds is a model, or a ValueError that says why not."""
    module = load(text_of((ZOO / f"{name}.nnx").read_text(), black=False))
    if not hasattr(module, "SETTINGS"):
        return
    make, config = module.PRETRAINED.model, module.SETTINGS.config
    rng = random.Random(name)
    base = {f.name: shallow(f.name, f.default) for f in dataclasses.fields(config)}
    for _ in range(TRIED):
        some = rng.sample([n for n in base if "dtype" not in n], 2)
        given = base | {n: odd(base[n], rng) for n in some}
        try:
            cfg = config(**given)
            nnx.eval_shape(lambda cfg=cfg: make(cfg, rngs=nnx.Rngs(0)))
        except ValueError as error:
            assert str(error), given
