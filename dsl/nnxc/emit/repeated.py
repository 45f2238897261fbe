"""Initialisers that a module says again and again: constants of it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping

from .. import ir
from ..ir.fold_statements import declared
from ..ir.fold_static import walk_static
from ..ops.base import Call
from .python.names import Namespace
from .python.scope import Scope
from .python.static_text import static

_MOST = 2  # times that one is written out


def repeated_initializers(program: ir.Program, module: Namespace) -> dict[str, str]:
    """The Python text of each that has a name, and the name."""
    found = Counter(_texts(program))
    often = [key for key, times in found.items() if times > _MOST]
    return {text: module.give(f"{name}_init".upper()) for name, text in often}


def constants(named: Mapping[str, str]) -> list[str]:
    """The lines that give them their names."""
    return [f"{name} = {text}" for text, name in named.items()]


def _texts(program: ir.Program) -> Iterator[tuple[str, str]]:
    """The name and the text of each that depends on nothing."""
    for definition in program.definitions:
        for item in declared(definition.body):
            for value in _given(item):
                if isinstance(value, ir.Initializer) and _stands_alone(value):
                    yield value.op.name, static(value, Scope()).text


def _given(item: ir.Layer | ir.Variable) -> Iterator[ir.Static]:
    if isinstance(item, ir.Layer):
        for _, value in item.args:
            yield from walk_static(value)
    elif isinstance(item.init, ir.Static):
        yield item.init


def _stands_alone(value: ir.Initializer) -> bool:
    """Whether it is a call, of what is written down; a variable that is constant has none."""
    called = isinstance(value.op.build, Call) and value.op.name != "constant"
    return called and all(isinstance(v, ir.Literal) for _, v in value.args)
