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
    if found_body := body(source, start):
        return found_body
    found = _PAIRS.match(text, begin + len(text[begin:start]) - len("return "))
    if before == "return" and found:
        pairs = re.sub(r"[\"'](\w+)[\"'] *: *", r"\1=", found["pairs"])
        place = Span(source, found.start(), found.end())
        return write(place, f"return {pairs}", "values have names")
    if before == "use":
        return used(source, start)
    if before == "return":
        return {"help": "values have names: `return logits=x, hidden=h`"}
    if found_list := train_table(source, begin, start):
        return found_list
    if re.fullmatch(r"\w+ *=", before) and not before.startswith("config"):
        return {"help": "there are no tables of keys: each value has a name of its own"}
    return None


_COUNTED = re.compile(
    r"for *\(? *(?:let |int |var )?(?P<name>\w+) *= *0 *; *(?P=name) *< *(?P<end>\w+) *; *[^)\n]*?\)? *[:{]?"
)


def counted(source: Source, start: int) -> Advice | None:
    """`for (i = 0; i < 3; i++):`."""
    text = source.text
    begin = text.rfind("\n", 0, start) + 1
    stop = text.find("\n", start)
    line = text[begin : stop if stop >= 0 else len(text)]
    row = line.strip()
    if not re.match(r"for\b", row):
        return None
    found = _COUNTED.fullmatch(row)
    if found is None:
        return {"help": "write `for i in range(n):`"}
    at = begin + len(line) - len(line.lstrip())
    place = Span(source, at, at + len(row))
    return write(place, f"for {found['name']} in range({found['end']}):")


def body(source: Source, start: int) -> Advice | None:
    """`model Net(d = 8) {`: its body ends where its lines do."""
    text = source.text
    begin = text.rfind("\n", 0, start) + 1
    if not re.match(
        r" *(model|block|train|weights|if|for|else|elif)\b", text[begin:start]
    ):
        return None
    if text[start + 1 : start + 2] not in ("\n", ""):
        return None
    help = "a body is what is indented: end the line with `:`"
    if text.count("{") != 1 or text.count("}") != 1 or text.find("}") < start:
        return {"help": help}
    head = text[:start].rstrip()
    close = text.find("}")
    inside = text[start + 1 : close].rstrip()
    place = Span(source, len(head), close + 1)
    return {"help": help, "fix": Fix(place, f":{inside}")}


def fallback(source: Source, start: int) -> Advice | None:
    """`"hidden_size" ?? 8`."""
    if not source.text.startswith("??", start):
        return None
    place = Span(source, start, start + 2)
    return {"help": "write `or`", "fix": Fix(place, "or")}


_DECLARED = re.compile(r" *(?:input|batch|param|state)\b[^#]*")
_FIELD = re.compile(r"(?P<field>[^\[\],=#\n]*(?:\[[^\]\n]*\])?)(?P<default> *= *\w+)?")


def optional(source: Source, start: int) -> Advice | None:
    """`input mask: bool[B]?`, `input? mask: bool[B]`, `input mask?: bool[B]`."""
    text = source.text
    begin = text.rfind("\n", 0, start) + 1
    before = text[begin:start]
    if not _DECLARED.fullmatch(before) or before.count("[") != before.count("]"):
        return fallback(source, start)
    found = _FIELD.match(text, start + 1)
    assert found is not None
    field = found["field"].rstrip()
    place = Span(source, start, start + 1 + len(field))
    help = "what may be missing has a default: write ` = none` behind its type"
    default = "" if found["default"] else " = none"
    return {"help": help, "fix": Fix(place, f"{field}{default}")}


_TABLE = re.compile(
    r" *(?P<word>batch|inputs?|data|metrics?) *= *\{(?P<items>[^{}\n]*)\}"
)


def train_table(source: Source, begin: int, start: int) -> Advice | None:
    """`batch = {x: [B, d], y: int[B]}`, `metrics = {accuracy: accuracy(logits, y)}`."""
    found = _TABLE.match(source.text, begin)
    if found is None:
        return None
    items = re.sub(r"[\"'](\w+)[\"'] *:", r"\1:", found["items"]).strip(" ,")
    place = Span(source, found.start("word"), found.end())
    if not found["word"].startswith("metric"):
        return write(place, f"batch {items}")
    pairs = re.split(r", *(?=\w+ *:)", items)
    lines = [re.sub(r"^(\w+) *: *", r"metric \1 = ", pair) for pair in pairs]
    margin = "\n" + source.text[begin : found.start("word")]
    return write(place, margin.join(lines))


def used(source: Source, start: int) -> Advice | None:
    """`use {Block, Net} from "blocks.nnx"`."""
    found = re.compile(r"\{ *([\w, ]+?) *\}").match(source.text, start)
    return write(Span(source, start, found.end()), found[1]) if found else None
