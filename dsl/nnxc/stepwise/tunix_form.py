"""A program as Tunix calls its model: with layers that take masks and caches from outside."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from .. import ir
from ..dims import Dim
from ..ir.fold_statements import (
    all_expressions,
    expressions,
    layers,
    mapped,
    placed,
    repeats,
)
from ..ir.fold_tensors import operands, rebuilt, walk
from ..ops.base import Call, Helper, Op
from ..ops.stepwise_helpers import STEPWISE
from ..ops.tunix_layers import ATTENTION, IN_PLACE_OF, SELF_ATTENTION
from ..record import Record, replace
from ..shapes import TensorType
from ..source import Span
from .programs import logits_of, time_of
from .time import carries


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
    at = next(
        (n for n, s in enumerate(model.body) if _heads(s, model, index, time)), None
    )
    if at is None:
        return None
    found = {id(e): e for s in model.body[at:] for e in _heads(s, model, index, time)}
    features = [operands(e)[0] for e in found.values()]
    if any(not _same(f, features[0]) for f in features):
        return None
    value = features[0]
    before = (*model.body[:at], ir.Return((value,), value.span))
    given = ir.ModelInput("x", value.type, False, value.span)  # type: ignore[arg-type]
    taken = ir.Var("x", value.type, value.span)
    rest = mapped(model.body[at:], lambda s: _headed(s, value, taken, index))
    after = (*_made(model.body[:at], _used(rest)), *rest)
    return Parts(
        replace(model, body=before, outputs=(value.type,)),
        replace(model, inputs=(given,), body=after, outputs=(model.outputs[index],)),
    )


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


def _headed(stmt: ir.Stmt, value: ir.Expr, by: ir.Expr, index: int) -> ir.Stmt:
    """A statement of the head alone: of the outputs, only the scores are left."""
    match stmt:
        case ir.Assign():
            return replace(stmt, value=_with(stmt.value, value, by))
        case ir.Return(values):
            return ir.Return((_with(values[index], value, by),), stmt.span)
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
