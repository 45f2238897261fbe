"""What a parameter is, found by its default and all its uses, in whatever order they come."""

from __future__ import annotations

import re

from ... import ir
from ...diagnostics import Advice, Label, write
from ...dims import Dim
from ...ops.base import Kind
from ...source import Span
from ..arguments.flavors import FLAVORS, describe
from ..context import Context
from ..values import Param, Static

# Of numbers the narrower kind wins: what is a size somewhere is a size everywhere.
_NARROWER = {Kind.NUMBER: 0, Kind.INT: 1, Kind.SIZE: 2}
# Numbers that were put in quotes.
_SIZE = "[1-9][0-9]{0,8}"
_QUOTED = {
    Kind.SIZE: _SIZE,
    Kind.INT: _SIZE,
    Kind.NUMBER: r"[0-9]{1,9}(\.[0-9]{1,9})?",
}
# A single whole number stands for a window, or for a list of one.
_ALSO = (("int", "window"), ("int", "list"))


def demand(ctx: Context, param: Param, kind: Kind, span: Span) -> None:
    """A parameter is used as this kind; two kinds that exclude each other are a mistake."""
    if param.kind is None:
        param.kind, param.place = kind, span
        return
    have, want = param.kind, kind
    if have is Kind.NUMBER and want is Kind.WINDOW:
        want = Kind.INT  # one whole number is a window along every axis
    if have in _NARROWER and want in _NARROWER:
        _narrow(ctx, param, want, span)
    elif not _agree(FLAVORS[have], FLAVORS.get(want, "list")):
        _contradiction(ctx, param, kind, span)


def _agree(have: str, want: str) -> bool:
    return have == want or (have, want) in _ALSO


def _narrow(ctx: Context, param: Param, kind: Kind, span: Span) -> None:
    assert param.kind is not None
    if kind is not Kind.NUMBER:
        param.decided = True
    if _NARROWER[kind] <= _NARROWER[param.kind]:
        return
    if param.fraction:
        _contradiction(ctx, param, kind, span)
    param.kind, param.place = kind, span


def _contradiction(ctx: Context, param: Param, kind: Kind, span: Span) -> None:
    """Where a default is of another kind than the uses, it is told there, once for all of them."""
    assert param.kind is not None
    have, want = _named(FLAVORS[param.kind]), _named(FLAVORS.get(kind, "list"))
    text = f"`{param.name}` cannot be both {have} and {want}"
    here = f"here it is {have}"
    if param.given is None or param.place is not None:
        place = Label(param.place or param.span, here)
        ctx.fail("N206", text, span, related=(place,))
    use = Label(span, f"here it is {want}")
    advice = _rewritten(param, kind, param.given)
    ctx.fail("N206", text, param.given, here, related=(use,), **advice)


def _rewritten(param: Param, kind: Kind, given: Span) -> Advice:
    """How what a parameter is by default is written as another kind."""
    if kind is Kind.WINDOW and (window := _as_window(param)):
        return write(given, window)
    value = param.default.value if isinstance(param.default, ir.Literal) else None
    form = _QUOTED.get(kind)
    if form and isinstance(value, str) and re.fullmatch(form, value):
        return write(given, value)
    if param.fraction and kind in _NARROWER:
        return {"help": "a size is a whole number"}
    return {}


def _as_window(param: Param) -> str | None:
    """The list that a parameter is by default, as a window."""
    match param.default:
        case ir.StaticList(items):
            sizes = [i.value for i in items if isinstance(i, ir.Literal)]
            if sizes and len(sizes) == len(items) and all(map(_is_size, sizes)):
                return "x".join(map(str, sizes))
    return None


def _is_size(value: object) -> bool:
    return type(value) is int and value >= 1


def seen(value: Static) -> tuple[Label, ...]:
    """Where a parameter became what it is, for a message about another use."""
    param = value.param
    if param is None or param.place is None:
        return ()
    return (Label(param.place, f"here it is {describe(value)}"),)


def _named(flavor: str) -> str:
    return describe(Static(ir.Literal(None), flavor))


def demand_sizes(ctx: Context, dim: Dim, span: Span) -> None:
    """The parameters in a size: what it is a multiple of is a size, what is added may be 0."""
    factors = _factors(dim)
    for name in sorted(_numbers(dim) & ctx.params.keys()):
        kind = Kind.SIZE if name in factors else Kind.INT
        demand(ctx, ctx.params[name], kind, span)


def demand_whole(ctx: Context, dim: Dim, span: Span) -> None:
    """The parameters in a whole number, which may be 0 or negative."""
    for name in sorted(_numbers(dim) & ctx.params.keys()):
        demand(ctx, ctx.params[name], Kind.INT, span)


def _factors(dim: Dim) -> set[str]:
    """What must be at least 1 where a size is."""
    found: set[str] = set()
    if len(dim.terms) == 1:
        for atom, _ in dim.terms[0][0]:
            if isinstance(atom, str):
                found.add(atom)
            elif atom.name == "floordiv":
                found |= _factors(atom.args[0])
    return found


def _numbers(dim: Dim) -> set[str]:
    """The names in a size that are numbers, not lists of them."""
    found: set[str] = set()
    for monomial, _ in dim.terms:
        for atom, _ in monomial:
            if isinstance(atom, str):
                found.add(atom)
            elif atom.name != "len":
                for arg in atom.args[atom.name == "index" :]:
                    found |= _numbers(arg)
    return found
