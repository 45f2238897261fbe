"""What comes behind the head of a model, as Tunix takes it: features, and scores made of those."""

from __future__ import annotations

import jax.numpy as jnp
import numpy as np
import pytest
from emitting import load
from flax import nnx

import nnxc

SPEC = """
model Net(vocab = 50, d = 8):
    input tokens: int[B, T]
    x = tokens -> Embed(vocab, d)
    first = x
    x += x -> Attention(2, causal=true) as attn
    last = x + first
    {}

generate Net
"""
MADE_OF_ONE = (
    "return last -> Linear(vocab) as head",
    "last = last -> Linear(vocab) as head\n    return last * 2.0",
    "y = last -> Linear(vocab) as head\n    last = last * 2.0\n    return y + mean(last, axis=-1, keepdims=true)",
    "y = last -> Linear(vocab) as head\n    last = y * 2.0\n    return last",
    "x = last -> Linear(vocab) as head\n    return x + mean(last, axis=-1, keepdims=true)",
    "x = last -> RMSNorm as norm -> Linear(vocab) as head\n    x = x + 1.0\n    return tanh(x)",
    "y = last -> Linear(vocab) as head\n    z = first -> Linear(3) as other\n    return y, z",
)
MADE_OF_MORE = (
    "y = last -> Linear(vocab) as head\n    return y * mean(first, axis=-1, keepdims=true)",
    "y = last -> Linear(vocab) as head\n    last = first\n    return y + mean(last, axis=-1, keepdims=true)",
    "y = last -> RMSNorm as norm -> Linear(vocab) as head\n    return y + mean(x, axis=-1, keepdims=true)",
    "x = last -> RMSNorm as norm -> Linear(vocab) as head\n    return x + mean(last, axis=-1, keepdims=true)",
)


def compiled(tail: str) -> nnxc.Output:
    options = nnxc.Options(interface="tunix", black=False)
    return nnxc.compile(SPEC.format(tail), options=options)


@pytest.mark.parametrize("tail", MADE_OF_ONE)
def test_scores_of_the_features_are_those_of_the_model(tail: str) -> None:
    output = compiled(tail)
    assert output.ok, output.diagnostics
    text = next(iter(output.files.values()))
    module = load(text)
    model = module.TunixNet(module.Config(), rngs=nnx.Rngs(0))
    tokens = jnp.arange(10).reshape(2, 5)
    want = module.Net.__call__(model, tokens)
    scores = model.compute_final_logits(model.features(tokens))
    want = want[0] if isinstance(want, tuple) else want
    np.testing.assert_allclose(scores, want, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("tail", MADE_OF_MORE)
def test_scores_that_need_more_are_refused(tail: str) -> None:
    assert [d.code for d in compiled(tail).diagnostics] == ["N702"]
