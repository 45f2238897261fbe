"""Fixes are tried before they are told: what one leaves behind, and what it mends besides."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence

from .diagnostics import Diagnostic, Fix, Label, helped, meant
from .record import Record, replace
from .source import Source, Span

MAX_TEXT = 20_000  # characters of a spec that is checked again
ROUNDS = 4
GUESS = "did you mean"
NOT_SUCH = ("N214", "N216")  # no such attribute, cannot be applied
OTHERS = ("N24", "N26", "N3", "N9")  # of use, shapes, files: mistakes by themselves

Again = Callable[[str], tuple[Diagnostic, ...]]


class _Place(Record):
    """Where the text of a fix stands once all are applied."""

    owner: Diagnostic
    start: int
    end: int

    def holds(self, span: Span) -> bool:
        return self.start <= span.start and span.end <= self.end


def tried(
    source: Source, found: tuple[Diagnostic, ...], again: Again
) -> tuple[Diagnostic, ...]:
    """The findings of a spec, told so that their fixes leave no mistake where they stand.

    `again` checks a text in the place of the spec's. Where a fix leaves a mistake behind that has
    a fix too, both are one; where it has none, that mistake is the one to tell. What goes
    away by the fixes of others only followed from them.
    """
    found = _without_self(_at_the_declaration(source, found))
    found = _without_consequences(found)
    settings = {d.primary.span.text for d in found if d.code == "N514"}
    found = tuple(
        d for d in found if d.code != "N260" or d.primary.span.text not in settings
    )
    for turn in range(ROUNDS):
        if len(source.text) > MAX_TEXT or not any(d.fix for d in found):
            break
        last = turn == ROUNDS - 1
        text, places, fixes = _applied(source, found)
        rest = [d for d in again(text) if d.primary.span.source.path == source.path]
        told = {_key(d) for d in found}
        left = [d for d in rest if _key(d) not in told or _is_left(d, places)]
        still, done = {_key(d) for d in rest}, {id(fix) for fix in fixes}
        found = tuple(
            _completed(d, places, left, last)
            for d in found
            if id(d.fix) in done
            or _key(d) in still
            or not _follows(source, d, left, fixes)
        )
        if not any(_about(p, d) for p in places for d in left):
            break
    return found


def _without_self(found: tuple[Diagnostic, ...]) -> tuple[Diagnostic, ...]:
    """`self.config`, where there is no `config`: one mistake."""
    starts = {d.primary.span.start for d in found if d.code == "N200"}
    return tuple(
        d
        for d in found
        if d.message != "`self` is Python" or d.primary.span.end + 1 not in starts
    )


def _without_consequences(found: tuple[Diagnostic, ...]) -> tuple[Diagnostic, ...]:
    """Without what nothing uses, where another finding is that it was looked for elsewhere."""
    sought = {d.primary.span.text for d in found if d.code in ("N200", "N201")}
    unknown = any(d.code == "N200" and not d.fix for d in found)
    named = {
        d.fix.text.partition(" = ")[0]
        for d in found
        if d.code == "N241" and d.fix and " = " in d.fix.text
    }
    return tuple(
        d
        for d in found
        if not (d.code == "N260" and d.primary.span.text in sought)
        and not (d.code == "N262" and unknown)
        and not (d.code == "N261" and _quoted(d.message) in sought)
        and not (d.code == "N235" and d.primary.span.text in named)
    )


def _quoted(message: str) -> str:
    """The name in a message."""
    return message.partition("`")[2].partition("`")[0]


def _at_the_declaration(
    source: Source, found: tuple[Diagnostic, ...]
) -> tuple[Diagnostic, ...]:
    """A name that is misspelt where it is declared, and right wherever it is read, is told once."""
    groups: dict[tuple[str, str], list[Diagnostic]] = {}
    for one in found:
        if (
            one.code in ("N200", "N201")
            and one.fix
            and one.fix.span == one.primary.span
        ):
            key = (one.primary.span.text, one.fix.text)
            groups.setdefault(key, []).append(one)
    for (right, wrong), uses in groups.items():
        uses += [d for d in found if d.code == "N253" and d.primary.span.text == right]
        places = [m.start() for m in re.finditer(rf"\b{wrong}\b", source.text)]
        declared = rf"\b{wrong}\b *(?:[=:,]|$)|(?m:\bas {wrong}$)"
        if len(uses) < 2 or len(places) != 1 or not re.search(declared, source.text):
            continue
        place = Span(source, places[0], places[0] + len(wrong))
        if re.search(rf"= *{wrong} *\(", source.text):
            continue  # it is called: an entry, not a declaration
        message = f"`{wrong}` is not used"
        one = Diagnostic("N260", message, Label(place), (), **meant(place, right))
        left = (d for d in found if d not in uses and d.primary.span != place)
        found = tuple(sorted((*left, one), key=lambda d: d.sort_key))
    return found


def _applied(
    source: Source, found: Iterable[Diagnostic]
) -> tuple[str, list[_Place], list[Fix]]:
    """The text with all fixes, and where they stand in it; of those that overlap, the last."""
    kept: list[tuple[Diagnostic, Fix]] = []
    free = len(source.text)
    for one in sorted(found, key=lambda d: -d.fix.span.start if d.fix else 0):
        fix = one.fix
        if fix and fix.span.source is source and fix.span.end <= free:
            kept.append((one, fix))
            free = fix.span.start
    parts: list[str] = []
    places: list[_Place] = []
    at = length = 0
    for one, fix in reversed(kept):
        before = source.text[at : fix.span.start]
        parts += (before, fix.text)
        length += len(before)
        if "\n" not in fix.text + fix.span.text:
            places.append(_Place(one, length, length + len(fix.text)))
        length += len(fix.text)
        at = fix.span.end
    text = "".join((*parts, source.text[at:]))
    return text, places, [fix for _, fix in kept]


def _completed(
    one: Diagnostic, places: Sequence[_Place], left: Sequence[Diagnostic], last: bool
) -> Diagnostic:
    """A finding, with what its fix leaves behind mended as well, or told in its place."""
    place = next((p for p in places if p.owner is one), None)
    if place and _is_wrong(one, place, left):
        return helped(replace(one, help=None, fix=None))
    inside = [d for d in left if place and _about(place, d)]
    if place is None or one.fix is None or not inside:
        return one
    open_ = [d for d in inside if last or not d.fix or not place.holds(d.fix.span)]
    if open_ and one.help and one.help.startswith(GUESS):
        return helped(replace(one, help=None, fix=None))
    if open_:
        return _instead(one, one.fix, open_[0])
    text, free = one.fix.text, len(one.fix.text)
    for fix in sorted((d.fix for d in inside if d.fix), key=lambda f: -f.span.start):
        start, end = fix.span.start - place.start, fix.span.end - place.start
        if end <= free:
            text, free = text[:start] + fix.text + text[end:], start
    guess = one.help is not None and one.help.startswith(GUESS)
    help = f"{GUESS} `{text}`?" if guess else f"write `{text}`"
    return replace(one, help=help, fix=Fix(one.fix.span, text))


def _key(one: Diagnostic) -> tuple[str, str]:
    return one.code, one.message


def _is_left(one: Diagnostic, places: Sequence[_Place]) -> bool:
    """Whether a finding is as it was, in what its own fix has written."""
    return any(p.holds(one.primary.span) and _key(p.owner) == _key(one) for p in places)


def _about(place: _Place, one: Diagnostic) -> bool:
    """Whether a fix is to blame for what stands in it."""
    return place.holds(one.primary.span) and not one.code.startswith(OTHERS)


def _is_wrong(one: Diagnostic, place: _Place, left: Sequence[Diagnostic]) -> bool:
    """Whether what a word was taken for cannot stand there."""
    guess = one.help is not None and one.help.startswith(GUESS)
    behind = (d for d in left if d.code in NOT_SUCH)
    return guess and any(0 <= d.primary.span.start - place.end <= 1 for d in behind)


def _instead(one: Diagnostic, fix: Fix, rest: Diagnostic) -> Diagnostic:
    """What a fix leaves behind, told at the place of the finding whose fix it is."""
    word = rest.primary.span.text
    where = rf"(?<!\w){re.escape(word)}(?!\w)"
    found = re.search(where, fix.span.text, re.IGNORECASE) if word else None
    start = fix.span.start + (found.start() if found else 0)
    span = (
        Span(fix.span.source, start, start + len(word)) if found else one.primary.span
    )
    label = Label(span, rest.primary.text)
    circular = rest.message == one.message and rest.fix is not None
    help = None if circular else rest.help
    return helped(Diagnostic(rest.code, rest.message, label, (), help))


def _follows(
    source: Source,
    one: Diagnostic,
    left: Sequence[Diagnostic],
    applied: Sequence[Fix],
) -> bool:
    """Whether a finding that is no more went away by the fixes of others."""
    span = one.primary.span
    inside = any(fix.span.contains(span) for fix in applied)
    return span.source is source and (not left or inside)
