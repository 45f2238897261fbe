"""Blocks and layers as arguments: each choice makes a class that runs."""

from __future__ import annotations

import jax.numpy as jnp
import pytest
from emitting import class_of, load, program, text_of
from flax import nnx

import nnxc

SPEC = """
block Basic(features, stride = 1):
    input x: [B, H, W, C]
    y = x -> Conv(features, 3x3, stride=stride) -> relu
    if stride != 1 or C != features:
        x = x -> Conv(features, 1x1, stride=stride) as shortcut
    return x + y

block Bottleneck(features, stride = 1):
    input x: [B, H, W, C]
    y = x -> Conv(features, 1x1) -> relu -> Conv(features, 3x3, stride=stride)
        -> Conv(4 * features, 1x1)
    if stride != 1 or C != 4 * features:
        x = x -> Conv(4 * features, 1x1, stride=stride) as shortcut
    return x + y

block Stage(block, depth, features, norm = LayerNorm):
    input x: [B, H, W, C]
    x = x -> block(features, stride=2) as first
    for i in range(depth - 1):
        x = x -> block(features)
    return x -> norm

model ResNet(block = Basic, depths = [2, 2], classes = 10):
    input x: [B, H, W, 3]
    for i, depth in enumerate(depths):
        x = x -> Stage(block, depth, 2 ** i * 8, norm=RMSNorm)
    return x -> mean(axis=[H, W]) -> Linear(classes)

config deep = ResNet(block=Bottleneck, depths=[2, 3])
"""


def test_each_choice_makes_a_definition() -> None:
    names = {d.name for d in program(SPEC).definitions}
    assert names == {
        "Basic", "Bottleneck", "BasicRMSNormStage", "BottleneckRMSNormStage", "ResNet",
        "BottleneckResNet",
    }  # fmt: skip
    assert program(SPEC).configs[0].model == "BottleneckResNet"


@pytest.mark.heavy
def test_the_classes_run() -> None:
    module = load(text_of(SPEC))
    x = jnp.ones((2, 16, 16, 3))
    plain = module.ResNet(rngs=nnx.Rngs(0))
    deep = module.BottleneckResNet(module.DEEP, rngs=nnx.Rngs(0))
    assert plain(x).shape == deep(x).shape == (2, 10)
    assert isinstance(plain.stage[0].norm, nnx.RMSNorm)
    assert deep.stage[1].block[1].conv_3.kernel.shape == (1, 1, 16, 64)


def test_layers_are_named_after_the_parameter() -> None:
    text = class_of(SPEC, "BottleneckRMSNormStage")
    assert "self.norm = nnx.RMSNorm(4 * features" in text and "self.block = " in text


def test_an_axis_as_an_argument_is_no_block() -> None:
    spec = """
block Inner(width):
    input x: [B, C]
    return x -> Linear(width)

model Net(norm = LayerNorm):
    input x: [B, 4]
    return x -> Outer(norm)

block Outer(norm):
    input x: [B, C]
    return x -> Inner(C) -> norm
"""
    names = [d.name for d in program(spec).definitions]
    assert names == ["Inner", "LayerNormOuter", "Net"]


def test_patterns_of_another_file() -> None:
    parts = SPEC.split("\nmodel")[0]
    main = (
        'use Stage, Basic from "parts.nnx"\n\nmodel Net:\n    input x: [B, H, W, 3]\n'
    )
    main += "    return x -> Stage(Basic, 1, 8) -> Stage(norm=RMSNorm, block=Basic, depth=2, features=4)\n"
    output = nnxc.compile(main.encode(), path="s.nnx", read=lambda _: parts.encode())
    assert not output.diagnostics
    net = load(next(iter(output.files.values()))).Net(rngs=nnx.Rngs(0))
    assert net(jnp.ones((1, 8, 8, 3))).shape == (1, 2, 2, 4)


OTHER = """
model Other:
    input x: [B, H, W, 3]
    return x -> Stage(Basic, 1, 8)
"""


@pytest.mark.parametrize(
    ("old", "new", "code"),
    [
        ("block=Bottleneck", "block=Bottlenek", "N200"),
        ("block=Bottleneck", "block=3", "N207"),
        ("block=Bottleneck", "block=Stage", "N207"),
        ("Stage(block, depth, 2", "Stage(depth=depth, features=2", "N211"),
        ("-> norm", "-> LayerNorm", "N260"),
        ("norm = LayerNorm", "norm = LayrNorm", "N200"),
        ("Conv(features, 3x3, stride=stride)", "Cnv(features, 3x3)", "N200"),
        ("block(features)", "block(features, 2, 3)", "N205"),
        ("return x -> norm", "return x -> norm -> Basic", "N211"),
        ("return x -> norm", "return x -> norm -> Stage", "N211"),
    ],
)
def test_mistakes_are_told_at_their_place(old: str, new: str, code: str) -> None:
    text = SPEC.replace(old, new)
    if "depth=depth" in new:
        text = text.replace("model ResNet(block = Basic, ", "model ResNet(")
        text = text.replace("block=Bottleneck, ", "") + OTHER
    codes = {d.code for d in nnxc.compile(text.encode(), path="s.nnx").diagnostics}
    assert codes == {code}
