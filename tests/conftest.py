"""Settings that every test shares."""

from __future__ import annotations

import gc
import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

# A busy machine is no failure: laws are to hold, not to be quick.
settings.register_profile(
    "nnxc", deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("nnxc")

# Thousands of small models are compiled and each runs once: quick compilation, not quick code.
os.environ["XLA_FLAGS"] = " ".join(
    (
        os.environ.get("XLA_FLAGS", ""),
        "--xla_backend_optimization_level=0",
        "--xla_llvm_disable_expensive_passes=true",
    )
).strip()

STEP = 700_000_000  # bytes by which a process grows until compiled code is given up
_RESIDENT = Path("/proc/self/statm")
_bound = 1_800_000_000


@pytest.fixture(autouse=True)
def bounded_memory() -> Iterator[None]:
    """JAX keeps what it compiles; thousands of small models would fill the machine."""
    yield
    global _bound
    if "jax" in sys.modules and _resident() > _bound:
        sys.modules["jax"].clear_caches()
        gc.collect()
        # What is not given back stays; to try again after each test would take most of the time.
        _bound = max(_bound, _resident() + STEP)


def _resident() -> int:
    if not _RESIDENT.exists():
        return 0
    return int(_RESIDENT.read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
