"""Words before names: kinds and types of other languages, and names of several words."""

from __future__ import annotations

import re

from ....diagnostics import Advice, Diagnostic, Fix, remove, rename, write
from ....source import Source, Span
from ...words import BODY
from ..fault import DECLARES, Fault
from ..habits_weights import in_weights
from ..odd_words import SYNONYMS, misspelt

SETTINGS = ("clip", "ema", "accumulate", "precision", "optimizer")
TYPES = frozenset(
    ("float", "int", "bool", "double", "string", "str", "uint", "auto", "Tensor")
) | frozenset(("tensor", "Array", "array", "vec2", "vec3", "vec4", "mat3", "mat4"))
NEEDLESS = frozenset(
    (
        "let",
        "var",
        "val",
        "const",
        "auto",
        "mut",
        "layer",
        "module",
        "local",
        "set",
        "shared",
    )
)
_TYPED = re.compile(rf"\b(?:{'|'.join(sorted(TYPES))}) +(?=[a-z_]\w* *[=,)])")
_HEADS = ("MODEL", "BLOCK")


def spaced_name(fault: Fault) -> Diagnostic | None:
    """`hidden layer = Linear(8)`, `layer fc = Linear(8)`, `float y = x`."""
    words = _words(fault)
    if len(words) < 2:
        return _use_of_spaced(fault)
    spaced = " ".join(words)
    tokens = fault.line.tokens
    last = tokens[len(words) - 1]
    if in_weights(fault.source, fault.first.start):
        return None
    if words[0] in SETTINGS:
        why = f"the setting is `{words[0]}`"
        advice = write(Span(fault.source, fault.first.start, last.end), words[0], why)
        return fault.report("N120", f"`{spaced}` is two names", advice, at=fault.first)
    known = words[0] in SYNONYMS and words[0] not in NEEDLESS
    if (known or misspelt(words[0], BODY, 0.75)) and _count(fault, spaced) < 2:
        return None
    needless = [w for w in words[:-1] if w in NEEDLESS or w in TYPES]
    gap = Span(fault.source, fault.first.start, last.start)
    if len(needless) == len(words) - 1:
        message = f"no statement begins with `{fault.first.text}`"
        why = f"a value has no such word before it: leave out `{gap.text.strip()}`"
        return fault.report("N133", message, remove(gap, why), at=fault.first)
    place = Span(fault.source, fault.first.start, last.end)
    return _joined(fault, place)


def _count(fault: Fault, text: str) -> int:
    return fault.source.text.count(text)


def _words(fault: Fault) -> list[str]:
    """The words before the `=` of a line."""
    words: list[str] = []
    for token in fault.line.tokens:
        if token.kind == "ASSIGN" and fault.failure.index < len(words):
            return words
        if token.kind != "NAME":
            return []
        words.append(token.text)
    return []


def _joined(fault: Fault, place: Span) -> Diagnostic:
    name = re.sub(r"\s+", "_", place.text.lower())
    fix = rename(fault.source, place.text, name)
    help = f"a name has no spaces: write `{name}`"
    message = f"`{place.text}` is two names"
    return fault.report("N120", message, {"help": help, "fix": fix}, at=fault.first)


def _use_of_spaced(fault: Fault) -> Diagnostic | None:
    """`x -> hidden layer`, where a line above assigns to it: the same mistake."""
    if fault.kind != "NAME" or not fault.comes_after("NAME") or not fault.before:
        return None
    place = fault.span(fault.before).to(fault.span(fault.token))
    above = fault.source.text[: fault.first.start]
    if not re.search(rf"(?m)^ *{re.escape(place.text)} *=", above):
        return None
    return _joined(fault, place)


def typed_before(fault: Fault) -> Diagnostic | None:
    """`model Net(float rate = 0.1)`, `input vec3 x: [B, 3]`."""
    heads = fault.first.kind in _HEADS or fault.first.kind in DECLARES
    if fault.kind != "NAME" or not heads or not fault.before:
        return None
    if not fault.comes_after("NAME") or fault.before.text not in TYPES:
        return None
    gap = Span(fault.source, fault.before.start, fault.token.start)
    word = fault.before.text
    if fault.first.kind in _HEADS:
        help = "what a parameter is follows from its use: leave its type out"
        rest = Span(fault.source, gap.start, fault.line.tokens[-1].end)
        advice: Advice = {"help": help, "fix": Fix(rest, _TYPED.sub("", rest.text))}
        return fault.report("N120", "a parameter has no type", advice, at=fault.before)
    if fault.after is None or fault.after.kind != "COLON":
        help = f"its shape stands behind it: `{fault.token.text}: [B, d]`"
        return fault.report("N120", f"unexpected `{word}`", help, at=fault.before)
    advice = remove(gap, f"leave out `{word}`: the shape follows")
    return fault.report("N120", f"unexpected `{word}`", advice, at=fault.before)


def optional_word(fault: Fault) -> Diagnostic | None:
    """`input optional m: [B, d]`, `input m: optional [B, d] = none`."""
    if fault.first.kind not in DECLARES or not fault.before:
        return None
    word = fault.before
    if word.text.lower() not in ("optional", "maybe", "option") or fault.inside:
        return None
    rest = fault.source.text[fault.token.start : fault.line.tokens[-1].end]
    return _optional(fault, Span(fault.source, word.start, fault.token.start), rest)


def _optional(fault: Fault, gap: Span, rest: str) -> Diagnostic:
    ends = "=" in rest or "," in re.sub(r"\[[^\]]*\]", "", rest)
    place = Span(fault.source, gap.start, fault.line.tokens[-1].end)
    text = rest if ends else f"{rest} = none"
    help = "what may be missing has a default: write ` = none` behind its type"
    advice: Advice = {"help": help, "fix": Fix(place, text)}
    return fault.report(
        "N120", f"unexpected `{gap.text.strip()}`", advice, at=fault.before
    )


def target(fault: Fault) -> Diagnostic | None:
    """`target y: int[B]` in a train, `output y: [B, d]` in a model."""
    tokens = fault.line.tokens
    if [t.kind for t in tokens[:3]] != ["NAME", "NAME", "COLON"]:
        return None
    word = fault.first.text
    message = f"no statement begins with `{word}`"
    if word in ("output", "outputs", "returns", "out"):
        why = "what is returned follows from `return`: leave the line out"
        advice = remove(fault.whole_line, why)
    elif word in (
        "target",
        "targets",
        "label",
        "labels",
        "data",
        "feed",
        "placeholder",
    ):
        advice = write(
            fault.span(fault.first), declared_in(fault.source, fault.first.start)
        )
    else:
        return None
    return fault.report("N133", message, advice, at=fault.first)


def declared_in(source: Source, at: int) -> str:
    """The word that declares what comes from outside, where `at` stands."""
    heads = re.findall(r"(?m)^(\w+) ", source.text[:at])
    return "batch" if heads[-1:] == ["train"] else "input"
