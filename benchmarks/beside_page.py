"""The page that shows Bonsai's models and ours with the same checkpoints."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from .timing import ROOT

PAGE = ROOT / "benchmarks" / "beside.md"
HEAD = """# The same checkpoints in Bonsai's models and in ours

`make beside BONSAI=folder PARITY=folder` writes this page: both read the same weights in one run.
[Bonsai](https://github.com/jax-ml/bonsai) has the JAX team's own models in Flax NNX; its code is imported from a
checkout, by the calls that its examples and tests make, and given what a `config.json` says wherever its own configs
have a place for it.
"""
FOLLOWED = """## What comes out

Reference models, tiny and of unequal sizes, with their `config.json`: how far the output is off, in what is tolerated
(20 times what the reference itself differs between float32 and float64, or 5e-6 of the largest), or the error at
loading. Where Bonsai's loader reads other names or files (Gemma 3 within the model that sees images, Mamba 2 and the
autoencoder as first published, EfficientNet by timm, ConvNeXt by TensorFlow, DenseNet by Keras), it is given these.

What is behind its column: Qwen 3 has a fixed base of its rotary positions; Gemma 3 scales by the heads' width, whatever
`query_pre_attn_scalar` is, and rounds the root of `d` to bfloat16; ViT has the approximate gelu; ConvNeXt pads odd
maps. The others have fixed sizes: Mamba 2 one group, Whisper those of its smallest, ResNet and DenseNet some widths,
EfficientNet a divisor of widths, the autoencoder the layers of its blocks. Bonsai's UMT5 is no T5, its UNet and VGG
have sizes and files of their own, and for the rest there is no reference.

| Reference | Ours | Bonsai's |
|---|---|---|
"""
TIMES = """## How long it takes

With the weights that ours has written, in float32, at sizes where both compute the same: before they are timed, both
must give the same tokens, logits and loss. Ours takes what theirs has fixed: gelu is the approximate one in ViT and
after Whisper's convolutions, ConvNeXt's labels are not smoothed and its weights not averaged. DenseNet, EfficientNet
and the autoencoder are not timed. Decoding is that of Bonsai's example, a call for each token, and our `generate`. A
step is `nnx.jit` as Flax documents it for Bonsai's, which has none, and our `Trainer`; the optimizer is the same.

| | Bonsai's | Ours | Ours over Bonsai's |
|---|---|---|---|
"""


def page(results: Mapping[str, Any]) -> str:
    """The page of results."""
    followed = [
        f"| {name} | {cell(row['ours'])} | {cell(row['theirs'])} |"
        for name, row in results["followed"].items()
    ]
    times = [
        f"| {title} | {1000 * row['theirs_s']:,.0f} ms | {1000 * row['ours_s']:,.0f} ms | {row['ratio']:.2f} |"
        for title, row in results["times"].items()
    ]
    machine = results["machine"]
    where = f"Python {machine['python']}, {machine['system']}, {machine['cores']} cores"
    last = (
        f"Medians of {results['rounds']} rounds, taking turns; Bonsai at "
        f"{results['commit'][:12]}. {where}."
    )
    tables = (FOLLOWED + "\n".join(followed), TIMES + "\n".join(times))
    return "\n".join([HEAD, *(f"{table}\n" for table in tables), last, ""])


def cell(text: str) -> str:
    """A figure as it is, an error as what it says."""
    return text if text.replace(".", "").isdigit() else f"`{text}`"
