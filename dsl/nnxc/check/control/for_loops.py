"""`for` loops: checked until the sizes that change from iteration to iteration have names."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from ... import ir
from ...diagnostics import Advice, Label, Sink, write
from ...dims import Dim, symbol
from ...ir.fold_static import static_dims
from ...ops.base import Kind
from ...record import replace
from ...shapes import Axis, TensorType
from ...source import Span
from ...syntax import tree
from ...syntax.walk import mentioned, targets
from ..construction import build_from_static
from ..context import Context
from ..definitions.declarations import check_name
from ..definitions.parameter_kinds import demand
from ..expressions import statics
from ..values import Bad, Binding, Listed, Static, Tensor, Value
from . import changing, list_types, trials
from .kept import contained
from .loop_ends import Loop, left_behind
from .loop_heads import as_scan, changed_in, iterable_of, no_list
from .scalars import as_tensor, counterpart
from .targets import with_article

PASSES = 6


MAX_DEPTH = 4


def for_statement(ctx: Context, node: tree.For) -> None:
    """`for targets in iterable:`."""

    if ctx.conditional >= MAX_DEPTH * 2:
        ctx.fail("N251", "loops and conditions are nested too deeply", node.span)
    iterable = iterable_of(ctx, node)
    if iterable.flavor == "unknown" and iterable.param is not None:
        demand(ctx, iterable.param, Kind.LIST, node.iterable.span)
    elif iterable.flavor not in ("list", "window"):
        no_list(ctx, node, iterable)
    what = "the number of iterations"
    advice = as_scan(ctx, node)
    build_from_static(ctx, iterable.node, node.iterable.span, what, advice)
    loop = Loop(node, iterable, dict(ctx.scope))
    with contained(ctx, changed_in(node)):
        _settle(ctx, loop)


def _settle(ctx: Context, loop: Loop) -> None:
    """Run the body until it changes nothing that it did not change before."""
    real = ctx.sink
    for _ in range(PASSES):
        before = trials.snapshot(ctx)
        ctx.sink = Sink()
        settled = True
        try:
            stmts, end, phis = _run(ctx, loop)
            settled = not _generalise(ctx, loop, end) and not _learn(ctx, loop, end)
        finally:
            found, ctx.sink = ctx.sink, real
            for diagnostic in found.diagnostics if settled else ():
                real.add(diagnostic)
        if settled:
            _finish(ctx, loop, stmts, end, phis)
            return
        trials.restore(ctx, before)
        ctx.scope = dict(loop.entry)
    ctx.fail("N252", "the shapes in this loop never settle", loop.node.span)


def _run(
    ctx: Context, loop: Loop
) -> tuple[list[Any], dict[str, Binding], dict[str, Binding]]:
    """One pass over the body."""
    for name, entry in loop.carried.items():
        ctx.carried.setdefault(name, entry.symbols)
    for name, own in loop.statics.items():
        ctx.carried.setdefault(own, _roots(loop.entry[name].value))
    for name, roots in loop.roots.items():
        ctx.carried[name] = frozenset(ctx.carried[name]) | roots
    ctx.at_call.update(loop.at_call)
    ctx.temporaries |= loop.at_call.keys()
    phis = _phis(ctx, loop)
    ctx.scope = {**loop.entry, **phis}
    with ctx.inside(), ctx.nested() as stmts:
        _bind_targets(ctx, loop)
        ctx.statements(loop.node.body)
        end = dict(ctx.scope)
    for name, phi in phis.items():
        last = end.get(name)
        if last is not None and last is not phi:
            phi.parents.append(last)
            if phi.used:
                last.use()
    return stmts, end, phis


def _phis(ctx: Context, loop: Loop) -> dict[str, Binding]:
    """What the loop changes, as it is when an iteration begins."""
    phis: dict[str, Binding] = {}
    for name in sorted(changed_in(loop.node) & loop.entry.keys()):
        first = loop.entry[name]
        first.gives_way = False  # further iterations would apply a value
        if first.what not in ("value", "input", "list"):
            continue
        if name not in loop.starts:
            loop.starts[name] = _changing(ctx, loop, name, first.value)
        value = loop.starts[name]
        phis[name] = Binding(name, value, first.span, first.what, parents=[first])
        phis[name].used = isinstance(value, Bad)
    return phis


def _changing(ctx: Context, loop: Loop, name: str, value: Value) -> Value:
    """A static local that the loop changes is known no longer; tensors keep their type."""
    if isinstance(value, Listed):
        return replace(value, items=None)
    if not isinstance(value, Static):
        return value
    own = loop.statics[name] = ctx.version(name)
    ctx.carried[own] = _roots(value)
    return changing.named(own, value)


def _roots(value: Value) -> frozenset[str]:
    """The names that a static value is made of."""
    if not isinstance(value, Static):
        return frozenset()
    return frozenset(s for d in _dims(changing.written(value)) for s in d.symbols)


def _bind_targets(ctx: Context, loop: Loop) -> None:
    targets, element = loop.node.targets, loop.iterable.element
    elements = _elements(ctx, loop, element, len(targets))
    roots = frozenset(s for d in _dims(loop.iterable.node) for s in d.symbols)
    for target, item in zip(targets, elements, strict=True):
        check_name(ctx, target.id, target.span)
        if target.id in loop.entry:
            held = loop.entry[target.id]
            ctx.fail(
                "N202",
                f"`{target.id}` already names {with_article(held.what)}",
                target.span,
                related=(Label(held.span, "here"),),
            )
        value = statics.loop_variable(target.id, item)
        ctx.locals[target.id] = roots
        if item.node == ir.Literal(0):
            ctx.maybe_zero.add(target.id)
        ctx.bind(target.id, value, target.span, "loop variable")


def _dims(node: ir.Static) -> list[Dim]:
    return static_dims(node)


def _elements(
    ctx: Context, loop: Loop, element: Static | None, count: int
) -> tuple[Static, ...]:
    unknown = Static(ir.Literal(None), "unknown")
    if count == 1:
        return (element or unknown,)
    if element is None or element.flavor == "unknown":
        return (unknown,) * count
    flat = element.items
    if len(flat) == count:
        return flat
    if element.flavor == "list" and not element.items:
        return (element.element or unknown,) * count
    values = f"{len(flat)} values" if len(flat) > 1 else "one value"
    span, advice = loop.node.iterable.span, Advice()
    if count == 2 and len(flat) < 2 and "(" not in span.text:
        advice = write(span, f"enumerate({span.text})")
    ctx.fail("N234", f"{count} names for {values}", span, **advice)


def _generalise(ctx: Context, loop: Loop, end: Mapping[str, Binding]) -> bool:
    """Give names to sizes that differ from the iteration's beginning; False where none is new."""
    found = False
    for name, first in loop.entry.items():
        last = end.get(name)
        start = loop.starts.get(name, first.value)
        wider = list_types.widened(start, last and last.value)
        if wider is not None:
            loop.starts[name] = wider
            found = True
        if isinstance(start, Static) and last and isinstance(last.value, Static):
            same = statics.united(start, last.value)
            if same is not None and (same.flavor, same.optional) != (
                start.flavor,
                start.optional,
            ):
                loop.starts[name] = changing.named(loop.statics[name], same)
                found = True
        if last is None or not isinstance(last.value, Tensor):
            continue
        if (like := counterpart(ctx, first.value, last.value)) is not None:
            loop.entry[name] = as_tensor(ctx, ctx.body, first, like)
            del loop.starts[name], loop.statics[name]
            found = True
        if not isinstance(start, Tensor):
            continue
        if isinstance(first.value, Tensor) and last.value.expr is not start.expr:
            new = _generalised(ctx, loop, start, last.value.type)
            if new is not None:
                loop.starts[name] = Tensor(ir.Var(name, new, first.span))
                found = True
    return found


