"""Lines of `weights` and `config` as people write them out of habit."""

from __future__ import annotations

import re

from ...diagnostics import Advice, Diagnostic, Fix, meant, remove, write
from ...source import Source, Span
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
    if in_weights(fault.source, fault.first.start):
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


_STORED = re.compile(
    r"(?P<left>\"[^\"\n]*\"|[\w.{}*\[\]]+) *(?P<sign><-|->|=>|=|:) *"
    r"(?P<right>\"[^\"\n]*\"|[\w.{}*\[\]]+)(?= *(?:#|$))"
)


def stored(source: Source, line: Span) -> Advice | None:
    """`"classifier.weight" -> head.kernel`, `layers.{i}.fc -> fc[i]`: a path, and a name in
    quotes. Which of the two is the model's, their quotes tell, or what the spec defines.
    """
    found = _STORED.match(line.text)
    if found is None:
        return None
    left, right = (found[side] for side in ("left", "right"))
    ours, theirs = left, right
    if (left[0] == '"') != (right[0] == '"'):
        ours, theirs = (right, left) if left[0] == '"' else (left, right)
    elif _rank(source, right) > _rank(source, left):
        ours, theirs = right, left
    path = re.sub(r"\.\{(\w+)\}|\.(\d+)\b", _place, ours.strip('"'))
    name = theirs.strip('"')
    if "{i}" in name and "[" not in path:
        path = re.sub(r"^\w+", r"\g<0>[i]", path)
    text = f'{path.removesuffix(".T")} = "{name}"'
    why = "the path in the model stands first, the name in the file in quotes"
    if not path[:1].isalpha() or "*" in path or text == found.group():
        return None
    return write(Span(source, line.start, line.start + found.end()), text, why)


def _rank(source: Source, path: str) -> tuple[bool, bool, int]:
    """How much a path seems to be the model's."""
    stored = path.strip('"').endswith((".weight", ".bias"))
    return _defines(source, path), not stored, -path.count(".")


def _place(found: re.Match[str]) -> str:
    return f"[{found[1] or found[2]}]"


def _defines(source: Source, path: str) -> bool:
    """Whether a path begins with a name of the spec's layers, given or found."""
    name = re.split(r"\W", path.strip('"'))[0]
    if re.search(rf"\b(?:as|param|state) {name}\b|(?m:^) +{name} *=(?!=)", source.text):
        return True
    layers = re.findall(r"\b[A-Z]\w*", source.text)
    return name in {re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", x).lower() for x in layers}


def other_row(fault: Fault) -> Diagnostic | None:
    """`"classifier.weight" -> head.kernel` and the like, where a line of weights stands."""
    if fault.accepts("PLUS") or not (
        fault.accepts("IGNORE") or fault.accepts("ASSIGN")
    ):
        return None
    line = fault.rest(fault.first)
    if fault.first.kind not in ("NAME", "STRING") or not in_weights(
        fault.source, fault.first.start
    ):
        return None
    if re.match(r"(?:load|read)\w*\(", line.text):
        why = "the file is given where weights are loaded, `load_pretrained(path)`: leave it out"
        advice = remove(fault.whole_line, why)
    else:
        found = stored(fault.source, line)
        if found is None:
            return None
        advice = found
    return fault.report("N120", f"unexpected `{fault.token.text}`", advice)


def in_weights(source: Source, at: int) -> bool:
    """Whether a place is in the body of `weights`."""
    heads = re.findall(r"(?m)^(\w+)\b", source.text[:at])
    return heads[-1:] == ["weights"]


def key_first(fault: Fault) -> Diagnostic | None:
    """`config "hidden_size" = d`, `config "d": "hidden_size"`: the parameter stands first."""
    before, after = fault.before, fault.after
    if fault.first.kind != "CONFIG" or before is None or after is None:
        return None
    if fault.line.tokens[1].kind in ("REQUIRE", "WRITE"):
        return None
    if before.kind != "STRING" or fault.kind not in ("ASSIGN", "COLON", "ARROW"):
        return None
    if not fault.accepts("PLUS") or not in_weights(fault.source, fault.first.start):
        return None
    text = f"{after.text} = {before.text}"
    if after.kind == "STRING":
        text = f"{before.text[1:-1]} = {after.text}"
    place = fault.span(before).to(fault.span(after))
    advice = write(place, text, "the parameter stands first")
    return fault.report("N120", f"unexpected `{fault.token.text}`", advice)


def several_keys(fault: Fault) -> Diagnostic | None:
    """`config:` with lines below."""
    if fault.first.kind != "CONFIG" or not in_weights(fault.source, fault.first.start):
        return None
    if fault.kind == END and fault.comes_after("ASSIGN"):
        key = 'write the key behind it: `config d = "hidden_size"`'
        return fault.report("N120", "unexpected end of line", key)
    if fault.kind != "COLON" or fault.failure.index != 1:
        return None
    text = fault.source.text[fault.token.end : fault.body_end]
    place = Span(fault.source, fault.first.start, fault.body_end)
    pairs = re.findall(r"(?m)^ *(\w+) *(?:=|:|<-) *\"?([\w.]+)\"?,? *$", text)
    if len(pairs) != len([row for row in text.splitlines() if row.strip()]):
        return None
    rows = [f'{name} = "{key}"' for name, key in pairs]
    advice = write(place, f"config {', '.join(rows)}", "all of them stand on the line")
    return fault.report("N120", f"unexpected `{fault.token.text}`", advice)


def arrow_for_equals(fault: Fault) -> Diagnostic | None:
    """`head -> "classifier"`, `rename "*.gamma" -> "*.weight"`, `rename "*.g" = "*.w"`."""
    after = fault.after
    if fault.kind not in ("ARROW", "ASSIGN", "COLON") or after is None:
        return None
    if after.kind != "STRING" or fault.first.kind not in ("NAME", "RENAME", "CONFIG"):
        return None
    if fault.accepts("PLUS") and fault.first.kind != "CONFIG":
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
