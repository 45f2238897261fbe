"""A scan among the statements of a call: its function, what it begins with, what it leaves."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from ... import ir
from ...ir.fold_statements import expressions, statements
from ...ir.fold_tensors import walk
from ...ir.liveness import outside, reads
from ..python.free_names import names_of
from ..python.line_uses import Use
from ..python.static_text import size
from ..python.suites import Node, names_read
from ..signature import Draws, layer_draws
from . import scans

if TYPE_CHECKING:
    from .flow import Flow

_CALL = len("x, y = jax.lax.scan(step, )")


def write_scan(flow: Flow, stmt: ir.Scan, after: frozenset[str]) -> None:
    """Write a scan to the present block."""
    free = outside(stmt)
    inputs = tuple(scans.stepped(step) for step in stmt.steps)
    first = tuple(value for _, value in stmt.carries)
    ready = flow.lower.ready((*first, *inputs), free | after, _CALL)
    parts = tuple(flow.part(value) for value in ready)
    give, count = flow.locals.namespace.give, len(first)
    step = give("step", f"{stmt.outer[-1]}_step")
    lent = scans.Free(step, give("carry"), give("xs"), give("keys"))
    with flow.scope.recording() as uses:
        length = size(stmt.length, flow.scope).text
    python = flow.locals.text
    carries = tuple(python[name] for name, _ in stmt.carries)
    left = tuple(python[n] if n in after else "_" for n, _ in stmt.carries)
    collected = tuple(python[made.name] for made in stmt.collects)
    nodes, ends, more = _step(flow, stmt, free)
    steps = scans.Steps(
        _kept(flow, nodes, ends, free),
        carries,
        tuple(map(scans.carried_type, ready[:count])),
        tuple(python[step.name] for step in stmt.steps),
        nodes,
        (ends[:count], ends[count:]),
        more,
        parts[:count],
        parts[count:],
        (left, collected),
        _drawn(flow, stmt),
        (length, tuple(uses)),
        stmt.reverse,
        flow.names.access[stmt.within] if stmt.within else "jax.lax.scan",
    )
    for name in (lent.carry, lent.entries, lent.keys):
        flow.locals.namespace.release(name)
    flow.lower.nodes += scans.scan(steps, lent)
    flow.locals.written |= {*stmt.outer}


def _step(
    flow: Flow, stmt: ir.Scan, free: frozenset[str]
) -> tuple[tuple[Node, ...], tuple[str, ...], tuple[Use, ...]]:
    """The statements of one step, what it returns, and what that uses. It is a function:
    what it reads from the outside, it must not assign."""
    body, collected = scans.divided(stmt)
    carries = (ir.Var(n, v.type, v.span) for n, v in stmt.carries)
    values = (
        *carries,
        *collected.values(),
    )
    needed = free.union(*(reads(value) for value in values))
    written = set(flow.locals.written)
    flow.locals.written |= {*stmt.inner}
    flow.names.loops += 1
    with flow.lower.block() as nodes:
        flow.statements(body, needed)
        ready = flow.lower.ready(values, free, len("return "))
        parts = [flow.part(value) for value in ready]
    flow.names.loops -= 1
    flow.locals.written = written
    uses = tuple(u for _, part_uses in parts for u in part_uses)
    return tuple(nodes), tuple(text for text, _ in parts), uses


def _kept(
    flow: Flow, nodes: Iterable[Node], ends: Iterable[str], free: frozenset[str]
) -> tuple[str, ...]:
    """What a step in a loop takes from the iteration that it is made in."""
    if not flow.iterated:
        return ()
    tensors = sorted(free & flow.rebound)
    around = [*flow.iterated, *(flow.locals.text[name] for name in tensors)]
    read = names_of(ends).union(names_read(nodes))
    return tuple(n for n in dict.fromkeys(around) if n in read)


def _drawn(flow: Flow, stmt: ir.Scan) -> Draws:
    known = flow.names.module.signatures
    of = {n: layer_draws(layer, known) for n, layer in flow.names.layers.items()}
    tops = (e for s in statements(stmt.body) for e in expressions(s))
    return scans.draws((e for top in tops for e in walk(top)), of)
