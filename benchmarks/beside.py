"""Bonsai's models and ours with the same checkpoints, in one run.

PYTHONPATH=BONSAI python -m benchmarks.beside PARITY [rounds]

BONSAI is a checkout of jax-ml/bonsai: it is imported, nothing of it is copied. PARITY has a
folder for each family, as `make parity` reads them: tensors, `config.json`, and what the
reference library makes of them. The page beside this file shows what was found.
"""

from __future__ import annotations

import importlib
import json
import statistics
import subprocess
import sys
import tempfile
import textwrap
import time
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from pathlib import Path
from types import ModuleType
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
from flax import nnx

import nnxc

from . import bonsai_models
from .beside_page import PAGE, page
from .step import imported
from .timing import RESULTS, ZOO, save

RELATIVE, NOISES = 5e-6, 20  # what is tolerated, as in `make parity`
SIZES = {"vocab": 8192, "d": 512, "layers": 8, "heads": 8, "kv_heads": 4}
SIZES |= {"head_dim": 64, "hidden": 1376}
IMAGES = {"classes": 100, "size": 64, "patch": 8, "d": 256, "heads": 4}
IMAGES |= {"layers": 6, "hidden": 1024}
PROMPT, MORE = 64, 128
TOKENS, PICTURES = (4, 257), (16, 64, 64, 3)
Way = Callable[[], Any]
# What both do, by its title; and in what it is told.
Works = Mapping[str, tuple[Way, Way]]


def main(parity: Path, rounds: int) -> None:
    """Measure, show, and write the results."""
    followed = {name: compared(parity / name) for name in bonsai_models.LOADERS}
    for name, row in followed.items():
        print(f"{name:10} ours {row['ours']:8}  theirs {row['theirs']}")
    times = {}
    for title, (theirs, ours) in works():
        times[title] = measured(theirs, ours, rounds)
        print(f"{title:28}{times[title]['ratio']:8.2f}", flush=True)
    folder = Path(importlib.import_module("bonsai").__path__[0])
    command = ["git", "-C", str(folder), "rev-parse", "HEAD"]
    commit = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    about = {"commit": commit.strip(), "rounds": rounds}
    save("beside", {**about, "followed": followed, "times": times})
    PAGE.write_text(page(json.loads((RESULTS / "beside.json").read_text())))


def compared(folder: Path) -> dict[str, str]:
    """A reference's checkpoint in both: how far the logits are off, in what is tolerated."""
    config = json.loads((folder / "config.json").read_text())
    with np.load(folder / "ref.npz") as arrays:
        reference = dict(arrays)
    wanted = reference["out/logits"]
    noise = json.loads((folder / "meta.json").read_text())["noise"]["logits"]
    tolerated = max(NOISES * noise, RELATIVE * float(np.abs(wanted).max()))
    inputs = {
        name.removeprefix("in/"): array
        for name, array in reference.items()
        if name.startswith("in/")
    }

    def off(load: Callable[[], bonsai_models.Logits]) -> str:
        try:
            found = np.asarray(load()(inputs))
        except Exception as error:  # theirs to raise, ours to tell
            first = str(error).splitlines()[0]
            return f"{type(error).__name__}: {textwrap.shorten(first, 60)}"
        if found.shape != wanted.shape:
            return f"shape {found.shape}"
        return f"{np.abs(found - wanted).max() / tolerated:.2f}"

    theirs = partial(bonsai_models.loaded, folder.name, folder, config)
    return {"ours": off(partial(generated, folder)), "theirs": off(theirs)}


def generated(folder: Path) -> bonsai_models.Logits:
    """Our model of a family, as a function of the reference's inputs."""
    with tempfile.TemporaryDirectory() as out:
        model = built(folder.name, Path(out)).load_pretrained(folder)
    model.eval()

    def logits(inputs: bonsai_models.Inputs) -> Any:
        last = {
            n: np.moveaxis(x, 1, -1) if x.ndim == 4 else x for n, x in inputs.items()
        }
        if "input_features" in last:
            last["input_features"] = last["input_features"].swapaxes(1, 2)
        return model(**{n: jnp.asarray(x) for n, x in last.items()}).logits

    return logits


def built(name: str, folder: Path) -> ModuleType:
    """The module of a published model."""
    assert nnxc.build([str(ZOO / f"pretrained/{name}.nnx")], str(folder)).ok
    return imported(folder / f"{name}.py")


def works() -> Iterator[tuple[str, tuple[Way, Way]]]:
    """What is timed: each with the weights that ours has written, theirs first."""
    with tempfile.TemporaryDirectory() as out:
        folder = Path(out)
        yield from language(built("qwen3", folder), folder / "qwen3.weights")
        yield from images(built("vit", folder), folder / "vit.weights")


def language(module: ModuleType, folder: Path) -> Iterator[tuple[str, tuple[Way, Way]]]:
    """A Qwen 3 of 33 M parameters: decoding, the logits of texts, a step of training."""
    cfg = module.Config(**SIZES, tied=False)
    model, theirs = both(module, cfg, folder, bonsai_models.qwen3)
    rng = np.random.default_rng(0)
    for b in (1, 8):
        prompts = rng.integers(1, SIZES["vocab"], (b, PROMPT))
        generate = partial(module.generate, model, prompts.tolist())
        way = partial(decoded, theirs, jnp.asarray(prompts))
        ours = partial(generate, max_new_tokens=MORE)
        yield f"decoding, batch {b}", same((way, ours), exact=True)
    tokens = jnp.asarray(rng.integers(1, SIZES["vocab"], TOKENS))
    call, logits = nnx.jit(bonsai_models.qwen3_logits), nnx.jit(logits_of)
    ways = (partial(call, theirs, tokens), partial(logits, model, tokens))
    yield f"logits of {TOKENS[0]} x {TOKENS[1]} tokens", same(ways)

    def loss(model: Any, tokens: jax.Array) -> jax.Array:
        logits = bonsai_models.qwen3_logits(model, tokens[:, :-1])
        return cross_entropy(logits, tokens[:, 1:])

    steps = trained(loss, theirs, module, model, (tokens,))
    yield f"training, {TOKENS[0]} x {TOKENS[1] - 1} tokens", steps


