"""The entries of the library that a program uses, and the helpers that they need."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence

from .. import ir
from ..ops.base import Helper, Op
from .reads import declared, expressions, statements, walk


def helpers_of(program: ir.Program) -> list[Helper]:
    """The helpers in the order of their first use."""
    found = (op.helper for op in ops(program) if op.helper and _calls(op, op.helper))
    return list({helper.name: helper for helper in found}.values())


def _calls(op: Op, helper: Helper) -> bool:
    """Whether one of an entry's builds needs its helper, for arguments may choose another."""
    builds = (op.build, *op.variants.values())
    targets = (b if isinstance(b, str) else b.target for b in builds)
    return any(re.search(rf"(?<![\w.]){helper.name}\b", text) for text in targets)


def ops(program: ir.Program) -> Iterator[Op]:
    """Every layer and function, as often as it occurs."""
    for definition in program.definitions:
        for item in declared(definition.body):
            if isinstance(item, ir.Layer) and isinstance(item.callee, Op):
                yield item.callee
        yield from _called(_tops(definition.body))
    for train in program.trains:
        metrics = [value for _, value in train.metrics]
        yield from _called([*_tops(train.body), train.loss, *metrics])


def _tops(body: Sequence[ir.Stmt]) -> list[ir.Expr]:
    return [expr for stmt in statements(body) for expr in expressions(stmt)]


def _called(exprs: Iterable[ir.Expr]) -> Iterator[Op]:
    for top in exprs:
        yield from (e.op for e in walk(top) if isinstance(e, ir.OpCall))
