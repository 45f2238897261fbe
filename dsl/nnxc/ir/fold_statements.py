"""The structure of statements: the one place that knows which of them hold others."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence

from ..record import Record, replace
from .statements import (
    Append,
    Assign,
    Declare,
    For,
    If,
    Layer,
    NewList,
    Return,
    Scan,
    Stmt,
    UpdateState,
    Variable,
)
from .tensors import Expr

Body = Sequence[Stmt]


class Side(Record):
    """What stands around a statement: a loop, a scan, or an `if` on the side that is `taken`."""

    stmt: For | Scan | If
    taken: bool = True


def bodies(stmt: Stmt) -> tuple[tuple[Stmt, ...], ...]:
    """The bodies directly inside a statement: one of a loop or a scan, two of an `if`."""
    match stmt:
        case For(body=body) | Scan(body=body):
            return (body,)
        case If(then=then, orelse=orelse):
            return then, orelse
    return ()


def with_bodies(stmt: Stmt, made: Sequence[Body]) -> Stmt:
    """The statement over other bodies, in the order of `bodies`."""
    match stmt, [tuple(body) for body in made]:
        case (For() | Scan()), [body]:
            return replace(stmt, body=body)
        case If(), [then, orelse]:
            return replace(stmt, then=then, orelse=orelse)
    return stmt


def statements(body: Body) -> Iterator[Stmt]:
    """The statements and all inside them, in the order of the text."""
    for stmt in body:
        yield stmt
        for inner in bodies(stmt):
            yield from statements(inner)


def placed(
    body: Body, around: tuple[Side, ...] = ()
) -> Iterator[tuple[Stmt, tuple[Side, ...]]]:
    """The statements and all inside them, each with what stands around it, outermost first."""
    for stmt in body:
        yield stmt, around
        if isinstance(stmt, For | Scan | If):
            for inner, taken in zip(bodies(stmt), (True, False), strict=False):
                yield from placed(inner, (*around, Side(stmt, taken)))


def mapped(body: Body, change: Callable[[Stmt], Stmt | None]) -> tuple[Stmt, ...]:
    """The statements changed, those inside others first; without those that become None."""
    made = (
        change(with_bodies(stmt, [mapped(inner, change) for inner in bodies(stmt)]))
        for stmt in body
    )
    return tuple(stmt for stmt in made if stmt is not None)


def declared(body: Body) -> list[Layer | Variable]:
    """The layers and variables that come into being in a body."""
    return [
        s.layer if isinstance(s, Declare) else s
        for s in statements(body)
        if isinstance(s, Declare | Variable)
    ]


def placed_items(
    body: Body,
) -> Iterator[tuple[Layer | Variable, tuple[Side, ...]]]:
    """The layers and variables of a body, each with what stands around it."""
    for stmt, around in placed(body):
        match stmt:
            case Declare(layer):
                yield layer, around
            case Variable():
                yield stmt, around


def repeats(around: Sequence[Side]) -> int:
    """How many loops and scans stand around something."""
    return sum(not isinstance(side.stmt, If) for side in around)


def layers(body: Body) -> list[Layer]:
    """The layers that come into being in a body."""
    return [item for item in declared(body) if isinstance(item, Layer)]


def on_every_way(body: Body, of: Callable[[Stmt], set[str]]) -> set[str]:
    """What `of` finds in statements whatever their conditions say; bodies of loops are entered."""
    found: set[str] = set()
    for stmt in body:
        ways = [on_every_way(inner, of) for inner in bodies(stmt)]
        found |= of(stmt).union(set.intersection(*ways) if ways else ())
    return found


def expressions(stmt: Stmt) -> tuple[Expr, ...]:
    """The tensor expressions of one statement, not of those inside it."""
    match stmt:
        case Assign(value=value) | UpdateState(value=value) | Append(value=value):
            return (value,)
        case Return(values) | NewList(items=values):
            return values
        case Scan(steps, carries):
            return (*(step.value for step in steps), *(value for _, value in carries))
    return ()


def with_expressions(stmt: Stmt, made: Iterable[Expr]) -> Stmt:
    """The statement over other tensor expressions, in the order of `expressions`."""
    rest = iter(made)
    match stmt:
        case Assign() | UpdateState() | Append():
            return replace(stmt, value=next(rest))
        case Return():
            return replace(stmt, values=tuple(rest))
        case NewList():
            return replace(stmt, items=tuple(rest))
        case Scan(steps, carries):
            return replace(
                stmt,
                steps=tuple(replace(step, value=next(rest)) for step in steps),
                carries=tuple((name, next(rest)) for name, _ in carries),
            )
    return stmt


def all_expressions(body: Body) -> Iterator[Expr]:
    """The tensor expressions of statements and of all inside them."""
    for stmt in statements(body):
        yield from expressions(stmt)