def images(module: ModuleType, folder: Path) -> Iterator[tuple[str, tuple[Way, Way]]]:
    """A ViT of 5 M parameters: the logits of images, a step of training."""
    # Theirs has this gelu, whatever the config says.
    cfg = module.Config(**IMAGES, act=jax.nn.gelu)
    model, theirs = both(module, cfg, folder, bonsai_models.vit)
    rng = np.random.default_rng(0)
    pixels = jnp.asarray(rng.random(PICTURES, np.float32))
    labels = jnp.asarray(rng.integers(0, IMAGES["classes"], PICTURES[0]))
    call = nnx.jit(lambda model, x: model(x, rngs=None))
    ways = (partial(call, theirs, pixels), partial(nnx.jit(logits_of), model, pixels))
    yield f"logits of {PICTURES[0]} images", same(ways)

    def loss(model: Any, pixels: jax.Array, labels: jax.Array) -> jax.Array:
        return cross_entropy(model(pixels, rngs=None), labels)

    steps = trained(loss, theirs, module, model, (pixels, labels))
    yield f"training, {PICTURES[0]} images", steps


def logits_of(model: Any, inputs: jax.Array) -> jax.Array:
    """Ours."""
    logits: jax.Array = model(inputs).logits
    return logits


def both(
    module: ModuleType,
    cfg: Any,
    folder: Path,
    load: Callable[[Path, bonsai_models.Config], Any],
) -> tuple[Any, Any]:
    """Our model and theirs, with the same weights, of one folder."""
    module.save_pretrained(module.create_model(cfg), folder, cfg)
    config = json.loads((folder / "config.json").read_text())
    model = module.load_pretrained(folder, cfg)
    model.eval()
    return model, load(folder, config)


def decoded(model: Any, prompts: jax.Array) -> np.ndarray:
    """The likeliest tokens, as Bonsai's `run_model.py` has it."""
    modeling = bonsai_models.module("qwen3", "modeling")
    cache = modeling.init_cache(model.config, *prompts.shape, MORE, dtype=jnp.float32)
    token, found = prompts, []
    for _ in range(MORE):
        logits, cache = modeling.forward(model, cache, token, 0)
        token = likeliest(logits)
        found.append(token)
    return np.asarray(jnp.concatenate(found, axis=-1))


@jax.jit
def likeliest(logits: jax.Array) -> jax.Array:
    """Of logits [b, vocab]: [b, 1]."""
    return jnp.argmax(logits, axis=-1, keepdims=True)


def cross_entropy(logits: jax.Array, labels: jax.Array) -> jax.Array:
    """The mean over all positions."""
    losses = optax.softmax_cross_entropy_with_integer_labels(logits, labels)
    return jnp.mean(losses)


def trained(
    loss: Callable[..., jax.Array],
    theirs: Any,
    module: ModuleType,
    ours: Any,
    batch: tuple[jax.Array, ...],
) -> tuple[Way, Way]:
    """A step of each with the same optimizer: theirs as Flax documents it, ours by its trainer."""

    @nnx.jit
    def step(model: Any, optimizer: Any, *batch: jax.Array) -> jax.Array:
        value: jax.Array
        value, gradients = nnx.value_and_grad(loss)(model, *batch)
        optimizer.update(model, gradients)
        return value

    optimizers = [
        nnx.Optimizer(m, optax.adamw(1e-4), wrt=nnx.Param) for m in (theirs, ours)
    ]
    rngs = [module.create_rngs()] if hasattr(module, "create_rngs") else []
    trainer_type = importlib.import_module("nnx_training").Trainer
    trainer = trainer_type(module.train_step, ours, optimizers[1], *rngs)

    def first() -> Any:
        return trainer.step(*batch)[0]

    return same((partial(step, theirs, optimizers[0], *batch), first))


def same(ways: tuple[Way, Way], exact: bool = False) -> tuple[Way, Way]:
    """Both, after seeing that they give the same: what follows compares equal work."""
    first, second = (np.asarray(jax.block_until_ready(way())) for way in ways)  # type: ignore[no-untyped-call]
    off = np.abs(first - second).max()
    assert off <= (0 if exact else 1e-3), f"they differ by {off}"
    return ways


def measured(theirs: Way, ours: Way, rounds: int) -> dict[str, float]:
    """Median seconds of each, taking turns, and of their ratio within a round."""

    def seconds(way: Way) -> float:
        start = time.perf_counter()
        jax.block_until_ready(way())  # type: ignore[no-untyped-call]
        return time.perf_counter() - start

    found = [(seconds(theirs), seconds(ours)) for _ in range(rounds)]
    median = statistics.median
    return {
        "theirs_s": median(t for t, _ in found),
        "ours_s": median(o for _, o in found),
        "ratio": median(o / t for t, o in found),
    }


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]) if len(sys.argv) > 2 else 10)
