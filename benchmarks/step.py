"""How long a generated step takes, beside pure JAX by hand and `nnx.jit` as Flax documents it.

python -m benchmarks.step [rounds]
"""

from __future__ import annotations

import importlib.util
import statistics
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

import jax
import numpy as np

from . import pure
from .timing import ROOT, save

Batch = tuple[np.ndarray, ...]
Step = Callable[..., Any]


@dataclass(frozen=True)
class Work:
    """A generated model with a batch, and the same by hand."""

    name: str
    module: ModuleType
    model: Callable[[], Any]
    batch: Batch
    by_hand: Callable[[Any], Step]
    steps: int  # in one measurement


def main() -> None:
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 40
    results = {}
    print(f"{'':24}{'wall us':>10}{'over pure':>11}{'CPU us':>10}{'over pure':>11}")
    for work in works():
        results[work.name] = measure(work, rounds)
        for runner, figures in results[work.name].items():
            print(f"{f'{work.name}, {runner}':24}" + row(figures), flush=True)
    save("step", {"works": results})


def row(figures: Mapping[str, float]) -> str:
    return (
        f"{figures['wall_us']:10.0f}{figures['wall_ratio']:11.2f}"
        f"{figures['cpu_us']:10.0f}{figures['cpu_ratio']:11.2f}"
    )


def works() -> list[Work]:
    """What is measured: bound by dispatch, by a little arithmetic, by much of it."""
    mlp, gpt = generated("digits_mlp"), generated("char_gpt")
    rng = np.random.default_rng(0)
    images = rng.random((64, 8, 8), "float32"), rng.integers(0, 10, 64)
    small = gpt.Config(d=32, heads=2, layers=4)
    return [
        Work("MLP", mlp, mlp.create_model, images, pure.mlp, 30),
        gpt_work("small GPT", gpt, small, rng.integers(0, 96, (2, 17)), 30),
        gpt_work("GPT", gpt, gpt.Config(), rng.integers(0, 96, (8, 65)), 3),
    ]


def gpt_work(
    name: str, module: ModuleType, cfg: Any, tokens: np.ndarray, steps: int
) -> Work:
    def model() -> Any:
        return module.create_model(cfg)

    return Work(name, module, model, (tokens,), pure.gpt, steps)


def generated(name: str) -> ModuleType:
    """A module of `generated/`."""
    return imported(ROOT / "generated" / f"{name}.py")


def imported(path: Path) -> ModuleType:
    """A module by its path."""
    name = path.stem
    if str(path.parent) not in sys.path:  # where the shared modules are
        sys.path.append(str(path.parent))
    spec = importlib.util.spec_from_file_location(name, path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module


def runners(work: Work) -> dict[str, Step]:
    """The ways to take a step, each with a model of its own."""
    trainer = importlib.import_module("nnx_training").Trainer(
        work.module.train_step, *objects(work)
    )
    flax = objects(work)
    return {
        "pure JAX": work.by_hand(work.model()),
        "generated": trainer.step,
        "nnx.jit": lambda *batch: work.module.train_step(*flax, *batch),
    }


def objects(work: Work) -> list[Any]:
    model = work.model()
    made = [model, work.module.create_optimizer(model)]
    if hasattr(work.module, "create_rngs"):
        made.append(work.module.create_rngs())
    return made


def measure(work: Work, rounds: int) -> dict[str, dict[str, float]]:
    """Medians per step and of the ratios within a round, the runners taking turns."""
    steps = runners(work)
    for step in steps.values():
        timed(step, work.batch, 5)
    found = [
        {name: timed(step, work.batch, work.steps) for name, step in steps.items()}
        for _ in range(rounds)
    ]
    return {name: summary(found, name) for name in steps}


def timed(step: Step, batch: Batch, count: int) -> tuple[float, float]:
    """Microseconds of one step: wall, and CPU of this thread."""
    wall, cpu = time.perf_counter(), time.thread_time()
    for _ in range(count):
        out = step(*batch)
    jax.block_until_ready(out)  # type: ignore[no-untyped-call]
    wall, cpu = time.perf_counter() - wall, time.thread_time() - cpu
    return 1e6 * wall / count, 1e6 * cpu / count


def summary(found: list[dict[str, tuple[float, float]]], name: str) -> dict[str, float]:
    figures = {}
    for i, clock in enumerate(("wall", "cpu")):
        figures[f"{clock}_us"] = statistics.median(r[name][i] for r in found)
        ratios = (r[name][i] / r["pure JAX"][i] for r in found)
        figures[f"{clock}_ratio"] = statistics.median(ratios)
    return figures


if __name__ == "__main__":
    main()
