"""Inputs declared by other words than `input`, or with more than their types."""

from __future__ import annotations

from ...diagnostics import Advice, Diagnostic, Fix, remove, write
from ...source import Span
from .fault import DECLARES, Fault


def undeclared(fault: Fault) -> Diagnostic | None:
    """`x: [B, d], y: [B]`, `x: [B, d] = none`, `x: [B, d] -> [B]`, `in x: [B, d]`."""
    tokens = fault.line.tokens
    if fault.first.kind == "IN" and fault.failure.index == 0:
        advice = write(fault.span(fault.first), "input")
        return fault.report("N120", "unexpected `in`", advice)
    if [t.kind for t in tokens[:2]] != ["NAME", "COLON"] or fault.inside:
        return None
    empty = fault.kind == "ASSIGN" and fault.after and fault.after.kind == "NONE"
    if fault.kind not in ("COMMA", "ARROW") and not empty:
        return None
    end = fault.token if fault.kind == "ARROW" else tokens[-1]
    place = Span(fault.source, fault.first.start, end.start)
    advice = write(place, f"input {place.text.rstrip()}")
    if fault.kind == "ARROW":
        line = fault.rest(fault.first)
        advice = {**advice, "fix": Fix(line, f"input {place.text.rstrip()}")}
    return fault.report(
        "N120", f"`{fault.first.text}` is not declared", advice, at=fault.first
    )


def result(fault: Fault) -> Diagnostic | None:
    """`input x: [B, d] -> [B, classes]`."""
    if fault.first.kind not in DECLARES or fault.kind != "ARROW" or fault.inside:
        return None
    assert fault.before is not None
    gap = Span(fault.source, fault.before.end, fault.token.start)
    if "\n" in gap.text:
        name = fault.line.tokens[1].text
        margin = "\n" + " " * fault.line.indent
        text = f"{margin}return {name}{margin}    "
        help = f"arrows begin with what flows: write `return {name}` before them"
        advice: Advice = {"help": help, "fix": Fix(gap, text)}
        return fault.report("N120", "an input has no result", advice)
    place = Span(fault.source, fault.before.end, fault.line.tokens[-1].end)
    advice = remove(place, "what comes of it is found: leave it out")
    return fault.report("N120", "an input has no result", advice)


def nameless(fault: Fault) -> Diagnostic | None:
    """`input: [B, d]`."""
    after = fault.after
    if fault.first.kind != "INPUT" or fault.failure.index != 1 or after is None:
        return None
    if fault.kind == "COLON" and after.kind == "LSQB":
        place = fault.span(fault.first).to(fault.span(fault.token))
        advice = write(place, "input x:")
        return fault.report("N120", "an input has a name", advice, at=fault.first)
    return None
