"""`generation_config.json`: options of `generate` as transformers says them, written and read."""

from __future__ import annotations

import json
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from emitting import load, text_of
from flax import nnx
from test_generate import HEAD, LAYERS

from nnxc import Options, compile

pytest.importorskip("safetensors")

WEIGHTS = """
weights Net from "{path}":
    config vocab, d = "vocab_size", "hidden_size"
"""
SPEC = LAYERS["Attention"] + HEAD + WEIGHTS
GREEDY = {"do_sample": False, "eos_token_id": None}
NAME = "generation_config.json"


@pytest.fixture(scope="module")
def net() -> ModuleType:
    return load(text_of(SPEC, black=False))


@pytest.fixture(scope="module")
def model(net: ModuleType) -> Any:
    return net.Net(net.Config(), rngs=nnx.Rngs(0))


def said(folder: Path) -> Any:
    return json.loads((folder / NAME).read_text())


@pytest.mark.parametrize(
    ("sampling", "expected"),
    [
        ({}, GREEDY),
        ({"stop": [7], "seed": 3}, GREEDY | {"eos_token_id": 7}),
        (
            {"stop": [7, 8], "max_new_tokens": 5, "top_k": 3},
            {"do_sample": False, "eos_token_id": [7, 8], "max_new_tokens": 5},
        ),
        (
            {"temperature": 0.7, "top_p": 0.9},
            {
                **GREEDY,
                "do_sample": True,
                "temperature": 0.7,
                "top_k": 0,
                "top_p": 0.9,
            },
        ),
        (
            {"temperature": 0.7, "top_k": 5},
            {**GREEDY, "do_sample": True, "temperature": 0.7, "top_k": 5, "top_p": 1.0},
        ),
    ],
)
def test_written_and_read(
    net: ModuleType, model: Any, tmp_path: Path, sampling: Any, expected: Any
) -> None:
    net.save_pretrained(model, tmp_path, net.Config(), sampling=sampling)
    assert said(tmp_path) == expected
    given = {k: v for k, v in sampling.items() if k != "seed"}
    given["stop"] = tuple(given.get("stop", ()))
    if not expected["do_sample"]:
        given.pop("top_k", None)
    else:
        given = {"top_k": None, "top_p": None} | given
    assert net.read_sampling(tmp_path) == given
    options = {"max_new_tokens": 3} | net.read_sampling(tmp_path)
    assert net.generate(model, [[1, 2]], **options) == net.generate(
        model, [[1, 2]], **{"max_new_tokens": 3} | sampling | {"seed": 0}
    )


def test_without_options_it_is_as_generate_is(
    net: ModuleType, model: Any, tmp_path: Path
) -> None:
    net.save_pretrained(model, tmp_path / "a", net.Config())
    assert said(tmp_path / "a") == GREEDY
    net.save_pretrained(model, tmp_path / "b")  # weights alone
    assert [f.name for f in (tmp_path / "b").iterdir()] == ["model.safetensors"]
    net.save_pretrained(model, tmp_path / "b", sampling={"stop": [1]})
    assert said(tmp_path / "b")["eos_token_id"] == 1
    with pytest.raises(TypeError, match="`generate` has no option stopp, it has max"):
        net.save_pretrained(model, tmp_path / "c", sampling={"stopp": [1]})
    assert not (tmp_path / "c").exists()


def test_over_that_of_another(net: ModuleType, model: Any, tmp_path: Path) -> None:
    net.save_pretrained(model, tmp_path / "a", net.Config())
    base = {"do_sample": True, "top_k": 9, "eos_token_id": 3, "pad_token_id": 4}
    (tmp_path / "a" / NAME).write_text(json.dumps(base))
    net.save_pretrained(model, tmp_path / "b", net.Config(), like=tmp_path / "a")
    assert said(tmp_path / "b") == base
    more = {"like": tmp_path / "a", "sampling": {"stop": [5]}}
    net.save_pretrained(model, tmp_path / "b", net.Config(), **more)
    assert said(tmp_path / "b") == GREEDY | {"eos_token_id": 5, "pad_token_id": 4}
    (tmp_path / "a" / NAME).unlink()
    net.save_pretrained(model, tmp_path / "c", net.Config(), like=tmp_path / "a")
    assert not (tmp_path / "c" / NAME).exists()


