"""Clocks for whole processes and for calls, and where results are kept."""

from __future__ import annotations

import json
import os
import platform
import resource
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
RESULTS = ROOT / "benchmarks" / "results"
ZOO = ROOT / "dsl" / "nnxc" / "zoo"
# What the installed `nnxc` script holds, so that a checkout is measured alike.
NNXC = (
    sys.executable,
    "-c",
    "import sys; from nnxc.__main__ import main; sys.exit(main())",
)


def process(command: Sequence[str]) -> tuple[float, float]:
    """Wall and CPU milliseconds of one process; raises where it fails."""
    env = {k: v for k, v in os.environ.items() if k != "PYTHONDONTWRITEBYTECODE"}
    env["PYTHONPATH"] = str(ROOT / "dsl")
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    start = time.perf_counter()
    subprocess.run(command, env=env, check=True, stdout=subprocess.DEVNULL)
    wall = time.perf_counter() - start
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return 1000 * wall, 1000 * cpu


def processes(
    commands: Sequence[Sequence[str]], rounds: int
) -> list[tuple[float, float]]:
    """Median wall and CPU milliseconds of each command, the commands taking turns."""
    for command in commands:
        process(command)
    runs = [[process(command) for command in commands] for _ in range(rounds)]
    return [
        (
            statistics.median(r[i][0] for r in runs),
            statistics.median(r[i][1] for r in runs),
        )
        for i in range(len(commands))
    ]


def cpu_ms(call: Callable[[], object]) -> float:
    """CPU milliseconds of one call in this process."""
    start = time.process_time()
    call()
    return 1000 * (time.process_time() - start)


def save(name: str, results: Mapping[str, Any]) -> None:
    """Write results with the machine they were measured on."""
    RESULTS.mkdir(parents=True, exist_ok=True)
    machine = {
        "python": platform.python_version(),
        "system": f"{platform.system()} {platform.machine()}",
        "cores": os.cpu_count(),
    }
    text = json.dumps({"machine": machine, **results}, indent=2)
    (RESULTS / f"{name}.json").write_text(text + "\n")
