"""The zoo: every spec compiles to the checked-in module, which does what the spec says.

Each module runs at the small sizes of `SMALL`: shapes as predicted, finite gradients, a loss
that falls, one compilation, dropout in training only, the same result for the same seed.
"""

from __future__ import annotations

import importlib.util
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

from nnxc import driver, instance, ir
from nnxc.nodes import bind
from nnxc.shapes import DTYPES, TensorType, is_int

ROOT = Path(__file__).parents[1]
ZOO = {path.stem: path for path in sorted((ROOT / "dsl/nnxc/zoo").glob("*.nnx"))}


@dataclass(frozen=True)
class Small:
    """Parameters and axes that make a model quick to run."""

    params: Mapping[str, Any]
    axes: Mapping[str, int]


IMAGES = {"B": 2, "H": 32, "W": 32}
SMALL = {
    "actor_critic": Small({"hidden": 16}, {"B": 8}),
    "autoencoder": Small({"width": 2, "latent": 8}, {"B": 4}),
    "char_gpt": Small(
        {"vocab": 17, "context": 9, "d": 16, "heads": 2, "layers": 2}, {"B": 4, "T": 7}
    ),
    "cifar_cnn": Small({"classes": 5}, {"B": 2}),
    "convnext": Small({"classes": 5, "widths": [4, 6], "depths": [1, 2]}, IMAGES),
    "digits_cnn": Small({"width": 4}, {"B": 8}),
    "digits_mlp": Small({"hidden": 16}, {"B": 8}),
    "dqn": Small({"actions": 3, "hidden": 8}, {"B": 2}),
    "gpt2": Small(
        {"vocab": 17, "context": 9, "d": 16, "heads": 2, "layers": 2}, {"B": 4, "T": 7}
    ),
    "lenet": Small({"classes": 5}, {"B": 4}),
    "lstm_classifier": Small({"vocab": 17, "d": 8, "hidden": 6}, {"B": 4, "T": 7}),
    "mlp_mixer": Small(
        {"classes": 5, "size": 12, "patch": 4, "d": 8, "layers": 2}, {"B": 3}
    ),
    "multi_task": Small({"width": 4, "classes": 5}, {"B": 3, "H": 9, "W": 11}),
    "resnet18": Small({"classes": 5, "widths": [4, 6]}, IMAGES),
    "resnet50": Small({"classes": 5, "width": 4, "depths": [1, 2]}, IMAGES),
    "siamese": Small({"width": 2, "out": 8}, {"B": 4}),
    "simple_mlp": Small({"hidden": 16}, {"B": 8}),
    "transformer": Small(
        {"vocab": 17, "d": 16, "heads": 2, "layers": 2}, {"B": 3, "S": 5, "T": 7}
    ),
    "unet": Small({"width": 2}, {"B": 2, "h": 1, "w": 2}),
    "vae": Small({"hidden": 16, "latent": 4}, {"B": 4}),
    "vit": Small(
        {"classes": 5, "size": 8, "patch": 4, "d": 16, "heads": 2, "layers": 2},
        {"B": 3},
    ),
}
# How many values an integer of a batch may have: a parameter of the model.
CHOICES = ("vocab", "classes", "actions")
