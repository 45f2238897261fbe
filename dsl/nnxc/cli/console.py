"""What the command says: findings, notes, progress. Decides on colour and exit codes."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping, Sequence
from typing import TextIO

from ..diagnostics import Diagnostic
from ..record import Record
from ..report.formats import render
from ..report.render_text import visible

OK, FINDINGS, USAGE = 0, 1, 2
_ENVIRONMENT = frozenset({"N901", "N903", "N904", "N905", "N910"})


class Console(Record):
    """The streams of one run. People read text, tools read the other formats.

    Text findings go to standard error, those of other formats to standard output, where
    they stand alone. `compiler` is the compiler's fingerprint, where there is one.
    """

    format: str = "text"
    compiler: str | None = None

    @property
    def is_text(self) -> bool:
        """Whether a person reads."""
        return self.format == "text"

    def report(
        self,
        diagnostics: Sequence[Diagnostic],
        more: Mapping[str, object] | None = None,
    ) -> int:
        """Show findings and return the exit code that they ask for."""
        if not self.is_text:
            print(render(diagnostics, self.format, more=more), end="")
        elif diagnostics:
            text = render(diagnostics, colour=_has_colour(sys.stderr))
            print(text, end="", file=sys.stderr)
            print(f"\n{_count(diagnostics)}", file=sys.stderr)
        return exit_code(diagnostics)

    def note(self, text: str) -> None:
        """Say something to a person."""
        if self.is_text:
            print(visible(text))

    def progress(self, done: int, total: int) -> None:
        """Show how far the work on many specs is, on a terminal."""
        if self.is_text and sys.stderr.isatty():
            text = "" if done == total else f"{done}/{total} specs"
            print(f"\r\033[K{text}", end="", file=sys.stderr, flush=True)


def exit_code(diagnostics: Sequence[Diagnostic]) -> int:
    """0 without errors, 2 where the surroundings are at fault, otherwise 1."""
    errors = [d for d in diagnostics if d.severity == "error"]
    # The same codes inside a spec (a `use` of a missing file) are findings.
    if any(d.code in _ENVIRONMENT and not d.primary.span.source.text for d in errors):
        return USAGE
    return FINDINGS if errors else OK


def _count(diagnostics: Sequence[Diagnostic]) -> str:
    counts: dict[str, int] = {}
    for diagnostic in diagnostics:
        counts[diagnostic.severity] = counts.get(diagnostic.severity, 0) + 1
    return ", ".join(f"{n} {kind}{'s' * (n > 1)}" for kind, n in counts.items())


def _has_colour(stream: TextIO) -> bool:
    if os.environ.get("NO_COLOR") or os.environ.get("TERM") == "dumb":
        return False
    return stream.isatty()
