"""How long specs are beside the code they make: lines, and tokens of one common lexer."""

from __future__ import annotations

import re
from pathlib import Path

import nnxc

from .timing import ROOT, ZOO

COMMENT = re.compile(r"#[^\n]*")
PRESET = re.compile(r"^config \w+ = \w+\([^)]*\)\n", re.M)
TOKEN = re.compile(
    r'[rbf]*"""(?:.|\n)*?"""|"(?:[^"\\\n]|\\.)*"|\'(?:[^\'\\\n]|\\.)*\''
    r"|\d+(?:x\d+)+|\d[\w.]*(?:e[+-]?\d+)?|[A-Za-z_]\w*"
    r"|->|\*\*|//|[-+*/=!<>]=|\.\.\.|\S"
)


def lines(text: str) -> int:
    """Lines that hold more than a comment or the sizes of a preset."""
    code = PRESET.sub("", COMMENT.sub("", text))
    return sum(bool(line.strip()) for line in code.splitlines())


def model_lines(text: str) -> int:
    """Lines of the blocks and models alone: those before the first `weights` or `train`."""
    return lines(re.split(r"^(?:weights|train) ", text, maxsplit=1, flags=re.M)[0])


def tokens(text: str) -> int:
    """Lexemes of a spec or of Python, comments and docstrings aside."""
    found = TOKEN.findall(COMMENT.sub("", text))
    return sum(not token.startswith('"""') for token in found)


def zoo() -> dict[str, dict[str, int]]:
    """Sizes of each spec of the zoo and of its checked-in module."""
    return {spec.stem: _sizes(spec) for spec in sorted(ZOO.glob("*.nnx"))}


def _sizes(spec: Path) -> dict[str, int]:
    text = spec.read_text()
    code = (ROOT / "generated" / f"{spec.stem}.py").read_text()
    return {
        "lines": lines(text),
        "model_lines": model_lines(text),
        "generated_lines": lines(code),
        "tokens": tokens(text),
        "generated_tokens": tokens(code),
        "alone_tokens": tokens(_alone(text)),
    }


def _alone(text: str) -> str:
    """What a spec compiles to where one file has all, of shared modules what it uses."""
    options = nnxc.Options(single_file=True)
    (code,) = nnxc.compile(text, options=options).files.values()
    return code
