"""Files `config.json` such as published models have, many older than the library of today.

They are written down from memory, not copied. They leave out what had its default then, and say
what no library reads any more, or only when sequences are sampled. All of them are read.
"""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from emitting import ZOO, load, text_of

FILES = json.loads((Path(__file__).parent / "configs/files.json").read_text())
LIGHT = ("autoencoder_kl", "gemma2", "gpt2", "llama", "t5", "vit")


def marked(name: str) -> Any:
    light = name.partition(":")[0] in LIGHT
    return pytest.param(name, marks=() if light else (pytest.mark.heavy,))


@cache
def family(name: str) -> Any:
    """The module of a family."""
    spec = (ZOO / f"{name.partition(':')[0]}.nnx").read_text()
    return load(text_of(spec, black=False))


def read(name: str, folder: Path, **more: Any) -> Any:
    """The Config of a family from a file, with more in it."""
    (folder / "config.json").write_text(json.dumps(FILES[name] | more))
    return family(name).read_config(folder)


@pytest.mark.parametrize("name", [marked(name) for name in FILES])
def test_a_published_file_is_read_as_one_config(name: str, tmp_path: Path) -> None:
    first, second = read(name, tmp_path), read(name, tmp_path)
    assert first == second and hash(first) == hash(second)  # so jit compiles once


def test_another_architecture_is_all_that_is_told(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text(json.dumps(FILES["bert"]))
    with pytest.raises(ValueError, match="does not fit") as caught:
        family("llama").read_config(tmp_path)
    assert str(caught.value).split("\n  ")[1:] == [
        "model_type is 'bert', the model assumes 'llama'"
    ]


def test_what_files_leave_out_is_the_default_of_their_library(tmp_path: Path) -> None:
    t5, gated = read("t5", tmp_path), read("t5:v1_1", tmp_path)
    assert (t5.gated, t5.active.__name__) == (False, "relu")
    assert (gated.gated, gated.active.__name__) == (True, "gelu")
    assert read("vit", tmp_path).bias and read("gemma2", tmp_path).kinds is None


@pytest.mark.parametrize(
    ("name", "key", "field", "value"),
    [
        ("qwen3", "tie_word_embeddings", "tied", False),
        ("qwen3", "head_dim", "head_dim", 128),
        ("qwen3", "rope_theta", "theta", 10000.0),
        ("bert", "pad_token_id", "pad", 0),
        ("deepseek_v3:moonlight", "q_lora_rank", "q_rank", 1536),
        ("qwen3", "num_key_value_heads", "", "num_key_value_heads is missing"),
        ("gpt_oss", "rope_scaling", "", "rope_parameters.rope_type is not there"),
        ("falcon:40b", "new_decoder_architecture", "", "not there, which means False"),
    ],
)
def test_what_one_file_leaves_out_is_not_as_in_another(
    name: str, key: str, field: str, value: Any, tmp_path: Path
) -> None:
    file = FILES[name] | {"num_hidden_layers": 1}
    (tmp_path / "config.json").write_text(
        json.dumps({k: v for k, v in file.items() if k != key})
    )
    if field:
        assert getattr(family(name).read_config(tmp_path), field) == value
    else:
        with pytest.raises(ValueError, match=value):
            family(name).read_config(tmp_path)


@pytest.mark.parametrize(
    ("name", "key"),
    [
        ("llama:2", "rope_interleaved"),
        ("gpt2", "scale_attn_by_inverse_layer_idx"),
        ("bart", "normalize_before"),
        ("qwen2", "use_mrope"),
    ],
)
def test_old_keys_are_held_to_what_is_computed(
    name: str, key: str, tmp_path: Path
) -> None:
    with pytest.raises(ValueError, match=f"  {key} is True, the model assumes False"):
        read(name, tmp_path, **{key: True})


@pytest.mark.parametrize("name", ["cohere", "gemma3", "gpt2"])
def test_keys_stand_in_one_text_or_in_a_tuple(name: str) -> None:
    """No line has a text, a blank and another text."""
    text = text_of((ZOO / f"{name}.nnx").read_text())
    assert not [line for line in text.splitlines() if '" "' in line]
