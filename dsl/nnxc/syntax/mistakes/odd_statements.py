"""Statements that lack a part, or have one in another place."""

from __future__ import annotations

import re

from ...diagnostics import Advice, Diagnostic, Fix, write
from ...source import Span
from ..tokens import END
from ..words import HEADS
from . import habits, habits_heads
from .fault import DECLARES, Fault
from .token_kinds import SPELLING


def missing_colon(fault: Fault) -> Diagnostic | None:
    """N105, where a `:` at the end would complete the line."""
    if fault.first.text not in HEADS or fault.kind != END or not fault.accepts("COLON"):
        return None
    fix = Fix(fault.span(fault.token), ":")
    return fault.report(
        "N105", "missing `:`", {"help": "end the line with `:`", "fix": fix}
    )


def counted(fault: Fault) -> Diagnostic | None:
    """`for i = 1 to 3:`."""
    if fault.kind != "ASSIGN" or fault.first.kind != "FOR" or fault.failure.index != 2:
        return None
    whole = re.fullmatch(r"for (\w+) = (\d+) to (\d+):", fault.whole_line.text.strip())
    advice: str | Advice = f"write `for {fault.line.tokens[1].text} in range(n):`"
    if whole:
        ends = f"in range({whole[2]}, {int(whole[3]) + 1})"
        last = fault.line.tokens[5]
        advice = write(Span(fault.source, fault.token.start, last.end), ends)
    return fault.report("N120", "unexpected `=`", advice)


_RANGES = (
    (r"for \w+ in (range (\w+)):", "range({0})"),
    (r"for \w+ in ((\w+)\.\.(\w+)):", "range({0}, {1})"),
    (r"for \w+ in ((\w+) to (\w+)):", "range({0}, {1})"),
)


def range_of_others(fault: Fault) -> Diagnostic | None:
    """`for i in range 3:`, `for i in 0..3:`."""
    if fault.first.kind != "FOR":
        return None
    line = fault.rest(fault.first)
    for form, made in _RANGES:
        if found := re.fullmatch(form, line.text):
            start, end = (line.start + at for at in found.span(1))
            text = made.format(*found.groups()[1:])
            advice = write(Span(fault.source, start, end), text)
            return fault.report("N120", f"unexpected `{fault.token.text}`", advice)
    return None


def body_on_the_line(fault: Fault) -> Diagnostic | None:
    head = fault.first.text in HEADS and fault.comes_after("COLON")
    if not head or not fault.accepts(END):
        return None
    assert fault.before is not None
    margin = "\n" + " " * (fault.line.indent + 4)
    place = Span(fault.source, fault.before.end, fault.token.start)
    help = "begin a new line, indented by four spaces"
    advice: Advice = {"help": help, "fix": Fix(place, margin)}
    return fault.report("N108", "the body stands on lines of its own", advice)


def use_without_from(fault: Fault) -> Diagnostic | None:
    if fault.first.kind != "USE":
        return None
    help = 'write `use Name from "file.nnx"`'
    if fault.kind == "FROM" and fault.failure.index == 1:
        return fault.report("N137", "`use` names what it brings", help)
    if fault.kind == "AS":
        help = "what is used keeps its name: leave out `as` and the name"
        return fault.report("N120", "unexpected `as`", help)
    if fault.kind == "STRING" and fault.failure.index == 1:
        return fault.report("N137", "`use` names what it brings", help)
    if fault.accepts("FROM") and fault.kind in ("STRING", END):
        return fault.report("N137", "missing `from`", help)
    if fault.comes_after("FROM"):
        return fault.report("N137", "missing path", help, label="expected a string")
    return None


def half_a_scan(fault: Fault) -> Diagnostic | None:
    seen = {token.kind for token in fault.line.tokens[: fault.failure.index]}
    wanted = [k for k in ("IN", "OVER", "WITH") if k not in seen]
    wanted = wanted[1:] if "OVER" in seen and len(wanted) > 1 else wanted
    missing = [k for k in wanted if fault.accepts(k)]
    if fault.first.kind != "SCAN" or fault.inside or not missing:
        return None
    help = "write `scan xt in x over T with h = zeros([B, d]):`"
    found = habits.scan_of_range(fault) or habits_heads.word_of_a_scan(
        fault, missing[0]
    )
    advice = found or help
    return fault.report("N120", f"missing `{SPELLING[missing[0]]}`", advice)


def nameless_collect(fault: Fault) -> Diagnostic | None:
    if fault.first.kind != "COLLECT" or not fault.accepts("ASSIGN"):
        return None
    help = "name all of them: `collect ys = y`"
    return fault.report("N120", "missing `=`", help)


def untyped_field(fault: Fault) -> Diagnostic | None:
    untyped = fault.first.kind in DECLARES and fault.comes_after("NAME")
    if not untyped or not fault.accepts("COLON") or fault.accepts("PLUS"):
        return None
    assert fault.before is not None
    name = fault.before.text
    advice: str | Advice = f"write the shape: `{name}: [B, d]`, `{name}: int[B]`"
    if fault.kind == "LSQB":
        gap = Span(fault.source, fault.before.end, fault.token.start)
        advice = write(fault.span(fault.before).to(gap), f"{name}: ")
        advice["help"] = f"write `{name}: {fault.rest(fault.token).text}`"
    return fault.report("N120", f"`{name}` has no type", advice, at=fault.before)


def no_result(fault: Fault) -> Diagnostic | None:
    """`extern "k.py" f(x: [B, d])`, and types of Python."""
    if fault.first.kind != "EXTERN":
        return None
    if fault.kind == END and fault.accepts("ARROW"):
        return fault.report("N120", "missing `->`", "say what it gives: `-> [B, d]`")
    if fault.kind == "DOT" or fault.comes_after("ARROW"):
        help = "a type is a shape: `x: [B, d]`, `-> [B, d]`"
        return fault.report("N120", f"unexpected `{fault.token.text}`", help)
    return None
