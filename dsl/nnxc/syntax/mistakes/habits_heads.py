"""Heads of scans, configs and definitions as people write them out of habit."""

from __future__ import annotations

import re

from ...diagnostics import Advice, Diagnostic, Fix, write
from ...source import Span
from .fault import Fault

_REVERSED = (
    re.compile(r"scan (?P<x>.+?) in reversed\((?P<over>.+)\) over (?P<axis>\S+) with "),
    re.compile(r"scan (?P<x>.+?) in (?P<over>.+?) reversed over (?P<axis>\S+) with "),
    re.compile(
        r"scan (?P<x>.+?) in (?P<over>.+?) over reversed\((?P<axis>\S+)\) with "
    ),
    re.compile(
        r"scan (?P<x>.+?) in (?P<over>.+?) over (?P<axis>[^\s,]+),? *"
        r"(?:reversed?|backwards?)(?: *= *[Tt]rue)?,? with "
    ),
)


def scan_backwards(fault: Fault) -> Diagnostic | None:
    """`scan xt in reversed(x) over T with ...`: the word stands behind the axis."""
    if fault.first.kind != "SCAN":
        return None
    line = fault.rest(fault.first)
    found = next((m for form in _REVERSED if (m := form.match(line.text))), None)
    if found is None:
        return None
    text = f"scan {found['x']} in {found['over']} over {found['axis']} reversed with "
    place = Span(fault.source, line.start, line.start + found.end())
    advice: Advice = {"help": f"write `{text.strip()} ...`", "fix": Fix(place, text)}
    return fault.report("N120", f"unexpected `{fault.token.text}`", advice)


def word_of_a_scan(fault: Fault, word: str) -> Advice | None:
    """`along T`, `axis=1`, `init h = ...`, `, h = ...`: the missing word, where another stands."""
    after, place = fault.after, fault.span(fault.token)
    if after is None or fault.before is None:
        return None
    if word == "OVER" and fault.kind == "NAME":
        if after.kind == "ASSIGN":
            place = Span(fault.source, fault.token.start, after.end)
            return write(place, "over ")
        return write(place, "over") if after.kind in ("NAME", "INT") else None
    if word == "OVER" and fault.kind == "WITH" and fault.comes_after("NAME"):
        stepped = rf"\b{fault.before.text} *: *\w*\[ *\w+ *, *(\w+)"
        found = re.search(stepped, fault.source.text[: fault.token.start])
        return write(place, f"over {found[1]} with") if found else None
    if word == "WITH" and fault.kind == "COMMA":
        return {"help": "write `with`", "fix": Fix(place, " with")}
    if word == "WITH" and fault.kind == "NAME" and after.kind == "NAME":
        return write(place, "with")
    return None


def other_brackets(fault: Fault) -> Diagnostic | None:
    """`block Mlp<h>:`, `model Net[d = 8]:`."""
    closing = {"LSQB": "RSQB", "LT": "GT"}.get(fault.kind)
    heads = fault.first.kind in ("MODEL", "BLOCK")
    if not heads or closing is None or fault.failure.index != 2:
        return None
    tokens = fault.line.tokens
    close = next((t for t in reversed(tokens) if t.kind == closing), None)
    if close is None:
        return None
    place = fault.span(fault.token).to(fault.span(close))
    advice = write(place, f"({place.text[1:-1]})")
    return fault.report("N120", f"unexpected `{fault.token.text}`", advice)


def nameless_config(fault: Fault) -> Diagnostic | None:
    """`config Net(d=16)`, `config big Net(d=16)`."""
    if fault.first.kind != "CONFIG" or not fault.accepts("ASSIGN"):
        return None
    if fault.kind == "LPAR" and fault.before and fault.before.text[:1].isupper():
        place = fault.span(fault.before)
        text = f"big = {fault.before.text}"
        shown = f"config {text}{fault.rest(fault.token).text}"
        why = f"a choice has a name: write `{shown}`"
        advice: Advice = {"help": why, "fix": Fix(place, text)}
        return fault.report("N120", "missing name", advice)
    if fault.kind == "NAME":
        gap = Span(fault.source, fault.token.start, fault.token.start)
        advice = {"help": "write `=` before it", "fix": Fix(gap, "= ")}
        return fault.report("N120", "missing `=`", advice)
    return None


def keyword_gets_value(fault: Fault) -> Diagnostic | None:
    """`model = Sequential(...)`, `config = {...}`: such a word begins a definition."""
    if fault.kind != "ASSIGN" or fault.failure.index != 1:
        return None
    word = fault.first.text
    forms = {
        "model": "a model is a definition: `model Net(...):`, its lines below",
        "block": "a block is a definition: `block Name(...):`, its lines below",
        "config": "a config is a choice: `config big = Net(d=16)`",
        "train": "a training is a section: `train Net:`, its lines below",
        "weights": 'weights are a section: `weights Net from "net.{path}":`',
        "generate": "write `generate Net`",
        "defaults": "write `defaults Linear(bias=false)`",
    }
    if word not in forms or fault.first.kind != word.upper():
        return None
    message = f"`{word}` is a keyword and no name"
    return fault.report("N124", message, forms[word], at=fault.first)
