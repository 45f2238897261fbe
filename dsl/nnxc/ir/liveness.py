"""Which tensors statements read and assign, and whose values are needed where."""

from __future__ import annotations

from collections.abc import Sequence

from ..shapes import TensorType
from .fold_statements import expressions, statements
from .fold_static import givens
from .fold_tensors import walk
from .statements import (
    Append,
    Assign,
    For,
    If,
    NewList,
    Pop,
    Return,
    Scan,
    Stmt,
    Total,
)
from .tensors import Apply, Choose, Expr, Invoke, ModelCall, OpCall, Var


def reads(expr: Expr) -> set[str]:
    """The tensors that an expression reads."""
    found: set[str] = set()
    for node in walk(expr):
        match node:
            case Var(name):
                found.add(name)
            case Choose(condition):
                found |= givens(condition)
    return found


def live_before(stmt: Stmt, after: frozenset[str]) -> frozenset[str]:
    """The tensors whose values are needed before a statement, given those needed after it."""
    match stmt:
        case Assign() if idle(stmt, after):
            return after
        case Assign(targets, value):
            return (after - frozenset(targets)) | reads(value)
        case NewList(name, items=items):
            return (after - {name}).union(*map(reads, items))
        case Append(name, value):
            return after | reads(value) | {name}
        case Pop(target, name):
            return (after - {target}) | {name}
        case Total(name=name):
            return after | {name}
        case Return(values):
            return frozenset().union(*(reads(v) for v in values))
        case For(body=body):
            once = live_through(body, after)[0] | after
            return live_through(body, once)[0] | after
        case Scan():
            return (after - {*stmt.outer}) | outside(stmt) | begins(stmt)
        case If(condition, then, orelse):
            arms = live_through(then, after)[0] | live_through(orelse, after)[0]
            return arms | givens(condition)
    return after.union(*map(reads, expressions(stmt)))


def idle(stmt: Assign, after: frozenset[str]) -> bool:
    """Whether a call can do without an assignment: a tensor that only its constructor needs."""
    if not after.isdisjoint(stmt.targets) or not isinstance(
        stmt.value.type, TensorType
    ):
        return False
    return not any(
        isinstance(part, Apply | Invoke | ModelCall)
        or (isinstance(part, OpCall) and bool(part.op.streams))
        for part in walk(stmt.value)
    )


def outside(scan: Scan) -> frozenset[str]:
    """The tensors that the steps of a scan read as they find them."""
    return live_through(scan.body, frozenset(scan.ends))[0] - {*scan.inner}


def begins(scan: Scan) -> frozenset[str]:
    """The tensors that a scan reads before its first step."""
    return frozenset().union(*(reads(value) for value in expressions(scan)))


def live_through(body: Sequence[Stmt], after: frozenset[str]) -> list[frozenset[str]]:
    """What is live before each statement of a body, and after the last."""
    lives = [after]
    for stmt in reversed(body):
        lives.append(live_before(stmt, lives[-1]))
    return lives[::-1]


def assigned_names(body: Sequence[Stmt]) -> list[str]:
    """The tensors that statements assign."""
    return list(dict.fromkeys(n for s in statements(body) for n in _targets(s)))


def _targets(stmt: Stmt) -> tuple[str, ...]:
    match stmt:
        case Assign(targets):
            return targets
        case NewList(name) | Pop(name):
            return (name,)
        case Scan():
            return (*stmt.inner, *stmt.outer)
    return ()