def _learn(ctx: Context, loop: Loop, end: Mapping[str, Binding]) -> bool:
    """Note which carried sizes an iteration makes of what is passed at a call, so that nothing
    is constructed from them; False where nothing is new."""
    found = False
    for own, symbols, span in _left(loop, end):
        roots = ctx.roots(symbols - {own})
        passed = (roots & ctx.axes.keys()) - ctx.roots({own})
        if passed:
            loop.roots[own] = loop.roots.get(own, frozenset()) | passed
            found = True
        if roots & ctx.at_call.keys() and own not in ctx.at_call:
            loop.at_call[own] = span
            found = True
    return found


def _left(
    loop: Loop, end: Mapping[str, Binding]
) -> Iterator[tuple[str, frozenset[str], Span]]:
    """The carried symbols, each with the names in what an iteration leaves in it."""
    for name, start in loop.starts.items():
        last = end.get(name)
        if last is None:
            continue
        if isinstance(start, Tensor) and isinstance(last.value, Tensor):
            a, b = start.type, last.value.type
            for one, other in zip(a.sizes, b.sizes, strict=False):
                if one.name in loop.carried and one != other:
                    yield str(one.name), frozenset(other.symbols), last.span
        elif name in loop.statics:
            yield loop.statics[name], _roots(last.value), last.span


