"""Statements with bodies that other languages have: one mistake each, body and all."""

from __future__ import annotations

from ...diagnostics import Diagnostic, Label, Sink, remove, write
from ...source import Source, Span
from ..cursor import Cursor
from ..lines import Line
from ..tokens import Token
from ..words import PYTHON
from .fault import line_span

_CHOICES = ("match", "switch")
_HELP = {
    **dict.fromkeys(_CHOICES, "choose with `if`, `elif` and `else`"),
    "do": "write `for i in range(n):`",
    "loop": "write `for i in range(n):`",
    "repeat": "write `for i in range(n):`, or stack: `Block(...) * n`",
    "unless": "write `if not condition:`",
    "until": "write `for i in range(n):`",
    "forward": "a block is its computation: write these lines without it",
    "call": "a block is its computation: write these lines without it",
    "setup": "layers are written where they are applied: write these lines without it",
}


def begins(line: Line) -> bool:
    """Whether a line opens such a statement."""
    if [token.text for token in line.tokens[:2]] == ["if", "__name__"]:
        return True
    if _ends(line) or _is_function(line):
        return True
    tokens = line.tokens[_start(line) :]
    if tokens[0].text not in _HELP or len(tokens) < 3:
        return False
    follows, last = tokens[1], tokens[-2]
    opens = line.opaque or last.kind == "COLON"
    value = ("NAME", "STRING", "INT", "LPAR", "COLON")
    return opens and follows.kind in value and not _names_something(tokens)


def _ends(line: Line) -> bool:
    """Whether a line closes a body, as `end` does in Julia."""
    words = " ".join(token.text for token in line.tokens[:-1])
    return words in ("end", "endif", "endfor", "end if", "end for", "done", "fi")


def _is_function(line: Line) -> bool:
    """Whether a line begins a function: `fn swish(x) = x * sigmoid(x)`, `function f(x):`."""
    kinds = [token.kind for token in line.tokens[:3]]
    if kinds != ["NAME", "NAME", "LPAR"] or not line.tokens[1].text[:1].islower():
        return False
    return line.word in ("fn", "fun", "func", "function")


def _start(line: Line) -> int:
    """Where such a statement begins in a line: elsewhere a choice may be a value as well."""
    for at, before in ((2, "ASSIGN"), (1, "RETURN")):
        tokens = line.tokens[at - 1 : at + 1]
        if len(tokens) == 2 and tokens[0].kind == before and tokens[1].text in _CHOICES:
            return at
    return 0


def _names_something(tokens: list[Token]) -> bool:
    return any(token.kind == "ASSIGN" for token in tokens[:3])


def skip(cursor: Cursor, line: Line, sink: Sink) -> None:
    """Report the statement that the present line begins, and pass over what belongs to it."""
    start, source = cursor.at, cursor.source
    cursor.at += 1
    cursor.skip_deeper(line.indent)
    while (follows := cursor.next()) and _goes_on(follows, line):
        cursor.at += 1
        cursor.skip_deeper(line.indent)
    if skipped := cursor.skipped(start):
        sink.forget(skipped)
    closes = source.text.find("\n", cursor.lines[cursor.at - 1].tokens[-1].end)
    end = max(line.tokens[-1].end, closes)
    sink.forget(Span(source, line.tokens[0].start, end))
    sink.add(_explained(source, line))


def _goes_on(line: Line, head: Line) -> bool:
    """Whether a line beside a statement belongs to it still."""
    closes = len(line.tokens) == 1 and line.opaque  # `}`
    inner = line.word in ("case", "default") and (
        head.tokens[_start(head)].text in _CHOICES
    )
    return line.indent == head.indent and (closes or inner)


def _explained(source: Source, line: Line) -> Diagnostic:
    word = line.tokens[_start(line)]
    if word.text == "if":
        label = Label(Span(source, line.tokens[1].start, line.tokens[1].end))
        help = "a spec is not run: leave it out"
        return Diagnostic("N122", "`__name__` is Python", label, help=help)
    message = f"there is no statement `{word.text}`"
    label = Label(Span(source, word.start, word.end))
    if _ends(line):
        why = "a body ends where its indentation does: leave it out"
        advice = remove(line_span(source, line), why)
        return Diagnostic("N122", message, label, **advice)
    if _is_function(line):
        return Diagnostic("N122", message, label, help=PYTHON["def"])
    if len(line.tokens) == 4 and word.text in ("repeat", "loop", "times"):
        span = Span(source, word.start, line.tokens[2].end)
        return Diagnostic(
            "N122",
            message,
            label,
            **write(span, f"for i in range({line.tokens[1].text}):"),
        )
    return Diagnostic("N122", message, label, help=_HELP[word.text])
