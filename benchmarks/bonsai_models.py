"""Models of jax-ml/bonsai, of a checkout on Python's path: loaded and called as its users do.

Each is given what a `config.json` of the reference library says, wherever its own config has
a place for it, and a folder with tensors, under the names that its loader reads.
"""

from __future__ import annotations

import dataclasses
import tempfile
from collections.abc import Callable, Mapping
from importlib import import_module
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
from flax import nnx

from . import bonsai_names as names

Config = Mapping[str, Any]


def module(family: str, part: str) -> Any:
    """`modeling` or `params` of a family."""
    return import_module(f"bonsai.models.{family}.{part}")


def settings(kind: Any, config: Config, given: Mapping[str, str]) -> dict[str, Any]:
    """What a config of theirs takes: by its own names from a file, or by those that are given."""
    own = {f.name: f.name for f in dataclasses.fields(kind) if f.name in config}
    return {theirs: config[name] for theirs, name in {**own, **given}.items()}


def labels(config: Config) -> int:
    """The number of classes, which files say by naming them; or not, where it is the usual one."""
    return len(config.get("id2label", ())) or config.get("num_labels", 1000)


def qwen3(folder: Path, config: Config) -> Any:
    """A causal language model."""
    given = {
        "num_layers": "num_hidden_layers",
        "emb_dim": "hidden_size",
        "mlp_dim": "intermediate_size",
        "num_heads": "num_attention_heads",
        "num_kv_heads": "num_key_value_heads",
        "norm_eps": "rms_norm_eps",
    }
    kind = module("qwen3", "modeling").ModelConfig
    cfg = kind(
        **settings(kind, config, given),
        rope_theta=config["rope_parameters"]["rope_theta"],
        rope_scaling_factor=8.0,
        local_rope_theta=1e4,
    )
    return module("qwen3", "params").create_model_from_safe_tensors(str(folder), cfg)


def qwen3_logits(model: Any, tokens: jax.Array) -> jax.Array:
    """Of tokens [b, t], none of them padding."""
    b, t = tokens.shape
    init = module("qwen3", "modeling").init_cache
    cache = init(model.config, b, t, 0, dtype=jnp.float32)
    logits: jax.Array = model(tokens, cache=cache, segment_ids=jnp.ones_like(tokens))
    return logits


def gemma3(folder: Path, config: Config) -> Any:
    """A causal language model; without the part that sees images, which its loader fills from a file."""
    modeling = module("gemma3", "modeling")
    turns = config["rope_parameters"]
    far, near = turns["full_attention"], turns["sliding_attention"]
    kinds = [modeling.AttentionMode(kind) for kind in config["layer_types"]]
    given = settings(modeling.TextConfig, config, {}) | {
        "layer_types": kinds,
        "rope_full_factor": far.get("factor", 1.0),
        "rope_full_theta": far["rope_theta"],
        "rope_slide_factor": near.get("factor", 1.0),
        "rope_slide_theta": near["rope_theta"],
    }
    cfg = modeling.ModelConfig.gemma3_4b_it(norm_dtype=jnp.float32)
    cfg = dataclasses.replace(
        cfg,
        text_config=dataclasses.replace(cfg.text_config, **given),
        final_logit_softcapping=config.get("final_logit_softcapping"),
    )
    model = module("gemma3", "params").create_gemma3_from_pretrained(str(folder), cfg)
    model.vision_tower = model.multi_modal_projector = None
    return model


def gemma3_logits(model: Any, tokens: jax.Array) -> jax.Array:
    """Of tokens [b, t], none of them padding, without images."""
    b, t = tokens.shape
    init = module("gemma3", "modeling").init_cache
    cache = init(model.config, b, t, 0, jnp.float32)
    text, ones = jnp.zeros_like(tokens), jnp.ones_like(tokens)
    options = {"cache": cache, "segment_ids": ones, "token_type_ids": text}
    logits: jax.Array = model(tokens, None, **options)
    return logits


def mamba2(folder: Path, config: Config) -> Any:
    """A causal language model."""
    kind = module("mamba2", "modeling").ModelConfig
    load = module("mamba2", "params").create_model_from_torch_checkpoint
    return load(str(folder), kind(**settings(kind, config, {})))


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
        num_labels=labels(config),
    )
    return module("vit", "params").create_vit_from_pretrained(str(folder), cfg)


def resnet(folder: Path, config: Config) -> Any:
    """A classifier of images."""
    cfg = module("resnet", "modeling").ModelConfig(config["depths"], labels(config))
    return module("resnet", "params").create_resnet_from_pretrained(str(folder), cfg)


