"""`decays`: which weights an optimizer lets decay, by what it does to weights without a gradient."""

from __future__ import annotations

from typing import Any

import jax.numpy as jnp
import numpy as np
import pytest
from emitting import load
from flax import nnx
from jax import tree

import nnxc
from nnxc.ops.training.optimizers import DECAYS

SPEC = """
block Block(hidden):
    input x: [B, T, d]
    return x + (x -> LayerNorm as norm -> Linear(hidden) as up -> gelu -> Linear(d) as down)

model Net(vocab = 12, d = 8, layers = 2):
    input tokens: int[B, T]
    param gain: [d, d] = ones
    x = tokens -> Embed(vocab, d) as embed -> Block(16) * layers as h
    return einsum("b t d, d e -> b t e", x, gain) -> Linear(vocab) as head

train Net:
    batch tokens: int[B, T + 1]
    loss = cross_entropy(model(tokens[:, :-1]), tokens[:, 1:])
    optimizer = OPTIMIZER
    decays DECAY
"""


def spec(optimizer: str, decay: str) -> str:
    return SPEC.replace("OPTIMIZER", optimizer).replace("DECAY", decay)


def decayed(optimizer: str, decay: str) -> set[str]:
    """The weights that change where no gradient asks for it."""
    output = nnxc.compile(spec(optimizer, decay), path="net.nnx")
    assert not output.diagnostics, output.diagnostics
    module: Any = load(output.files["net.py"])
    model = module.create_model()
    params = nnx.state(model, nnx.Param)
    nnx.update(model, tree.map(jnp.ones_like, params))
    tx = module.create_optimizer(model)
    tx.update(model, tree.map(jnp.zeros_like, params))
    found = nnx.to_flat_state(nnx.state(model, nnx.Param))
    return {".".join(map(str, p)) for p, v in found if np.any(np.array(v[...]) != 1)}


def amount(name: str) -> str:
    return "weight_decay_rate" if name == "adafactor" else "weight_decay"


KERNELS = {f"h.{i}.{n}.kernel" for i in (0, 1) for n in ("up", "down")}


@pytest.mark.parametrize("name", DECAYS)
def test_every_optimizer_lets_those_decay_that_are_named(name: str) -> None:
    optimizer = f"{name}(0.1, {amount(name)}=0.5)"
    assert decayed(optimizer, "down.kernel, up.kernel") == KERNELS


@pytest.mark.parametrize(
    ("decay", "due"),
    [
        ("kernel", KERNELS | {"head.kernel"}),
        ("kernel, embedding", KERNELS | {"head.kernel", "embed.embedding"}),
        ("h.up.bias, gain", {"h.0.up.bias", "h.1.up.bias", "gain"}),
        ("norm.scale", {"h.0.norm.scale", "h.1.norm.scale"}),
    ],
)
def test_a_path_is_the_end_of_a_path(decay: str, due: set[str]) -> None:
    assert decayed("adamw(0.1, weight_decay=0.5)", decay) == due


def test_without_it_all_decay() -> None:
    output = nnxc.compile(
        spec("adamw(0.1)", "kernel").replace("    decays kernel\n", ""), path="net.nnx"
    )
    assert "mask" not in output.files["net.py"]


def test_names_that_python_has_are_those_of_attributes() -> None:
    """A layer is called otherwise in the module where its name is taken."""
    text = spec("sgd(0.1, weight_decay=0.5)", "train.kernel").replace("head", "train")
    output = nnxc.compile(text, path="net.nnx")
    model = load(output.files["net.py"]).create_model()
    ends = {".".join(map(str, p)) for p, _ in nnx.to_flat_state(nnx.state(model))}
    (end,) = (e for e in ends if e.startswith("train") and e.endswith("kernel"))
    assert f'weights_named("{end}")' in output.files["net.py"]


def test_sgd_decays_before_its_momentum() -> None:
    """As PyTorch has it: the momentum gathers the gradient and the decay of the weight."""
    text = """
model Line(out = 2):
    input x: [B, 3]
    return x -> Linear(out, bias=false) as line

train Line:
    batch x: [B, 3], y: [B, out]
    loss = mse(model(x), y)
    optimizer = sgd(0.1, momentum=0.9, weight_decay=0.2)
"""
    module: Any = load(nnxc.compile(text, path="line.nnx").files["line.py"])
    model = module.create_model()
    tx = module.create_optimizer(model)
    w = np.array(model.line.kernel[...])
    x, y = np.ones((4, 3), np.float32), np.zeros((4, 2), np.float32)
    momentum = np.zeros_like(w)
    for _ in range(3):
        gradient = x.T @ (2 * (x @ w - y)) / y.size
        momentum = 0.9 * momentum + gradient + 0.2 * w
        w = w - 0.1 * momentum
        module.train_step(model, tx, x, y)
    np.testing.assert_allclose(np.array(model.line.kernel[...]), w, rtol=1e-4)


@pytest.mark.parametrize(
    ("optimizer", "decay", "code", "message"),
    [
        ("adamw(0.1)", "kernle", "N511", "`Net` has no weight `kernle`"),
        ("adamw(0.1)", "head", "N511", "`Net` has no weight `head`"),
        ("adamw(0.1)", "kernel, kernel", "N202", "`kernel` is named twice"),
        ("adamw(0.1)", "h[0].up.kernel", "N510", "a path of weights is dotted names, such as `encoder.wte`"),
        ("adamw(0.1, weight_decay=0.0)", "kernel", "N522", "`adamw` decays nothing here"),
        ("lamb(0.1)", "kernel", "N522", "`lamb` decays nothing here"),
        ("sgd(0.1)", "kernel", "N522", "`sgd` decays nothing here"),
        ("novograd(0.1, weight_decay=0.1)", "kernel", "N522", "`novograd` has no decay for some weights"),
        ("adamw(0.1)", "bias\n    only head.kernel", "N511", "no `bias` of `Net` trains"),
        ("adamw(0.1)", "kernel\n    adapt lora(rank=2) on head", "N517", "`adapt` and `decays` exclude each other"),
        ("adamw(0.1)", "kernel\n    clip = 0", "N507", "`clip` must be above 0"),
    ],
)  # fmt: skip
def test_a_mistake_is_one_message(
    optimizer: str, decay: str, code: str, message: str
) -> None:
    output = nnxc.compile(spec(optimizer, decay), path="net.nnx")
    assert [(d.code, d.message) for d in output.diagnostics] == [(code, message)]
