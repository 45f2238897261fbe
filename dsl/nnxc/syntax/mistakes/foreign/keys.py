"""Keys with values behind a colon, as in YAML, and layers with their names before them."""

from __future__ import annotations

import re

from ....diagnostics import Diagnostic, Fix, write
from ....source import Span
from ...tokens import END
from ...words import BODY
from ..fault import DECLARES, Fault
from ..odd_words import SAID, misspelt

_BEGINS_VALUE = ("INT", "FLOAT", "STRING", "TRUE", "FALSE", "NONE", "WINDOW", "LSQB")
_LAYER = re.compile(r"(?P<name>[a-z_]\w*) *[:=] *(?P<layer>[A-Z]\w*)")


def key(fault: Fault) -> Diagnostic | None:
    """`fc: Linear(8)`, `rate: 0.1`."""
    tokens = fault.line.tokens
    if [t.kind for t in tokens[:2]] != ["NAME", "COLON"] or len(tokens) < 4:
        return None
    value = tokens[2]
    made = fault.failure.index == 3 and fault.kind in ("LPAR", "DOT")
    if not made and not (fault.failure.index == 2 and value.kind in _BEGINS_VALUE):
        return None
    place = Span(fault.source, tokens[0].end, value.start)
    help = "a value stands behind `=`: write `=`"
    fix = Fix(place, " = ")
    return fault.report(
        "N120", "unexpected `:`", {"help": help, "fix": fix}, at=tokens[1]
    )


def named_stage(fault: Fault) -> Diagnostic | None:
    """`x -> fc: Linear(8) -> relu`, `x -> fc = Linear(8)`."""
    tokens = fault.line.tokens
    for at in range(1, len(tokens) - 3):
        name, sign, layer = tokens[at : at + 3]
        if tokens[at - 1].kind != "ARROW" or sign.kind not in ("COLON", "ASSIGN"):
            continue
        place = Span(fault.source, name.start, layer.end)
        if not _LAYER.fullmatch(place.text) or fault.failure.index < at + 1:
            continue
        end = fault.closed(at + 3) if tokens[at + 3].kind == "LPAR" else layer.end
        whole = Span(fault.source, name.start, end)
        text = f"{whole.text[layer.start - name.start :]} as {name.text}"
        advice = write(whole, text, "a name stands behind its layer")
        return fault.report("N120", f"unexpected `{sign.text}`", advice, at=sign)
    return None


def named_output(fault: Fault) -> Diagnostic | None:
    """`return logits: x -> Linear(n), value: h`."""
    line = fault.rest(fault.first)
    if fault.first.kind != "RETURN" or not re.match(r"return [a-z_]\w* *:", line.text):
        return None
    text = re.sub(r"(^return|,) *([a-z_]\w*) *: *", r"\1 \2=", line.text)
    colon = fault.line.tokens[2]
    advice = write(line, text, "a name stands before `=`")
    return fault.report("N120", "unexpected `:`", advice, at=colon)


def section(fault: Fault) -> Diagnostic | None:
    """`validate:`, `layers:`, with lines below."""
    kinds = [token.kind for token in fault.line.tokens]
    if kinds != ["NAME", "COLON", END] or fault.failure.index != 2:
        return None
    word = fault.first.text
    if misspelt(word, BODY, 0.75):
        return None
    said = SAID.get(word, "lines stand in the body that they belong to, without a head")
    message = f"no statement begins with `{word}`"
    return fault.report("N133", message, said, at=fault.first)


_DTYPES = {
    "float32": "f32",
    "float16": "f16",
    "bfloat16": "bf16",
    "float64": "f64",
    "int32": "int",
    "int64": "i64",
    "long": "int",
    "uint8": "u8",
    "float": "float",
    **{name: name for name in ("int", "bool", "f32", "f16", "bf16")},
}


def dtype_behind(fault: Fault) -> Diagnostic | None:
    """`input x: [B, d] float32`, `input x: B x d`."""
    line = fault.rest(fault.first)
    if fault.first.kind not in DECLARES:
        return None
    found = re.fullmatch(r"(\w+) +(\w+) *: *(\[[^\]]*\]) +(?:of +)?(\w+)", line.text)
    if found and found[4] in _DTYPES:
        text = f"{found[1]} {found[2]}: {_DTYPES[found[4]]}{found[3]}"
        return fault.report(
            "N120",
            f"unexpected `{found[4]}`",
            write(line, text, "a dtype stands before its shape"),
        )
    found = re.fullmatch(r"(\w+) +(\w+) *: *(\w+(?: +x +\w+)+)", line.text)
    if found is None:
        return None
    sizes = re.split(r" +x +", found[3])
    text = f"{found[1]} {found[2]}: [{', '.join(sizes)}]"
    return fault.report("N120", "a shape stands in `[...]`", write(line, text))
