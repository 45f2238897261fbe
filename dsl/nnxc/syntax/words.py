"""The words of the language, and those of Python and of tomorrow that it turns away."""

from __future__ import annotations

from .grammar import LITERALS, first

HARD = frozenset(
    (
        "and",
        "as",
        "elif",
        "else",
        "false",
        "for",
        "from",
        "if",
        "in",
        "none",
        "not",
        "or",
    )
) | {"require", "return", "true"}
"""Keywords everywhere; the others only where a line begins."""

WITHIN = {
    "scan": ("over", "reversed", "with"),
    "adapt": ("on",),
    "config": ("ignore", "write"),
    "use": ("zoo",),
    "train": ("zoo",),
}
"""Keywords in lines that begin with such a word only, outside of brackets."""

KEYWORDS = {text: kind for text, kind in LITERALS.items() if text.isalpha()}


def _first(line: str) -> frozenset[str]:
    kinds = first(line)
    return frozenset(word for word, kind in KEYWORDS.items() if kind in kinds)


TOP = _first("top_line")
BODY = _first("body_line") - {"true", "false", "none", "not"} | {"elif", "else"}
WEIGHTS = _first("weights_line")
INNER = frozenset(word for words in WITHIN.values() for word in words) - WEIGHTS
HEADS = frozenset(
    ("block", "elif", "else", "for", "if", "model", "optimize", "scan", "train")
) | {"weights"}
"""Words of the lines that end with `:`."""

UNSUPPORTED = frozenset(("shard",))

CONSTANTS = {"True": "true", "False": "false", "None": "none"}

PYTHON = {
    "assert": "write `require condition` for a check on sizes",
    "async": "a spec has no coroutines",
    "await": "a spec has no coroutines",
    "break": "loops run over sizes known beforehand; put the condition into `range`",
    "class": "write `block Name(...):` or `model Name(...):`",
    "continue": "choose with `if` inside the loop",
    "def": "write `block Name(...):`; its first line is `input x: [...]`",
    "del": "values go away by themselves",
    "except": "a spec has no exceptions; `require condition` checks sizes",
    "finally": "a spec has no exceptions; `require condition` checks sizes",
    "global": "pass what a block needs as a parameter",
    "import": 'definitions of another spec come by `use Name from "file.nnx"`',
    "is": "compare with `==`",
    "lambda": "write `block Name(...):` and use its name",
    "nonlocal": "pass what a block needs as a parameter",
    "pass": "a body says what is computed; leave out what does nothing",
    "raise": "write `require condition` for a check on sizes",
    "try": "a spec has no exceptions; `require condition` checks sizes",
    "while": "write `for i in range(n):`",
    "with": "write the lines without it",
    "yield": "`collect ys = y` gathers what each step of a scan gives",
}
