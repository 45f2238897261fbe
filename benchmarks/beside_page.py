"""The page that shows Bonsai's models and ours with the same checkpoints."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from .timing import ROOT

PAGE = ROOT / "benchmarks" / "beside.md"
HEAD = """# The same checkpoints in Bonsai's models and in ours

`make beside BONSAI=folder PARITY=folder` writes this page: both read the same files in one run.
[Bonsai](https://github.com/jax-ml/bonsai) has the JAX team's own models in Flax NNX; its code is imported from a
checkout, by the calls that its examples make, and given what a `config.json` says wherever its own configs have a
place for it.
"""
FOLLOWED = """## What comes out

Reference models, tiny and of unequal sizes, with their `config.json`: how far the logits are off, in what is tolerated
(20 times what the reference itself differs between float32 and float64, or 5e-6 of the largest), or the error at
loading. Bonsai's Qwen 3 has a fixed base of its rotary positions, its ViT the approximate gelu, the others fixed sizes.

| Reference | Ours | Bonsai's |
|---|---|---|
"""
TIMES = """## How long it takes

Qwen 3 of 33 M parameters and ViT of 5 M, with the weights that ours has written, in float32; before they are timed,
both must give the same tokens, logits and loss. Decoding is that of Bonsai's example, a call for each token, and our
`generate`. A step is `nnx.jit` as Flax documents it for Bonsai's, which has none, and our `Trainer`; the optimizer is
the same.

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
