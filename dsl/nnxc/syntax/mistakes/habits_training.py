"""Lines of trains, checks and defaults as people write them out of habit."""

from __future__ import annotations

import re

from ...diagnostics import Advice, Diagnostic, write
from ...source import Span
from .fault import Fault

_SETTING = re.compile(
    r"(?P<name>optimizer|loss|clip|accumulate|precision|ema)(?P<sign> *: *| +)(?P<value>[^=\s].*)"
)
_MINIMISED = re.compile(r"minimi[sz]e *:? *(?P<value>.+)")


def setting(fault: Fault) -> Diagnostic | None:
    """`optimizer: adam(1e-3)`, `loss cross_entropy(...)`, `minimize loss`."""
    line = fault.rest(fault.first)
    if fault.first.kind != "NAME" or len(fault.line.tokens) < 3:
        return None
    if found := _SETTING.fullmatch(line.text):
        text = f"{found['name']} = {found['value']}"
        at = fault.line.tokens[1]
        return fault.report("N120", "missing `=`", write(line, text), at=at)
    found = _MINIMISED.fullmatch(line.text)
    if found is None or fault.line.tokens[1].kind not in ("NAME", "COLON"):
        return None
    text = f"loss = {found['value']}"
    message = f"no statement begins with `{fault.first.text}`"
    return fault.report("N133", message, write(line, text), at=fault.first)


def called_without_brackets(fault: Fault) -> Diagnostic | None:
    """`optimizer = adam 1e-3`."""
    line = fault.rest(fault.first)
    found = re.fullmatch(r"(optimizer) = (\w+) +([\d.e-]+)", line.text)
    if found is None:
        return None
    text = f"{found[1]} = {found[2]}({found[3]})"
    return fault.report("N120", "missing `(`", write(line, text), at=fault.token)


def objectives(fault: Fault) -> Diagnostic | None:
    """`optimize first, second:`, `optimize first with adam(1e-3)`."""
    if fault.first.kind != "OPTIMIZE" or fault.failure.index != 2:
        return None
    name = fault.line.tokens[1].text
    if fault.kind == "COMMA":
        help = f"it has one name, and says in its body what trains: `only {name}, ...`"
    elif fault.token.text in ("with", "by", "using"):
        help = f"its lines stand below: `optimize {name}:`, `loss = ...`, `optimizer = ...`"
    else:
        return None
    return fault.report("N120", f"unexpected `{fault.token.text}`", help)


def odd_paths(fault: Fault) -> Diagnostic | None:
    """`freeze fc/kernel`, `freeze h[0..2]`, `freeze all except head`."""
    if fault.first.kind not in ("FREEZE", "ONLY"):
        return None
    message = f"unexpected `{fault.token.text}`"
    if fault.token.text == "/":
        return fault.report("N120", message, write(fault.span(fault.token), "."))
    line = fault.rest(fault.first)
    if found := re.fullmatch(
        r"freeze (?:all|everything) (?:except|but) (.+)", line.text
    ):
        return fault.report("N120", message, write(line, f"only {found[1]}"))
    if found := re.fullmatch(r"(.*\[)(\d+)\.\.(\d+)(\].*)", line.text):
        text = f"{found[1]}{found[2]}:{found[3]}{found[4]}"
        return fault.report("N120", message, write(line, text))
    return None


def check_with_words(fault: Fault) -> Diagnostic | None:
    """`require d > 0, d must be positive`, `require d > 0: "..."`."""
    if fault.first.kind != "REQUIRE":
        return None
    if fault.kind == "COLON" and fault.after and fault.after.kind == "STRING":
        advice = write(fault.span(fault.token), ",")
        return fault.report("N120", "unexpected `:`", advice)
    if fault.accepts("STRING") and fault.comes_after("COMMA"):
        rest = fault.rest(fault.token)
        advice = write(rest, f'"{rest.text.strip()}"', "the message stands in quotes")
        return fault.report("N120", f"unexpected `{fault.token.text}`", advice)
    return None


def defaults(fault: Fault) -> Diagnostic | None:
    """`defaults Linear = bias=false`, `defaults:` with lines below."""
    if fault.first.kind != "DEFAULTS":
        return None
    line = fault.rest(fault.first)
    found = re.fullmatch(r"defaults (\w+) *[=:] *(\w+) *= *(\S+)", line.text)
    message = f"unexpected `{fault.token.text}`"
    if found and fault.failure.index == 2:
        text = f"defaults {found[1]}({found[2]}={found[3]})"
        return fault.report("N120", message, write(line, text))
    if fault.kind != "COLON" or fault.failure.index != 1:
        return None
    below = fault.source.text[fault.token.end : fault.body_end]
    entries = [
        entry.strip().rstrip(",") for entry in below.splitlines() if entry.strip()
    ]
    advice: Advice = {"help": "write `defaults Linear(bias=false)`"}
    entries = [
        re.sub(r"([A-Z]\w*) *[:=] *(\w+ *= *.+)", r"\1(\2)", entry) for entry in entries
    ]
    if entries and all(entry[:1].isupper() for entry in entries):
        place = Span(fault.source, fault.first.start, fault.body_end)
        advice = write(place, f"defaults {', '.join(entries)}")
    return fault.report("N120", message, advice)
