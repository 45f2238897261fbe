"""`python -m tests.tunix [FAMILY ...]`: run every stage, say which models fall short."""

from __future__ import annotations

import logging
import os
import sys
import tempfile
import warnings
from collections.abc import Callable, Sequence
from pathlib import Path

from .installed import Missing
from .specs import TINY, Make, maker

Stage = Callable[[Make], None]


def stages() -> list[Stage]:
    """Every stage; imports Tunix."""
    from . import aligning, sampling, scoring, tuning

    return [
        tuning.forward,
        tuning.full_tuning,
        tuning.lora,
        tuning.sharded_lora,
        sampling.greedy,
        sampling.sampled_lora,
        sampling.logprobs,
        sampling.beams,
        scoring.logps,
        scoring.chunked_logps,
        scoring.packed_logps,
        scoring.critic_in_place,
        scoring.critic_on_top,
        aligning.dpo,
        aligning.distillation,
        aligning.grpo,
    ]


def further() -> list[Stage]:
    """Stages beside the sixteen; imports Tunix."""
    from . import tuning

    return [tuning.sharded_full, tuning.resumed, tuning.resumed_lora]


def shortfall(stage: Stage, make: Make) -> tuple[str, bool]:
    """Why a stage does not pass, and whether it is Tunix that lacks something; '' if it does."""
    try:
        stage(make)
    except Missing as missing:
        return f"needs a newer Tunix, with {missing}", True
    except Exception as error:
        first = str(error).strip().splitlines()[:1]
        return f"{type(error).__name__}: {''.join(first)[:200]}", False
    return "", False


def judged(
    family: str, every: Sequence[Stage], more: Sequence[Stage] = ()
) -> tuple[str, bool]:
    """Run stages on a family: how many of `every` pass, and whether Tunix is to blame for the rest."""
    passed, good = [], True
    with tempfile.TemporaryDirectory() as folder:
        make = maker(family, Path(folder))
        for done, stage in enumerate((*every, *more), start=1):
            name = stage.__name__
            _progress(f"{family}  {done} of {len(every) + len(more)}  {name}")
            why, lacking = shortfall(stage, make)
            _progress("")
            good = good and (not why or lacking)
            passed += [stage] * (not why)
            print(f"{family:<8} {name:<16} {why or 'passes'}", flush=True)
    count = sum(stage in every for stage in passed)
    if more:
        print(f"beside them: {len(passed) - count} of {len(more)} ({family})")
    return f"tunix: {count} of {len(every)} ({family})", good


def _progress(text: str) -> None:
    if sys.stderr.isatty():
        print(f"\r\033[K{text}", end="", file=sys.stderr, flush=True)


def main(names: list[str]) -> int:
    """Judge the families of these names, or all; 1 where one falls short or Tunix is missing."""
    unknown = [name for name in names if name not in TINY]
    if unknown:
        print(f"no model for Tunix is called {', '.join(unknown)}: {', '.join(TINY)}")
        return 2
    warnings.filterwarnings("ignore")
    os.environ.setdefault("TQDM_DISABLE", "1")
    try:
        every, more = stages(), further()
    except ModuleNotFoundError as error:
        print(f"Tunix is not installed here ({error}): run `make tunix`, or install")
        print("the extra, pip install 'nnxc[tunix]'")
        return 1
    logging.disable(logging.WARNING)
    found = [judged(name, every, more) for name in names or TINY]
    print(*(line for line, _ in found), sep="\n")
    return 0 if all(good for _, good in found) else 1


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
