"""Lines of `weights` and `config` as people write them out of habit."""

from __future__ import annotations

import re

from ...diagnostics import Diagnostic, Fix, meant, write
from ...source import Span
from ..tokens import END
from .fault import Fault


def equals_twice(fault: Fault) -> Diagnostic | None:
    """`config big == Net(d=64)`."""
    if fault.kind != "EQ" or not fault.accepts("ASSIGN") or fault.accepts("PLUS"):
        return None
    return fault.report("N120", "`==` compares", meant(fault.span(fault.token), "="))


def dashed_name(fault: Fault) -> Diagnostic | None:
    """`config net-big = ...`."""
    before, after = fault.before, fault.after
    if fault.kind != "MINUS" or fault.accepts("PLUS") or before is None or not after:
        return None
    joined = before.end == fault.token.start and fault.token.end == after.start
    if before.kind != "NAME" or after.kind != "NAME" or not joined:
        return None
    place = fault.span(before).to(fault.span(after))
    advice = write(place, f"{before.text}_{after.text}", "names have no `-`")
    return fault.report("N120", "unexpected `-`", advice)


def nested_config(fault: Fault) -> Diagnostic | None:
    """`config big = Net(d=64):`, with lines below."""
    if fault.first.kind != "CONFIG" or fault.kind != "COLON" or not fault.accepts(END):
        return None
    help = "all of it stands on the line: `config big = Net(d=16, layers=4)`"
    return fault.report("N120", "unexpected `:`", help)


def path_first(fault: Fault) -> Diagnostic | None:
    """`"classifier" = head`, `"head": "classifier"`: the model's path stands first."""
    tokens = fault.line.tokens
    if fault.failure.index or fault.kind != "STRING" or len(tokens) != 4:
        return None
    left, sign, right = tokens[:3]
    if sign.text not in ("=", ":", "->"):
        return None
    name = left.text[1:-1]
    text = f"{right.text} = {left.text}"
    if right.kind == "STRING":
        text = f"{name} = {right.text}"
    if not re.fullmatch(r"[\w.\[\]]+ = .*", text):
        return None
    why = "the path in the model stands first, without quotes"
    return fault.report(
        "N120", f"unexpected `{left.text}`", write(fault.rest(left), text, why)
    )


def arrow_for_equals(fault: Fault) -> Diagnostic | None:
    """`head -> "classifier"`, `rename "*.gamma" -> "*.weight"`, `rename "*.g" = "*.w"`."""
    after = fault.after
    if fault.kind not in ("ARROW", "ASSIGN", "COLON") or after is None:
        return None
    if after.kind != "STRING" or fault.first.kind not in ("NAME", "RENAME", "CONFIG"):
        return None
    if fault.accepts("PLUS"):
        return None
    sign = "as" if fault.first.text == "rename" else "="
    if sign == fault.token.text or not (fault.accepts("AS") or fault.accepts("ASSIGN")):
        return None
    place = fault.span(fault.token)
    advice = write(place, sign)
    if fault.kind == "COLON":
        advice["fix"] = Fix(place, f" {sign}")
    return fault.report("N120", f"unexpected `{fault.token.text}`", advice)


_QUOTED = ("USE", "IGNORE", "RENAME", "OPTIONAL", "CONFIG", "WEIGHTS")


def unquoted(fault: Fault) -> Diagnostic | None:
    """`ignore rotary.inv_freq`, `config ignore eos_token_id`, `use Block from blocks.nnx`."""
    if fault.kind not in ("NAME", "STAR", "DOT") or not fault.accepts("STRING"):
        return None
    if fault.accepts("NAME") or fault.first.kind not in _QUOTED:
        return None
    tokens = fault.line.tokens[fault.failure.index : -1]
    last = tokens[0]
    for token in tokens[1:]:
        if token.start != last.end:
            break
        last = token
    while last.kind in ("COMMA", "COLON") and last is not tokens[0]:
        last = tokens[tokens.index(last) - 1]
    place = Span(fault.source, tokens[0].start, last.end)
    code = "N137" if fault.first.kind == "USE" else "N120"
    advice = write(
        place, f'"{place.text}"', "names of files and of tensors stand in quotes"
    )
    return fault.report(code, "missing quotes", advice)
