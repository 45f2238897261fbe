"""A character GPT over Python's own reference manual, which ships with Python."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from importlib import import_module
from pydoc_data.topics import topics
from types import ModuleType

import jax
import numpy as np
from flax import nnx

from .console import progress

ALPHABET = "\n" + "".join(map(chr, range(32, 127)))
BATCH, CONTEXT, STEPS, TEMPERATURE, SEED = 12, 64, 1600, 0.5, 0
LENGTH = 60_000  # characters of text: as much as a minute suffices for
PATIENCE = 90  # seconds; a slow machine takes fewer steps


def prose(length: int = LENGTH) -> str:
    """The paragraphs of the manual that are prose, one a line, in plain ASCII."""
    text = "\n\n".join(topics[name] for name in sorted(topics))
    paragraphs = (" ".join(p.split()) for p in text.split("\n\n") if p[:1].isupper())
    chosen = "\n".join(p for p in paragraphs if len(p) > 80 and p[-1] in ".:")
    return re.sub(f"[^{re.escape(ALPHABET)}]", "", chosen)[:length]


def encode(text: str) -> np.ndarray:
    """Characters as positions in the alphabet."""
    return np.array([ALPHABET.index(c) for c in text], np.int32)


def batches(tokens: np.ndarray) -> Iterator[np.ndarray]:
    """Random windows of the text, one token longer than the context."""
    rng = np.random.default_rng(SEED)
    for _ in range(STEPS):
        starts = rng.integers(0, len(tokens) - CONTEXT, BATCH)
        yield np.stack([tokens[s : s + CONTEXT + 1] for s in starts])


def train(gpt: ModuleType) -> tuple[nnx.Module, list[float]]:
    """A model trained for about a minute, and the losses of its steps."""
    tokens = encode(prose())
    model = gpt.create_model(gpt.Config(vocab=len(ALPHABET), context=CONTEXT))
    trainer = import_module("nnx_training").Trainer(
        gpt.train_step, model, gpt.create_optimizer(model)
    )
    losses: list[float] = []
    end = time.monotonic() + PATIENCE
    for window in progress(list(batches(tokens)), "character GPT", losses):
        loss, _ = trainer.step(window)
        losses.append(float(loss))
        if time.monotonic() > end:
            break
    return model, losses


def sample(model: nnx.Module, prompt: str, length: int) -> str:
    """The prompt and what the model writes after it."""
    graphdef, state = nnx.split(model)

    @jax.jit
    def following(key: jax.Array, window: jax.Array, last: jax.Array) -> jax.Array:
        logits = nnx.merge(graphdef, state)(window[None])[0, last]
        return jax.random.categorical(key, logits / TEMPERATURE)

    text = prompt
    for key in jax.random.split(jax.random.key(SEED), length):
        window = encode(text[-CONTEXT:])
        padded = np.pad(window, (0, CONTEXT - len(window)))
        text += ALPHABET[int(following(key, padded, len(window) - 1))]
    return text
