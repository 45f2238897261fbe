"""Files of other formats: YAML, TOML and JSON are one mistake, not one a line."""

from __future__ import annotations

import re

from ....diagnostics import Sink
from ....source import Source, Span
from ...lines import Line

_DEFINES = re.compile(r"(?m)^ *(?:model|block|network|net|class|def|fn)\b *\w")
_HELP = (
    "a model is a definition: `model Name(d = 8):`, its lines below, "
    "`input x: [B, d]` and `return x -> Linear(d)`"
)


def told(source: Source, lines: list[Line], sink: Sink) -> bool:
    """Whether a file is of another format, which is reported as its only mistake."""
    kind = _format(source, lines[0])
    if kind is None or _DEFINES.search(source.text):
        return False
    sink.forget(Span(source, 0, len(source.text) + 1))
    first = lines[0].tokens[0]
    place = Span(source, first.start, first.end)
    sink.error("N120", f"this seems to be {kind}", place, help=_HELP)
    return True


def _format(source: Source, line: Line) -> str | None:
    kinds = [token.kind for token in line.tokens]
    texts = [token.text for token in line.tokens]
    if source.text.lstrip()[:1] == "{":
        return "JSON"
    if len(kinds) > 2 and texts[0] == "[" and texts[-2] == "]":
        return "TOML"
    if len(kinds) > 2 and texts[0].isidentifier() and texts[1] == ":":
        return "YAML" if line.indent == 0 else None
    return None
