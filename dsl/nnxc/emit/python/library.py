"""Entries of the library with their arguments: constructors of layers, calls of functions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from ... import ir
from ...dims import Dim
from ...ops.base import REQUIRED, Kind, Op, Param
from . import text as t
from .library_calls import fill
from .scope import Scope
from .static_text import default, size, static
from .text import Text


def construct(layer: ir.Layer, scope: Scope, more: Sequence[str]) -> Text:
    """The constructor call of one layer that is an entry; `more` are further keywords."""
    op = layer.callee
    assert isinstance(op, Op)
    args = dict(layer.args)
    if layer.stream and op.streams and layer.stream != op.streams[0]:
        name = next((p.name for p in op.params if p.kind is Kind.STREAM), None)
        if name:
            args.setdefault(name, ir.Literal(layer.stream))

    def lookup(name: str) -> Text | None:
        return _named(op, name, args, layer.sizes, scope)

    return fill(op.build_for(args), lookup, _written(op, args), more)


def call(expr: ir.OpCall, scope: Scope, inputs: Mapping[str, Text]) -> Text:
    """The call of a function; `inputs` are the texts of the inputs that are given."""
    op, args = expr.op, dict(expr.args)
    given = {*args, *inputs}

    def lookup(name: str) -> Text | None:
        if name in inputs:
            return inputs[name]
        if op.input(name) is not None:
            return None
        if name == "rngs":
            return Text(scope.rngs)
        param = op.param(name)
        if param is not None and param.kind is Kind.STREAM:
            return Text(expr.stream or op.streams[0])
        return _named(op, name, args, expr.sizes, scope)

    more = []
    if op.dtype_aware and scope.dtype is not None and "dtype" not in args:
        more.append(f"dtype={scope.dtype_text('float')}")
    written = args.keys() | inputs.keys()
    return fill(op.build_for(given), lookup, written, more)


def _written(op: Op, args: Mapping[str, ir.Static]) -> set[str]:
    """The arguments that are not the defaults of the entry, which are those of Python."""
    params = {p.name: p for p in op.params}
    return {
        name
        for name, value in args.items()
        if name not in params or value != ir.Literal(params[name].default)
    }


def _named(
    op: Op,
    name: str,
    args: Mapping[str, ir.Static],
    sizes: Mapping[str, Dim],
    scope: Scope,
) -> Text | None:
    if name == "extern" and op.origin is not None:
        return Text(scope.externs[op.origin])
    param = op.param(name)
    if param is not None and name in args:
        return argument(param, args[name], scope)
    if name in sizes:
        return size(sizes[name], scope)
    if name in args:
        return static(args[name], scope)
    if param is None:
        raise KeyError(f"{op.name} has nothing called {name!r}")
    return None if param.default is REQUIRED else default(param)


def argument(param: Param, value: ir.Static, scope: Scope) -> Text:
    """An argument as its kind is written in Python."""
    match param.kind, value:
        case Kind.DTYPE, ir.Literal(str() as name):
            return Text(scope.dtype_text(name))
        case Kind.INIT, ir.Literal(int() | float()):
            return Text(f"nnx.initializers.constant({static(value, scope)})")
        case _, ir.Literal(str() as spelling) if param.choices:
            return t.opaque(param.choices.get(spelling, t.quoted(spelling)))
    text = static(value, scope)
    if param.kind is Kind.TEXT and param.choices:
        return _chosen(param.choices, text)
    return text


def _chosen(choices: Mapping[str, str], text: Text) -> Text:
    """A text parameter of the model stands for one of the choices."""
    if all(t.quoted(spelling) == python for spelling, python in choices.items()):
        return text
    table = ", ".join(f"{t.quoted(s)}: {p}" for s, p in choices.items())
    return Text(f"{{{table}}}[{text}]")