def convnext(folder: Path, config: Config) -> Any:
    """A classifier of images."""
    cfg = module("convnext", "modeling").ModelConfig(
        stage_depths=config["depths"],
        stage_dims=config["hidden_sizes"],
        drop_path_rate=config["drop_path_rate"],
        num_classes=labels(config),
        in_channels=config["num_channels"],
        patch_size=(config["patch_size"],) * 2,
        layernorm_eps=config["layer_norm_eps"],
        layer_scale_init_value=config["layer_scale_init_value"],
    )
    load = module("convnext", "params").create_convnext_from_pretrained
    return load(str(folder), cfg)


def densenet(folder: Path, config: Config) -> Any:
    """A classifier of images."""
    cfg = module("densenet121", "modeling").ModelConfig(
        num_classes=config["num_classes"],
        dense_block_layers=config["block_config"],
        growth_rate=config["growth_rate"],
    )
    return module("densenet121", "params").create_model_from_h5(str(folder), cfg)


def efficientnet(folder: Path, config: Config) -> Any:
    """A classifier of images; its loader of files asks timm for them, so it is given tensors."""
    modeling = module("efficientnet", "modeling")
    sizes = ("in_channels", "out_channels", "kernel_sizes", "num_block_repeats")
    stages = zip(
        *(config[name] for name in (*sizes, "expand_ratios", "strides")), strict=True
    )
    squeeze = config["squeeze_expansion_ratio"]
    blocks = [modeling.BlockConfig(*stage, squeeze, "SAME") for stage in stages]
    cfg = modeling.ModelConfig(
        **settings(modeling.ModelConfig, config, {}),
        resolution=config["image_size"],
        stem_conv_padding="SAME",
        bn_momentum=config["batch_norm_momentum"],
        bn_epsilon=config["batch_norm_eps"],
        block_configs=modeling.BlockConfigs(blocks),
        num_classes=labels(config),
    )
    model = modeling.EfficientNet(cfg, rngs=nnx.Rngs(0))
    load = module("efficientnet", "params").load_pretrained_weights
    return load(model, names.timm(folder, config))


def vae(folder: Path, config: Config) -> Any:
    """An autoencoder of images."""
    kind = module("vae", "modeling").ModelConfig
    cfg = kind(**settings(kind, config, {}))
    return module("vae", "params").create_model_from_safe_tensors(str(folder), cfg)


def whisper(folder: Path, config: Config) -> Any:
    """Speech to text; its loader asks for no config."""
    return module("whisper", "params").create_whisper_from_pretrained(str(folder))


def whisper_logits(model: Any, features: jax.Array, tokens: jax.Array) -> jax.Array:
    """Of frames and text: by its parts, since the whole is not written yet."""
    heard = model.encoder(features)
    mask = nnx.make_causal_mask(tokens)
    states = model.decoder(tokens, mask, heard, None, decode=False)
    logits: jax.Array = model.decoder.embed_tokens.attend(states)
    return logits


@dataclasses.dataclass(frozen=True)
class Family:
    """One of Bonsai's models, by the name of ours: how it is loaded, and called on arrays.

    `rewrite` puts a checkpoint of the reference library into files that the loader reads.
    """

    load: Callable[[Path, Config], Any]
    call: Callable[..., Any]
    rewrite: Callable[[Path, Path], None] | None = None

    def loaded(self, folder: Path, config: Config) -> Any:
        """The model with a checkpoint's weights; raises what its loader raises."""
        if self.rewrite is None:
            return self.load(folder, config)
        with tempfile.TemporaryDirectory() as other:
            self.rewrite(folder, Path(other))
            return self.load(Path(other), config)


FAMILIES: Mapping[str, Family] = {
    "qwen3": Family(qwen3, qwen3_logits),
    "gemma3": Family(gemma3, gemma3_logits, names.safetensors(names.TEXT_ONLY)),
    "mamba2": Family(
        mamba2,
        lambda model, tokens: model(tokens)["logits"],
        names.safetensors(names.SINGULAR),
    ),
    "whisper": Family(whisper, whisper_logits),
    "vit": Family(vit, lambda model, x: model(x, rngs=None)),
    "resnet": Family(resnet, lambda model, x: model(x)),
    "convnext": Family(
        convnext, lambda model, x: model(x, rngs=None), names.h5(names.CONVNEXT)
    ),
    "densenet": Family(densenet, lambda model, x: model(x), names.keras),
    "efficientnet": Family(efficientnet, lambda model, x: model(x)),
    "autoencoder_kl": Family(
        vae, lambda model, x: model(x), names.safetensors(names.OLD_ATTENTION)
    ),
}
