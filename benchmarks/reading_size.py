"""How large Python code is, however it was formatted, and how large its functions are."""

from __future__ import annotations

import ast
import io
import tokenize
from typing import TypedDict

import black

from .reference_size import code_lines, first_line

_LAYOUT = frozenset(
    [
        tokenize.COMMENT,
        tokenize.DEDENT,
        tokenize.ENCODING,
        tokenize.ENDMARKER,
        tokenize.INDENT,
        tokenize.NEWLINE,
        tokenize.NL,
    ]
)


class Size(TypedDict):
    """Lines and tokens of code, without docstrings and comments; of functions, the most."""

    lines: int
    tokens: int
    longest: int
    arguments: int


def formatted(text: str) -> str:
    """Code as Black has it, whose lines are 88 wide, whatever trailing commas ask for."""
    return black.format_str(text, mode=black.Mode(magic_trailing_comma=False))


def size_of(text: str) -> Size:
    """The size of a module."""
    code = code_lines(text)
    functions = [
        node
        for node in ast.walk(ast.parse(text))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    ]
    longest = (
        sum(n in code for n in range(first_line(f), (f.end_lineno or 0) + 1))
        for f in functions
    )
    return Size(
        lines=len(code),
        tokens=tokens(text, code),
        longest=max(longest, default=0),
        arguments=max(map(arguments, functions), default=0),
    )


def tokens(text: str, code: frozenset[int]) -> int:
    """Python's tokens on lines of code, layout aside."""
    found = tokenize.generate_tokens(io.StringIO(text).readline)
    return sum(t.type not in _LAYOUT and t.start[0] in code for t in found)


def arguments(function: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    """How many arguments a function names, without `self`."""
    args = function.args
    names = [a.arg for a in (*args.posonlyargs, *args.args, *args.kwonlyargs)]
    return len(names) - (names[:1] in (["self"], ["cls"]))
