"""Random specs, valid and broken: `python -m tests.fuzz 500 [--seed 7] [--jobs 2]`.

Ends with `fuzz: 500 valid, 500 invalid, 0 failures`; exits 1 where there are failures, after
printing a small spec for each kind and saving it under `out/fuzz/`. With `--seconds 300`, as many
as there is time for; `--seed DAILY` is the day's own.
"""

from __future__ import annotations

import argparse
import datetime
import gc
import multiprocessing
import sys
import time
import warnings
from collections.abc import Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from dataclasses import dataclass, field
from pathlib import Path

from jax._src.interpreters import partial_eval

from .explore import Found, Kind, explored

CHUNK = 10  # specs of one seed
RENEWED = 160  # chunks, after which a process, of 2 GB then, makes place for another
SHOWN = 10  # seconds between two lines that say how far we are


@dataclass(frozen=True)
class Task:
    """So many specs of a kind, from a seed."""

    label: str
    number: int
    seed: int
    end: float = float("inf")  # of the clock, when it stops however far it is


@dataclass
class Total:
    """What was checked so far, and how it failed."""

    done: dict[str, int] = field(default_factory=lambda: {"valid": 0, "invalid": 0})
    kinds: dict[tuple[str, str], Kind] = field(default_factory=dict)
    shown: float = field(default_factory=time.monotonic)

    @property
    def failures(self) -> int:
        """How many specs failed."""
        return sum(kind.count for kind in self.kinds.values())

    def add(self, label: str, found: Found) -> None:
        """Count what a task found, keeping the smallest spec of each kind."""
        self.done[label] += found.done
        for kind in found.kinds.values():
            known = self.kinds.setdefault((label, kind.key), kind)
            if known is kind:
                print(f"{label}: {shown(kind)}", file=sys.stderr, flush=True)
            else:
                smaller = min(known, kind, key=lambda k: (len(k.text), k.text))
                known.count += kind.count
                known.text, known.report = smaller.text, smaller.report
        if time.monotonic() > self.shown + SHOWN:
            self.shown = time.monotonic()
            print(f"{self}, so far", file=sys.stderr, flush=True)

    def __str__(self) -> str:
        valid, invalid = self.done["valid"], self.done["invalid"]
        return f"{valid} valid, {invalid} invalid, {self.failures} failures"


def tasks(number: int | None, start: int, end: float = float("inf")) -> Iterator[Task]:
    """Valid and broken specs in turn, so many of each, or without end."""
    place = 0
    while number is None or place < number:
        size = CHUNK if number is None else min(CHUNK, number - place)
        for label in ("valid", "invalid"):
            yield Task(label, size, start * 1_000_000 + place, end)
        place += size


def run(task: Task) -> Found:
    """One task."""
    warnings.simplefilter("error")
    gc.set_threshold(50_000, 20, 50)  # tracing makes much that lives: a fifth is saved
    _say_less()
    return explored(task.label, task.number, task.seed, task.end)


def _say_less() -> None:
    """Flax asks each value that a weight gets for its sharding, and drops the error that one which
    is traced has none; what JAX writes there, of where it comes from, takes a fifth of the time.
    """
    partial_eval.DynamicJaxprTracer._origin_msg = lambda tracer: ""


def fuzz(number: int | None, start: int, jobs: int, seconds: float | None) -> Total:
    """Check so many specs of each kind, or as many as there is time for."""
    end = time.time() + seconds if seconds else float("inf")
    total, waiting = Total(), tasks(number, start, end)
    if jobs == 1:
        for task in waiting:
            if time.time() > end:
                break
            total.add(task.label, run(task))
        return total
    with ProcessPoolExecutor(
        jobs, multiprocessing.get_context("spawn"), max_tasks_per_child=RENEWED
    ) as pool:
        running: dict[Future[Found], Task] = {}
        while True:
            while len(running) < jobs and time.time() < end:
                task = next(waiting, None)
                if task is None:
                    break
                running[pool.submit(run, task)] = task
            if not running:
                return total
            for future in wait(running, return_when=FIRST_COMPLETED).done:
                total.add(running.pop(future).label, future.result())


def shown(kind: Kind) -> str:
    """A failure and its spec; texts that are no Unicode as far as they are."""
    return f"{kind.key}\n{kind.text}".encode("utf-8", "replace").decode()


def report(label: str, kind: Kind, path: Path) -> None:
    """Print and save a spec that failed."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(kind.text.encode("utf-8", "surrogateescape"))
    print(f"\n{label} specs, {kind.count} times, {path}: {shown(kind)}")
    print(kind.report, end="\n\n")


def main() -> int:
    """The command."""
    parser = argparse.ArgumentParser(prog="fuzz", description=__doc__)
    parser.add_argument("number", type=int, nargs="?", help="specs of each kind")
    parser.add_argument("--seed", default="0", help="other specs; DAILY: today's")
    parser.add_argument("--seconds", type=float, help="stop after so long")
    parser.add_argument("--jobs", type=int, default=1, help="processes")
    options = parser.parse_args()
    today = f"{datetime.date.today():%Y%m%d}"
    start = int(today if options.seed == "DAILY" else options.seed)
    number = options.number or (None if options.seconds else 100)
    print(f"fuzz: seed {start}", flush=True)
    total = fuzz(number, start, options.jobs, options.seconds)
    for index, ((label, _), kind) in enumerate(total.kinds.items()):
        report(label, kind, Path(f"out/fuzz/{label}{index}.nnx"))
    print(f"fuzz: {total}")
    return 1 if total.failures else 0
