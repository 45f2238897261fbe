"""What a parameter is, found by its default and all its uses, in whatever order they come."""

from __future__ import annotations

from ... import ir
from ...diagnostics import Label
from ...dims import Dim
from ...ops.base import Kind
from ...source import Span
from ..arguments.flavors import FLAVORS, describe
from ..context import Context
from ..values import Param, Static

# Of numbers the narrower kind wins: what is a size somewhere is a size everywhere.
_NARROWER = {Kind.NUMBER: 0, Kind.INT: 1, Kind.SIZE: 2}
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
    assert param.kind is not None
    have = _named(FLAVORS[param.kind])
    want = _named(FLAVORS.get(kind, "list"))
    place = param.place or param.span
    ctx.fail(
        "N206",
        f"`{param.name}` cannot be both {have} and {want}",
        span,
        related=(Label(place, f"here it is {have}"),),
        help=_as_window(param) if kind is Kind.WINDOW else None,
    )


def _as_window(param: Param) -> str | None:
    """How the list that a parameter is by default is written as a window."""
    match param.default:
        case ir.StaticList(items):
            sizes = [i.value for i in items if isinstance(i, ir.Literal)]
            if sizes and len(sizes) == len(items) and all(map(_is_size, sizes)):
                return f"a window is `{'x'.join(map(str, sizes))}`"
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
