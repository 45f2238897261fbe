"""Diagnostics as values, and the sink that gathers them. Knows `source` only."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from difflib import get_close_matches
from textwrap import dedent, indent
from typing import TypedDict

from .codes import HELPS
from .record import Record, replace
from .source import Source, Span


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


MAX_FOUND = 100


class Enough(Exception):
    """There are so many mistakes that no more are looked for."""


@dataclass(slots=True)
class Sink:
    """Gathers diagnostics; a place is reported once per code.

    The one too many is told as such, and raises `Enough`.
    """

    found: dict[tuple[str, str, int, int], Diagnostic] = field(default_factory=dict)

    def add(self, diagnostic: Diagnostic) -> None:
        """Keep a diagnostic unless the same code was reported at the same place."""
        span = diagnostic.primary.span
        key = diagnostic.code, span.source.path, span.start, span.end
        if len(self.found) < MAX_FOUND or key in self.found:
            self.found.setdefault(key, diagnostic)
            return
        message = f"there are more than {MAX_FOUND} mistakes"
        label = Label(span, "no more are looked for")
        self.found.setdefault(("", "", 0, 0), Diagnostic("N251", message, label))
        raise Enough

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

    def forget(self, span: Span) -> None:
        """Drop what was found in a piece of text that is not looked at."""
        for key in [*self.found]:
            _, path, start, _ = key
            if path == span.source.path and span.start <= start < span.end:
                del self.found[key]

    @property
    def diagnostics(self) -> tuple[Diagnostic, ...]:
        """All findings, ordered by file and place, less those that another's fix mends too."""
        found = sorted(map(helped, self.found.values()), key=lambda d: d.sort_key)
        return tuple(d for d in found if not any(_mends(o, d) for o in found))


def helped(one: Diagnostic) -> Diagnostic:
    """A finding with the help of its code, where it has none of its own."""
    return one if one.help else replace(one, help=HELPS.get(one.code))


def _mends(wide: Diagnostic, narrow: Diagnostic) -> bool:
    """Whether the fix of one, on a line, is that of another and more."""
    if wide.fix is None or narrow.fix is None or wide.fix is narrow.fix:
        return False
    outer, inner = wide.fix.span, narrow.fix.span
    if wide.fix == narrow.fix:
        return wide.sort_key < narrow.sort_key
    within = outer.source is inner.source
    within = within and outer.start <= inner.start and inner.end <= outer.end
    more = (outer.end - outer.start) - (inner.end - inner.start)
    wider = more > 0 or (more == 0 and wide.code > narrow.code)
    return (
        within and wider and "\n" not in outer.text and inner.text not in wide.fix.text
    )


class Advice(TypedDict, total=False):
    """A help, and the fix that it describes: made together, so that they agree."""

    help: str
    fix: Fix


def write(span: Span, text: str, why: str = "") -> Advice:
    """Advice to write a text in the place of a span, after a clause that says why."""
    lead = f"{why}: write" if why else "write"
    if "\n" not in text:
        return {"help": f"{lead} `{text}`", "fix": Fix(span, text)}
    margin = " " * (span.source.position(span.start)[1] - 1)  # the others have theirs
    shown = f"\n{indent(dedent(f'{margin}{text}'), '  ')}"
    return {"help": lead + shown, "fix": Fix(span, text)}


def rename(source: Source, name: str, new: str) -> Fix:
    """A fix that writes another name wherever a text has one."""
    ending = r"\b" if name[-1].isalnum() else ""
    word = re.compile(rf"\b{re.escape(name)}{ending}")
    first, *others = (m.span() for m in word.finditer(source.text))
    span = Span(source, first[0], max((first, *others))[1])
    return Fix(span, word.sub(new, span.text))


def remove(span: Span, why: str) -> Advice:
    """Advice to leave a span out; the clause says so."""
    return {"help": why, "fix": Fix(span, "")}


def meant(span: Span, text: str) -> Advice:
    """Advice that a span was meant as another text."""
    return {"help": f"did you mean `{text}`?", "fix": Fix(span, text)}


def did_you_mean(
    span: Span, name: str, candidates: Iterable[str], otherwise: str = ""
) -> Advice:
    """Advice to write the candidate closest to the name; where none is close, another help."""
    close = closest(name, candidates)
    if close:
        return meant(span, close)
    return {"help": otherwise} if otherwise else {}


def closest(name: str, candidates: Iterable[str], cutoff: float = 0.6) -> str | None:
    """The candidate most like `name` (case aside), or None."""
    by_fold = {c.casefold(): c for c in sorted(candidates)}
    if len(name) > 64:
        return None
    match = get_close_matches(name.casefold(), by_fold, n=1, cutoff=cutoff)
    return by_fold[match[0]] if match else None
