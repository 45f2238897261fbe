"""Values that one side of an `if` gives, for where its condition holds again."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, TypeAlias

from ... import ir
from ...ir.fold_static import givens, static_dims
from ...record import Record, replace
from ..values import Binding

if TYPE_CHECKING:
    from ..context import Context

Atoms: TypeAlias = frozenset[tuple[ir.Static, bool]]  # what holds, or does not


class Kept(Record):
    """A value, what must hold for it to be there, and the names that this is about."""

    binding: Binding
    needs: Atoms
    asked: frozenset[str]


def atoms(condition: ir.Static, holds: bool) -> Atoms:
    """What is known where a condition holds, or does not."""
    match condition:
        case ir.StaticUnary("not", operand):
            return atoms(operand, not holds)
        case ir.StaticBinary("!=", left, right):
            return atoms(ir.StaticBinary("==", left, right), not holds)
        case ir.StaticBinary("and" | "or" as op, left, right) if holds == (op == "and"):
            return atoms(left, holds) | atoms(right, holds)
    return frozenset({(condition, holds)})


@contextmanager
def under(ctx: Context, condition: ir.Static, holds: bool) -> Iterator[None]:
    """One side of an `if`: names have the values that they were given where it held before. What
    it leaves in `kept` needs its condition."""
    known, outer, before = atoms(condition, holds), ctx.holding, ctx.kept
    ctx.holding, ctx.kept = outer | known, dict(before)
    for name, kept in before.items():
        if name not in ctx.scope and kept.needs <= ctx.holding:
            ctx.scope[name] = kept.binding
    try:
        yield
    finally:
        ctx.holding = outer
        new = [(n, k) for n, k in ctx.kept.items() if k is not before.get(n)]
        asked = _asked(known) if new else frozenset()
        for name, kept in new:
            needs, names = kept.needs | known, kept.asked | asked
            ctx.kept[name] = replace(kept, needs=needs, asked=names)


def merged(
    before: Mapping[str, Kept], then: Mapping[str, Kept], orelse: Mapping[str, Kept]
) -> dict[str, Kept]:
    """What is kept after an `if`: what neither side touched, and what one of them added."""
    found = {}
    for name in {**then, **orelse}:
        a, b = then.get(name), orelse.get(name)
        one = a if b is None else b
        if one is not None and (a is b or (None in (a, b) and name not in before)):
            found[name] = one
    return found


def keep(ctx: Context, binding: Binding, condition: ir.Static, holds: bool) -> None:
    """A value that one side of an `if` alone gives."""
    if binding.name not in ctx.kept:
        needs = atoms(condition, holds)
        ctx.kept[binding.name] = Kept(binding, needs, _asked(needs))


def forget(ctx: Context, names: Iterable[str]) -> None:
    """Names that get new values, and what was kept under conditions on them."""
    changed = set(names)
    lost = [n for n, k in ctx.kept.items() if n in changed or changed & k.asked]
    for name in lost:
        del ctx.kept[name]


@contextmanager
def contained(ctx: Context, names: Iterable[str]) -> Iterator[None]:
    """A loop or scan that changes names: what it keeps, it keeps for itself."""
    forget(ctx, names)
    before = dict(ctx.kept)
    try:
        yield
    finally:
        ctx.kept = before


def _asked(needs: Atoms) -> frozenset[str]:
    conditions = [condition for condition, _ in needs]
    dims = [dim for condition in conditions for dim in static_dims(condition)]
    return frozenset().union(*(d.symbols for d in dims), *map(givens, conditions))
