"""`python -m tests.configs [--jobs N] [FAMILY ...]`: 1 where a setting that is changed, or left out, is
followed wrongly.

What a family came to is in `results.json`, and case by case in `out/configs`, from where it is taken
again for as long as its generated code, the libraries and these tests are the same.
"""

from __future__ import annotations

import argparse
import json
import logging
import os
import sys
import warnings
from collections.abc import Collection
from pathlib import Path

from tests.parity.families import families

from .runs import Outcome, judged
from .tally import Tally

RESULTS = Path(__file__).with_name("results.json")
LIBRARIES = ("transformers", "diffusers")


def main() -> int:
    """Judge every family whose library is there; write what all of them come to."""
    parser = argparse.ArgumentParser(prog="tests.configs", description=__doc__)
    parser.add_argument("--jobs", type=int, default=min(4, os.cpu_count() or 1))
    parser.add_argument("names", nargs="*", metavar="FAMILY")
    options = parser.parse_args()
    known = {n: f for n, f in families().items() if f.meta.get("kind") in LIBRARIES}
    if not known:
        parser.error("there are no references; `PARITY=folder` says where they are")
    logging.disable(logging.WARNING)
    warnings.simplefilter("ignore")
    os.environ["HF_HUB_OFFLINE"] = "1"
    os.environ["HF_HUB_DISABLE_PROGRESS_BARS"] = "1"
    wanted = options.names or list(known)
    if unknown := {*wanted} - {*known}:
        parser.error(f"no such family: {', '.join(sorted(unknown))}")
    found: dict[str, Outcome] = {}
    for outcome in judged([known[name] for name in wanted], options.jobs):
        found[outcome.name] = outcome
        print(f"[{len(found)}/{len(wanted)}] {outcome}", flush=True)
        for case in (outcome.tally + outcome.absent).wrong:
            print(f"  WRONG {case}", flush=True)
        if not outcome.failure:
            note(outcome, known)
    whole = sum((o.tally for o in found.values()), Tally())
    absent = sum((o.absent for o in found.values()), Tally())
    failed = sorted(o.name for o in found.values() if o.failure)
    print(*(f"no result: {name}" for name in failed), sep="\n", end="\n" * bool(failed))
    count = len(found) - len(failed)
    print(f"configs: {whole} (of {whole.count}, in {count} families)")
    print(f"left out: {absent} (of {absent.count})")
    return 1 if whole.wrong or absent.wrong or failed else 0


def note(outcome: Outcome, known: Collection[str]) -> None:
    """Write down what a family came to, beside the others."""
    rows = json.loads(RESULTS.read_text()) if RESULTS.exists() else {}
    rows[outcome.name] = {**outcome.tally.row(), "absent": outcome.absent.row()}
    lines = (f'"{n}": {json.dumps(rows[n])}' for n in sorted(rows) if n in known)
    RESULTS.write_text("{\n" + ",\n".join(lines) + "\n}\n")


if __name__ == "__main__":
    sys.exit(main())
