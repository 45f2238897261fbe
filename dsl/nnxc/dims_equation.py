"""Equations between sizes, made smaller. Knows `dims` only."""

from __future__ import annotations

from collections.abc import Iterable

from .dims import Dim, DimError, Monomial, cancel, canonical, divide_exactly, symbol


def _without_shared(left: Dim, right: Dim) -> tuple[Dim, Dim]:
    """`T + a == T + b - c` as `a + c == b`: what holds of `T` does not depend on it."""
    if dict(left.terms).keys().isdisjoint(dict(right.terms)):
        return left, right
    return _two_sides(left - right)


def reduced(left: Dim, right: Dim) -> tuple[Dim, Dim]:
    """Both sides of an equation without the terms that they share, and without the symbols that
    are factors of every term that is left."""
    left, right = _without_shared(left, right)
    terms = (*left.terms, *right.terms)
    if not left.terms or not right.terms:
        return left, right
    common = {a: p for a, p in terms[0][0] if isinstance(a, str)}
    for monomial, _ in terms[1:]:
        powers = dict(monomial)
        common = {a: min(p, powers[a]) for a, p in common.items() if a in powers}
    factor = tuple(sorted(common.items()))
    if not factor:
        return left, right

    def divided(dim: Dim) -> Dim:
        return canonical({cancel(m, factor) or (): c for m, c in dim.terms})

    return divided(left), divided(right)


def without_cofactors(left: Dim, right: Dim, names: Iterable[str]) -> tuple[Dim, Dim]:
    """`(T - 1) * a == (T - 1) * b` as `a == b`: what suffices whatever these names are."""
    difference = left - right
    for name in names:
        inner = _coefficient(difference, name)
        if inner is not None:
            difference = inner
    return _two_sides(difference)


def _coefficient(difference: Dim, name: str) -> Dim | None:
    """The factor of a difference that lacks the name, where what is left can be 0."""
    parts: dict[int, dict[Monomial, int]] = {}
    for monomial, coefficient in difference.terms:
        powers = dict(monomial)
        rest = tuple((a, p) for a, p in monomial if a != name)
        if any(not isinstance(a, str) and name in _symbols(a.args) for a, _ in rest):
            return None
        parts.setdefault(powers.get(name, 0), {})[rest] = coefficient
    coefficients = [canonical(part) for part in parts.values()]
    inner = min(coefficients, key=lambda part: len(part.terms), default=None)
    if inner is None or len({c > 0 for _, c in inner.terms}) < 2:
        return None
    if any(divide_exactly(part, inner) is None for part in coefficients):
        return None
    return inner


def _symbols(sizes: Iterable[Dim]) -> frozenset[str]:
    return frozenset(name for size in sizes for name in size.symbols)


def _two_sides(difference: Dim) -> tuple[Dim, Dim]:
    return (
        canonical({m: c for m, c in difference.terms if c > 0}),
        canonical({m: -c for m, c in difference.terms if c < 0}),
    )


def linear(size: Dim, name: str) -> tuple[Dim, Dim] | None:
    """`(factor, offset)` where a size is `factor * name + offset`; None where it is not."""
    try:
        offset = size.substitute({name: 0})
        factor = size.substitute({name: 1}) - offset
    except DimError:  # it divides by the name
        return None
    if not factor.terms or size - factor * symbol(name) != offset:
        return None
    return factor, offset
