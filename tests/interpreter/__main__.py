"""`python -m tests.interpreter [NAMES]`: every spec, and every side of its conditions.

A name may also be the path of a spec. `--quick` leaves out flips, `--pairs` flips in pairs as well. A name chooses all cases that begin with it.
"""

from __future__ import annotations

import sys
import time
import traceback
from collections import Counter
from pathlib import Path

sys.path[:0] = [str(Path(__file__).parents[1])]

import jax  # noqa: E402
from flax import nnx  # noqa: E402
from interpreted import Case, flipped, of_files, pages, published, zoo  # noqa: E402
from interpreting import Differs, compare, modes_of  # noqa: E402

from tests.interpreter.values import Refused  # noqa: E402

KNOWN: dict[str, str] = {}
"""Cases that are known to differ, and why: bugs that are not mended yet."""


def judge(case: Case, gradients: bool) -> str:
    """`same` or `refused`; raises `Differs` or whatever went wrong."""
    try:
        model = case.subject.create(case.model, case.args)
    except ValueError as error:
        if "require" in str(error):
            raise
        return "refused"
    modes = modes_of(model)
    try:
        if "--trace" in sys.argv:
            compare(
                case.subject,
                case.model,
                case.args,
                case.inputs,
                gradients=False,
                values=False,
            )
            return "same"
        compare(
            case.subject,
            case.model,
            case.args,
            case.inputs,
            gradients=gradients and not modes,
        )
        if modes:
            compare(
                case.subject,
                case.model,
                case.args,
                case.inputs,
                train=True,
                gradients=gradients,
            )
    except Refused as error:
        raise Differs(f"the interpreter alone refuses: {error}") from None
    return "same"


def main(arguments: list[str]) -> int:
    names = [a for a in arguments if not a.startswith("-")]
    paths = [n for n in names if n.endswith(".nnx")]
    makers = [*of_files(paths), *zoo(), *pages(), *published()]
    chosen = [
        m for m in makers if not names or any(m.name.startswith(n) for n in names)
    ]
    counts: Counter[str] = Counter()
    for number, make in enumerate(chosen):
        start = time.time()
        before = counts.copy()
        attempt(make.name, lambda m=make: judge(m(), True), counts)
        if "--quick" not in arguments and counts["broken"] == before["broken"]:
            case = make()
            for label, other in flipped(case, "--pairs" in arguments):
                attempt(
                    f"{make.name} with {label}", lambda c=other: judge(c, False), counts
                )
        gone = counts - before
        line = ", ".join(f"{n} {what}" for what, n in gone.items())
        print(
            f"{number + 1} of {len(chosen)}  {make.name}: {line}, {time.time() - start:.0f} s",
            flush=True,
        )
    found = {
        w: counts[w] for w in ("same", "refused", "differ", "broken", "absent", "known")
    }
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
    nnx.RngStream.__call__ = lambda self: jax.random.key(0)  # the key of every draw
    jax.config.update("jax_disable_most_optimizations", True)
    raise SystemExit(main(sys.argv[1:]))
