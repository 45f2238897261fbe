"""Published models with recurrences: what is float32 in half precision, and how they begin."""

from __future__ import annotations

from types import ModuleType
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from emitting import ZOO, load, text_of
from flax import nnx
from jaxprs import equations, half

SMALL: dict[str, dict[str, Any]] = {
    "mamba": {"d_inner": 24, "state_size": 4, "dt_rank": 2},
    "mamba2": {"heads": 4, "head_dim": 8, "state_size": 4, "n_groups": 2},
    "rwkv": {"inner": 24, "hidden": 20},
    "recurrent_gemma": {"heads": 4, "head_dim": 8, "hidden": 20, "width": 24},
}
SIZES = {"vocab": 19, "d": 16, "layers": 3}


def made(name: str, **more: Any) -> tuple[ModuleType, Any]:
    """The module of a spec of the zoo, and a small model."""
    module = load(text_of((ZOO / f"{name}.nnx").read_text(), black=False))
    return module, module.create_model(module.Config(**SIZES, **SMALL[name], **more))


@pytest.mark.parametrize("name", SMALL)
def test_decays_and_states_are_float32(name: str) -> None:
    module, model = made(name, dtype=jnp.bfloat16)
    graphdef, state = nnx.split(model)
    ids = jnp.ones((2, 5), jnp.int32)
    found = list(equations(lambda s: nnx.merge(graphdef, s)(ids), state))
    exps = [e for e in found if e.primitive.name in ("exp", "log", "log1p", "sqrt")]
    assert exps and not any(map(half, exps))
    decoder = module.init_cache(model, jnp.zeros(2, jnp.int32), 5)
    layers = [m for _, m in nnx.iter_modules(decoder)]
    carries = [c for m in layers for c in getattr(m, "carries", ())]
    carries += [m.state for m in layers if hasattr(m, "state")]
    assert {c[...].dtype for c in carries} == {jnp.dtype("float32")}


def test_a_decay_near_one_outlasts_a_long_sequence() -> None:
    """In bfloat16 the smallest step would leave the state as it is, for ever."""
    _, full = made("mamba2")
    for layer in full.layers:
        layer.mixer.a_log[...] = jnp.zeros(4)
        layer.mixer.dt_bias[...] = jnp.full(4, np.log(np.expm1(1e-3)))
    _, rounded = made("mamba2", dtype=jnp.bfloat16)
    nnx.update(rounded, nnx.state(full))
    ids = jax.random.randint(jax.random.key(0), (2, 500), 0, 19)
    scores = nnx.jit(lambda m, ids: m(ids).logits)
    one, other = (np.asarray(scores(m, ids)) for m in (full, rounded))
    error = np.sqrt(np.mean((one - other) ** 2) / np.mean(one**2))
    assert error < 0.02


def test_they_begin_as_published() -> None:
    softplus = lambda x: np.log1p(np.exp(np.asarray(x[...])))  # noqa: E731
    _, model = made("mamba")
    mixer = model.layers[0].mixer
    np.testing.assert_allclose(np.exp(mixer.a_log[...][3]), [1, 2, 3, 4], rtol=1e-5)
    steps = np.concatenate([softplus(layer.mixer.dt_bias) for layer in model.layers])
    assert 0.99e-3 < steps.min() < 5e-3 and 0.04 < steps.max() < 0.101
    _, model = made("mamba2")
    rates = np.concatenate([np.exp(layer.mixer.a_log[...]) for layer in model.layers])
    assert 1 <= rates.min() < 8 < rates.max() <= 16
    steps = np.concatenate([softplus(layer.mixer.dt_bias) for layer in model.layers])
    assert 0.99e-3 < steps.min() < steps.max() < 0.101 and len({*steps}) == 12
    _, model = made("recurrent_gemma")
    decay = np.exp(-softplus(model.recurrent[0].rg_lru.recurrent_param))
    assert 0.9 <= decay.min() < decay.max() <= 0.999
    _, model = made("rwkv")
    first, last = (model.blocks[i].attention for i in (0, -1))
    assert first.time_decay[0] == -5 and abs(first.time_decay[-1] - 3) < 1e-4
    assert (first.time_decay[...] >= last.time_decay[...]).all()
    assert (first.time_mix_key[...] <= last.time_mix_key[...]).all()


def test_padding_is_not_learned_and_kernels_alone_decay() -> None:
    module, model = made("mamba2")
    ids = jnp.array([[1, 2, 3, 4, 5, 6], [7, 8, 9, -100, -100, -100]])
    loss_fn = nnx.jit(module.loss_fn)
    loss, _ = loss_fn(model, ids)
    whole, _ = loss_fn(model, ids[:1])
    short, _ = loss_fn(model, ids[1:, :3])
    np.testing.assert_allclose(loss, (5 * whole + 2 * short) / 7, rtol=1e-4)
    optimizer = module.create_optimizer(model, peak=0.5, warmup=2, weight_decay=0.5)
    weights = nnx.state(model, nnx.Param)
    before = {p: np.asarray(v[...]) for p, v in nnx.to_flat_state(weights)}
    for _ in range(2):  # the first step of a warm-up changes nothing
        optimizer.update(model, jax.tree.map(jnp.zeros_like, weights))
    after = dict(nnx.to_flat_state(nnx.state(model, nnx.Param)))
    changed = {p[-1] for p, v in before.items() if not np.array_equal(v, after[p][...])}
    assert changed == {"kernel"}
