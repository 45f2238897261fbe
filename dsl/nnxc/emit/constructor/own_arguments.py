"""What is checked of what a constructor is given alone: conditions, and what is said where they
fail; one check for all that are of one kind."""

from __future__ import annotations

import math
from collections.abc import Collection, Iterator, Mapping, Sequence

from ... import ir
from ...dims import Dim, Func, const
from ...ops.base import Kind
from ...record import replace
from . import rates
from .bounds import size_of
from .needs import Guard, Shown, shown
from .spec_words import AT_LEAST_1

TOLD = 24  # characters of what a message tells the value of, so that both fit in a line


def sizes(names: Sequence[str], lists: Sequence[str]) -> tuple[ir.Static, str]:
    """Sizes, and lists of them, are at least 1: one check for all."""
    return least([*map(ir.Ref, names), *map(_elements, lists)])


def least(values: Sequence[ir.Static]) -> tuple[ir.Static, str]:
    """Sizes are at least 1, and all of the lists among them, `*widths`."""
    lists = [v for v in values if isinstance(v, ir.StaticCall) and v.name == "*"]
    refs = [value for value in values if value not in lists]
    if lists and len(refs) < 2:  # `min` of one number is none
        refs.insert(0, ir.Literal(1))
    smallest = _of("min", [*refs, *lists])
    return ir.StaticBinary(">=", smallest, ir.Literal(1)), f"sizes{AT_LEAST_1}"


def optional_size(name: str) -> tuple[ir.Static, str]:
    """A size that may be none is at least 1 otherwise."""
    absent = ir.StaticBinary("==", ir.Ref(name), ir.Literal(None))
    enough = ir.StaticBinary(">=", ir.Ref(name), ir.Literal(1))
    return ir.StaticBinary("or", absent, enough), f"{name}{AT_LEAST_1}"


def counts(
    found: Sequence[ir.Parameter], sizes: Collection[str]
) -> Iterator[tuple[ir.Static, str]]:
    """Numbers of layers are at least 0: one check for all that are no `sizes`."""
    params = [p for p in found if p.name not in sizes]
    if not params:
        return
    refs: list[ir.Static] = [
        ir.Ref(p.name) if p.kind in (Kind.SIZE, Kind.INT) else _elements(p.name)
        for p in params
    ]
    if len(refs) == 1 and isinstance(refs[0], ir.StaticCall):
        refs.insert(0, ir.Literal(0))
    condition = ir.StaticBinary(">=", _of("min", refs), ir.Literal(0))
    what = params[0].name if len(params) == 1 else "numbers of layers"
    yield condition, f"{what} must be at least 0"


def numbers(known: Mapping[str, rates.Limits]) -> Iterator[tuple[ir.Static, str]]:
    """Numbers lie between the same bounds: one check for all."""
    for bounds in dict.fromkeys(known.values()):
        names = [name for name, own in known.items() if own == bounds]
        refs = [*map(ir.Ref, names)]
        condition = rates.within(_of("min", refs), _of("max", refs), bounds)
        rated = len(names) > 1 and bounds[1] != math.inf
        yield condition, rates.said("rates" if rated else _listed(names), bounds)


def _listed(names: Sequence[str]) -> str:
    return " and ".join([", ".join(names[:-1]), names[-1]] if names[1:] else names)


def _elements(name: str) -> ir.Static:
    return ir.StaticCall("*", (ir.Ref(name),))


def _of(function: str, values: Sequence[ir.Static]) -> ir.Static:
    """The least or largest."""
    return values[0] if len(values) == 1 else ir.StaticCall(function, tuple(values))


class Lengths(Guard):
    """Lists that are all as long as something, or no shorter: `len(each) op count`."""

    lists: tuple[str, ...] = ()
    op: str = "=="
    count: Dim = const(0)


def merged(checks: Sequence[ir.Require]) -> list[ir.Require]:
    """Checks of what is given alone, in their order; what is one with another stands where the
    first does."""
    return _lengths(_sizes(_strongest(checks)))


def needed_once(checks: Sequence[Guard]) -> Iterator[Guard]:
    """Checks, but not that what is to be at least 1 is not 0."""
    sizes = {dim: c for c in checks if (dim := _compared(c, ">=", 1)) is not None}
    for check in checks:
        dim = _compared(check, "!=", 0)
        if dim in sizes:
            yield sizes.pop(dim)
        elif check in sizes.values() or _compared(check, ">=", 1) is None:
            yield check


