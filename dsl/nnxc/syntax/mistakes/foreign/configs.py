"""Sections of settings, as other tools have them, where a `config` is a line."""

from __future__ import annotations

import re

from ....diagnostics import Diagnostic, Fix
from ....source import Span
from ..fault import Fault
from ..habits_weights import in_weights

_HEAD = re.compile(
    r"config(?: +(?P<name>\w+))?(?: *\( *(?P<base>\w+) *\))? *:(?P<behind>.*)"
)
_ENTRY = re.compile(
    r"(\w+) *(?:: *\w+(?:\[.*?\])? *=|[=:]) *([\w.\"]+|\[[^\]\n]*\])(?= *(?:[,#\n]|$))"
)


def section(fault: Fault) -> Diagnostic | None:
    """`config small(Net):`, `config Net:`, `config big: d=64`, `config:`, lines below or not."""
    line = fault.rest(fault.first)
    found = _HEAD.fullmatch(line.text)
    text = fault.source.text
    if fault.first.kind != "CONFIG" or found is None:
        return None
    called = re.match(r" *[A-Z]\w*\(", found["behind"])
    if called or in_weights(fault.source, fault.first.start):
        return None
    end = max(fault.body_end, fault.line.tokens[-1].end)
    below = text[fault.line.tokens[-1].end : end]
    rows = [row for row in [found["behind"], *below.splitlines()] if row.strip()]
    entries = _ENTRY.findall("\n".join(rows))
    models = dict(re.findall(r"(?m)^ *model (\w+) *(?:\(([^)]*)\))?", text))
    name, base = found["name"], found["base"]
    if base is None and name in models:
        name, base = "big", name
    elif base is None and name and name.islower() and len(models) == 1:
        base = next(iter(models))
    named = {*re.findall(r"\w+", models.get(base or "", ""))}
    message = f"unexpected `{fault.token.text}`"
    if not entries or not {key for key, _ in entries} <= named:
        return fault.report("N120", message, _as_parameters(models, entries))
    chosen = ", ".join(f"{key}={value}" for key, value in entries)
    made = f"config {name} = {base}({chosen})"
    help = f"a choice stands on a line: write `{made}`"
    fix = Fix(Span(fault.source, fault.first.start, end), made)
    return fault.report("N120", message, {"help": help, "fix": fix})


def _as_parameters(models: dict[str, str], entries: list[tuple[str, str]]) -> str:
    """What settings are in a spec."""
    name = next(iter(models), "Net")
    params = ", ".join(f"{key} = {value}" for key, value in entries[:4]) or "d = 16"
    return (
        f"settings are parameters, `model {name}({params}):`; "
        f"`config big = {name}(...)` chooses others"
    )
