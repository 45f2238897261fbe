"""What `load_pretrained` gives: equal models of equal files."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import jax
import numpy as np
import pytest
from emitting import load, text_of
from flax import nnx

pytest.importorskip("safetensors")

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
