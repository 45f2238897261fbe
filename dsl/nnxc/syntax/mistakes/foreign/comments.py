"""Comments as other languages mark them."""

from __future__ import annotations

import re

from ....diagnostics import Diagnostic, write
from ....source import Span
from ..fault import Fault

_LINES = (
    re.compile(r"/\*+ *(.*?) *\*+/"),
    re.compile(r"-- *([A-Za-z].* .*|[A-Za-z]\w*)"),
    re.compile(r"% *(.*)"),
    re.compile(r"<!-- *(.*?) *-->"),
    re.compile(r"(?:REM|rem|//) +(.*)"),
)
_BEHIND = re.compile(
    r" +(?:/\* *(.*?) *\*/|% +([A-Za-z][\w ,]*)|-- +([A-Za-z][\w ,]*))$"
)


def marked(fault: Fault) -> Diagnostic | None:
    """`/* a model */`, `-- a model`, `% a model`, alone or behind a line."""
    line = fault.rest(fault.first)
    for form in _LINES:
        if found := form.fullmatch(line.text):
            advice = write(line, f"# {found[1]}", "comments begin with `#`")
            return fault.report("N138", "this is no comment", advice, at=fault.first)
    found = _BEHIND.search(line.text)
    if found is None or fault.token.start < line.start + found.start():
        return None
    words = next(text for text in found.groups() if text)
    place = Span(fault.source, line.start + found.start(), line.end)
    advice = write(place, f"  # {words}", "comments begin with `#`")
    return fault.report("N138", "this is no comment", advice)
