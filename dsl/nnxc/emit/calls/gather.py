"""Loops whose layers are all alike, as loops over a stack: so that a scan can run them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from ... import ir
from ...dims import Dim
from ...ir.fold_tensors import walk
from ...ir.liveness import reads
from ...record import Record, names_of, replace
from ...source import Span


def stacked(program: ir.Program) -> ir.Program:
    """The program with the layers of such loops declared as stacks ahead of them."""
    definitions = tuple(
        replace(d, body=tuple(_statements(d.body))) for d in program.definitions
    )
    return replace(program, definitions=definitions)


class Iteration(Record):
    """What each iteration over a stack does: `target = call`, and where one is gathered, the
    list that `target` goes to, ahead of the call or after it."""

    target: str
    call: ir.Apply
    gathered: str | None = None
    before: bool = False


def iteration(body: Sequence[ir.Stmt]) -> Iteration | None:
    """The body of a loop as such; None where it does more."""
    made: Iteration | None
    match body:
        case (ir.Assign((target,), ir.Apply() as call),):
            made = Iteration(target, call)
        case (ir.Append(name, ir.Var(value)), ir.Assign((target,), ir.Apply() as call)):
            made = Iteration(target, call, name, True) if value == target else None
        case (ir.Assign((target,), ir.Apply() as call), ir.Append(name, ir.Var(value))):
            made = Iteration(target, call, name) if value == target else None
        case _:
            return None
    return made if made and _passes_on(made.target, made.call) else None


def _passes_on(target: str, call: ir.Apply) -> bool:
    """Whether the first input is what changes, and the only one that does: the others are
    computed once."""
    (_, first), *others = call.args
    own = isinstance(first, ir.Var) and first.name == target
    same = (target not in reads(v) and _is_same_again(v) for _, v in others)
    return own and all(same) and not call.each


def _is_same_again(value: ir.Expr) -> bool:
    """Whether a value draws nothing and keeps nothing."""
    return not any(
        isinstance(e, ir.Apply) or (isinstance(e, ir.OpCall) and e.stream is not None)
        for e in walk(value)
    )


def _statements(body: Sequence[ir.Stmt]) -> Iterator[ir.Stmt]:
    for stmt in body:
        match stmt:
            case ir.For():
                yield from _loop(stmt)
            case ir.If():
                then, orelse = _statements(stmt.then), _statements(stmt.orelse)
                yield replace(stmt, then=tuple(then), orelse=tuple(orelse))
            case _:
                yield stmt


def _loop(stmt: ir.For) -> Iterator[ir.Stmt]:
    if obstacle(stmt):
        yield replace(stmt, body=tuple(_statements(stmt.body)))
        return
    assert isinstance(stmt.iterable, ir.StaticCall)
    (layer,), rest = _parts(stmt)
    yield ir.Declare(replace(layer, count=stmt.iterable.args[0]))
    yield replace(stmt, body=rest, over=layer.name)


def _parts(loop: ir.For) -> tuple[list[ir.Layer], tuple[ir.Stmt, ...]]:
    """The layers that an iteration declares, and what else it does."""
    layers = [s.layer for s in loop.body if isinstance(s, ir.Declare)]
    return layers, tuple(s for s in loop.body if not isinstance(s, ir.Declare))


def obstacle(loop: ir.For) -> str | None:
    """Why a loop is none over a stack; None where its iterations differ in the weights of their
    one layer alone."""
    layers, rest = _parts(loop)
    changing = [*loop.targets, *(c.symbol for c in loop.carried)]
    differ = next((name for name in changing if _mentions(loop.body, name)), None)
    match loop.iterable:
        case ir.StaticCall("range", (_,)):
            pass
        case _:
            return "it goes along a list"
    if differ or loop.carried:
        return f"its iterations differ by `{differ or changing[-1]}`"
    if len(layers) != 1 or iteration(rest) is None:
        return "an iteration does more than hand a tensor through one block"
    layer = layers[0]
    if layer.count or layer.copies or not isinstance(layer.callee, str):
        return "its layer is no block"
    return None


def _mentions(node: object, name: str) -> bool:
    """Whether a static name or size occurs in a piece of the program."""
    match node:
        case ir.Ref(found):
            return found == name
        case Dim():
            return name in node.symbols
        case Span() | str():
            return False
        case tuple():
            return any(_mentions(part, name) for part in node)
        case Mapping():
            return any(_mentions(part, name) for part in node.values())
        case Record():
            return any(_mentions(getattr(node, n), name) for n in names_of(node))
    return False
