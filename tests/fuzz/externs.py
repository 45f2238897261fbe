"""Statements of random valid specs that use Python code, and the declarations that they need."""

from __future__ import annotations

import re

from nnxc.diagnostics import Sink
from nnxc.source import Source
from nnxc.syntax import tree
from nnxc.syntax.formatting.format import format_file
from nnxc.syntax.parse import parse

from .builder import Builder
from .trees import call, literal, pipe

DECLARED = """
extern "tests.fuzz.brought" twice(x: [..., d]) -> [..., 2 * d]
extern "brought.py" scaled(x: [..., d], by = 0.5, shift = false) -> [..., d]
extern "brought.py" ramp(d) -> [d]
extern "tests.fuzz.brought" Shift(x: [..., d], d, out) -> [..., out]
"""


def brought(b: Builder) -> bool:
    """A function, a table or a module of Python."""
    x = b.pick(lambda v: bool(v.sizes))
    if x is None:
        return False
    *lead, last = x.sizes
    match b.one("twice", "scaled", "ramp", "Shift"):
        case "twice":
            b.give(x, pipe(b.read(x), tree.Name("twice")), *lead, 2 * last)
        case "scaled":
            named = {"shift": True} if b.flip() else {}
            b.give(x, call("scaled", b.read(x), b.one(0.25, 2), **named), *x.sizes)
        case "ramp" if b.is_static(last):
            table = tree.Binary("*", literal(b.one(1, 2)), call("ramp", last))
            b.give(x, tree.Binary("+", b.read(x), table), *x.sizes)
        case "Shift" if b.is_static(last):
            out = b.static_size()
            b.give(x, pipe(b.read(x), call("Shift", out)), *lead, out)
        case _:
            return False
    return True


def with_declarations(items: tuple[tree.Item, ...]) -> tuple[tree.Item, ...]:
    """The items after the declarations of the Python code that they use."""
    text = format_file(tree.File(items))
    declared = parse(Source("externs.nnx", DECLARED), Sink()).items
    externs = [e for e in declared if isinstance(e, tree.Extern)]
    return (*(e for e in externs if re.search(rf"\b{e.name.id}\b", text)), *items)
