"""Characters of other languages whose meaning follows from where they stand."""

from __future__ import annotations

import re

from ...diagnostics import Advice, Fix, write
from ...source import Source, Span

_PAIRS = re.compile(r"return \{ *(?P<pairs>[\"']\w+[\"'] *: *.+?) *,? *\}")


def dictionary(source: Source, start: int) -> Advice | None:
    """`return {"logits": x}`, `sizes = {"hidden": 16}`: what a `{` begins."""
    text = source.text
    begin = text.rfind("\n", 0, start) + 1
    stop = text.find("\n", start)
    stop = stop if stop >= 0 else len(text)
    before = text[begin:start].strip()
    found = _PAIRS.match(text, begin + len(text[begin:start]) - len("return "))
    if before == "return" and found:
        pairs = re.sub(r"[\"'](\w+)[\"'] *: *", r"\1=", found["pairs"])
        place = Span(source, found.start(), found.end())
        return write(place, f"return {pairs}", "values have names")
    if before == "return":
        return {"help": "values have names: `return logits=x, hidden=h`"}
    if re.fullmatch(r"\w+ *=", before) and not before.startswith("config"):
        return {"help": "there are no tables of keys: each value has a name of its own"}
    return None


def fallback(source: Source, start: int) -> Advice | None:
    """`"hidden_size" ?? 8`."""
    if not source.text.startswith("??", start):
        return None
    place = Span(source, start, start + 2)
    return {"help": "write `or`", "fix": Fix(place, "or")}
