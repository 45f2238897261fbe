"""`python -m tests.parity [FAMILY ...]`: run references, say which specs fall short of them."""

from __future__ import annotations

import sys
import traceback

from .families import Family, Missing, families
from .run import deviations


def shortfall(family: Family, verbose: bool = False) -> str | None:
    """What a family falls short in most; None where all is within tolerance."""
    try:
        found = deviations(family)
    except Missing as missing:
        return str(missing)
    except Exception as error:
        if verbose:
            traceback.print_exc()
        return f"fails: {type(error).__name__}: {str(error).splitlines()[0][:300]}"
    if verbose:
        short = [deviation for deviation in found if not deviation.ok]
        print(
            f"{family.name}: {len(found) - len(short)} of {len(found)} within tolerance"
        )
        print(*(f"    {deviation}" for deviation in short), sep="\n")
    worst = max(found, key=lambda d: d.excess, default=None)
    if worst is None:
        return "has nothing to compare"
    return None if worst.ok else str(worst)


def main(names: list[str]) -> int:
    """Judge the families of these names, or all; 1 where one falls short."""
    known = families()
    unknown = [name for name in names if name not in known]
    if unknown or not known:
        print(f"no reference of {', '.join(unknown) or 'any family'} was found")
        return 2
    chosen = names or list(known)
    good = 0
    for done, name in enumerate(chosen):
        if sys.stderr.isatty():
            print(
                f"\r\033[K{done + 1} of {len(chosen)}  {name}", end="", file=sys.stderr
            )
        short = shortfall(known[name], verbose=bool(names))
        if sys.stderr.isatty():
            print("\r\033[K", end="", file=sys.stderr, flush=True)
        if short is None:
            good += 1
        else:
            print(f"{name:<22} {short}", flush=True)
    print(f"parity: {good} of {len(chosen)} families")
    return 0 if good == len(chosen) else 1


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
