"""Random specs, valid and broken: `python -m tests.fuzz 500 [--seed 7]`.

Ends with `fuzz: 500 valid, 500 invalid, 0 failures`; exits 1 where there are failures, after
printing the smallest spec found for each kind and saving it under `out/fuzz/`.
"""

from __future__ import annotations

import argparse
import sys
import time
import traceback
import warnings
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis.strategies import SearchStrategy

SHRINK_SECONDS = 25
SHRUNK_KINDS = 4
Check = Callable[[Any], None]


@dataclass
class Kind:
    """Failures with one cause, as far as can be told."""

    key: str
    text: str
    report: str
    count: int = 1


@dataclass
class Run:
    """One strategy and what must hold of all that it makes."""

    label: str
    strategy: SearchStrategy[Any]
    check: Check
    show: Callable[[Any], str]
    done: int = 0
    kinds: dict[str, Kind] = field(default_factory=dict)

    @property
    def failures(self) -> int:
        """How many specs failed."""
        return sum(kind.count for kind in self.kinds.values())

    def all(self, number: int, start: int) -> None:
        """Check so many specs, going on after failures."""

        def one(value: Any) -> None:
            if self.done >= number:
                return
            self.record(value)
            self.done += 1
            progress(f"{self.label}: {self.done}/{number}, {self.failures} failures")

        while self.done < number:
            explore(
                self.strategy, one, number - self.done, start + self.done, shrink=False
            )

    def record(self, value: Any) -> None:
        """Check one spec and remember how it failed."""
        try:
            self.check(value)
        except Exception as error:
            key = cause(error)
            if key in self.kinds:
                self.kinds[key].count += 1
            else:
                report = traceback.format_exc(limit=-6)
                self.kinds[key] = Kind(key, self.show(value), report)

    def shrink(self, kind: Kind, number: int, start: int) -> None:
        """Look for a smaller spec that fails in the same way."""
        end = time.monotonic() + SHRINK_SECONDS

        def one(value: Any) -> None:
            progress(f"{self.label}: shrinking, {end - time.monotonic():.0f} s left")
            if time.monotonic() > end:
                return
            try:
                self.check(value)
            except Exception as error:
                if cause(error) == kind.key:
                    text = self.show(value)
                    kind.text = min(kind.text, text, key=lambda t: (len(t), t))
                    raise

        try:
            explore(self.strategy, one, number, start, shrink=True)
        except Exception:
            return


def explore(
    strategy: SearchStrategy[Any], one: Check, number: int, start: int, *, shrink: bool
) -> None:
    """Run a check over random values; with `shrink`, raise for the smallest that fails."""
    phases = [Phase.generate, Phase.shrink] if shrink else [Phase.generate]
    chosen = settings(
        max_examples=number,
        database=None,
        deadline=None,
        phases=phases,
        report_multiple_bugs=False,
        print_blob=False,
        suppress_health_check=list(HealthCheck),
    )
    seed(start)(chosen(given(strategy)(one)))()


def cause(error: BaseException) -> str:
    """What two failures of one kind have in common: the law, or the exception and its place."""
    from .laws import Broken

    if isinstance(error, Broken):
        return str(error).split(":", 1)[0]
    frames = traceback.extract_tb(error.__traceback__)
    ours = [f for f in frames if "nnxc" in f.filename] or list(frames)
    return f"{type(error).__name__} at {Path(ours[-1].filename).name}:{ours[-1].name}"


def progress(text: str) -> None:
    """Show how far we are, where someone is looking."""
    if sys.stderr.isatty():
        print(f"\r{text:<70}", end="", file=sys.stderr, flush=True)


def runs() -> tuple[Run, Run]:
    """The two kinds of specs."""
    from hypothesis.strategies import booleans, builds, tuples

    from .broken import broken
    from .checks import Way, check_valid
    from .invalid import check_any
    from .valid import specs

    def check(drawn: Any) -> None:
        check_valid(*drawn)

    valid = tuples(specs(), builds(Way, *[booleans()] * 5))
    return (
        Run("valid", valid, check, lambda drawn: whole(drawn[0])),
        Run(
            "invalid", broken(), check_any, lambda data: data.decode("utf-8", "replace")
        ),
    )


def whole(spec: Any) -> str:
    """A spec, and the file that it uses after it."""
    if not spec.used:
        return str(spec.text)
    return f"{spec.text}\n# ---- blocks.nnx\n{spec.read('blocks.nnx').decode()}"


def fuzz(number: int, start: int, *, shrink: bool = True) -> list[Run]:
    """Check so many valid specs and as many broken ones."""
    found = list(runs())
    for run in found:
        run.all(number, start)
        for kind in list(run.kinds.values())[:SHRUNK_KINDS] if shrink else ():
            run.shrink(kind, number, start)
        progress("")
    return found


def report(run: Run, folder: Path) -> None:
    """Print and save the specs that failed."""
    for index, kind in enumerate(run.kinds.values()):
        folder.mkdir(parents=True, exist_ok=True)
        path = folder / f"{run.label}{index}.nnx"
        path.write_bytes(kind.text.encode("utf-8", "surrogatepass"))
        print(f"\n{run.label} specs, {kind.count} times: {kind.key}\n{path}:\n")
        print(kind.text, kind.report, sep="\n", end="\n\n")


def main() -> int:
    """The command."""
    parser = argparse.ArgumentParser(prog="fuzz", description=__doc__)
    parser.add_argument("number", type=int, nargs="?", default=100)
    parser.add_argument("--seed", type=int, default=0, help="another seed, other specs")
    options = parser.parse_args()
    warnings.simplefilter("error")
    found = fuzz(options.number, options.seed)
    for run in found:
        report(run, Path("out/fuzz"))
    failures = sum(run.failures for run in found)
    valid, invalid = (run.done for run in found)
    print(f"fuzz: {valid} valid, {invalid} invalid, {failures} failures")
    return 1 if failures else 0
