"""Laws that must hold, and how their breach is reported."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager

SECONDS = 10


class Broken(AssertionError):
    """A law that did not hold; the message begins with its name."""


def holds(condition: object, law: str, detail: object = "") -> None:
    """Raise `Broken` unless the condition is true."""
    if not condition:
        raise Broken(f"{law}: {detail}" if detail else law)


@contextmanager
def time_limit(seconds: int) -> Iterator[None]:
    """Raises `Broken` in what takes longer."""

    def late(*_: object) -> None:
        raise Broken(f"slow: more than {seconds} s")

    before = signal.signal(
        signal.SIGVTALRM, late
    )  # of this process, however busy others
    signal.setitimer(signal.ITIMER_VIRTUAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_VIRTUAL, 0)
        signal.signal(signal.SIGVTALRM, before)
