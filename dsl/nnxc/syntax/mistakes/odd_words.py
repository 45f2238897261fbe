"""Words that stand for nothing here: Python's, keywords as names, misspelt ones."""

from __future__ import annotations

import re
from collections.abc import Iterable

from ...diagnostics import (
    Advice,
    Diagnostic,
    Fix,
    Label,
    closest,
    meant,
    remove,
    rename,
    write,
)
from ...source import Source, Span
from ..lines import Line
from ..tokens import RESERVED, Token
from ..words import BODY, HARD, INNER, PYTHON, WEIGHTS
from .fault import Fault, line_span
from .token_kinds import KINDS


def keyword_as_name(fault: Fault) -> Diagnostic | None:
    text = fault.token.text
    if fault.kind != RESERVED and text not in HARD:
        return None
    only_name = fault.accepts("NAME") and not fault.accepts("INT")
    assigned = fault.after is not None and fault.after.kind == "ASSIGN"
    named = fault.kind == RESERVED and _names_parameter(fault.source, text)
    if not only_name and not assigned and not named:
        return None
    owner = "Python's" if fault.kind == RESERVED else "a keyword"
    message = f"`{text}` is {owner} and no name"
    advice = meant(fault.span(fault.token), f"{text}_")
    quoted = re.search(rf"""["'][^"'\n]*\b{text}\b""", fault.source.text)
    if fault.kind == RESERVED and not quoted:  # it means nothing else further down
        advice = {**advice, "fix": rename(fault.source, text, f"{text}_")}
    return fault.report("N124", message, advice)


def _names_parameter(source: Source, word: str) -> bool:
    """Whether a block or model has a parameter of that name."""
    head = rf"(?m)^(?:block|model)\b[^\n#]*[(,] *{word} *[=,)]"
    return re.search(head, source.text) is not None


def python_word(fault: Fault) -> Diagnostic | None:
    if fault.kind != RESERVED:
        return None
    return python(fault.source, fault.line, fault.token)


def python(source: Source, line: Line, token: Token) -> Diagnostic:
    """N122, for a line with a word of Python."""
    word, span = token.text, Span(source, token.start, token.end)
    advice: Advice = {"help": PYTHON[word]}
    if word == "is":
        after = line.tokens[line.tokens.index(token) + 1]
        right = "==" if after.kind != "NOT" else "!="
        at = line.tokens.index(token) + 1 + (after.kind == "NOT")
        if line.tokens[at].kind in ("NONE", "TRUE", "FALSE"):
            right, at = f"{right} {line.tokens[at].text.lower()}", at + 1
        last = line.tokens[at - 1]
        advice = write(span.to(Span(source, last.start, last.end)), right)
    elif word in ("import", "del", "global", "nonlocal"):
        advice = remove(line_span(source, line), f"{PYTHON[word]}; leave it out")
    elif word == "assert" and ".shape" in source.text[token.end : line.tokens[-1].end]:
        advice = {"help": "an assertion stands behind the value: `x = x : [B, d]`"}
    elif word == "assert":
        advice = {"help": PYTHON[word], "fix": Fix(span, "require")}
    return Diagnostic("N122", f"`{word}` is Python", Label(span), **advice)


def begins_nothing(fault: Fault) -> Diagnostic | None:
    words = ("NAME", "STRING", "REQUIRE", "IGNORE")
    names = fault.first.kind == "NAME" and fault.kind in words
    if fault.failure.index != 1 or not names:
        return None
    return unknown_statement(fault.source, fault.first, BODY | WEIGHTS)


def misspelt_keyword(fault: Fault) -> Diagnostic | None:
    """`retturn (x)`, `scan xt in x over T wiht h = ...`, `config reqire "key"`."""
    if fault.first.kind == "NAME" and misspelt(fault.first.text, BODY | WEIGHTS, 0.8):
        return unknown_statement(fault.source, fault.first, BODY | WEIGHTS)
    for token in (fault.token, fault.before):
        if token is None or token.kind != "NAME":
            continue
        wanted = {*HARD, *INNER} - {token.text}
        if token is fault.token:
            wanted = {w for w in wanted if fault.accepts(KINDS.get(w, ""))}
        near = misspelt(token.text, wanted, 0.75)
        if near:
            message = f"unexpected `{token.text}`"
            span = fault.span(token)
            return fault.report("N120", message, meant(span, str(near)), at=token)
    return None


def unknown_statement(
    source: Source, first: Token, words: frozenset[str]
) -> Diagnostic:
    """N133, for a line whose first word begins no statement."""
    span = Span(source, first.start, first.end)
    message = f"no statement begins with `{first.text}`"
    near = SYNONYMS.get(first.text) or misspelt(first.text, words)
    advice = meant(span, near) if near else {}
    if first.text in ("include", "using"):
        advice = {"help": 'write `use Name from "file.nnx"`'}
    if first.text in SAID:
        advice = {"help": SAID[first.text]}
    if first.text in _NEEDLESS:
        gap = Span(source, first.start, first.end + 1)
        advice = remove(gap, "a value has no such word before it: leave it out")
    return Diagnostic("N133", message, Label(span), **advice)


SAID = {
    **dict.fromkeys(
        ("loss", "optimizer", "schedule"),
        "a train says it: `train Net:`, its lines below",
    ),
    **dict.fromkeys(
        ("eval", "evaluate", "validate", "validation", "test"),
        "`eval_step` measures what a train says: `metric accuracy = ...`",
    ),
    **dict.fromkeys(
        ("predict", "infer", "inference", "serve"),
        "a model predicts where it is called: leave it out",
    ),
    **dict.fromkeys(
        ("log", "report", "plot"),
        "a loop of yours logs what `train_step` returns: `metric name = ...`",
    ),
    "tie": "a tensor that two layers share is read where one is made: leave it out",
    "prefix": 'names begin so by a rule: `weights Net from "model.{path}":`',
    "map": 'a line says it: `head = "classifier"`',
}
_NEEDLESS = ("let", "var", "val", "const", "auto")


SYNONYMS = {
    **dict.fromkeys(("network", "net", "module"), "model"),
    **dict.fromkeys(("layer", "fn", "func", "function", "struct"), "block"),
    **dict.fromkeys(("output", "outputs", "give"), "return"),
    **dict.fromkeys(("parameter", "weight"), "param"),
    **dict.fromkeys(("buffer", "variable"), "state"),
    **dict.fromkeys(("sample", "decode"), "generate"),
    **dict.fromkeys(("skip", "drop", "exclude"), "ignore"),
    **dict.fromkeys(("elseif", "elsif", "elsf", "elif_"), "elif"),
}


def misspelt(word: str, words: Iterable[str], cutoff: float = 0.6) -> str | None:
    """The word that another is, all but a letter, or with its letters in another order."""
    known = sorted(words)
    alike = (w for w in known if sorted(w) == sorted(word))
    return next(alike, None) or closest(word, known, cutoff)
