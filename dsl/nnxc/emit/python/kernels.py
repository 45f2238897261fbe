"""Which implementation of attention generated code asks JAX for."""

from __future__ import annotations

import ast

from ...record import replace
from ..render import Part

_FUNCTION = "jax.nn.dot_product_attention"


def implemented(part: Part, name: str | None) -> Part:
    """The part with the implementation named in every call of JAX's attention."""
    if name is None or _FUNCTION not in part.text:
        return part
    lines = part.text.split("\n")
    for line, column in sorted(map(_end, _calls(part.text)), reverse=True):
        whole = lines[line - 1].encode()
        before, after = whole[:column].decode(), whole[column:].decode()
        lines[line - 1] = f'{before}, implementation="{name}"{after}'
    return replace(part, text="\n".join(lines), done=False, simple=False)


def _calls(text: str) -> list[ast.Call]:
    nodes = (n for n in ast.walk(ast.parse(text)) if isinstance(n, ast.Call))
    return [call for call in nodes if ast.unparse(call.func) == _FUNCTION]


def _end(call: ast.Call) -> tuple[int, int]:
    """The line and the byte at which the arguments of a call end."""
    arguments = [*call.args, *(keyword.value for keyword in call.keywords)]
    return max((a.end_lineno or 0, a.end_col_offset or 0) for a in arguments)
