"""Heads of definitions as others write them."""

from __future__ import annotations

import re

from ....diagnostics import Advice, Diagnostic, Fix, remove, write
from ....source import Span
from ..fault import Fault

_ITEM = re.compile(r"([a-z_]\w*) *[:=] *([\w.]+|\"[^\"]*\")")
_SHAPE = re.compile(r"([a-z_]\w*) *: *(\w*\[[^\]]*\])")


def bare_parameters(fault: Fault) -> Diagnostic | None:
    """`model Net d=8 classes=10:`, `model Net: d=8`."""
    if fault.first.kind not in ("MODEL", "BLOCK") or fault.failure.index != 2:
        return None
    rest = fault.rest(fault.token)
    inside = rest.text.rstrip(": ")
    items = _ITEM.findall(inside)
    if fault.kind != "NAME" or _ITEM.sub("", inside).strip(" ,"):
        return None
    name = fault.line.tokens[1]
    text = f"{name.text}({', '.join(f'{k}={v}' for k, v in items)}):"
    place = Span(fault.source, name.start, rest.end)
    return fault.report("N120", "missing `(`", write(place, text))


def headless(fault: Fault) -> Diagnostic | None:
    """`Net(d=8):`, with lines below."""
    line = fault.rest(fault.first)
    if not re.fullmatch(r"[A-Z]\w*(?:\([^()]*\))?:", line.text) or fault.line.indent:
        return None
    if fault.body_end <= fault.line.tokens[-1].end:
        return None
    gap = Span(fault.source, line.start, line.start)
    help = f"write `model {line.text}`"
    advice: Advice = {"help": help, "fix": Fix(gap, "model ")}
    return fault.report("N133", "a definition says its kind", advice, at=fault.first)


def equals(fault: Fault) -> Diagnostic | None:
    """`model Net(d=8) =`."""
    after = fault.after
    if fault.first.kind not in ("MODEL", "BLOCK") or fault.kind != "ASSIGN":
        return None
    if after is not fault.line.tokens[-1] or fault.inside or not fault.before:
        return None
    place = Span(fault.source, fault.before.end, fault.token.end)
    advice: Advice = {"help": "end the line with `:`", "fix": Fix(place, ":")}
    return fault.report("N120", "unexpected `=`", advice)


def inputs_in_head(fault: Fault) -> Diagnostic | None:
    """`model Net(x: [B, d], classes = 10):`."""
    if fault.first.kind not in ("MODEL", "BLOCK") or fault.kind != "COLON":
        return None
    line = fault.rest(fault.first)
    found = re.fullmatch(r"(\w+ +\w+) *\((.*)\) *(?:->.*)?:", line.text)
    shapes = _SHAPE.findall(found[2]) if found else []
    if found is None or not shapes or not fault.inside:
        return None
    kept = re.sub(r" *: *(?:int|float|bool|str)\b(?!\[)", "", _SHAPE.sub("", found[2]))
    params = ", ".join(p.strip() for p in re.split("[,;]", kept) if p.strip())
    head = f"{found[1]}({params}):" if params else f"{found[1]}:"
    margin = "\n" + " " * (fault.line.indent + 4)
    declared = ", ".join(f"{name}: {type}" for name, type in shapes)
    text = f"{head}{margin}input {declared}"
    message = "inputs stand below the head"
    return fault.report("N120", message, write(line, text))


def keyword_colon(fault: Fault) -> Diagnostic | None:
    """`freeze: fc`, `only: head`, `metric: f1(logits, y)`, `rngs: noise`, `rngs: nnx.Rngs`."""
    words = ("FREEZE", "ONLY", "METRIC", "RNGS", "ADAPT", "PARAM", "STATE", "USE")
    if (
        fault.kind != "COLON"
        or fault.failure.index != 1
        or fault.first.kind not in words
    ):
        return None
    rest = fault.rest(fault.token).text[1:].strip()
    if fault.first.kind == "RNGS" and "Rngs" in rest:
        why = "random numbers come by themselves: leave the line out"
        return fault.report("N120", "unexpected `:`", remove(fault.whole_line, why))
    place = fault.span(fault.token)
    called = re.match(r"(\w+)\(", rest)
    if fault.first.kind == "METRIC" and called:
        line = fault.rest(fault.first)
        return fault.report(
            "N120", "unexpected `:`", write(line, f"metric {called[1]} = {rest}")
        )
    return fault.report("N120", "unexpected `:`", remove(place, "leave out the `:`"))


def nameless_generate(fault: Fault) -> Diagnostic | None:
    """`generate:`, with lines below."""
    if fault.first.kind != "GENERATE" or fault.failure.index != 1:
        return None
    models = re.findall(r"(?m)^model (\w+)", fault.source.text)
    name = models[-1] if models else "Net"
    place = Span(fault.source, fault.first.start, max(fault.body_end, fault.token.end))
    why = "how tokens are drawn is said in the call"
    advice = write(place, f"generate {name}", why)
    return fault.report(
        "N120", f"unexpected `{fault.token.text or 'end of line'}`", advice
    )
