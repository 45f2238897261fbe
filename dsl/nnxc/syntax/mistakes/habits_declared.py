"""Declarations as people write them out of habit: inputs, Python code, what files bring."""

from __future__ import annotations

import re

from ...diagnostics import Advice, Diagnostic, Fix, remove, write
from ...source import Span
from .fault import DECLARES, Fault


def called_dtype(fault: Fault) -> Diagnostic | None:
    """`input x: float(B, d)`, `input x: f32<B, d>`."""
    closing = {"LPAR": "RPAR", "LT": "GT"}.get(fault.kind)
    if fault.first.kind not in DECLARES or closing is None or not fault.before:
        return None
    at = fault.failure.index
    if at < 2 or fault.line.tokens[at - 2].kind != "COLON" or fault.inside:
        return None
    close = next((t for t in fault.line.tokens[at:] if t.kind == closing), None)
    if close is None:
        return None
    inside = fault.source.text[fault.token.end : close.start]
    place = fault.span(fault.before).to(fault.span(close))
    advice = write(place, f"{fault.before.text}[{inside}]")
    if fault.first.kind in ("PARAM", "STATE") and not fault.before.text[:1].isdigit():
        shape = inside.strip("[] ")
        if fault.before.text in ("zeros", "ones", "normal", "randn", "rand", "empty"):
            made = {"randn": "normal", "rand": "uniform", "empty": "zeros"}
            name = made.get(fault.before.text, fault.before.text)
            advice = write(place, f"[{shape}] = {name}", "the shape stands first")
    return fault.report("N120", "a shape stands in `[...]`", advice)


def shape_by_equals(fault: Fault) -> Diagnostic | None:
    """`input x = [B, d]`."""
    after = fault.after
    if fault.first.kind not in DECLARES or fault.kind != "ASSIGN" or after is None:
        return None
    if after.kind != "LSQB" or not fault.comes_after("NAME") or not fault.before:
        return None
    name = fault.before.text
    place = Span(fault.source, fault.before.end, after.start)
    help = f"the shape stands behind `:`: write `{name}: ...`"
    advice: Advice = {"help": help, "fix": Fix(place, ": ")}
    return fault.report("N120", f"`{name}` has no type", advice, at=fault.before)


def joined_inputs(fault: Fault) -> Diagnostic | None:
    """`input x: [B, d] and y: [B, d]`."""
    if fault.first.kind not in DECLARES or fault.kind != "AND" or fault.inside:
        return None
    if not fault.accepts("COMMA") or not fault.before:
        return None
    place = Span(fault.source, fault.before.end, fault.token.end)
    advice: Advice = {"help": "write `,`", "fix": Fix(place, ",")}
    return fault.report("N120", "unexpected `and`", advice)


def round_inputs(fault: Fault) -> Diagnostic | None:
    """`input (x: [B, d], y: [B, d])`."""
    tokens = fault.line.tokens
    if fault.first.text.upper() not in DECLARES or len(tokens) < 4:
        return None
    if tokens[1].kind != "LPAR" or tokens[-2].kind != "RPAR" or fault.kind != "COLON":
        return None
    place = Span(fault.source, tokens[1].start, tokens[-2].end)
    advice = write(place, place.text[1:-1].strip())
    return fault.report("N120", "unexpected `(`", advice, at=tokens[1])


def dotted_type(fault: Fault) -> Diagnostic | None:
    """`input x: torch.Tensor`."""
    at = fault.failure.index
    if fault.first.kind not in DECLARES or fault.kind != "DOT" or at < 3:
        return None
    name, colon = fault.line.tokens[at - 3 : at - 1]
    if colon.kind != "COLON":
        return None
    help = f"a type is a shape: `{name.text}: [B, d]`, `{name.text}: int[B]`"
    return fault.report("N120", "unexpected `.`", help)


def any_size(fault: Fault) -> Diagnostic | None:
    """`input x: [:, d]`."""
    if fault.first.kind not in DECLARES or fault.kind != "COLON" or not fault.inside:
        return None
    if not fault.comes_after("LSQB", "COMMA"):
        return None
    help = "an axis of any size has a name, such as `B`; `...` is any number of axes"
    return fault.report("N120", "unexpected `:`", help)


def trains_not(fault: Fault) -> Diagnostic | None:
    """`param w: [d] = zeros, requires_grad=false`."""
    if fault.first.kind not in DECLARES or fault.kind != "ASSIGN" or not fault.before:
        return None
    if fault.before.text not in ("requires_grad", "trainable", "learnable"):
        return None
    name = fault.line.tokens[1].text
    comma = fault.line.tokens[fault.failure.index - 2]
    end = fault.after.end if fault.after else fault.token.end
    place = Span(fault.source, comma.start, end)
    why = f"a train says what trains: `freeze {name}`; leave it out"
    message = f"unexpected `{fault.before.text}`"
    return fault.report("N120", message, remove(place, why), at=fault.before)


def dots(fault: Fault) -> Diagnostic | None:
    """A body of `...` alone."""
    if [t.text for t in fault.line.tokens[:-1]] != ["..."]:
        return None
    help = "a body says what is computed; leave out what does nothing"
    return fault.report("N120", "unexpected `...`", help)


def python_code(fault: Fault) -> Diagnostic | None:
    """`extern "m.f" (x: [B, d]) -> ...`, `extern "m" def f(...)`, with a `:` behind."""
    if fault.first.kind != "EXTERN":
        return None
    tokens, at = fault.line.tokens, fault.failure.index
    if fault.kind == "LPAR" and at == 2:
        module, _, name = tokens[1].text[1:-1].rpartition(".")
        if not module or name == "py":
            help = "the name stands before its arguments: `f(x: [B, d])`"
            return fault.report("N120", "missing name", help)
        place = fault.span(tokens[1]).to(fault.span(fault.token))
        text = f'"{module}" {name}('
        why = f"the name stands behind the module: write `{text}...`"
        return fault.report("N120", "missing name", {**write(place, text), "help": why})
    if fault.token.text in ("def", "class", "fn", "func", "function") and at == 2:
        after = fault.after
        end = after.start if after else fault.token.end
        place = Span(fault.source, fault.token.start, end)
        advice = remove(place, f"leave out `{fault.token.text}`")
        return fault.report("N120", f"unexpected `{fault.token.text}`", advice)
    if fault.kind == "COLON" and fault.after is tokens[-1]:
        advice = remove(fault.span(fault.token), "it has no body: leave out the `:`")
        return fault.report("N120", "unexpected `:`", advice)
    return None


def dotted_use(fault: Fault) -> Diagnostic | None:
    """`use blocks.Residual`."""
    if fault.first.kind != "USE" or fault.kind != "DOT":
        return None
    line = fault.rest(fault.first)
    found = re.fullmatch(r"use ([\w.]+)\.([A-Z]\w*)", line.text)
    if found is None:
        return None
    path = found[1].replace(".", "/")
    return fault.report(
        "N137", "missing path", write(line, f'use {found[2]} from "{path}.nnx"')
    )
