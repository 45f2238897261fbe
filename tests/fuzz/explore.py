"""Random values under a check: failures by their cause, each with a small spec."""

from __future__ import annotations

import time
import traceback
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

from .broken import broken
from .builder import Spec
from .checks import Way, check_valid
from .invalid import check_any
from .laws import Broken
from .reduce import Written, reduced
from .valid import specs

REDUCING = 40  # seconds for each kind
Check = Callable[[Any], object]


@dataclass
class Kind:
    """Failures with one cause, as far as can be told."""

    key: str
    text: str
    report: str
    count: int = 1


@dataclass
class Found:
    """What came of a number of specs."""

    done: int = 0
    kinds: dict[str, Kind] = field(default_factory=dict)


def explored(label: str, number: int, start: int, end: float = float("inf")) -> Found:
    """Check so many specs, or those that there is time for, going on after failures."""
    strategy, check, small = LABELS[label]
    found = Found()

    def one(value: Any) -> None:
        if found.done >= number or time.time() > end:
            return
        found.done += 1
        try:
            check(value)
        except Exception as error:
            key = cause(error)
            if key in found.kinds:
                found.kinds[key].count += 1
                return
            report = traceback.format_exc(limit=-6)
            found.kinds[key] = Kind(key, small(value, key), report)

    while found.done < number and time.time() < end:
        draw(strategy, one, number - found.done, start + found.done)
    return found


def draw(strategy: SearchStrategy[Any], one: Check, number: int, start: int) -> None:
    """Run a check over random values."""
    chosen = settings(
        max_examples=number,
        database=None,
        deadline=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    seed(start)(chosen(given(strategy)(one)))()


def cause(error: BaseException) -> str:
    """What two failures of one kind have in common: the law, or the exception and its place."""
    if isinstance(error, Broken):
        return str(error).split(":", 1)[0]
    frames = traceback.extract_tb(error.__traceback__)
    ours = [f for f in frames if "nnxc" in f.filename] or list(frames)
    return f"{type(error).__name__} at {Path(ours[-1].filename).name}:{ours[-1].name}"


def same(check: Check, key: str) -> Check:
    """Whether a value fails in that way, and there is time left to ask."""
    end = time.monotonic() + REDUCING

    def fails(value: Any) -> bool:
        if time.monotonic() > end:
            return False
        try:
            check(value)
        except Exception as error:
            return cause(error) == key
        return False

    return fails


def small_valid(drawn: tuple[Spec, Way], key: str) -> str:
    """A small spec that fails so, how it was built, and the file that it uses."""
    spec, way = drawn
    found = reduced(spec, same(lambda s: check_valid(s, way), key))
    cases = [(c.name, dict(c.args)) for c in found.models]
    text = f"# {key}\n# {way}\n# {cases}\n{found.text}"
    if not spec.used:
        return text
    return f"{text}\n# ---- blocks.nnx\n{spec.read('blocks.nnx').decode()}"


def small_broken(data: bytes, key: str) -> str:
    """A small text that fails so."""
    whole = Written(data.decode("utf-8", "surrogateescape"), (), bytes)
    fails = same(lambda s: check_any(s.text.encode("utf-8", "surrogateescape")), key)
    return reduced(whole, fails).text


YES = st.booleans()
FEW = st.sampled_from([True, False, False])
SOME = st.sampled_from([True] + [False] * 11)
RARE = st.sampled_from([True] + [False] * 399)
REMAT = st.sampled_from([False, False, False, True, "dots", "dots-no-batch"])
WAYS = st.builds(
    Way,
    YES,
    YES,
    REMAT,
    YES,
    YES,
    tunix=YES,
    backward=FEW,
    formatted=RARE,
    compiled=SOME,
)
LABELS: dict[str, tuple[SearchStrategy[Any], Check, Callable[[Any, str], str]]] = {
    "valid": (st.tuples(specs(), WAYS), lambda drawn: check_valid(*drawn), small_valid),
    "invalid": (broken(), check_any, small_broken),
}
