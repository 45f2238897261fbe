"""Stages that train: all weights, adapters, adapters on several devices."""

from __future__ import annotations

import tempfile
from typing import Any

import jax
import numpy as np
from flax import nnx

from .specs import Make
from .work import adapted, loss, train


def forward(make: Make) -> None:
    """A call with the arguments that a model names itself."""
    model = make()
    logits, cache = model(**model.get_model_input())
    assert logits.shape == (2, 4, model.num_embed) and cache is None, logits.shape


def full_tuning(make: Make) -> None:
    """All weights learn."""
    model = make()
    before = loss(model)
    after = loss(train(model, 60))
    assert after < 0.7 * before, f"the loss went from {before:.2f} to {after:.2f}"


def lora(make: Make) -> None:
    """Adapters learn, and nothing else does."""
    model = adapted(make())
    assert jax.tree.leaves(nnx.state(model, nnx.LoRAParam)), "no adapters were made"
    rest = nnx.filterlib.Not(nnx.LoRAParam)
    kept = jax.tree.map(np.array, nnx.state(model, rest))
    before = loss(model)
    after = loss(train(model, rate=3e-2))
    assert after < before - 0.05, f"the loss went from {before:.2f} to {after:.2f}"
    same = jax.tree.map(np.array_equal, kept, nnx.state(model, rest))
    assert jax.tree.all(same), "weights beside the adapters changed"


def sharded_lora(make: Make) -> None:
    """Adapters learn on a mesh of two by two devices."""
    from tunix.rl import reshard

    mesh = _mesh(2, 2)
    model = reshard.reshard_model_to_mesh(make(), mesh)
    with mesh:
        model = reshard.reshard_model_to_mesh(adapted(model), mesh)
        before = loss(model)
        after = loss(train(model, rate=3e-2))
    assert after < before - 0.05, f"the loss went from {before:.2f} to {after:.2f}"


def sharded_full(make: Make) -> None:
    """All weights learn on a mesh of two devices, and stay on both."""
    from tunix.rl import reshard

    mesh = _mesh(2, 1)
    model = reshard.reshard_model_to_mesh(make(), mesh)
    with mesh:
        before = loss(model)
        after = loss(train(model))
    assert after < 0.7 * before, f"the loss went from {before:.2f} to {after:.2f}"
    weights = jax.tree.leaves(nnx.state(model, nnx.Param))
    assert all(
        len(w.sharding.device_set) == 2 for w in weights
    ), "weights left the mesh"


def _mesh(*shape: int) -> jax.sharding.Mesh:
    devices, needed = jax.devices(), int(np.prod(shape))
    assert (
        len(devices) >= needed
    ), f"it needs {needed} devices: see XLA_FLAGS in the Makefile"
    return jax.sharding.Mesh(np.array(devices[:needed]).reshape(shape), ("fsdp", "tp"))


def resumed(make: Make) -> None:
    """All weights come back from a checkpoint."""
    _resumes(make(), make(1), nnx.Param)


def resumed_lora(make: Make) -> None:
    """Adapters come back from a checkpoint."""
    _resumes(adapted(make()), adapted(make()), nnx.LoRAParam)


def _resumes(model: Any, other: Any, kind: Any) -> None:
    """Training that goes on from a checkpoint of all its steps leaves what was saved."""
    with tempfile.TemporaryDirectory() as folder:
        train(model, 4, folder=folder)
        train(other, 4, folder=folder)
    saved, read = (nnx.to_pure_dict(nnx.state(m, kind)) for m in (model, other))
    assert jax.tree.leaves(saved), "nothing was saved"
    assert jax.tree.all(jax.tree.map(np.array_equal, saved, read)), "weights differ"
