"""How small a static value may be: what parameters and conditions around tell of it."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence

from ... import ir
from ...dims import Dim, DimError, Func, func, symbol
from ..python.static_text import ARITHMETIC, as_size

ABOVE_0 = 1e-9  # the bound of what is positive and need not be whole
UNBOUNDED = -math.inf
_OPPOSITE = {"==": "!=", "!=": "==", "<": ">=", ">=": "<", ">": "<=", "<=": ">"}


class Bounds:
    """What is known at one place of a constructor. `least` are bounds of names, `divided` the
    quotients that leave no rest, `windows` the names of windows, `sized` the lists and windows all
    whose values are at least 1; `facts` are sizes that are 0 or more, `other` values that are not
    0; `told` is what is checked already, unless one of some conditions holds; `either` are pairs of
    which one holds at least."""

    def __init__(
        self,
        least: Mapping[str, float],
        sized: frozenset[str],
        windows: frozenset[str],
    ):
        self.least = dict(least)
        self.sized, self.windows = sized, windows
        self.divided: set[Func] = set()
        self.facts: list[Dim] = []
        self.other: list[ir.Static] = []
        self.told: list[tuple[ir.Static, tuple[ir.Static, ...]]] = []
        self.either: list[tuple[ir.Static, ir.Static]] = []

    def copy(self) -> Bounds:
        """The same, to which more may be added."""
        new = Bounds(self.least, self.sized, self.windows)
        new.divided, new.other = set(self.divided), list(self.other)
        new.facts, new.told = list(self.facts), list(self.told)
        new.either = list(self.either)
        return new

    def under(self, condition: ir.Static, holds: bool = True) -> Bounds:
        """What is known where a condition holds, or does not."""
        new = self.copy()
        for op, left, right in _atoms(condition, holds):
            new.learn(op, left, right)
        for one, other in _choices(condition, holds):
            new.either.append((one, other))
            sides = self.under(one).least, self.under(other).least
            for name in sides[0].keys() & sides[1].keys():
                new.least[name] = min(side[name] for side in sides)
        return new

    def rule_out(self, condition: ir.Static) -> None:
        """Something does not hold: of what one of two must, the other does."""
        known = [*_atoms(condition, True)]
        for one, other in self.either:
            if known and known == [*_atoms(one, True)]:
                for op, left, right in _atoms(other, True):
                    self.learn(op, left, right)

    def learn(self, op: str, left: ir.Static, right: ir.Static) -> None:
        """A comparison that holds."""
        a, b = size_of(left), size_of(right)
        if op == "!=" and right == ir.Literal(0):
            self.other.append(left)
        if a is None or b is None:
            if op == ">" and right == ir.Literal(0):
                self.other.append(left)
            return
        if op == "==":
            self.divided |= {f for f in functions_in(a - b) if f.name == "floordiv"}
        if op in ("<", "<="):
            a, b = b, a
        told = [a - b - (1 if op in ("<", ">") else 0)] if op != "!=" else []
        told += [b - a] if op == "==" else []
        if a.name is not None and b.value is not None and op != "!=":
            least = b.value + (op in ("<", ">"))
            self.least[a.name] = max(least, self.least.get(a.name, UNBOUNDED))
        self.facts += [fact for fact in told if fact not in self.facts]

    def least_of(self, value: ir.Static) -> float:
        """A bound of a static value from below."""
        dim = size_of(value)
        if dim is not None:
            return self.least_size(dim)
        match value:
            case ir.Literal(float() as number):
                return number
            case ir.StaticBinary("+", left, right):
                return self.least_of(left) + self.least_of(right)
            case ir.StaticBinary("*" | "/" as op, left, right):
                a, b = self.least_of(left), self.least_of(right)
                whole = op == "*" and min(a, b) >= 1
                return (a * b if whole else ABOVE_0) if min(a, b) > 0 else UNBOUNDED
            case ir.StaticBinary("**", left, right):
                if self.least_of(left) >= 1 and self.least_of(right) >= 0:
                    return 1
                return ABOVE_0 if self.least_of(left) > 0 else UNBOUNDED
            case ir.StaticIf(condition, then, orelse):
                sides = ((then, True), (orelse, False))
                return min(self.under(condition, h).least_of(v) for v, h in sides)
            case ir.StaticCall("exp"):
                return ABOVE_0
            case ir.StaticCall("max" | "min" as name, (_, _, *_) as args):
                return (max if name == "max" else min)(map(self.least_of, args))
            case ir.StaticCall("len"):
                return 0
            case ir.StaticCall("sqrt" | "float" | "round" | "ceil" as name, (arg,)):
                least = self.least_of(arg)
                whole = name == "ceil" and least > 0
                return max(least, 1) if whole else min(least, 1) if least > 0 else least
            case ir.StaticCall("divisible", (_, *_, least)):
                return self.least_of(least)
        return UNBOUNDED

    def least_size(self, dim: Dim) -> float:
        """A bound of a size from below."""
        total = 0.0
        for monomial, coefficient in dim.terms:
            bounds = [self._least_atom(atom) for atom, _ in monomial]
            if bounds and (coefficient < 0 or min(bounds) < 0):
                total = UNBOUNDED
                break
            total += coefficient * math.prod(bounds)
        if total >= 1:
            return total
        told = [(dim - fact).value for fact in self.facts if fact.symbols & dim.symbols]
        return max([total, *(c for c in told if c is not None)])

    def _least_atom(self, atom: str | Func) -> float:
        if isinstance(atom, str):
            return self.least.get(atom, UNBOUNDED)
        match atom.name, atom.args:
            case "floordiv", (dividend, divisor):
                a, b = self.least_size(dividend), self.least_size(divisor)
                if min(a, b) < 0:
                    return UNBOUNDED
                if atom in self.divided and min(a, b) >= 1:
                    return 1
                return a // divisor.value if divisor.value else 0
            case "pow", (base, _):
                return 1 if self.least_size(base) >= 1 else UNBOUNDED
            case ("max" | "min") as name, args:
                return (max if name == "max" else min)(map(self.least_size, args))
            case "if", (then, _, orelse):
                return min(map(self.least_size, (then, orelse)))
            case "index", (Dim(name=str(name)), _):
                return 1 if name in self.sized else UNBOUNDED
            case "len", _:
                return 0
        return UNBOUNDED

    def nonzero(self, value: ir.Static) -> bool:
        """Whether a value is known not to be 0."""
        dim = size_of(value)
        if dim is not None and dim.value is not None:
            return dim.value != 0
        if isinstance(value, ir.Literal):
            return bool(value.value != 0)
        if value in self.other or self.least_of(value) > 0:
            return True
        if isinstance(value, ir.StaticBinary) and value.op in ("*", "/"):
            return self.nonzero(value.left) and self.nonzero(value.right)
        return False

    def has_told(self, condition: ir.Static, when: list[ir.Static]) -> bool:
        """Whether something is checked already wherever these conditions do not hold."""
        return any(
            one == condition and all(other in when for other in others)
            for one, others in self.told
        )

    def let(self, name: str, value: ir.Static) -> None:
        """A local gets its value."""
        self.least[name] = self.least_of(value)
        if self.nonzero(value):
            self.other.append(ir.Ref(name))
        sides = list(_sides(value))
        if all(map(self.is_window, sides)):
            self.window(name, sides)

    def is_window(self, value: ir.Static) -> bool:
        """Whether a value that is no choice is a window."""
        match value:
            case ir.Literal(tuple()):
                return True
            case ir.Ref(name):
                return name in self.windows
        return False

    def window(self, name: str, values: Sequence[ir.Static]) -> None:
        """A name of a window, one of these."""
        self.windows |= {name}
        if all(map(self._is_sized, values)):
            self.sized |= {name}

    def _is_sized(self, window: ir.Static) -> bool:
        match window:
            case ir.Literal(value=tuple() as sizes):
                return all(size >= 1 for size in sizes)
            case ir.Ref(name):
                return name in self.sized
        return False


def _sides(value: ir.Static) -> Iterator[ir.Static]:
    """What a choice is between; any other value alone."""
    if isinstance(value, ir.StaticIf):
        yield from _sides(value.then)
        yield from _sides(value.orelse)
    else:
        yield value


def _atoms(
    condition: ir.Static, holds: bool
) -> Iterator[tuple[str, ir.Static, ir.Static]]:
    """The comparisons that a condition implies."""
    match condition:
        case ir.StaticUnary("not", inner):
            yield from _atoms(inner, not holds)
        case ir.StaticBinary("and" | "or" as op, left, right):
            if (op == "and") is holds:
                yield from (*_atoms(left, holds), *_atoms(right, holds))
        case ir.StaticBinary(op, left, right) if op in _OPPOSITE:
            yield (op if holds else _OPPOSITE[op]), left, right


def _choices(
    condition: ir.Static, holds: bool
) -> Iterator[tuple[ir.Static, ir.Static]]:
    """The pairs of which a condition implies that one holds."""
    match condition:
        case ir.StaticUnary("not", inner):
            yield from _choices(inner, not holds)
        case ir.StaticBinary("and", left, right) if holds:
            yield from (*_choices(left, True), *_choices(right, True))
        case ir.StaticBinary("or", left, right) if holds:
            yield left, right


def computed_in(dim: Dim) -> Iterator[Func]:
    """The functions that are computed wherever a size is: not those that a choice may leave."""
    for monomial, _ in dim.terms:
        for atom, _ in monomial:
            if isinstance(atom, Func) and atom.name != "if":
                yield atom
                for arg in atom.args:
                    yield from computed_in(arg)


def functions_in(dim: Dim) -> Iterator[Func]:
    """The opaque functions in a size, outer ones first."""
    for monomial, _ in dim.terms:
        for atom, _ in monomial:
            if isinstance(atom, Func):
                yield atom
                for arg in atom.args:
                    yield from functions_in(arg)


def size_of(value: ir.Static) -> Dim | None:
    """The size that a static value is; the length of a list is one."""
    match value:
        case ir.StaticCall("len", (ir.Ref(name),)):
            return func("len", symbol(name))
        case ir.StaticIndex(ir.Ref(name), index) if (at := size_of(index)) is not None:
            return func("index", symbol(name), at)
        case ir.StaticBinary("+" | "-" | "*" | "//" as op, left, right):
            a, b = size_of(left), size_of(right)
            if a is None or b is None:
                return None
            try:
                return ARITHMETIC[op](a, b)
            except DimError:
                return None
    return as_size(value)


def below_of(iterable: ir.Static) -> Dim | None:
    """How many times a loop runs, where that is a size."""
    match iterable:
        case ir.StaticCall("range", (count,)):
            return size_of(count)
        case ir.StaticCall("enumerate" | "reversed", (ir.Ref(name),)) | ir.Ref(name):
            return func("len", symbol(name))
    return None
