"""Stages that sample with a cache."""

from __future__ import annotations

import numpy as np
from flax import nnx

from .specs import Make
from .work import adapted, continued, sample, train


def _as_without_cache(model: object, prompts: list[str]) -> object:
    made, found = sample(model, prompts)
    for prompt, tokens in zip(prompts, found.tokens, strict=True):
        got, wanted = list(map(int, tokens)), continued(model, prompt)
        assert got == wanted, f"{prompt!r} goes on {got}, without a cache {wanted}"
    return made


def greedy(make: Make) -> None:
    """A batch padded on the left goes on as each prompt would without a cache."""
    _as_without_cache(train(make()), ["abc", "hijklm"])


def sampled_lora(make: Make) -> None:
    """The same with adapters, which a sampler takes new values of."""
    model = train(adapted(make()), rate=3e-2)
    made = _as_without_cache(model, ["abc"])
    made.transformer_state = nnx.state(model, nnx.LoRAParam)


def logprobs(make: Make) -> None:
    """Scores and log-probabilities of what was sampled come with it."""
    _, found = sample(
        make(),
        ["abc"],
        return_logits=True,
        return_logprobs=True,
        temperature=1.0,
        top_p=0.9,
        seed=0,
    )
    logits, chances = np.array(found.logits[0]), np.array(found.logprobs[0])
    assert np.isfinite(logits).all() and (chances <= 0).all(), chances


def beams(make: Make) -> None:
    """Beam search."""
    _, found = sample(make(), ["abc"], beam_size=2)
    assert len(found.text) == 1 and found.text[0], found.text
