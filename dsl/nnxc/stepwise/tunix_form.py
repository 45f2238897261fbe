"""A program as Tunix calls its model: with layers that take masks and caches from outside."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from .. import ir
from ..dims import Dim
from ..ir.fold_statements import (
    all_expressions,
    bodies,
    expressions,
    layers,
    mapped,
    placed,
    repeats,
    with_expressions,
)
from ..ir.fold_tensors import operands, rebuilt, walk
from ..ir.liveness import assigned_names, live_before, live_through, reads
from ..ops.base import Call, Helper, Op
from ..ops.stepwise_helpers import STEPWISE
from ..ops.tunix_layers import ATTENTION, IN_PLACE_OF, SELF_ATTENTION
from ..record import Record, replace
from ..shapes import TensorType
from ..source import Span
from .programs import logits_of, time_of
from .time import carries

_HIDDEN = "x"  # what the head is given


class Parts(Record):
    """A model in two: what comes before its head, and the head, of what comes before."""

    features: ir.Definition
    head: ir.Definition


def for_tunix(program: ir.Program) -> ir.Program:
    """The program, once it goes step by step, with the layers that Tunix needs."""
    definitions = tuple(
        replace(d, body=mapped(d.body, _swapped)) for d in program.definitions
    )
    return replace(program, definitions=definitions)


def foreign(program: ir.Program) -> ir.Layer | None:
    """A layer that keeps what Tunix's cache has no place for; None where there is none."""
    return next(
        (
            layer
            for layer, helper in _stepping(program)
            if any(h.name == STEPWISE.name for h in helper.needs)
            and helper.name not in IN_PLACE_OF
        ),
        None,
    )


def attending(program: ir.Program) -> list[ir.Layer]:
    """The layers that keep keys and values in Tunix's cache."""
    keeping = (ATTENTION, SELF_ATTENTION)
    found = _stepping(program)
    return [layer for layer, h in found if IN_PLACE_OF.get(h.name) in keeping]


def _stepping(program: ir.Program) -> Iterator[tuple[ir.Layer, Helper]]:
    """The layers that are classes of generated code, with those classes."""
    for definition in program.definitions:
        for layer in layers(definition.body):
            if isinstance(layer.callee, Op) and layer.callee.helper is not None:
                yield layer, layer.callee.helper


def _swapped(stmt: ir.Stmt) -> ir.Stmt:
    match stmt:
        case ir.Declare(ir.Layer(callee=Op(helper=helper) as op) as layer) if (
            helper is not None and helper.name in IN_PLACE_OF
        ):
            new = IN_PLACE_OF[helper.name]
            assert isinstance(op.build, Call)
            build = replace(op.build, target=new.name)
            return ir.Declare(
                replace(layer, callee=replace(op, helper=new, build=build))
            )
    return stmt


# ----------------------------------------------------------------------- head


def parts_of(model: ir.Definition) -> Parts | None:
    """The model in two; None where its scores are not made of one value alone."""
    index = logits_of(model)
    assert index is not None
    time = time_of(model)
    heads = [_heads(stmt, model, index, time) for stmt in model.body]
    at = next((n for n, found in enumerate(heads) if found), None)
    if at is None:
        return None
    first, *others = (operands(head)[0] for found in heads[at:] for head in found)
    if not all(_same(first, other) for other in others):
        return None
    rest = _of_hidden(model.body[at:], first, index)
    if rest is None:
        return None
    before = (*model.body[:at], ir.Return((first,), first.span))
    given = ir.ModelInput(_HIDDEN, first.type, False, first.span)  # type: ignore[arg-type]
    after = (*_made(model.body[:at], _used(rest)), *rest)
    return Parts(
        replace(model, body=before, outputs=(first.type,)),
        replace(model, inputs=(given,), body=after, outputs=(model.outputs[index],)),
    )


def _of_hidden(
    body: Sequence[ir.Stmt], value: ir.Expr, index: int
) -> tuple[ir.Stmt, ...] | None:
    """Statements from the head on, with their input in the place of a value; None where they need
    something else from above."""
    scored = _needed(mapped(body, lambda stmt: _scored(stmt, index)))
    apart = _with_input(scored, value, "")
    lives = live_through(apart, frozenset())
    if not lives[0] <= {""}:
        return None
    hidden = _HIDDEN
    assigned = [set(assigned_names(apart[:n])) for n in range(len(lives))]
    if any(
        "" in live and hidden in known
        for live, known in zip(lives, assigned, strict=True)
    ):
        taken = ir.Var(hidden, value.type, value.span)
        hidden = next(n for n in ("hidden", "scored_of") if n not in assigned[-1])
        start = (ir.Assign((hidden,), taken, value.span),)
        return (*start, *_with_input(scored, value, hidden))
    return _with_input(scored, value, hidden)