READ = [
    ({"do_sample": True}, {"stop": (), "temperature": 1.0, "top_k": 50, "top_p": None}),
    (
        {"do_sample": True, "temperature": 0.6, "top_p": 0.95, "top_k": None},
        {"stop": (), "temperature": 0.6, "top_k": 50, "top_p": 0.95},
    ),
    ({"temperature": 0.6, "top_p": 0.95}, {"stop": ()}),
    (
        {
            "eos_token_id": [3, 4],
            "bos_token_id": 1,
            "pad_token_id": 0,
            "use_cache": True,
        },
        {"stop": (3, 4)},
    ),
    (
        {"num_beams": 1, "repetition_penalty": 1.0, "max_length": 9, "eos_token_id": 2},
        {"stop": (2,)},
    ),
    (
        {"suppress_tokens": None, "min_length": 0, "transformers_version": "5"},
        {"stop": ()},
    ),
]


@pytest.mark.parametrize(("whole", "expected"), READ)
def test_what_is_read(
    net: ModuleType, tmp_path: Path, whole: Any, expected: Any
) -> None:
    (tmp_path / NAME).write_text(json.dumps(whole))
    assert net.read_sampling(tmp_path) == expected


@pytest.mark.parametrize(
    ("whole", "message"),
    [
        ({"repetition_penalty": 1.1}, "repetition_penalty is 1.1"),
        ({"num_beams": 4}, "num_beams is 4"),
        ({"suppress_tokens": [1]}, "suppress_tokens is"),
        ({"min_p": 0.1}, "min_p is 0.1"),
        ({"temperature": "hot"}, "temperature is 'hot'"),
        ({"eos_token_id": [1, "a"]}, "eos_token_id is"),
        ({"do_sample": 1}, "do_sample is 1"),
        ({"new_thing": {"a": 1}}, "new_thing is"),
    ],
)
def test_what_is_refused(
    net: ModuleType, tmp_path: Path, whole: Any, message: str
) -> None:
    """What `generate` does not do; several at once are one error."""
    (tmp_path / NAME).write_text(json.dumps({**whole, "no_repeat_ngram_size": 3}))
    with pytest.raises(ValueError, match="does not fit:\n") as error:
        net.read_sampling(tmp_path)
    assert message in str(error.value)
    assert "no_repeat_ngram_size is 3" in str(error.value)


def test_older_folders(net: ModuleType, tmp_path: Path) -> None:
    """Those without it have the tokens that end a text in `config.json`."""
    (tmp_path / "config.json").write_text('{"eos_token_id": 6, "n_ctx": 8}')
    assert net.read_sampling(tmp_path) == {"stop": (6,)}
    (tmp_path / "config.json").write_text("{}")
    assert net.read_sampling(tmp_path) == {"stop": ()}
    (tmp_path / "config.json").unlink()
    with pytest.raises(ValueError, match="is no file"):
        net.read_sampling(tmp_path)


def test_only_models_that_generate_have_it() -> None:
    text = text_of(SPEC.replace("generate Net", ""), black=False)
    assert "ampling" not in text and "generation" not in text
    bare = text_of(SPEC.replace(WEIGHTS, '\nweights Net from "{path}"\n'), black=False)
    assert "read_sampling" not in bare and "sampling:" not in bare


def test_in_one_file() -> None:
    """It stands alone there, too."""
    output = compile(SPEC, path="net.nnx", options=Options(single_file=True))
    module = load(output.files["net.py"])
    assert module.read_sampling is not None and "nnx_configs" not in dir(module)
