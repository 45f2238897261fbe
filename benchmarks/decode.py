"""Tokens a second of a generated Llama, beside hand-written JAX and transformers.

python -m benchmarks.decode [rounds]

All load the same weights and must give the same tokens. A Python that has torch and transformers
is named by REFERENCE_PYTHON; without one they are left out.
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

import nnxc

from . import pure_llama
from .step import imported
from .timing import ZOO, save

SIZES = {"vocab": 8192, "d": 512, "layers": 8, "heads": 8, "kv_heads": 8}
SIZES |= {"head_dim": 64, "hidden": 1376}
PROMPT, MORE, BATCHES = 64, 128, (1, 8)
PYTHON = os.environ.get("REFERENCE_PYTHON", sys.executable)
THEIRS = Path(__file__).with_name("transformers_llama.py")
# Seconds, and the tokens (b, more), for prompts (b, t) and how many there should be.
Runner = Callable[[np.ndarray, int], tuple[float, np.ndarray]]


def main() -> None:
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 10
    with tempfile.TemporaryDirectory() as out, runners(Path(out)) as found:
        results = {str(b): measure(found, b, rounds) for b in BATCHES}
    for batch, figures in results.items():
        print(f"batch {batch:12}{'prefill ms':>12}{'tokens/s':>12}{'over pure':>12}")
        for name, row in figures.items():
            print(
                f"{name:18}{row['prefill_ms']:12.1f}{row['tokens_per_s']:12.1f}"
                f"{row['ratio']:12.2f}"
            )
    about = {**SIZES, "prompt": PROMPT, "more": MORE, "rounds": rounds}
    save("decode", {"sizes": about, "batches": results})


@contextmanager
def runners(folder: Path) -> Iterator[dict[str, Runner]]:
    """The ways to decode, all with the weights that ours has written."""
    assert nnxc.build([str(ZOO / "pretrained/llama.nnx")], str(folder)).ok
    llama = imported(folder / "llama.py")
    llama.save_pretrained(llama.create_model(llama.Config(**SIZES)), folder)
    (folder / "config.json").write_text(json.dumps(config()))
    model = llama.load_pretrained(folder)
    by_hand = pure_llama.generator(folder, SIZES["layers"], SIZES["heads"])
    ways = {
        "pure JAX": timed(by_hand),
        "generated": timed(
            lambda prompts, more: llama.generate(
                model, prompts.tolist(), max_new_tokens=more
            )
        ),
    }
    with process(folder) as theirs:
        yield ways | theirs


def config() -> dict[str, Any]:
    """The sizes as a `config.json` of transformers has them."""
    names = {
        "vocab": "vocab_size",
        "d": "hidden_size",
        "layers": "num_hidden_layers",
        "heads": "num_attention_heads",
        "kv_heads": "num_key_value_heads",
        "hidden": "intermediate_size",
    }
    sizes = {names.get(name, name): size for name, size in SIZES.items()}
    ends = {"bos_token_id": None, "eos_token_id": None, "pad_token_id": None}
    others = {"rms_norm_eps": 1e-5, "rope_theta": 10_000.0}
    return {"model_type": "llama", **sizes, **others, **ends}


def timed(generate: Callable[[np.ndarray, int], Any]) -> Runner:
    """A runner of this process."""

    def run(prompts: np.ndarray, more: int) -> tuple[float, np.ndarray]:
        start = time.perf_counter()
        made = generate(prompts, more)
        return time.perf_counter() - start, np.asarray(made)

    return run


@contextmanager
def process(folder: Path) -> Iterator[dict[str, Runner]]:
    """The runner of transformers, if they are there."""
    command = [PYTHON, str(THEIRS), str(folder)]
    pipe = subprocess.PIPE
    env = {k: v for k, v in os.environ.items() if k != "PYTHONPATH"}
    with subprocess.Popen(command, stdin=pipe, stdout=pipe, text=True, env=env) as them:
        asked, answers = them.stdin, them.stdout
        assert asked is not None and answers is not None

        def run(prompts: np.ndarray, more: int) -> tuple[float, np.ndarray]:
            request = {"prompts": prompts.tolist(), "more": more}
            print(json.dumps(request), file=asked, flush=True)
            answer = json.loads(answers.readline())
            return answer["seconds"], np.array(answer["tokens"])

        if answers.readline():
            yield {"transformers": run}
            asked.close()
        else:
            print(f"{PYTHON} has no torch and transformers: they are left out")
            yield {}


def measure(
    ways: Mapping[str, Runner], batch: int, rounds: int
) -> dict[str, dict[str, float]]:
    """Medians of each, and of the ratios within a round, all taking turns."""
    prompts = np.random.default_rng(0).integers(0, SIZES["vocab"], (batch, PROMPT))
    wanted = ways["pure JAX"](prompts, MORE)[1]
    for name, run in ways.items():
        assert (run(prompts, MORE)[1] == wanted).all(), f"{name} gives other tokens"
        run(prompts, 1)
    found = [
        {
            name: (run(prompts, 1)[0], run(prompts, MORE)[0])
            for name, run in ways.items()
        }
        for _ in range(rounds)
    ]
    return {name: summary(found, name, batch) for name in ways}


def summary(
    found: list[dict[str, tuple[float, float]]], name: str, batch: int
) -> dict[str, float]:
    """Prefill up to the first token, then tokens a second, and those over pure JAX's."""

    def speed(times: tuple[float, float]) -> float:
        return batch * (MORE - 1) / (times[1] - times[0])

    median = statistics.median
    return {
        "prefill_ms": 1000 * median(r[name][0] for r in found),
        "tokens_per_s": median(speed(r[name]) for r in found),
        "ratio": median(speed(r[name]) / speed(r["pure JAX"]) for r in found),
        "prefill_ratio": median(r[name][0] / r["pure JAX"][0] for r in found),
    }


if __name__ == "__main__":
    main()
