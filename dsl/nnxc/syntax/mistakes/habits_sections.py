"""Lines of sections as people write them out of habit: their heads, and what stands in them."""

from __future__ import annotations

import re

from ...diagnostics import Advice, Diagnostic, Fix, remove, write
from ...source import Span
from ..tokens import END
from .fault import Fault

_SECTIONS = ("WEIGHTS", "TRAIN", "GENERATE", "MODEL", "BLOCK", "CONFIG")
_FILLERS = ("for", "from", "of", "on", "with", "in", "to", "the")


def quoted_head(fault: Fault) -> Diagnostic | None:
    """`train "Net":`."""
    if fault.first.kind not in _SECTIONS or fault.failure.index != 1:
        return None
    if fault.kind != "STRING":
        return None
    text = fault.token.text[1:-1]
    if not text.isidentifier():
        return None
    advice = write(fault.span(fault.token), text, "a name has no quotes")
    return fault.report("N120", f"unexpected `{fault.token.text}`", advice)


def filler(fault: Fault) -> Diagnostic | None:
    """`weights for Net:`, `generate from Net`, `train pretraining of Net:`."""
    if fault.first.kind not in ("WEIGHTS", "TRAIN", "GENERATE"):
        return None
    after, word = fault.after, fault.token
    if word.text not in _FILLERS or after is None or after.kind != "NAME":
        return None
    if fault.failure.index not in (1, 2) or not after.text[:1].isupper():
        return None
    if fault.first.kind == "GENERATE" and fault.failure.index == 2:
        return None
    place = fault.span(fault.line.tokens[1]).to(fault.span(after))
    text = f"{fault.first.text} {after.text}"
    help = f"the name of the model follows at once: write `{text}`"
    advice: Advice = {"help": help, "fix": Fix(place, after.text)}
    return fault.report("N120", f"unexpected `{word.text}`", advice)


def train_with_parameters(fault: Fault) -> Diagnostic | None:
    """`train Net(lr=1e-3):`."""
    if fault.first.kind != "TRAIN" or fault.kind != "LPAR" or fault.failure.index != 2:
        return None
    last = fault.line.tokens[-2]
    end = last.start if last.kind == "COLON" else last.end
    place = Span(fault.source, fault.token.start, end)
    advice = remove(place, "a train has no parameters: leave them out")
    return fault.report("N120", "unexpected `(`", advice)


def rule_without_from(fault: Fault) -> Diagnostic | None:
    """`weights Net "net.{path}":`."""
    if fault.first.kind != "WEIGHTS" or not fault.accepts("FROM"):
        return None
    if fault.kind != "STRING":
        return None
    advice = write(fault.span(fault.token), f"from {fault.token.text}")
    return fault.report("N120", "missing `from`", advice)


def rule_first(fault: Fault) -> Diagnostic | None:
    """`weights Net from "{path}" as "net":`."""
    if fault.first.kind != "WEIGHTS" or fault.kind != "AS":
        return None
    line = fault.rest(fault.first)
    found = re.match(
        r'(weights \w+)( from "[^"]*")( as "[^"]*"(?:, *"[^"]*")?)', line.text
    )
    if found is None:
        return None
    place = Span(fault.source, line.start, line.start + found.end())
    advice = write(place, found[1] + found[3] + found[2], "the rule stands last")
    return fault.report("N120", "unexpected `as`", advice)


def numbered(fault: Fault) -> Diagnostic | None:
    """`h.0 = "layers.0"`, `freeze h.0`."""
    number = re.fullmatch(r"\.(\d+)(\.?)", fault.token.text)
    if number is None or not fault.comes_after("NAME", "RSQB"):
        return None
    if fault.source.text[fault.token.start - 1].isspace():
        return None
    dot = number[2]
    text = f"[{number[1]}]{dot}"
    advice = write(fault.span(fault.token), text, "a place stands in brackets")
    return fault.report("N120", f"unexpected `{fault.token.text}`", advice)


def every_place(fault: Fault) -> Diagnostic | None:
    """`h[*] = "layers.{i}"`."""
    after = fault.after
    if fault.kind != "STAR" or not fault.comes_after("LSQB") or after is None:
        return None
    if fault.first.kind != "NAME" or after.kind != "RSQB":
        return None
    advice = write(fault.span(fault.token), "i", "a name stands for every place")
    return fault.report("N120", "unexpected `*`", advice)


