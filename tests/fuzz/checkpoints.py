"""Weights that are saved and loaded again are the same ones."""

from __future__ import annotations

import inspect
import tempfile
import types
import typing
from pathlib import Path
from typing import Any

import jax.numpy as jnp
import numpy as np
from flax import nnx

from .build import renamed
from .builder import ModelCase
from .laws import holds
from .values import Built, plain


def check_stored(module: types.ModuleType, made: Built, case: ModelCase) -> None:
    """`save_pretrained`, then `load_pretrained`."""
    weights = {path: jnp.asarray(value) for path, value in made.weights.items()}
    model = nnx.merge(made.graph, made.filled(weights))
    hints = typing.get_type_hints(module.load_pretrained)
    given: list[Any] = []
    if "cfg" in inspect.signature(module.load_pretrained).parameters:
        given.append(hints["cfg"](**renamed(hints["cfg"], case.args)))
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "model.safetensors"
        module.save_pretrained(model, path)
        loaded = module.load_pretrained(path, *given)
    for path, leaf in nnx.to_flat_state(nnx.state(loaded, nnx.Param)):
        same = np.array_equal(leaf.get_value(), weights[plain(path)])
        holds(same, "weights saved and loaded", (path, case))
