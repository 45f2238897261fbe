"""Diagnostics as values, and the sink that gathers them. Knows `source` only."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from difflib import get_close_matches

from .record import Record
from .source import Span


class Label(Record):
    """A place and the fact that it shows; the text may be empty."""

    span: Span
    text: str = ""


class Fix(Record):
    """A mechanical repair: replace the span by the text."""

    span: Span
    text: str


class Diagnostic(Record):
    """One finding. `code` is a key of `nnxc.codes.CODES`."""

    code: str
    message: str
    primary: Label
    related: tuple[Label, ...] = ()
    help: str | None = None
    fix: Fix | None = None
    severity: str = "error"

    @property
    def sort_key(self) -> tuple[str, int, str, str]:
        """Orders by file, place, code."""
        span = self.primary.span
        return span.source.path, span.start, self.code, self.message


@dataclass(slots=True)
class Sink:
    """Gathers diagnostics; a place is reported once per code."""

    found: dict[tuple[str, str, int, int], Diagnostic] = field(default_factory=dict)

    def add(self, diagnostic: Diagnostic) -> None:
        """Keep a diagnostic unless the same code was reported at the same place."""
        span = diagnostic.primary.span
        self.found.setdefault(
            (diagnostic.code, span.source.path, span.start, span.end), diagnostic
        )

    def error(
        self,
        code: str,
        message: str,
        span: Span,
        label: str = "",
        *,
        related: Iterable[Label] = (),
        help: str | None = None,
        fix: Fix | None = None,
    ) -> None:
        """Report an error at a span."""
        self.add(
            Diagnostic(code, message, Label(span, label), tuple(related), help, fix)
        )

    @property
    def diagnostics(self) -> tuple[Diagnostic, ...]:
        """All findings, ordered by file and place."""
        return tuple(sorted(self.found.values(), key=lambda d: d.sort_key))


def did_you_mean(name: str, candidates: Iterable[str]) -> str | None:
    """A help text naming the closest candidate, or None where none is close."""
    close = closest(name, candidates)
    return f"did you mean `{close}`?" if close else None


def closest(name: str, candidates: Iterable[str]) -> str | None:
    """The candidate most like `name` (case aside), or None."""
    by_fold = {c.casefold(): c for c in sorted(candidates)}
    if len(name) > 64:
        return None
    match = get_close_matches(name.casefold(), by_fold, n=1, cutoff=0.6)
    return by_fold[match[0]] if match else None
