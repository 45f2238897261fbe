"""Products as mathematics writes them, without a sign or with a cross."""

from __future__ import annotations

import re

from ....diagnostics import Advice, Diagnostic, Fix, write
from ...tokens import END
from ..fault import Fault

_COUNTS = ("NAME", "INT")


def times(fault: Fault) -> Diagnostic | None:
    """`Block(d) x 4`, and a window of names: `patch x patch`."""
    before, after = fault.before, fault.after
    if fault.token.text not in ("x", "X", "times") or not fault.accepts("PLUS"):
        return None
    if before is None or after is None or after.kind not in _COUNTS:
        return None
    if fault.inside and before.kind in _COUNTS:
        place = fault.span(before).to(fault.span(after))
        advice = write(place, f"[{before.text}, {after.text}]")
    elif before.kind in ("RPAR", *_COUNTS):
        advice = write(fault.span(fault.token), "*")
    else:
        return None
    return fault.report("N126", f"unexpected `{fault.token.text}`", advice)


def product(fault: Fault) -> Diagnostic | None:
    """`W x + b`, `Q K`: which product is meant only its author knows."""
    before = fault.before
    if fault.kind != "NAME" or before is None or not fault.accepts("PLUS"):
        return None
    if fault.first.kind not in ("NAME", "RETURN") or fault.failure.index < 2:
        return None
    if before.kind != "NAME" or before.end == fault.token.start:
        return None
    matrix = re.fullmatch(r"[A-Z]\w{0,2}|[A-Z]_\w+", before.text)
    behind = fault.after.kind if fault.after else ""
    kinds = {token.kind for token in fault.line.tokens}
    ends = behind == END and "ARROW" not in kinds
    signs = ("SLASH", "PLUS", "MINUS", "POWER")
    if not matrix and (fault.inside or not (ends or behind in signs)):
        return None
    pair = f"{before.text}, {fault.token.text}"
    help = f"a layer multiplies by its weights, `{fault.token.text} -> Linear(d)`; tensors by `matmul({pair})`"
    return fault.report("N126", f"missing operator before `{fault.token.text}`", help)


def many(source_text: str, end: int) -> tuple[int, str] | None:
    """What `4x` counts, where a layer follows: `4x Block(d)`; its end, and it."""
    found = re.compile(r" +([A-Z]\w*(?:\([^()\n]*\))?)").match(source_text, end)
    return (found.end(), found[1]) if found else None


def percent(fault: Fault) -> Diagnostic | None:
    """`Dropout(10%)`."""
    at = fault.failure.index
    if not fault.comes_after("PERCENT") or at < 2 or fault.before is None:
        return None
    number = fault.line.tokens[at - 2]
    if number.kind not in ("INT", "FLOAT") or number.end != fault.before.start:
        return None
    place = fault.span(number).to(fault.span(fault.before))
    advice = write(place, f"{float(number.text) / 100:g}")
    return fault.report("N138", "`%` divides", advice, at=fault.before)


def dotted(fault: Fault) -> Diagnostic | None:
    """`a .* b`, as Julia and MATLAB multiply each."""
    if not fault.comes_after("DOT") or fault.token.text not in (
        "*",
        "/",
        "+",
        "-",
        "^",
        "**",
    ):
        return None
    if fault.before is None or fault.first.kind not in ("NAME", "RETURN"):
        return None
    rest = fault.rest(fault.before)
    plain = re.sub(r" \.([*/+^-]) ", r" \1 ", f" {rest.text}")[1:]
    help = f"arithmetic is of each element: write `{fault.token.text}`"
    sign = f".{fault.token.text}"
    advice: Advice = {"help": help, "fix": Fix(rest, plain)}
    message = f"`{sign}` is no operator here"
    return fault.report("N138", message, advice, at=fault.before)


_ADDED = re.compile(
    r"(?P<head>[a-z_]\w* *\+?= *|return )(?P<before>.+?) *-> *\+ *(?P<name>\w+)(?P<rest>.*)"
)


def added(fault: Fault) -> Diagnostic | None:
    """`x -> Linear(d) -> + x -> relu`."""
    if fault.kind != "PLUS" or not fault.comes_after("ARROW"):
        return None
    line = fault.rest(fault.first)
    found = _ADDED.fullmatch(line.text)
    if found is None:
        return None
    text = f"{found['head']}({found['before']}) + {found['name']}{found['rest']}"
    advice = write(line, text, "arithmetic stands outside of arrows")
    return fault.report("N120", "unexpected `+`", advice)