def _compared(check: Guard, op: str, number: int) -> Dim | None:
    """The size that a check compares with a number."""
    match check.condition:
        case ir.StaticBinary(found, left, right) if found == op:
            return size_of(left) if size_of(right) == const(number) else None
    return None


def _strongest(checks: Sequence[ir.Require]) -> list[ir.Require]:
    """Checks without those that another implies, for it asks for more of the same."""
    found: dict[object, ir.Require] = {}
    for check in checks:
        rest = _rest(check)
        key = check if rest is None else rest - _constant(rest)
        other = found.setdefault(key, check)
        if rest is not None and _constant(rest) < _constant(_rest(other) or rest):
            found[key] = check
    return [*found.values()]


def _rest(check: ir.Require) -> Dim | None:
    """What is 0 or more where a check holds."""
    match check.condition:
        case ir.StaticBinary(">=", ir.Size(left), ir.Size(right)):
            return left - right
    return None


def _constant(dim: Dim) -> int:
    return dict(dim.terms).get((), 0)


# ---------------------------------------------------------------- sizes


def _sizes(checks: Sequence[ir.Require]) -> list[ir.Require]:
    """Checks, with one for all sizes that can be computed whatever is given."""
    several = [check for check in checks if isinstance(check, Guard) and _own(check)]
    if len(several) < 2:
        return [*checks]
    first = several[0]
    values = list(dict.fromkeys(v for check in several for v in _own(check)))
    condition, message = least(values)
    shows = dict.fromkeys(show for check in several for show in _told(check))
    one = replace(first, condition=condition, message=message, shows=(*shows,))
    rest = [one if check is first else check for check in checks]
    return [check for check in rest if check not in several[1:]]


def _own(check: Guard) -> tuple[ir.Static, ...]:
    """The sizes that a check wants to be at least 1, none where there may be others."""
    match check.condition:
        case ir.StaticBinary(">=", ir.StaticCall("min", values), ir.Literal(1)):
            return tuple(v for v in values if v != ir.Literal(1))
        case ir.StaticBinary(">=", ir.Ref() as value, ir.Literal(1)):
            return (value,)
        case ir.StaticBinary(">=", ir.Size(dim), ir.Size(Dim(value=1))) if _safe(dim):
            return (ir.Size(dim) if dim.name is None else ir.Ref(dim.name),)
    return ()


def _safe(dim: Dim) -> bool:
    """Whether a size can be computed from any numbers."""
    for monomial, _ in dim.terms:
        for atom, _ in monomial:
            match atom:
                case Func("floordiv", (dividend, Dim(value=int(by)))) if by:
                    if not _safe(dividend):
                        return False
                case Func():
                    return False
    return True


def _told(check: Guard) -> Iterator[Shown]:
    """What is told of a size: its names, and what is computed of them."""
    yield from check.shows
    match check.condition:
        case ir.StaticBinary(">=", ir.Size(Dim(name=None) as dim)):
            words = check.message.removesuffix(AT_LEAST_1)
            if len(words) <= TOLD:
                yield dim, words


# ---------------------------------------------------------------- lists


def _lengths(checks: Sequence[ir.Require]) -> list[ir.Require]:
    """Checks, with one for all lists of which the same is said."""
    groups: dict[object, list[ir.Require]] = {}
    for check in checks:
        groups.setdefault(_said(check) or check, []).append(check)
    return [one if not more else _all((one, *more)) for one, *more in groups.values()]


def _said(check: ir.Require) -> tuple[str, Dim, str] | None:
    """What a check says of the length of a list: the comparison, the other side, in words."""
    match check.condition:
        case ir.StaticBinary("==" | ">=" as op, ir.Size(), ir.Size(count)):
            name = _list_in(check)
            said = check.message.removeprefix(f"{name} must ")
            return (op, count, said) if name and said != check.message else None
    return None


def _list_in(check: ir.Require) -> str:
    """The list of which a check compares the length."""
    match check.condition:
        case ir.StaticBinary(_, ir.Size(Dim(atom=Func("len", (Dim(name=str(name)),))))):
            return name
    return ""


def _all(checks: Sequence[ir.Require]) -> Lengths:
    """One check for several lists."""
    first, said = checks[0], _said(checks[0])
    assert said is not None
    op, count, words = said
    condition = first.condition
    for check in checks[1:]:
        condition = ir.StaticBinary("and", condition, check.condition)
    names = tuple(map(_list_in, checks))
    message = f"{', '.join(names[:-1])} and {names[-1]} must {words}"
    shows = tuple(dict.fromkeys(show for check in checks for show in shown(check)))
    return Lengths(
        condition, message, first.span, False, False, shows, names, op, count
    )
