"""Families, each judged in a process of its own: one that dies takes no other with it."""

from __future__ import annotations

import contextlib
import hashlib
import importlib.metadata
import json
import multiprocessing
import multiprocessing.connection
import os
import resource
import tempfile
import time
import traceback
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import nnxc
from tests.parity.families import ROOT, Family

from .tally import Tally

KEPT = ROOT / "out/configs"
JUDGING = ("changes.py", "judge.py", "library.py")
LIMIT = 900  # seconds of one family
MEMORY = 2**33  # bytes of one family, as they are mapped
FORK = multiprocessing.get_context("fork")  # what is imported is imported once


@dataclass
class Outcome:
    """What a family came to."""

    name: str
    tally: Tally
    absent: Tally  # of what is left out
    seconds: float = 0.0
    failure: str = ""

    def __str__(self) -> str:
        shown = f"no result: {self.failure}"
        if not self.failure:
            shown = f"{self.tally}; left out: {self.absent}"
        return f"{self.name:24} {shown} ({self.seconds:.0f} s)"


def judged(families: Sequence[Family], jobs: int) -> Iterator[Outcome]:
    """What each came to, in the order in which they end; known ones first."""
    waiting = []
    for family in families:
        if (known := _known(family)) is not None:
            yield known
        else:
            waiting.append(family)
    if waiting:
        _imported({f.meta["kind"]: f.meta["cls"] for f in waiting})
    running: dict[int, tuple[Any, Family, float]] = {}
    while waiting or running:
        while waiting and len(running) < jobs:
            family = waiting.pop(0)
            process = FORK.Process(target=_judge, args=(family,))
            process.start()
            running[process.sentinel] = process, family, time.monotonic()
        multiprocessing.connection.wait(list(running), timeout=5)
        for sentinel, (process, family, start) in list(running.items()):
            spent = time.monotonic() - start
            if process.is_alive() and spent < LIMIT:
                continue
            if process.is_alive():
                process.kill()
            process.join()
            del running[sentinel]
            yield _known(family) or _died(family, process.exitcode, spent)


def _imported(classes: Mapping[str, str]) -> None:
    """Import what processes share, before they are forked: libraries, by one class of each."""
    import torch

    from . import judge  # noqa: F401

    torch.set_num_threads(1)
    for library, name in classes.items():
        getattr(importlib.import_module(library), name)


def _judge(family: Family) -> None:
    """In a process of its own: judge, and keep what came out."""
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    start, file = time.monotonic(), _kept(family)
    of = _fingerprint(family)  # of what is judged, whatever is written meanwhile
    file.unlink(missing_ok=True)
    outcome = Outcome(family.name, Tally(), Tally())
    try:
        from .judge import Judge

        with (
            tempfile.TemporaryDirectory() as folder,
            open(os.devnull, "w") as nowhere,
            contextlib.redirect_stderr(nowhere),  # bars of progress
        ):
            judge = Judge(family, Path(folder))
            outcome.tally, outcome.absent = judge.tally(), judge.absent()
    except BaseException as error:
        where = traceback.extract_tb(error.__traceback__)[-1]
        outcome.failure = f"{type(error).__name__}: {error} ({where.name})"
    outcome.seconds = time.monotonic() - start
    file.parent.mkdir(parents=True, exist_ok=True)
    kept = {"of": of, **asdict(outcome)}
    file.write_text(json.dumps(kept, indent=1) + "\n")


def _known(family: Family) -> Outcome | None:
    """What it came to the last time, if nothing has changed since."""
    with contextlib.suppress(OSError, ValueError):
        kept = json.loads(_kept(family).read_text())
        if kept.pop("of") == _fingerprint(family):
            tallies = {key: Tally(**kept[key]) for key in ("tally", "absent")}
            return Outcome(**{**kept, **tallies})
    return None


def _died(family: Family, code: int | None, spent: float) -> Outcome:
    return Outcome(
        family.name, Tally(), Tally(), spent, f"its process ended with {code}"
    )


def _kept(family: Family) -> Path:
    return KEPT / f"{family.name}.json"


def _fingerprint(family: Family) -> str:
    """Changes with the generated code, the library, the reference and what judges."""
    with tempfile.TemporaryDirectory() as folder:
        nnxc.build([str(family.spec)], folder)
        made = sorted(Path(folder).glob("*.py"))
        tests = [Path(__file__).with_name(name) for name in JUDGING]
        files = [*made, *tests, *sorted(family.folder.glob("*.json"))]
        text = [importlib.metadata.version(family.meta["kind"])]
        text += [file.read_text() for file in files]
    return hashlib.sha256("\0".join(text).encode()).hexdigest()
