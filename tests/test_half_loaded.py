"""A checkpoint loaded in half precision: weights, products, caches and generated tokens."""

from __future__ import annotations

import json
from pathlib import Path

import jax.numpy as jnp
import numpy as np
from emitting import load, text_of
from flax import nnx
from jaxprs import equations, products

LLAMA = Path(__file__).parents[1] / "dsl/nnxc/zoo/pretrained/llama.nnx"
TINY = {"vocab": 11, "d": 8, "layers": 1, "heads": 2, "kv_heads": 1, "head_dim": 4}
CONFIG = {
    "model_type": "llama",
    "vocab_size": 11,
    "hidden_size": 8,
    "num_hidden_layers": 1,
    "num_attention_heads": 2,
    "num_key_value_heads": 1,
    "intermediate_size": 12,
    "rms_norm_eps": 1e-5,
    "hidden_act": "silu",
}
HALF = jnp.dtype("bfloat16")


def test_a_loaded_model_computes_in_bfloat16_caches_and_all(tmp_path: Path) -> None:
    module = load(text_of(LLAMA.read_text(), black=False))
    cfg = module.Config(**TINY, hidden=12)
    module.save_pretrained(module.Llama(cfg, rngs=nnx.Rngs(0)), tmp_path)
    (tmp_path / "config.json").write_text(json.dumps(CONFIG))
    model = module.load_pretrained(tmp_path, dtype=jnp.bfloat16)
    state = nnx.to_flat_state(nnx.state(model))
    assert {leaf[...].dtype for _, leaf in state} == {HALF}
    ids = jnp.array([[1, 2, 3], [4, 5, 6]])
    decoder = module.init_cache(model, jnp.array([0, 1]), 6)
    caches = [
        leaf[...] for _, leaf in nnx.to_flat_state(nnx.state(decoder, module.Cache))
    ]
    assert {c.dtype for c in caches if c.ndim == 4} == {HALF}
    for one in (model, decoder):
        graphdef, *parts = nnx.split(one, nnx.Param, ...)
        found = equations(lambda *p, g=graphdef: nnx.merge(g, *p)(ids), *parts)
        assert {*products(found)} == {("bfloat16", "bfloat16")}
    assert model(ids).logits.dtype == jnp.float32
    made = module.generate(model, ids.tolist(), max_new_tokens=2)
    for _ in range(2):
        best = jnp.argmax(model(ids).logits[:, -1], axis=-1)
        ids = jnp.concatenate([ids, best[:, None]], axis=1)
    np.testing.assert_array_equal(np.array(made), ids[:, 3:])
