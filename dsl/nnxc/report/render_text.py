"""Diagnostics for people: frames of the source with what is wrong underlined."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Iterator, Sequence

from ..diagnostics import Diagnostic, Label
from ..record import Record
from ..source import Source

TAB = 4
WIDEST = 160  # columns of source shown of a line
BEFORE = 40  # of them before the first mark, where a line is cut

_COLOURS = {"error": "1;31", "warning": "1;33", "note": "1;34", "title": "1"}


def render_text(diagnostics: Iterable[Diagnostic], *, colour: bool = False) -> str:
    """All diagnostics, a blank line between them."""
    paint = _Paint(colour)
    return "\n".join(
        "".join(f"{line}\n" for line in _lines(d, paint)) for d in diagnostics
    )


class _Paint(Record):
    colour: bool

    def __call__(self, text: str, kind: str) -> str:
        if not self.colour or not text:
            return text
        return f"\033[{_COLOURS.get(kind, '1')}m{text}\033[0m"


class _Mark(Record):
    """An underlined part of one line as displayed; columns count from 0."""

    start: int
    end: int
    text: str
    kind: str

    @property
    def sign(self) -> str:
        return "-" if self.kind == "note" else "^"


def _lines(diagnostic: Diagnostic, paint: _Paint) -> Iterator[str]:
    kind = diagnostic.severity
    head = paint(f"{kind}[{diagnostic.code}]", kind)
    yield f"{head}{paint(f': {visible(diagnostic.message)}', 'title')}"
    labels = [(diagnostic.primary, kind), *((r, "note") for r in diagnostic.related)]
    width = max(len(str(_line_of(label))) for label, _ in labels)
    for index, (source, group) in enumerate(_by_source(labels)):
        yield from _frame(source, group, "-->" if index == 0 else ":::", width, paint)
    if diagnostic.help:
        gutter = paint(f"{' ' * (width + 2)}=", "note")
        first, *rest = visible(diagnostic.help).split("\n")
        yield f"{gutter} {paint('help', 'title')}: {first}"
        yield from (f"{' ' * (width + 10)}{line}" for line in rest)


def _line_of(label: Label) -> int:
    return label.span.source.position(label.span.start)[0]


def _by_source(
    labels: Sequence[tuple[Label, str]],
) -> Iterator[tuple[Source, list[tuple[Label, str]]]]:
    groups: dict[int, list[tuple[Label, str]]] = {}
    for label, kind in labels:
        groups.setdefault(id(label.span.source), []).append((label, kind))
    for group in groups.values():
        yield group[0][0].span.source, group


def _frame(
    source: Source,
    labels: Sequence[tuple[Label, str]],
    arrow: str,
    width: int,
    paint: _Paint,
) -> Iterator[str]:
    if source.path == "<none>":
        return
    pointer = paint(f"{' ' * (width + 1)}{arrow}", "note")
    if not source.text:
        yield f"{pointer} {visible(source.path)}"
        return
    line, column = source.position(labels[0][0].span.start)
    yield f"{pointer} {visible(source.path)}:{line}:{column}"
    bar = paint(f"{' ' * (width + 2)}|", "note")
    yield bar
    previous = None
    by_line = _by_line(labels)
    for number in sorted(by_line):
        if previous is not None and number - previous == 2:
            yield from _excerpt(source, number - 1, [], width, paint)
        elif previous is not None and number - previous > 2:
            yield paint(f"{' ' * (width + 1)}...", "note")
        yield from _excerpt(source, number, by_line[number], width, paint)
        previous = number


def _by_line(
    labels: Sequence[tuple[Label, str]],
) -> dict[int, list[tuple[Label, str]]]:
    lines: dict[int, list[tuple[Label, str]]] = {}
    for label, kind in labels:
        lines.setdefault(_line_of(label), []).append((label, kind))
    return lines


def _excerpt(
    source: Source,
    number: int,
    labels: Sequence[tuple[Label, str]],
    width: int,
    paint: _Paint,
) -> Iterator[str]:
    """One line of source with its marks below."""
    begin = source.starts[number - 1]
    line = source.line(number)
    spans = [(label.span.start - begin, label.span.end - begin) for label, _ in labels]
    line, cut = _cut(line, min((start for start, _ in spans), default=0))
    text, columns = _display(line)
    last = len(columns) - 1
    marks = []
    for (start, end), (label, kind) in zip(spans, labels, strict=True):
        left = columns[min(max(start - cut, 0), last)]
        right = columns[min(max(end - cut, 0), last)]
        clause = visible(label.text).replace("\n", " ")
        marks.append(_Mark(left, max(right, left + 1), clause, kind))
    gutter = paint(f" {number:>{width}} |", "note")
    yield f"{gutter} {text}".rstrip()
    bar = paint(f"{' ' * (width + 2)}|", "note")
    yield from (f"{bar} {row}" for row in _rows(marks, paint))


def _cut(line: str, first: int) -> tuple[str, int]:
    """The part of a long line around its first mark, and how much went before it."""
    if len(line) <= WIDEST:
        return line, 0
    start = max(0, min(first - BEFORE, len(line) - WIDEST))
    kept = line[start : start + WIDEST]
    if start + WIDEST < len(line):
        kept = f"{kept[:-1]}…"
    return (f"…{kept[1:]}" if start else kept), start


def _rows(marks: Sequence[_Mark], paint: _Paint) -> Iterator[str]:
    """The underlines with the text of the last, then the other texts, right to left."""
    if not marks:
        return
    ordered = sorted(marks, key=lambda m: (m.end, m.start))
    last = ordered.pop()
    row: dict[int, _Mark] = {}
    for mark in (*sorted(marks, key=lambda m: m.sign == "^"),):
        row.update(dict.fromkeys(range(mark.start, mark.end), mark))
    line = "".join(
        paint(row[i].sign, row[i].kind) if i in row else " " for i in range(last.end)
    )
    yield f"{line} {paint(last.text, last.kind)}" if last.text else line
    rows: list[list[_Mark]] = []
    for mark in sorted((m for m in ordered if m.text), key=lambda m: -m.start):
        free = next((r for r in rows if _ends(mark) + 2 <= r[-1].start), None)
        if free is None:
            rows.append([mark])
        else:
            free.append(mark)
    for below in rows:
        text, column = "", 0
        for mark in reversed(below):
            text += " " * (mark.start - column) + paint(mark.text, mark.kind)
            column = _ends(mark)
        yield text


def _ends(mark: _Mark) -> int:
    return mark.start + _display(mark.text)[1][-1]


def _display(line: str) -> tuple[str, list[int]]:
    """A line as shown, and the column at which each of its characters starts."""
    shown, columns = [], [0]
    for char in line:
        column = columns[-1]
        if char == "\t":
            text, width = " " * (TAB - column % TAB), TAB - column % TAB
        else:
            text = visible(char)
            width = _width(text)
        shown.append(text)
        columns.append(column + width)
    return "".join(shown), columns


def _width(char: str) -> int:
    if unicodedata.combining(char):
        return 0
    return 2 if unicodedata.east_asian_width(char) in "WF" else 1


def visible(text: str) -> str:
    """Text that cannot steer a terminal: what does not print becomes a sign."""
    if text.isascii() and text.isprintable():
        return text
    return "".join(c if c.isprintable() or c == "\n" else _sign(c) for c in text)


def _sign(char: str) -> str:
    return chr(0x2400 + ord(char)) if ord(char) < 0x20 else "\ufffd"
