"""What Bonsai's models and ours are timed at: the same weights, the same numbers, in turns."""

from __future__ import annotations

import importlib
import json
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from types import MappingProxyType, ModuleType
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax
from flax import nnx

import nnxc

from .bonsai_models import FAMILIES, module
from .step import imported
from .timing import ZOO

Way = Callable[[], Any]
PROMPT, MORE = 64, 128  # tokens, where they are decoded
# How far off both may be, in the largest of what one gives: Bonsai's Mamba 2 takes differences
# of decays that it has summed over 256 entries.
CLOSE = 5e-4


class Batch(NamedTuple):
    """What our step takes, what the models take of it, and what they are to give."""

    title: str
    ours: tuple[jax.Array, ...]
    inputs: tuple[jax.Array, ...]
    labels: jax.Array


def texts(b: int, t: int, vocab: int) -> Batch:
    """Random tokens; what theirs keeps of a text has room for a power of two."""
    tokens = ids(b, t + 1, vocab)
    return Batch(f"{b} x {t} tokens", (tokens,), (tokens[:, :-1],), tokens[:, 1:])


def pictures(b: int, side: int, classes: int) -> Batch:
    """Random images."""
    pixels, labels = noise(b, side, side, 3), ids(1, b, classes)[0]
    return Batch(f"{b} images", (pixels, labels), (pixels,), labels)


def speech(b: int, frames: int, mels: int, t: int, vocab: int) -> Batch:
    """Random frames and tokens."""
    tokens = texts(b, t, vocab)
    inputs = (noise(b, frames, mels), *tokens.inputs)
    title = f"{frames} frames and {t} tokens"
    return Batch(title, (*inputs, tokens.labels), inputs, tokens.labels)


def noise(*shape: int) -> jax.Array:
    """Numbers from 0 to 1."""
    return jnp.asarray(np.random.default_rng(0).random(shape, np.float32))


def ids(b: int, t: int, count: int) -> jax.Array:
    """Whole numbers, none of them 0."""
    return jnp.asarray(np.random.default_rng(0).integers(1, count, (b, t)))


@dataclass(frozen=True)
class Subject:
    """A family at sizes of ours; what our spec says otherwise, where theirs has no choice."""

    title: str
    family: str
    sizes: Mapping[str, Any]
    batch: Callable[[], Batch]
    edits: Mapping[str, str] = field(default_factory=dict)
    decodes: bool = False

    def works(self) -> Iterator[tuple[str, tuple[Way, Way]]]:
        """What both do, theirs first: decoding, outputs, a step of training."""
        with tempfile.TemporaryDirectory() as folder:
            pair = Pair(self, Path(folder))
            if self.decodes:
                for b in (1, 8):
                    yield f"{self.title}, decoding, batch {b}", pair.decoding(b)
            batch = self.batch()
            yield f"{self.title}, logits of {batch.title}", pair.logits(batch)
            yield f"{self.title}, training, {batch.title}", pair.training(batch)


Sizes = dict[str, Any]  # of our Config
QWEN3: Sizes = {"vocab": 8192, "d": 512, "layers": 8, "heads": 8, "kv_heads": 4}
QWEN3 |= {"head_dim": 64, "hidden": 1376, "tied": False}
# Theirs rounds the root of d to bfloat16, and scales by the root of head_dim.
GEMMA3: Sizes = {"vocab": 8192, "d": 256, "layers": 6, "heads": 4, "kv_heads": 2}
GEMMA3 |= {"head_dim": 64, "hidden": 1024, "sliding_window": 64, "scale": 0.125}
GEMMA3 |= {"layer_types": (*["sliding_attention"] * 5, "full_attention")}
MAMBA2: Sizes = {"vocab": 2048, "d": 256, "layers": 4, "heads": 8, "head_dim": 64}
MAMBA2 |= {"state_size": 64}
VIT: Sizes = {"classes": 100, "size": 64, "patch": 8, "d": 256, "heads": 4, "layers": 6}
VIT |= {"hidden": 1024, "act": jax.nn.gelu}  # theirs has this one
CONVNEXT: Sizes = {"classes": 100, "widths": (48, 96, 192, 384), "depths": (1, 1, 3, 1)}
CONVNEXT |= {"drop_path_rate": 0.0}
RESNET: Sizes = {"depths": (2, 2, 2, 2)}
APPROXIMATE = {f"conv{i} -> gelu": f"conv{i} -> gelu(approximate=true)" for i in (1, 2)}
SUBJECTS = (
    Subject("Qwen 3", "qwen3", QWEN3, partial(texts, 4, 256, 8192), decodes=True),
    Subject("Gemma 3", "gemma3", GEMMA3, partial(texts, 4, 256, 8192)),
    Subject("Mamba 2", "mamba2", MAMBA2, partial(texts, 2, 512, 2048)),
    Subject(
        "Whisper",
        "whisper",
        {},
        partial(speech, 1, 3000, 80, 64, 51865),
        APPROXIMATE | {"    freeze encoder.embed_positions\n": ""},
    ),
    Subject("ViT", "vit", VIT, partial(pictures, 16, 64, 100)),
    Subject("ResNet", "resnet", RESNET, partial(pictures, 8, 64, 1000)),
    Subject(
        "ConvNeXt",
        "convnext",
        CONVNEXT,
        partial(pictures, 8, 64, 100),
        {", smoothing=0.1": "", "    ema = 0.9999\n": ""},
    ),
)


