"""Comparing sizes: equal, different or unknown. Knows `dims` only."""

from __future__ import annotations

from enum import Enum

from .dims import Atom, Dim, Monomial


class Comparison(Enum):
    """The three answers of comparing two sizes."""

    EQUAL = "equal"
    DIFFERENT = "different"
    UNKNOWN = "unknown"


def compare(
    left: Dim,
    right: Dim,
    maybe_zero: frozenset[str] = frozenset(),
    any_sign: frozenset[str] = frozenset(),
) -> Comparison:
    """Equal, different or unknown, every symbol being at least 1 unless named in `maybe_zero`, or
    in `any_sign`, of which nothing is known."""
    difference = left - right
    if not difference.terms:
        return Comparison.EQUAL
    signs = {c > 0 for _, c in difference.terms}
    if (
        len(signs) == 1
        and any(_at_least_one(m, maybe_zero) for m, _ in difference.terms)
        and difference.symbols.isdisjoint(any_sign)
        and all(_never_negative(atom) for m, _ in difference.terms for atom, _ in m)
    ):
        return Comparison.DIFFERENT
    return Comparison.UNKNOWN


def _never_negative(atom: Atom) -> bool:
    """Symbols and entries of lists are sizes; a difference under a quotient may be negative."""
    if isinstance(atom, str) or atom.name in ("index", "len"):
        return True
    return all(
        coefficient > 0 and all(_never_negative(inner) for inner, _ in monomial)
        for arg in atom.args
        for monomial, coefficient in arg.terms
    )


def _at_least_one(monomial: Monomial, maybe_zero: frozenset[str]) -> bool:
    return all(isinstance(atom, str) and atom not in maybe_zero for atom, _ in monomial)
