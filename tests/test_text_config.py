"""Checkpoints of several models, of which that of text is read."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import jax.numpy as jnp
import numpy as np
import pytest
from emitting import ZOO, load, text_of
from flax import nnx
from safetensors.numpy import load_file, save_file

TINY = {"vocab": 19, "d": 16, "heads": 2, "kv_heads": 1, "head_dim": 8, "hidden": 24}
VISION = {"vision_config": {"hidden_size": 8}, "mm_tokens_per_image": 4}


@pytest.fixture(scope="module")
def gemma() -> Any:
    return load(text_of((ZOO / "gemma3.nnx").read_text(), black=False))


@pytest.fixture(scope="module")
def flat(gemma: Any, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Any]:
    """A folder of a model of text alone, and the model."""
    folder = tmp_path_factory.mktemp("flat")
    cfg = gemma.Config(**TINY, layers=2, sliding_window=3, sliding_window_pattern=2)
    model = gemma.Gemma3(cfg, rngs=nnx.Rngs(0))
    gemma.save_pretrained(model, folder, cfg)
    return folder, model


@pytest.mark.parametrize("prefix", ["language_model.model.", "model.language_model."])
def test_the_part_of_text_is_loaded(
    gemma: Any, flat: tuple[Path, Any], prefix: str, tmp_path: Path
) -> None:
    folder, model = flat
    tensors = load_file(folder / "model.safetensors")
    nested = {prefix + name.removeprefix("model."): t for name, t in tensors.items()}
    nested["vision_tower.encoder.weight"] = np.zeros((2, 2), np.float32)
    save_file(nested, tmp_path / "model.safetensors")
    inner = json.loads((folder / "config.json").read_text())
    outer = {"model_type": "gemma3", "text_config": inner, **VISION}
    (tmp_path / "config.json").write_text(json.dumps(outer))
    ids = jnp.array([[1, 2, 3, 4, 5]])
    found = gemma.load_pretrained(tmp_path)(ids).logits
    np.testing.assert_array_equal(found, model(ids).logits)
    cfg = gemma.read_config(tmp_path)
    gemma.save_pretrained(model, tmp_path / "again", cfg, like=tmp_path)
    written = json.loads((tmp_path / "again/config.json").read_text())
    assert written["architectures"] == ["Gemma3ForCausalLM"]
    assert "text_config" not in written and "vision_config" not in written
    assert gemma.read_config(tmp_path / "again") == cfg


def test_what_stands_beside_it_is_read_or_refused(gemma: Any, tmp_path: Path) -> None:
    text = {"hidden_size": 16, "intermediate_size": 24, "num_hidden_layers": 2}
    whole = {"text_config": text | {"sliding_window": 3}, "model_type": "gemma3_text"}
    (tmp_path / "config.json").write_text(json.dumps(whole | {"audio_scale": 2}))
    with pytest.raises(ValueError, match="audio_scale is 2, the model does not read"):
        gemma.read_config(tmp_path)
    kinds = ["sliding_attention", "linear_attention"]
    cfg = gemma.Config(**TINY, layers=2, layer_types=kinds)
    with pytest.raises(ValueError, match="linear_attention"):
        gemma.Gemma3(cfg, rngs=nnx.Rngs(0))