def _needed(body: Sequence[ir.Stmt]) -> list[ir.Stmt]:
    """Statements without those whose values nothing below reads."""
    found: list[ir.Stmt] = []
    live: frozenset[str] = frozenset()
    for stmt in reversed(body):
        if not isinstance(stmt, ir.Assign) or not live.isdisjoint(stmt.targets):
            live = live_before(stmt, live)
            found.insert(0, stmt)
    return found


def _with_input(
    body: Sequence[ir.Stmt], value: ir.Expr, name: str
) -> tuple[ir.Stmt, ...]:
    """Statements with an input in the place of a value, as long as it is the same one."""
    taken, read = ir.Var(name, value.type, value.span), reads(value)
    found: list[ir.Stmt] = []
    for n, stmt in enumerate(body):
        inside = (s for part in bodies(stmt) for s in part)
        if read.isdisjoint(assigned_names([*body[:n], *inside])):
            (stmt,) = mapped((stmt,), lambda s: _replaced(s, value, taken))
        found.append(stmt)
    return tuple(found)


def _replaced(stmt: ir.Stmt, value: ir.Expr, by: ir.Expr) -> ir.Stmt:
    return with_expressions(stmt, [_with(e, value, by) for e in expressions(stmt)])


def _used(body: Sequence[ir.Stmt]) -> set[str]:
    """The layers and variables that statements read."""
    found: set[str] = set()
    for expr in (part for whole in all_expressions(body) for part in walk(whole)):
        match expr:
            case ir.Apply(layer):
                found.add(layer)
            case ir.Var(name):
                found.add(name)
    return found


def _made(body: Sequence[ir.Stmt], used: set[str]) -> tuple[ir.Stmt, ...]:
    """What statements construct that is used, each on its side of an `if`."""
    found: list[ir.Stmt] = []
    for stmt in body:
        match stmt:
            case ir.Declare(ir.Layer(name)) | ir.Variable(name) if name in used:
                found.append(stmt)
            case ir.If(then=then, orelse=orelse):
                sides = _made(then, used), _made(orelse, used)
                if any(sides):
                    found.append(replace(stmt, then=sides[0], orelse=sides[1]))
    return tuple(found)


def _heads(
    stmt: ir.Stmt, model: ir.Definition, index: int, time: str
) -> list[ir.Apply]:
    """Layers that make scores: of as many entries as the scores, from another width."""
    scores = model.outputs[index]
    assert isinstance(scores, TensorType)
    return [
        part
        for inner, around in placed((stmt,))
        if not repeats(around)
        for expr in expressions(inner)
        for part in walk(expr)
        if isinstance(part, ir.Apply) and _scores(part, scores.sizes[-1], time)
    ]


def _scores(part: ir.Apply, width: Dim, time: str) -> bool:
    """Whether a layer gives each token of a sequence that many values, of one input."""
    given = operands(part)
    return (
        isinstance(part.type, TensorType)
        and part.type.rank == 3
        and part.type.sizes[-1] == width
        and len(given) == 1
        and carries(given[0].type, time)
    )


def _scored(stmt: ir.Stmt, index: int) -> ir.Stmt:
    """A statement of the head alone: of the outputs, only the scores are left."""
    match stmt:
        case ir.Return(values):
            return ir.Return((values[index],), stmt.span)  # the one has no name
    return stmt


def _with(expr: ir.Expr, value: ir.Expr, by: ir.Expr) -> ir.Expr:
    if _same(expr, value):
        return by
    parts = operands(expr)
    return rebuilt(expr, [_with(p, value, by) for p in parts]) if parts else expr


def _same(one: ir.Expr, other: ir.Expr) -> bool:
    """Whether two expressions say the same, wherever they stand."""
    return _at(one, other.span) == _at(other, other.span)


def _at(expr: ir.Expr, span: Span) -> ir.Expr:
    inner = [_at(part, span) for part in operands(expr)]
    return replace(rebuilt(expr, inner), span=span)
