"""Sizes: polynomials over named atoms in one canonical form. Equality of forms is proof.

An atom is a symbol (`d`, `B`) or an opaque function of sizes (`H // 2`, `2**i`, `widths[i]`).
Knows the standard library only.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from math import gcd
from typing import TypeAlias

from .dims_text import rendered

LIMIT = 10**18
MAX_TERMS = 64
MAX_WEIGHT = 2_000
ONE = (((), 1),)


class DimError(ValueError):
    """A size that cannot be: too large, too many terms, division by zero."""


@dataclass(frozen=True)
class Func:
    """An opaque function of sizes: `floordiv`, `pow`, `max`, `min`, `index`, `len`, `if`."""

    name: str
    args: tuple[Dim, ...]

    @cached_property
    def key(self) -> str:
        return f"{self.name}({','.join(a.key for a in self.args)})"

    @cached_property
    def weight(self) -> int:
        """How many terms and functions it is written with."""
        return 1 + sum(a.weight for a in self.args)


Atom: TypeAlias = str | Func
Monomial: TypeAlias = tuple[tuple[Atom, int], ...]
Env: TypeAlias = "Mapping[str, Dim | int | tuple[Dim | int, ...]]"


def _atom_key(atom: Atom) -> str:
    return atom if isinstance(atom, str) else atom.key


def _monomial_key(monomial: Monomial) -> tuple[int, tuple[tuple[str, int], ...]]:
    """Higher degrees first, then higher powers of earlier atoms: an order that products keep,
    as long division needs."""
    return -sum(p for _, p in monomial), tuple((_atom_key(a), -p) for a, p in monomial)


@dataclass(frozen=True)
class Dim:
    """A size. Build with `const`, `symbol` and arithmetic; compare with `==` or `compare`."""

    terms: tuple[tuple[Monomial, int], ...]

    @cached_property
    def key(self) -> str:
        return "+".join(f"{c}*{_monomial_key(m)[1]}" for m, c in self.terms)

    @cached_property
    def weight(self) -> int:
        """How many terms and functions it is written with."""
        functions = (a for m, _ in self.terms for a, _ in m if isinstance(a, Func))
        return len(self.terms) + sum(a.weight for a in functions)

    @property
    def value(self) -> int | None:
        """The number, where the size is one."""
        if not self.terms:
            return 0
        if len(self.terms) == 1 and not self.terms[0][0]:
            return self.terms[0][1]
        return None

    @property
    def name(self) -> str | None:
        """The symbol, where the size is one symbol and nothing else."""
        atom = self.atom
        return atom if isinstance(atom, str) else None

    @property
    def atom(self) -> Atom | None:
        """The atom, where the size is one atom and nothing else."""
        match self.terms:
            case ((((atom, 1),), 1),):
                return atom
        return None

    @cached_property
    def symbols(self) -> frozenset[str]:
        """Every symbol in the size, inside opaque functions too."""
        found: set[str] = set()
        for monomial, _ in self.terms:
            for atom, _power in monomial:
                if isinstance(atom, str):
                    found.add(atom)
                else:
                    found.update(*(a.symbols for a in atom.args))
        return frozenset(found)

    def __add__(self, other: Dim | int) -> Dim:
        total = dict(self.terms)
        for monomial, coefficient in as_dim(other).terms:
            total[monomial] = total.get(monomial, 0) + coefficient
        return canonical(total)

    def __neg__(self) -> Dim:
        return Dim(tuple((m, -c) for m, c in self.terms))

    def __sub__(self, other: Dim | int) -> Dim:
        return self + -as_dim(other)

    def __mul__(self, other: Dim | int) -> Dim:
        other = as_dim(other)
        if self.terms == ONE or other.terms == ONE:
            return other if self.terms == ONE else self
        total: dict[Monomial, int] = {}
        for m1, c1 in self.terms:
            for m2, c2 in other.terms:
                monomial = _times(m1, m2)
                total[monomial] = total.get(monomial, 0) + c1 * c2
        return canonical(total)

    __radd__ = __add__
    __rmul__ = __mul__

    def __rsub__(self, other: int) -> Dim:
        return as_dim(other) - self

    def __floordiv__(self, other: Dim | int) -> Dim:
        return floordiv(self, as_dim(other))

    def __mod__(self, other: Dim | int) -> Dim:
        return self - as_dim(other) * floordiv(self, as_dim(other))

    def __pow__(self, other: Dim | int) -> Dim:
        return power(self, as_dim(other))

    def substitute(self, env: Env) -> Dim:
        """The size with symbols replaced, lists (as tuples) indexed; what `env` lacks stays."""
        if self.symbols.isdisjoint(env):
            return self
        total = const(0)
        for monomial, coefficient in self.terms:
            product = const(coefficient)
            for atom, exponent in monomial:
                product = product * power(_substitute_atom(atom, env), const(exponent))
            total = total + product
        return total

    def __str__(self) -> str:
        return self.render(str)

    def render(self, name: Callable[[str], str], python: bool = False) -> str:
        """The size as an expression of the language, or of Python as Black has it."""
        return rendered(self, name, python)


def _times(left: Monomial, right: Monomial) -> Monomial:
    powers = dict(left)
    for atom, exponent in right:
        powers[atom] = powers.get(atom, 0) + exponent
    return tuple(sorted(powers.items(), key=lambda item: _atom_key(item[0])))


def canonical(total: Mapping[Monomial, int]) -> Dim:
    kept = [(m, c) for m, c in total.items() if c]
    if len(kept) > MAX_TERMS or any(abs(c) > LIMIT for _, c in kept):
        raise DimError("this size is too large")
    if len(kept) > 1:
        kept.sort(key=lambda term: _monomial_key(term[0]))
    return Dim(tuple(kept))


def const(value: int) -> Dim:
    """The size that is a number."""
    if abs(value) > LIMIT:
        raise DimError("this size is too large")
    return Dim((((), value),) if value else ())


def symbol(name: str) -> Dim:
    """The size that is a name."""
    return _of_atom(name)


def as_dim(value: Dim | int) -> Dim:
    """A number as a size; sizes as they are."""
    return value if isinstance(value, Dim) else const(value)


def func(name: str, *args: Dim) -> Dim:
    """A function of sizes, evaluated as far as its arguments allow, else opaque."""
    match name:
        case "max" | "min":
            return _extreme(name, args)
        case "floordiv":
            return floordiv(*args)
        case "pow":
            return power(*args)
    return _of_atom(Func(name, args))


def _extreme(name: str, args: tuple[Dim, ...]) -> Dim:
    """The largest or smallest: in one order, each once, numbers among them taken together."""
    flat = [
        inner
        for arg in args
        for inner in (
            arg.atom.args
            if isinstance(arg.atom, Func) and arg.atom.name == name
            else (arg,)
        )
    ]
    numbers = [a.value for a in flat if a.value is not None]
    rest = {a.key: a for a in flat if a.value is None}
    kept = [rest[key] for key in sorted(rest)]
    if numbers:
        kept.append(const(max(numbers) if name == "max" else min(numbers)))
    return kept[0] if len(kept) == 1 else _of_atom(Func(name, tuple(kept)))


def _of_atom(atom: Atom) -> Dim:
    if isinstance(atom, Func) and atom.weight > MAX_WEIGHT:
        raise DimError("this size is too large")
    return Dim(((((atom, 1),), 1),))


def _list_in(env: Env, name: str | None) -> tuple[Dim | int, ...] | None:
    values = env.get(name) if name is not None else None
    return values if isinstance(values, tuple) else None


def _substitute_atom(atom: Atom, env: Env) -> Dim:
    if isinstance(atom, str):
        value = env.get(atom)
        return (
            symbol(atom) if value is None or isinstance(value, tuple) else as_dim(value)
        )
    if (
        atom.name in ("index", "len")
        and (values := _list_in(env, atom.args[0].name)) is not None
    ):
        at = atom.args[1].substitute(env).value if atom.name == "index" else None
        if atom.name == "len":
            return const(len(values))
        there = at is not None and -len(values) <= at < len(values)
        if at is not None and there and not isinstance(values[at], tuple):
            return as_dim(values[at])
    return func(atom.name, *(a.substitute(env) for a in atom.args))


def product(sizes: tuple[Dim, ...]) -> Dim:
    """The product of sizes; 1 for none."""
    total = const(1)
    for size in sizes:
        total = total * size
    return total


def power(base: Dim, exponent: Dim) -> Dim:
    """`base ** exponent`; raises `DimError` for a negative or an enormous one."""
    n, b = exponent.value, base.value
    if n is None:
        return _of_atom(Func("pow", (base, exponent)))
    if n < 0 or (n > 64 and b not in (0, 1)):
        raise DimError(
            "this size is too large"
            if n > 0
            else "a size cannot have a negative exponent"
        )
    result = const(1)
    for _ in range(n):
        result = result * base
    return result


def floordiv(dividend: Dim, divisor: Dim) -> Dim:
    """`dividend // divisor`, exact where the forms allow, else an opaque atom."""
    if divisor.value == 0:
        raise DimError("division by zero")
    if divisor.value is not None:
        return _floordiv_number(dividend, divisor.value)
    exact = divide_exactly(dividend, divisor)
    return exact if exact is not None else _opaque_floordiv(dividend, divisor)


def _floordiv_number(dividend: Dim, n: int) -> Dim:
    if n < 0:
        return _floordiv_number(-dividend, -n)
    whole = canonical({m: c // n for m, c in dividend.terms})
    rest = canonical({m: c % n for m, c in dividend.terms})
    # A constant rest is below n, so it adds nothing.
    return whole if rest.value is not None else whole + _lowest_terms(rest, n)


def _lowest_terms(dividend: Dim, n: int) -> Dim:
    """`(2 * a + 3) // 4` as `(a + 1) // 2`: a constant beside multiples of g counts by g."""
    common = gcd(n, *(c for m, c in dividend.terms if m))
    if common == 1:
        return _opaque_floordiv(dividend, const(n))
    shared = canonical({m: c // common for m, c in dividend.terms})
    return floordiv(shared, const(n // common))


def _opaque_floordiv(dividend: Dim, divisor: Dim) -> Dim:
    """Nested quotients fold: `(a // n + r) // m` is `(a + r * n) // (n * m)`."""
    quotients = [
        (atom, coefficient)
        for monomial, coefficient in dividend.terms
        for atom, _ in monomial
        if isinstance(atom, Func)
    ]
    match quotients:
        case [(Func("floordiv", (inner, by)) as quotient, 1)]:
            rest = dividend - _of_atom(quotient)
            if quotient.key not in rest.key:
                return floordiv(inner + rest * by, by * divisor)
    return _of_atom(Func("floordiv", (dividend, divisor)))


def divide_exactly(dividend: Dim, divisor: Dim) -> Dim | None:
    """Polynomial long division; None where a rest remains."""
    lead, factor = divisor.terms[0]
    quotient, rest = const(0), dividend
    for _ in range(MAX_TERMS):
        if not rest.terms:
            return quotient
        monomial, coefficient = rest.terms[0]
        reduced = cancel(monomial, lead)
        if reduced is None or coefficient % factor:
            return None
        step = canonical({reduced: coefficient // factor})
        quotient, rest = quotient + step, rest - step * divisor
    return None


def cancel(monomial: Monomial, by: Monomial) -> Monomial | None:
    powers = dict(monomial)
    for atom, exponent in by:
        powers[atom] = powers.get(atom, 0) - exponent
        if powers[atom] < 0:
            return None
    return tuple((a, p) for a, p in powers.items() if p)
