"""Which layers stay in a loop though a scan is asked for, and why."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from .. import ir
from ..ir.fold_statements import bodies, statements
from ..source import Span
from .calls.gather import obstacle
from .module import by_layer, prepared
from .options import Options
from .signature import Names, assign_names, may_weigh, unscanned


def looped(program: ir.Program, options: Options) -> list[tuple[Span, str]] | None:
    """The loops and stacks that no scan runs, each with the reason; None where there are neither."""
    always = by_layer(program)
    program, options = prepared(program, options)
    names = assign_names(program)
    found = [
        (span, always or why)
        for definition in program.definitions
        for span, why in _stacks(definition.body, names, options)
    ]
    if not found:
        return None
    return [(span, why) for span, why in found if why]


def _stacks(
    body: Sequence[ir.Stmt], names: Names, options: Options
) -> Iterator[tuple[Span, str]]:
    """Every loop that declares layers with weights, and every stack, each with what keeps a scan
    from it: an empty text where nothing does."""
    known = names.signatures
    for stmt in statements(body):
        match stmt:
            case ir.For(over=None):
                if any(may_weigh(layer, known) for layer in _own(stmt.body)):
                    yield stmt.span, obstacle(stmt) or ""
            case ir.Declare(layer) if layer.count is not None:
                if may_weigh(layer, known):
                    yield layer.span, unscanned(layer, known, options) or ""


def _own(body: Sequence[ir.Stmt]) -> Iterator[ir.Layer]:
    """The layers that an iteration declares, those of inner loops aside."""
    for stmt in body:
        if isinstance(stmt, ir.Declare):
            yield stmt.layer
        elif not isinstance(stmt, ir.For):
            for inner in bodies(stmt):
                yield from _own(inner)
