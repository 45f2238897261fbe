"""Weights that are saved and loaded again are the same ones."""

from __future__ import annotations

import json
import tempfile
import types
import typing
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jax.numpy as jnp
import numpy as np
from flax import nnx

from nnxc.emit.config_file import mentioned_keys
from nnxc.ir import Weights

from .build import renamed
from .builder import ModelCase
from .laws import holds
from .values import Built, plain


def check_stored(
    module: types.ModuleType, made: Built, case: ModelCase, section: Weights
) -> None:
    """`save_pretrained`, then `load_pretrained`; the config is given, or read from a file."""
    weights = {path: jnp.asarray(value) for path, value in made.weights.items()}
    model = nnx.merge(made.graph, made.filled(weights))
    kind = config_of(module.load_pretrained)
    given: list[Any] = [kind(**renamed(kind, case.args))]
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder)
        module.save_pretrained(model, path)
        if section.config and {*case.args} <= {n for n, _ in section.config}:
            write_config(path / "config.json", given.pop(), section)
        loaded = module.load_pretrained(path, *given)
    for path, leaf in nnx.to_flat_state(nnx.state(loaded, nnx.Param)):
        same = np.array_equal(leaf.get_value(), weights[plain(path)])
        holds(same, "weights saved and loaded", (path, case))
    model.eval()  # as what was loaded is
    got, want = nnx.graphdef(loaded), nnx.graphdef(model)
    holds(got == want, "a model saved and loaded", (case, got, want))


def config_of(load: Callable[..., Any]) -> Callable[..., Any]:
    """The class of a model's configs: a checkpoint has it, or the function's signature."""
    if (checkpoint := getattr(load, "__self__", None)) is not None:
        kind: Callable[..., Any] = checkpoint.settings.config
        return kind
    kind, *_ = typing.get_args(typing.get_type_hints(load)["cfg"])
    return kind


def write_config(path: Path, cfg: Any, section: Weights) -> None:
    """What the section reads, as it is in this config."""
    said = {keys[0]: one.value for keys, (one, *_) in section.assumed}
    for text, value in section.config:
        own = f"{text}_" if hasattr(cfg, f"{text}_") else text
        said[mentioned_keys(value)[0]] = getattr(cfg, own)
    values: dict[str, Any] = {}
    for key, value in said.items():
        *groups, last = key.split(".")
        place = values
        for group in groups:
            place = place.setdefault(group, {})
        place[last] = value
    path.write_text(json.dumps(values))
