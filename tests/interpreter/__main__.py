"""`python -m tests.interpreter [NAMES]`: every spec, and every side of its conditions.

A name may also be the path of a spec; it chooses all cases that begin with it. `--quick` leaves
out flips, `--pairs` flips in pairs as well, `--ways` builds, stores, trains and decodes too;
`--from=7` goes on at the seventh case.
"""

from __future__ import annotations

import sys
import time
import traceback
from collections import Counter
from pathlib import Path

sys.path[:0] = [str(Path(__file__).parents[1])]

from flips import flipped  # noqa: E402
from interpreted import of_files, pages, published, zoo  # noqa: E402
from interpreting import Differs, Known  # noqa: E402
from judged import judge  # noqa: E402
from ways import ways  # noqa: E402

WHAT = ("same", "refused", "unasked", "differ", "broken", "absent", "known")
KNOWN: dict[str, str] = {}
"""Cases that are known to differ, and why: bugs that are not mended yet."""


def main(arguments: list[str]) -> int:
    names = [a for a in arguments if not a.startswith("-")]
    paths = [n for n in names if n.endswith(".nnx")]
    makers = [*of_files(paths), *zoo(), *pages(), *published()]
    chosen = [
        m for m in makers if not names or any(m.name.startswith(n) for n in names)
    ]
    counts: Counter[str] = Counter()
    (first,) = [int(a[7:]) for a in arguments if a.startswith("--from=")] or [1]
    for number, make in enumerate(chosen[first - 1 :], first):
        start = time.time()
        before = counts.copy()
        known: Known = {}
        attempt(make.name, lambda m=make, k=known: judge(m(), True, k), counts)
        if "--ways" in arguments and counts["broken"] == before["broken"]:
            for label, way in ways(make(), known):
                attempt(f"{make.name}, {label}", lambda w=way: w() or "same", counts)
        if "--quick" not in arguments and counts["broken"] == before["broken"]:
            for label, other in flipped(make(), "--pairs" in arguments):
                side = f"{make.name} with {label}"
                attempt(side, lambda c=other: judge(c, False), counts)
        gone = counts - before
        line = ", ".join(f"{n} {what}" for what, n in gone.items())
        print(
            f"{number} of {len(chosen)}  {make.name}: {line}, {time.time() - start:.0f} s",
            flush=True,
        )
    found = {w: counts[w] for w in WHAT}
    print("values: " + ", ".join(f"{n} {what}" for what, n in found.items()))
    return 1 if counts["differ"] + counts["broken"] else 0


def attempt(name: str, run: object, counts: Counter[str]) -> None:
    """Runs one comparison; what differs is told and counted."""
    try:
        counts[run()] += 1
    except ModuleNotFoundError as error:
        counts["absent"] += 1
        print(f"  absent: {name}: {error}", flush=True)
    except Exception as error:
        what = (
            "known"
            if name in KNOWN
            else "differ" if isinstance(error, Differs) else "broken"
        )
        counts[what] += 1
        text = str(error).strip().splitlines() or [""]
        print(f"  {what}: {name}: {type(error).__name__}: {text[0][:300]}", flush=True)
        if "-v" in sys.argv:
            traceback.print_exc()


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
