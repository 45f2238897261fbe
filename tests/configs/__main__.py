"""`python -m tests.configs [FAMILY ...]`: 1 where a changed setting is followed wrongly."""

from __future__ import annotations

import json
import logging
import os
import sys
import tempfile
from pathlib import Path

from tests.parity.families import families

from .judge import Judge, Tally

RESULTS = Path(__file__).with_name("results.json")


def main(names: list[str]) -> int:
    """Judge every family whose library is there; write what all of them come to."""
    logging.disable(logging.WARNING)
    os.environ["HF_HUB_OFFLINE"] = "1"
    known = {n: f for n, f in families().items() if f.meta.get("kind") in LIBRARIES}
    tallies: dict[str, Tally] = {}
    for name in names or known:
        with tempfile.TemporaryDirectory() as folder:
            tallies[name] = Judge(known[name], Path(folder)).tally()
        print(f"{name:24} {tallies[name]}", flush=True)
    whole = sum(tallies.values(), Tally())
    for case in whole.wrong:
        print(f"WRONG {case}")
    print(f"configs: {whole} (of {whole.count}, in {len(tallies)} families)")
    if not names:
        rows = {name: tally.row() for name, tally in tallies.items()}
        RESULTS.write_text(json.dumps(rows, indent=1) + "\n")
    return 1 if whole.wrong else 0


LIBRARIES = ("transformers", "diffusers")

if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