def loop_in_weights(fault: Fault) -> Diagnostic | None:
    """`for i in range(n):` in `weights`: one line holds for all layers of a list."""
    if fault.first.kind not in ("FOR", "IF") or fault.failure.index:
        return None
    if fault.accepts("FOR"):
        return None
    word = fault.first.text
    help = 'a line holds for every layer of a list: `h[i] = "layers.{i}"`'
    return fault.report("N120", f"weights have no `{word}`", help)


def key_first(fault: Fault) -> Diagnostic | None:
    """`config "hidden_size" = d`."""
    if fault.first.kind != "CONFIG" or fault.kind != "STRING":
        return None
    tokens = fault.line.tokens
    if fault.failure.index != 1 or len(tokens) != 5 or tokens[3].kind != "NAME":
        return None
    place = fault.rest(fault.token)
    text = f"{tokens[3].text} = {fault.token.text}"
    advice = write(place, text, "the parameter stands first")
    return fault.report("N120", f"unexpected `{fault.token.text}`", advice)


def required_by_colon(fault: Fault) -> Diagnostic | None:
    """`config require "hidden_act": "silu"`."""
    tokens = fault.line.tokens
    if fault.first.kind != "CONFIG" or fault.kind != "COLON" or fault.inside:
        return None
    if (
        len(tokens) < 2
        or tokens[1].kind != "REQUIRE"
        or not fault.comes_after("STRING")
    ):
        return None
    place = fault.span(fault.token)
    advice: Advice = {"help": "write `==`", "fix": Fix(place, " ==")}
    return fault.report("N120", "unexpected `:`", advice)


_LISTED = re.compile(
    r"((?:config +)?ignore|optional|rename) *(?:= *)?[\[(](?P<items>.*)[\])]"
)


def listed(fault: Fault) -> Diagnostic | None:
    """`ignore ["*.inv_freq"]`: they stand side by side."""
    line = fault.rest(fault.first)
    found = _LISTED.fullmatch(line.text.partition("#")[0].rstrip())
    if found is None or not found["items"].strip():
        return None
    items = found["items"].strip(" ,")
    if '"' not in items:
        items = ", ".join(f'"{item.strip()}"' for item in items.split(","))
    place = Span(fault.source, line.start, line.start + found.end())
    advice = write(place, f"{found[1]} {items}")
    message = f"`{found[1]}` takes no list"
    return fault.report("N120", message, advice, at=fault.line.tokens[1])


def renamed_to(fault: Fault) -> Diagnostic | None:
    """`rename "*.gamma" to "*.weight"`."""
    if fault.first.kind != "RENAME" or not fault.accepts("AS"):
        return None
    if not fault.comes_after("STRING") or fault.after is None:
        return None
    if fault.after.kind != "STRING":
        return None
    comma = fault.kind == "COMMA"
    place = fault.span(fault.token)
    advice: Advice = {"help": "write `as`", "fix": Fix(place, " as" if comma else "as")}
    return fault.report("N120", f"unexpected `{fault.token.text}`", advice)


def bracketed_paths(fault: Fault) -> Diagnostic | None:
    """`[attn.query, attn.key] = "qkv" -> split`, `adapt lora(rank=8) on [fc, head]`."""
    if fault.kind not in ("LSQB", "LPAR") or not fault.accepts("NAME"):
        return None
    tokens = fault.line.tokens
    words = ("ADAPT", "FREEZE", "ONLY")
    if fault.failure.index and fault.first.kind not in words:
        return None
    closing = {"LSQB": "RSQB", "LPAR": "RPAR"}[fault.kind]
    close = next((t for t in tokens[fault.failure.index :] if t.kind == closing), None)
    if close is None:
        return None
    place = fault.span(fault.token).to(fault.span(close))
    inside = re.sub(r"[\"']", "", place.text[1:-1]).strip(" ,")
    advice = write(place, inside, "names stand side by side")
    return fault.report("N120", f"unexpected `{fault.token.text}`", advice)


