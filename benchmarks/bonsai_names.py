"""Checkpoints of reference libraries under the names, and in the files, that Bonsai's loaders read."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Callable, Iterator, Mapping
from importlib import import_module
from itertools import accumulate
from math import ceil
from pathlib import Path
from typing import Any

import numpy as np
from safetensors.numpy import load_file, save_file

Tensors = Mapping[str, np.ndarray]
Rules = Mapping[str, str]  # what takes the place of which pattern, one after the other

TEXT_ONLY = {r"^": "language_model."}  # gemma3: a part of the model with images
SINGULAR = {r"embeddings": "embedding"}  # mamba2: as its authors' own files have it
OLD_ATTENTION = {  # autoencoder_kl: the names of Stable Diffusion's first files
    r"to_q": "query",
    r"to_k": "key",
    r"to_v": "value",
    r"to_out\.0": "proj_attn",
}
_TF = r"\1/tf_conv_next_for_image_classification/\1/"
CONVNEXT = {  # as TensorFlow saves it
    r"^(convnext|classifier)\.": _TF,
    r"(embeddings|encoder|(?:stages|layers|downsampling_layer)\.\d+)\.": r"\1/",
    r"(layernorm|downsampling_layer\.0)[./]weight$": r"\1/gamma:0",
    r"(layernorm|downsampling_layer\.0)[./]bias$": r"\1/beta:0",
    r"[./]weight$": "/kernel:0",
    r"[./]bias$": "/bias:0",
    r"parameter$": "parameter:0",
}
TIMM = {  # efficientnet
    r"^efficientnet\.": "",
    r"^embeddings\.convolution": "conv_stem",
    r"^embeddings\.batchnorm": "bn1",
    r"^encoder\.top_conv": "conv_head",
    r"^encoder\.top_bn": "bn2",
    r"^encoder\.": "",
    r"squeeze_excite\.": "se.conv_",
    r"expansion\.expand_conv": "conv_pw",
    r"depthwise_conv\.depthwise_conv": "conv_dw",
    r"projection\.project_conv": "conv_pwl",
    r"expansion\.expand_bn": "bn1",
    r"depthwise_conv\.depthwise_norm": "bn2",
    r"projection\.project_bn": "bn3",
}


def renamed(name: str, rules: Rules) -> str:
    """A tensor's name where the rules apply."""
    for pattern, new in rules.items():
        name = re.sub(pattern, new, name)
    return name


def tensors_of(folder: Path) -> dict[str, np.ndarray]:
    """Those of a checkpoint."""
    (file,) = (p for p in folder.glob("*.safetensors") if "model" in p.name)
    return load_file(file)


def safetensors(rules: Rules) -> Callable[[Path, Path], None]:
    """Writes a checkpoint under other names."""

    def write(folder: Path, out: Path) -> None:
        shutil.copy(folder / "config.json", out)
        tensors = {renamed(n, rules): t for n, t in tensors_of(folder).items()}
        save_file(tensors, out / "model.safetensors")

    return write


def h5(rules: Rules) -> Callable[[Path, Path], None]:
    """Writes a checkpoint as TensorFlow does."""

    def write(folder: Path, out: Path) -> None:
        tensors = tensors_of(folder).items()
        write_h5(out / "tf_model.h5", {renamed(n, rules): t for n, t in tensors})

    return write


def write_h5(path: Path, tensors: Tensors) -> None:
    """A file of tensors in TensorFlow's layouts."""
    with import_module("h5py").File(path, "w") as file:
        for name, tensor in tensors.items():
            file[name] = turned(tensor)


def turned(tensor: np.ndarray) -> np.ndarray:
    """Kernels with their inputs and outputs last, which PyTorch has first."""
    return tensor if tensor.ndim < 2 else tensor.transpose(*range(2, tensor.ndim), 1, 0)


def keras(folder: Path, out: Path) -> None:
    """DenseNet, whose layers Keras counts."""
    config = json.loads((folder / "config.json").read_text())
    tensors, named = tensors_of(folder), {}
    for place, (norm, conv) in enumerate(layers_of_densenet(config["block_config"])):
        count = f"_{place}" if place else ""
        weights = ("weight", "bias", "running_mean", "running_var")
        for i, weight in enumerate(weights):
            name = f"batch_normalization{count}/vars/{i}"
            named[name] = tensors[f"features.{norm}.{weight}"]
        if conv:
            named[f"conv2d{count}/vars/0"] = tensors[f"features.{conv}.weight"]
    inside = {f"layers/dense_net_backbone/layers/{n}": t for n, t in named.items()}
    for i, weight in enumerate(("weight", "bias")):
        inside[f"layers/dense/vars/{i}"] = tensors[f"classifier.{weight}"]
    write_h5(out / "task.weights.h5", inside)


def layers_of_densenet(depths: list[int]) -> Iterator[tuple[str, str]]:
    """Each norm with the convolution beside it, in order."""
    yield "norm0", "conv0"
    for i, depth in enumerate(depths, 1):
        for j in range(1, depth + 1):
            layer = f"denseblock{i}.denselayer{j}"
            yield from ((f"{layer}.norm{k}", f"{layer}.conv{k}") for k in (1, 2))
        if i < len(depths):
            yield f"transition{i}.norm", f"transition{i}.conv"
    yield "norm5", ""


def timm(folder: Path, config: Mapping[str, Any]) -> Tensors:
    """EfficientNet's tensors by timm's names, which tell a layer's place in its stage."""
    depths = [
        ceil(config["depth_coefficient"] * n) for n in config["num_block_repeats"]
    ]
    ends = [*accumulate(depths)]
    found = {}
    for name, tensor in tensors_of(folder).items():
        name = renamed(name, TIMM)
        if place := re.match(r"blocks\.(\d+)\.", name):
            block = int(place[1])
            stage = sum(end <= block for end in ends)
            inside = name[place.end() :]
            if config["expand_ratios"][stage] == 1:  # its first is missing
                inside = renamed(inside, {r"bn2": "bn1", "bn3": "bn2", "pwl": "pw"})
            name = f"blocks.{stage}.{block - ends[stage] + depths[stage]}.{inside}"
        found[name] = tensor
    return found
