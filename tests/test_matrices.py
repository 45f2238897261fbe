"""Muon steps the kernels that are matrices, whatever their axes, and nothing else."""

from __future__ import annotations

from typing import Any

import numpy as np
import optax
import pytest
from emitting import load, text_of
from flax import nnx

SPEC = """
block Layer(heads):
    input x: [B, T, d]
    x += x -> LayerNorm -> Attention(heads, causal=true) as attn
    return x + (x -> Linear(4 * d) as up -> gelu -> Linear(d) as down)

model Net(vocab = 12, d = 8, layers = 2):
    input tokens: int[B, T]
    param gain: [d, d] = ones
    x = tokens -> Embed(vocab, d) as embed -> Layer(2) * layers as h
    x = einsum("b t d, d e -> b t e", x, gain) -> Conv(d, [3], padding="causal") as conv
    return x -> Linear(vocab) as head

train Net:
    batch tokens: int[B, T + 1]
    loss = cross_entropy(model(tokens[:, :-1]), tokens[:, 1:])
    optimizer = muon(0.1)
"""
MATRICES = {"query", "key", "value", "out", "up", "down"}


@pytest.mark.parametrize(
    "stack", ["loop", pytest.param("scan", marks=pytest.mark.heavy)]
)
def test_kernels_of_layers_are_matrices_and_nothing_else_is(stack: str) -> None:
    module: Any = load(text_of(SPEC, stack=stack))
    model = module.create_model()
    optimizer = module.create_optimizer(model)
    before = {p: np.array(v[...]) for p, v in nnx.to_flat_state(nnx.state(model))}
    tokens = np.arange(12).reshape(2, 6)
    module.train_step(model, optimizer, tokens)
    momenta = optimizer.opt_state.inner_states["muon"].inner_state[0].mu
    held = [
        path
        for path, value in nnx.to_flat_state(nnx.state(momenta))
        if not isinstance(value.get_raw_value(), optax.MaskedNode)
    ]
    assert {path[-2] for path in held} == MATRICES
    assert all(path[-1] == "kernel" for path in held)
    after = dict(nnx.to_flat_state(nnx.state(model)))
    gathered = dict(nnx.to_flat_state(nnx.state(momenta)))
    for path in held:
        lead = path[0] == "h" and stack == "scan"
        ins = 2 if path[-2] == "out" else 1
        change = _matrices(np.asarray(after[path][...]) - before[path], lead, ins)
        gradient = _matrices(np.asarray(gathered[path][...]), lead, ins)
        for made, asked in zip(change, gradient, strict=True):
            step = _alone(asked)
            np.testing.assert_allclose(
                made / _norm(made), -step / _norm(step), atol=2e-3
            )


def _matrices(kernels: np.ndarray, lead: bool, ins: int) -> np.ndarray:
    """Each layer's kernel, as a matrix: what goes in by what comes out."""
    each = kernels if lead else kernels[None]
    rows = int(np.prod(each.shape[1 : 1 + ins]))
    return each.reshape(len(each), rows, -1)


def _alone(gradient: np.ndarray) -> np.ndarray:
    """What Muon makes of one matrix; that it is scaled changes nothing."""
    tx = optax.contrib.scale_by_muon()
    return np.asarray(tx.update(gradient, tx.init(gradient), gradient)[0])


def _norm(x: np.ndarray) -> float:
    return float(np.linalg.norm(x))


INNER = """
model Net(d = 4):
    input x: [B, T, d]
    {body}

train Net:
    batch x: [B, T, d]
    loss = mean(model(x) ** 2)
    optimizer = muon(0.1)
"""
LAYER = "x += x -> LayerNorm -> Attention(2) as attn\n        x += x -> Linear(8) as up -> gelu -> Linear(d) as down"
ATTN = {"attn.query", "attn.key", "attn.value", "attn.out"}
OUTPUTS = {
    "residual branches": (
        f"for i in range(2):\n        {LAYER}\n    return x",
        {*ATTN, "up", "down"},
    ),
    "two heads": (
        "h = x -> Linear(8) as up -> relu\n    a = h -> Linear(3) as advantage\n"
        "    return (h -> Linear(1) as value) + a - mean(a, axis=-1, keepdims=true)",
        {"up"},
    ),
    "attention as head": (
        "return x -> Linear(8) as up -> relu -> Attention(2) as attn",
        {"up"} | ATTN - {"attn.out"},
    ),
}


@pytest.mark.parametrize("body, kernels", OUTPUTS.values(), ids=OUTPUTS)
def test_what_gives_outputs_is_no_branch(body: str, kernels: set[str]) -> None:
    module: Any = load(text_of(INNER.format(body=body), black=False))
    assert {name.removesuffix(".kernel") for name in module.MATRICES} == kernels