_ADAPTED = re.compile(
    r"adapt (?P<paths>[\w.,\s]+?) (?:with|by|using|=|:) *(?P<made>\w+\(.*\))"
)


def adapted(fault: Fault) -> Diagnostic | None:
    """`adapt lora(rank=8) to fc`, `adapt fc with lora(rank=8)`."""
    if fault.first.kind != "ADAPT":
        return None
    message = f"unexpected `{fault.token.text}`"
    line = fault.rest(fault.first)
    if found := _ADAPTED.fullmatch(line.text.partition("#")[0].rstrip()):
        place = Span(fault.source, line.start, line.start + found.end())
        text = f"adapt {found['made']} on {found['paths']}"
        return fault.report("N120", message, write(place, text))
    word = fault.token
    if fault.accepts("ON") and word.text in ("to", "for", "in", "at", "of", "over"):
        return fault.report("N120", message, write(fault.span(word), "on"))
    return None


def frozen_as(fault: Fault) -> Diagnostic | None:
    """`frozen Net as teacher`."""
    if fault.first.kind != "FROZEN" or fault.kind != "AS":
        return None
    before, after = fault.before, fault.after
    if fault.failure.index != 2 or before is None or after is None:
        return None
    place = fault.span(before).to(fault.span(after))
    advice = write(place, f"{after.text} = {before.text}")
    return fault.report("N120", "unexpected `as`", advice)


def collected_as(fault: Fault) -> Diagnostic | None:
    """`collect h as hs`."""
    if fault.first.kind != "COLLECT" or fault.kind != "AS" or fault.after is None:
        return None
    value = Span(fault.source, fault.line.tokens[1].start, fault.before.end)  # type: ignore[union-attr]
    place = value.to(fault.span(fault.after))
    advice = write(place, f"{fault.after.text} = {value.text}")
    return fault.report("N120", "unexpected `as`", advice)


def scan_as_value(fault: Fault) -> Diagnostic | None:
    """`ys = scan xt in x over T with ...`."""
    tokens = fault.line.tokens
    if fault.kind not in ("NAME", "LPAR") or fault.failure.index != 3:
        return None
    if tokens[1].kind != "ASSIGN" or tokens[2].text != "scan":
        return None
    name = fault.first.text
    help = f"a scan is a statement, and gathers in its body: `collect {name} = y`"
    return fault.report("N120", "a scan is no value", help, at=tokens[2])


def with_more(fault: Fault) -> Diagnostic | None:
    """`config big = Net`, `config big(Net, d=64)`, `Net(d: 64)`."""
    if fault.first.kind != "CONFIG":
        return None
    message = "unexpected end of line" if fault.kind == END else None
    if fault.kind == END and fault.accepts("LPAR") and fault.comes_after("NAME"):
        assert fault.before is not None
        help = f"say what it chooses: `config big = {fault.before.text}(d=16)`"
        return fault.report("N120", str(message), help)
    line = fault.rest(fault.first)
    found = re.fullmatch(r"config (\w+)\((\w+), *(.*)\)", line.text)
    if found and fault.failure.index == 2:
        advice = write(line, f"config {found[1]} = {found[2]}({found[3]})")
        return fault.report("N120", "unexpected `(`", advice)
    return None


def named_by_colon(fault: Fault) -> Diagnostic | None:
    """`Linear(out: 4)`, `Net(d: 64)`."""
    if fault.kind != "COLON" or not fault.inside or not fault.comes_after("NAME"):
        return None
    if fault.first.kind in ("MODEL", "BLOCK", "EXTERN", "INPUT", "BATCH"):
        return None
    at = fault.failure.index
    if at < 2 or fault.line.tokens[at - 2].kind not in ("LPAR", "COMMA"):
        return None
    if fault.after is None or fault.after.kind in ("RSQB", "RPAR", "COMMA"):
        return None
    opened = next(
        (t for t in reversed(fault.line.tokens[:at]) if t.kind in ("LPAR", "LSQB")),
        None,
    )
    if opened is None or opened.kind != "LPAR":
        return None
    place = Span(fault.source, fault.token.start, fault.after.start)
    advice: Advice = {"help": "write `=`", "fix": Fix(place, "=")}
    return fault.report("N120", "unexpected `:`", advice)
