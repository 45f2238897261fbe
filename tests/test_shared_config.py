"""Blocks that read the parameters of their model take its Config."""

from __future__ import annotations

import inspect
from typing import Any

import jax
import jax.numpy as jnp
import pytest
from emitting import class_of, load, text_of
from flax import nnx
from test_groups import BY_HAND, BY_NAME

SMALL = """
block Up(*Net, wide, bias = true):
    input x: [B, T, d], y: [B, T, e]
    return x -> Linear(wide * hidden, bias=bias) as up -> relu -> Linear(d) as down, y -> Linear(d)

block Layer(*Net):
    input x: [B, T, d]
    y, z = x -> Up(2, y=x) as first
    u, v = x -> Up(3, bias=false, y=x) as second
    return y + z + u + v

model Net(d = 4, hidden = 8):
    input x: [B, T, d]
    return x -> Layer * 2 as layers
"""


def construct(spec: str, name: str, **options: Any) -> str:
    """The constructor of a class, without its line ends."""
    text = class_of(spec, name, **options).partition("def __call__")[0]
    return " ".join(text.split())


def test_a_block_takes_the_config_first() -> None:
    head = "def __init__( self, cfg: Config, e: int, wide: int, bias: bool = True, *, rngs: nnx.Rngs ):"
    assert head in construct(SMALL, "Up")
    assert "Linear(d, hidden * wide, use_bias=bias, **dtypes" in construct(SMALL, "Up")


def test_callers_hand_it_on() -> None:
    layer = construct(SMALL, "Layer")
    assert "def __init__(self, cfg: Config, *, rngs: nnx.Rngs):" in layer
    assert "self.first = Up(cfg, cfg.d, 2, rngs=rngs)" in layer.replace(
        "(cfg, d,", "(cfg, cfg.d,"
    )
    assert "bias=False, rngs=rngs)" in layer
    assert "dtype" not in layer
    assert "[Layer(cfg, rngs=rngs) for _ in range(2)]" in construct(SMALL, "Net")


def test_a_model_of_few_parameters_gets_a_config() -> None:
    module = load(text_of(SMALL))
    assert [*inspect.signature(module.Net.__init__).parameters] == [
        "self",
        "cfg",
        "rngs",
    ]
    made = module.Net(module.Config(d=6, dtype=jnp.bfloat16), rngs=nnx.Rngs(0))
    assert made.layers[0].first.up.kernel.shape == (6, 16)
    assert made(jnp.ones((1, 2, 6))).dtype == jnp.bfloat16


def same(spec: str, model: str, given: Any, **options: Any) -> None:
    """A spec by name gives what the same spec by hand does, of the same weights."""
    by_hand = (
        BY_HAND
        + "\n"
        + BY_NAME[BY_NAME.index("model Net") :].replace(
            "Layer(i, mask=mask)",
            "Layer(d, hidden, norm, act, bias, scale, widths, dropout, i, mask=mask)",
        )
    )
    x = jax.random.normal(jax.random.key(0), (2, 3, 4))
    results = []
    for text in (spec, by_hand):
        module = load(text_of(text, **options))
        cfg = given(module)
        made = getattr(module, model)(cfg, rngs=nnx.Rngs(0))
        results.append((made(x, rngs=nnx.Rngs(1)), nnx.state(made, nnx.Param)))
    (one, ours), (other, theirs) = results
    assert jnp.array_equal(one, other)
    assert jax.tree.all(jax.tree.map(jnp.array_equal, ours, theirs))


@pytest.mark.parametrize("stack", ["loop", "scan"])
def test_the_values_are_those_of_what_is_handed_on_by_hand(stack: str) -> None:
    same(BY_NAME, "Net", lambda module: module.NetConfig(bias=False), stack=stack)
    same(BY_NAME, "RMSNormNet", lambda module: module.RMS, stack=stack)


def test_scanned_stacks_and_copies() -> None:
    text = """
block Expert(*Net):
    input x: [B, d]
    return x -> Linear(hidden) -> Linear(d)

block Layer(*Net):
    input x: [B, d]
    y = concat(x[:, none], x[:, none], axis=1) -> Expert(each=1)
    return sum(y, axis=1)

model Net(d = 4, hidden = 8, layers = 3):
    input x: [B, d]
    return x -> Layer * layers as layers
"""
    for stack in ("loop", "scan"):
        module = load(text_of(text, stack=stack))
        made = module.Net(module.Config(layers=2), rngs=nnx.Rngs(0))
        assert made(jnp.ones((3, 4))).shape == (3, 4)


def test_a_train_in_half_precision() -> None:
    train = """
train Net:
    batch x: [B, T, d], y: [B, T, d]
    loss = mse(model(x), y)
    optimizer = adam(1e-3)
    precision = bf16
"""
    module = load(text_of(SMALL + train))
    x = jnp.ones((1, 2, 4))
    assert module.create_model()(x).dtype == jnp.bfloat16
    whole = module.Net(module.Config(), rngs=nnx.Rngs(0))
    assert whole(x).dtype == jnp.float32
    model = module.create_model()
    step = module.train_step(model, module.create_optimizer(model), x, x)
    assert jnp.isfinite(step[0])


def test_a_model_within_another() -> None:
    outer = """
model Twice(width = 3):
    input x: [B, T, width]
    return x -> Net(width, 5) as one -> Net(width, 6) as two
"""
    module = load(text_of(SMALL + outer))
    made = module.Twice(rngs=nnx.Rngs(0))
    assert made.one.layers[0].first.up.kernel.shape == (3, 10)
    assert made.two.layers[0].first.up.kernel.shape == (3, 12)
    assert made(jnp.ones((1, 2, 3))).shape == (1, 2, 3)


def test_a_block_of_two_made_models_takes_its_arguments_one_by_one() -> None:
    text = """
block Up(*Net):
    input x: [B, d]
    return x -> Linear(hidden) -> Linear(d)

model Net(d = 4, hidden = 8, norm = LayerNorm):
    input x: [B, d]
    return x -> norm -> Up

config rms = Net(norm=RMSNorm)
"""
    assert "def __init__( self, d: int, hidden: int, *," in construct(text, "Up")
    module = load(text_of(text))
    made = module.RMSNormNet(module.RMS, rngs=nnx.Rngs(0))
    assert made(jnp.ones((2, 4))).shape == (2, 4)


def test_names_of_python() -> None:
    text = """
block Up(*Net, bias):
    input x: [B, d]
    return x -> Linear(cfg, bias=bias) -> Linear(dtypes) -> Linear(d)

model Net(d = 4, cfg = 8, dtypes = 3):
    input x: [B, d]
    return x -> Up(true)
"""
    module = load(text_of(text))
    made = module.Net(module.Config(), rngs=nnx.Rngs(0))
    assert made(jnp.ones((2, 4))).shape == (2, 4)


def test_what_a_block_checks_it_still_checks() -> None:
    text = """
block Up(*Net):
    input x: [B, d]
    return x -> [B, heads, d // heads] -> [B, d] -> Linear(hidden - 1) -> Linear(d)

model Net(d = 4, hidden = 8, heads = 2):
    input x: [B, d]
    return x -> Up
"""
    module = load(text_of(text))
    for wrong in ({"heads": 3}, {"hidden": 1}):
        with pytest.raises(ValueError, match="|".join(wrong)):
            module.Net(module.Config(**wrong), rngs=nnx.Rngs(0))