class Pair:
    """A subject's models with the same weights, which ours has written."""

    def __init__(self, subject: Subject, folder: Path):
        self.family = FAMILIES[subject.family]
        self.module = built(subject.family, folder, subject.edits)
        cfg = self.module.Config(**subject.sizes)
        weights = folder / "weights"
        self.module.save_pretrained(self.module.create_model(cfg), weights, cfg)
        self.ours = self.module.load_pretrained(weights, cfg)
        self.ours.eval()
        config = json.loads((weights / "config.json").read_text())
        self.theirs = self.family.loaded(weights, config)

    def logits(self, batch: Batch) -> tuple[Way, Way]:
        """What the models give."""
        call = nnx.jit(self.family.call)
        logits = nnx.jit(lambda model, *inputs: model(*inputs).logits)
        theirs = partial(call, self.theirs, *batch.inputs)
        return same(theirs, partial(logits, self.ours, *batch.inputs))

    def training(self, batch: Batch) -> tuple[Way, Way]:
        """A step with the same optimizer: theirs as Flax documents it, ours by its trainer."""

        def loss(model: Any, inputs: tuple[jax.Array, ...], labels: Any) -> jax.Array:
            losses = optax.softmax_cross_entropy_with_integer_labels(
                self.family.call(model, *inputs), labels
            )
            return jnp.mean(losses)

        @nnx.jit
        def step(model: Any, optimizer: Any, inputs: Any, labels: Any) -> jax.Array:
            value: jax.Array
            value, gradients = nnx.value_and_grad(loss)(model, inputs, labels)
            optimizer.update(model, gradients)
            return value

        self.theirs.train()
        first, second = (
            nnx.Optimizer(m, optax.adamw(1e-4), wrt=nnx.Param)
            for m in (self.theirs, self.ours)
        )
        module = self.module
        rngs = [module.create_rngs()] if hasattr(module, "create_rngs") else []
        trainer_type = importlib.import_module("nnx_training").Trainer
        trainer = trainer_type(module.train_step, self.ours, second, *rngs)
        theirs = partial(step, self.theirs, first, batch.inputs, batch.labels)
        return same(theirs, lambda: trainer.step(*batch.ours)[0])

    def decoding(self, b: int) -> tuple[Way, Way]:
        """The likeliest tokens: theirs as its `run_model.py` has it."""
        modeling = module("qwen3", "modeling")
        prompts = ids(b, PROMPT, 8192)
        likeliest = jax.jit(partial(jnp.argmax, axis=-1, keepdims=True))

        def decoded() -> np.ndarray:
            cache = modeling.init_cache(
                self.theirs.config, *prompts.shape, MORE, dtype=jnp.float32
            )
            token, found = prompts, []
            for _ in range(MORE):
                logits, cache = modeling.forward(self.theirs, cache, token, 0)
                token = likeliest(logits)
                found.append(token)
            return np.asarray(jnp.concatenate(found, axis=-1))

        given = np.asarray(prompts).tolist()
        generate = partial(self.module.generate, self.ours, given)
        return same(decoded, partial(generate, max_new_tokens=MORE), close=0)


def built(
    name: str, folder: Path, edits: Mapping[str, str] = MappingProxyType({})
) -> ModuleType:
    """The module of a published model, whose spec is edited."""
    spec = ZOO / f"pretrained/{name}.nnx"
    if edits:
        text = spec.read_text()
        for old, new in edits.items():
            assert old in text, old
            text = text.replace(old, new)
        spec = folder / spec.name
        spec.write_text(text)
    assert nnxc.build([str(spec)], str(folder)).ok
    return imported(folder / f"{name}.py")


def same(theirs: Way, ours: Way, close: float = CLOSE) -> tuple[Way, Way]:
    """Both, after seeing that they give the same: what follows compares equal work."""
    first, second = (np.asarray(done(way)) for way in (theirs, ours))
    off = np.abs(first - second).max()
    assert off <= close * np.abs(first).max(), f"they differ by {off}"
    return theirs, ours


def done(way: Way) -> Any:
    """What it gives, once it has."""
    return jax.block_until_ready(way())  # type: ignore[no-untyped-call]


def measured(theirs: Way, ours: Way, rounds: int) -> dict[str, float]:
    """Median seconds of each, taking turns, and of their ratio within a round."""

    def seconds(way: Way) -> float:
        start = time.perf_counter()
        done(way)
        return time.perf_counter() - start

    found = [(seconds(theirs), seconds(ours)) for _ in range(rounds)]
    median = statistics.median
    return {
        "theirs_s": median(t for t, _ in found),
        "ours_s": median(o for _, o in found),
        "ratio": median(o / t for t, o in found),
    }