def _generalised(
    ctx: Context, loop: Loop, start: Tensor, last: TensorType
) -> TensorType | None:
    now = start.type
    if last.rank != now.rank or last.lead != now.lead or last.dtype != now.dtype:
        return None
    axes, changed = [], False
    for i, (a, b) in enumerate(zip(now.axes, last.axes, strict=True)):
        if a.size == b.size or a.size.name in loop.carried:
            axes.append(a)
            continue
        size = symbol(_symbol(ctx, loop, i, now, b))
        axes.append(Axis(size, a.label or b.label))
        changed = True
    return now.with_axes(tuple(axes)) if changed else None


def _symbol(ctx: Context, loop: Loop, i: int, now: TensorType, last: Axis) -> str:
    """The name of a carried size; values that change alike share it."""
    axis = now.axes[i]
    key = (axis.size, last.size)
    if key not in loop.symbols:
        names = axis.names(i, now.rank, "features", "in_features")
        if i in (1, 2) and now.rank == 4 and now.axes[1] == now.axes[2]:
            names = (*names, "height" if i == 1 else "width")
        chosen = ctx.unused_name(*names)
        loop.symbols[key] = chosen
        loop.carried[chosen] = axis.size
    return loop.symbols[key]


def _finish(
    ctx: Context,
    loop: Loop,
    stmts: list[Any],
    end: Mapping[str, Binding],
    phis: Mapping[str, Binding],
) -> None:
    """Check that the loop is consistent; bind what it leaves behind."""
    nexts: dict[str, Dim] = {}
    scope = dict(loop.entry)
    for name, phi in phis.items():
        last = end.get(name)
        if last is None or last is phi:
            continue
        value = left_behind(ctx, loop, name, phi, last, nexts)
        joined = Binding(name, value, last.span, last.what, parents=[phi, last])
        # What other values are made of is used, though nothing reads the last of it.
        passed_on = phi.used and _read_for_others(loop.node.body, name)
        joined.used = isinstance(value, Bad) or passed_on
        ctx.bindings.append(joined)
        scope[name] = joined
    for name in end:
        if name not in scope and end[name].what in ("value", "layer"):
            ctx.partial[name] = end[name].span
    ctx.scope = scope
    carried = tuple(_carried(loop, end, nexts))
    for item in carried:
        dims = [*_dims(item.entry), *_dims(item.next)]
        roots = frozenset(s for d in dims for s in d.symbols)
        ctx.carried[item.symbol] = roots - {item.symbol}
    targets = tuple(t.id for t in loop.node.targets)
    ctx.body.append(
        ir.For(targets, loop.iterable.node, stmts, carried, loop.node.span)  # type: ignore[arg-type]
    )


def _carried(
    loop: Loop, end: Mapping[str, Binding], nexts: Mapping[str, Dim]
) -> Iterator[ir.Carried]:
    """What an iteration hands to the next: sizes, and static locals."""
    for own, size in loop.carried.items():
        yield ir.Carried(own, ir.Size(size), ir.Size(nexts.get(own, symbol(own))))
    for name, own in loop.statics.items():
        first, last = loop.entry[name].value, end[name].value
        if isinstance(first, Static) and isinstance(last, Static):
            yield ir.Carried(own, changing.written(first), changing.written(last))


def _read_for_others(body: tuple[tree.Statement, ...], name: str) -> bool:
    """Whether a statement reads a name and gives another one a value."""
    return any(
        name in mentioned(stmt) and any(t.id != name for t in targets(stmt))
        for stmt in body
    )
