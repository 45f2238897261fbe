"""Models of jax-ml/bonsai, of a checkout on Python's path: loaded as its users load them.

Each is given what a `config.json` of the reference library says, wherever its own config has
a place for it, and a folder with tensors.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from functools import partial
from importlib import import_module
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx

Config = Mapping[str, Any]
Inputs = Mapping[str, np.ndarray]
# Logits of the reference's inputs.
Logits = Callable[[Inputs], Any]


def module(family: str, part: str) -> Any:
    """`modeling` or `params` of a family."""
    return import_module(f"bonsai.models.{family}.{part}")


def qwen3(folder: Path, config: Config) -> Any:
    """A causal language model."""
    sizes = {
        "num_layers": "num_hidden_layers",
        "vocab_size": "vocab_size",
        "emb_dim": "hidden_size",
        "mlp_dim": "intermediate_size",
        "num_heads": "num_attention_heads",
        "head_dim": "head_dim",
        "num_kv_heads": "num_key_value_heads",
        "norm_eps": "rms_norm_eps",
        "tie_word_embeddings": "tie_word_embeddings",
    }
    cfg = module("qwen3", "modeling").ModelConfig(
        **{theirs: config[name] for theirs, name in sizes.items()},
        rope_theta=config["rope_parameters"]["rope_theta"],
        rope_scaling_factor=8.0,
        local_rope_theta=1e4,
    )
    return module("qwen3", "params").create_model_from_safe_tensors(str(folder), cfg)


def qwen3_logits(model: Any, tokens: Any) -> jax.Array:
    """Of tokens [b, t], none of them padding."""
    b, t = tokens.shape
    init = module("qwen3", "modeling").init_cache
    cache = init(model.config, b, t, 0, dtype=jnp.float32)
    logits: jax.Array = model(tokens, cache=cache, segment_ids=jnp.ones_like(tokens))
    return logits


def vit(folder: Path, config: Config) -> Any:
    """A classifier of images."""
    cfg = module("vit", "modeling").ModelConfig(
        image_size=(config["image_size"],) * 2,
        patch_size=(config["patch_size"],) * 2,
        num_channels=config["num_channels"],
        hidden_dim=config["hidden_size"],
        attn_dropout_prob=0.0,
        dropout_prob=0.0,
        num_heads=config["num_attention_heads"],
        mlp_dim=config["intermediate_size"],
        eps=config["layer_norm_eps"],
        num_layers=config["num_hidden_layers"],
        num_labels=len(config.get("id2label", ())) or config["num_labels"],
    )
    return module("vit", "params").create_vit_from_pretrained(str(folder), cfg)


def resnet(folder: Path, config: Config) -> Any:
    """A classifier of images."""
    labels = len(config.get("id2label", ())) or 1000
    cfg = module("resnet", "modeling").ModelConfig(config["depths"], labels)
    return module("resnet", "params").create_resnet_from_pretrained(str(folder), cfg)


def mamba2(folder: Path, config: Config) -> Any:
    """A causal language model."""
    kind = module("mamba2", "modeling").ModelConfig
    named = {field.name for field in dataclasses.fields(kind)}
    cfg = kind(**{key: value for key, value in config.items() if key in named})
    load = module("mamba2", "params").create_model_from_torch_checkpoint
    return load(str(folder), cfg)


def whisper(folder: Path, config: Config) -> Any:
    """Speech to text; its loader asks for no config."""
    return module("whisper", "params").create_whisper_from_pretrained(str(folder))


def loaded(family: str, folder: Path, config: Config) -> Logits:
    """A family's model, as a function of the reference's inputs; raises what loading raises."""
    model = LOADERS[family](folder, config)
    return partial(CALLS[family], model)


def _of_tokens(model: Any, inputs: Inputs) -> Any:
    return model(jnp.asarray(inputs["input_ids"]))["logits"]


def _of_images(model: Any, inputs: Inputs, **more: Any) -> Any:
    return model(jnp.asarray(inputs["pixel_values"]).transpose(0, 2, 3, 1), **more)


LOADERS: Mapping[str, Callable[[Path, Config], Any]] = {
    "qwen3": qwen3,
    "vit": vit,
    "resnet": resnet,
    "mamba2": mamba2,
    "whisper": whisper,
}
CALLS: Mapping[str, Callable[[Any, Inputs], Any]] = {
    "qwen3": lambda model, inputs: nnx.jit(qwen3_logits)(model, inputs["input_ids"]),
    "vit": partial(_of_images, rngs=None),
    "resnet": _of_images,
    "mamba2": _of_tokens,
    "whisper": lambda model, inputs: model(**inputs),
}
