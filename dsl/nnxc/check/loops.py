"""`for` loops: checked until the sizes that change from iteration to iteration have names."""

from __future__ import annotations

import copy
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from .. import ir
from ..diagnostics import Advice, Label, Sink, write
from ..dims import Dim, symbol
from ..ops.base import Kind
from ..record import replace
from ..shapes import Axis, TensorType
from ..source import Span
from ..syntax import tree
from ..syntax.walk import names_in
from . import changing, lists, statics
from .context import Context
from .flavors import describe
from .kept import contained
from .kinds import demand
from .scalars import as_tensor, counterpart, repair
from .values import BAD, Bad, Binding, Fault, Listed, Several, Static, Tensor, Value

PASSES = 4
MAX_DEPTH = 4
STATE = (
    "layers",
    "inferred",
    "streams",
    "modes",
    "carried",
    "locals",
    "at_call",
    "obligations",
    "bindings",
    "temporaries",
    "kept",
    "broken",
    "lost",
    "faulty",
    "abandoned",
)


@dataclass(slots=True)
class Loop:
    """The loop being checked: what its variables look like as an iteration begins."""

    node: tree.For
    iterable: Static
    entry: dict[str, Binding]
    starts: dict[str, Value] = field(default_factory=dict)
    symbols: dict[tuple[Dim, Dim], str] = field(default_factory=dict)
    carried: dict[str, Dim] = field(default_factory=dict)  # symbol -> entry
    statics: dict[str, str] = field(default_factory=dict)  # local -> its symbol


def for_statement(ctx: Context, node: tree.For) -> None:
    """`for targets in iterable:`."""

    if ctx.conditional >= MAX_DEPTH * 2:
        ctx.fail("N251", "loops and conditions are nested too deeply", node.span)
    iterable = _iterable(ctx, node)
    if iterable.flavor == "unknown" and iterable.param is not None:
        demand(ctx, iterable.param, Kind.LIST, node.iterable.span)
    elif iterable.flavor not in ("list", "window"):
        ctx.fail(
            "N220",
            "a loop runs over a list or a range",
            node.iterable.span,
            f"this is {describe(iterable)}",
            help="write `range(n)`" if iterable.flavor in ("int", "unknown") else None,
        )
    what = "the number of iterations"
    advice = as_scan(ctx, node)
    ctx.build_from_static(iterable.node, node.iterable.span, what, advice)
    loop = Loop(node, iterable, dict(ctx.scope))
    with contained(ctx, _changed(node)):
        _settle(ctx, loop)


def _iterable(ctx: Context, node: tree.For) -> Static:
    """What a loop runs over, which is known at construction."""
    from .expressions import expr, static

    what = "what a loop runs over"
    if isinstance(node.iterable, tree.Name):
        value = expr(ctx, node.iterable)
        if isinstance(value, (Listed, Several)):
            text, label = (
                f"{what} must be known when the model is built",
                "these are tensors",
            )
            ctx.fail(
                "N230", text, node.iterable.span, label, **_one_by_one(node, value)
            )
    return static(ctx, node.iterable, what)


def _one_by_one(node: tree.For, value: Listed | Several) -> Advice:
    """A loop over tensors, as one that counts, or written out for a few."""
    source, name, held = node.span.source, node.targets[0].id, node.iterable.span.text
    margin = " " * (source.position(node.span.start)[1] - 1)
    count = value.count.value if isinstance(value, Listed) and value.count else None
    if len(node.targets) > 1 or (isinstance(value, Listed) and count is None):
        return {"help": "count: `for i in range(n):`, and take one by `[i]`"}
    if count is not None:
        text = f"for i in range({count}):\n{margin}    {name} = {held}[i]"
        return write(node.span.to(_colon(node)), text, "a loop counts")
    body = source.text[_colon(node).end : node.body[-1].span.end].lstrip("\n")
    lines = [line.removeprefix("    ") for line in body.split("\n")]
    copies = (
        re.sub(rf"\b{name}\b", f"{held}[{i}]", "\n".join(lines))
        for i in range(len(value.types) if isinstance(value, Several) else 0)
    )
    text = "\n".join(copies).removeprefix(margin)
    return write(
        node.span.to(node.body[-1].span), text, "write out what is done to each"
    )


def _colon(node: tree.For) -> Span:
    source, end = node.span.source, node.iterable.span.end
    at = source.text.index(":", end)
    return Span(source, at, at + 1)


def as_scan(ctx: Context, node: tree.For) -> Advice | None:
    """The head of a scan for a loop over an axis, where nothing but tensors changes in it."""
    match node.iterable:
        case tree.Call(tree.Name("range"), (tree.Arg(None, tree.Name(axis)),)):
            pass
        case _:
            return None
    if axis not in ctx.axes or lists.changed(node.body):
        return None
    kept = [n for n in sorted(_changed(node)) if n in ctx.scope]
    if not kept or len(node.targets) != 1:
        return None
    name = node.targets[0].id
    counted = any(n.id == name for n in names_in(node.body))
    steps = f"{name} in arange({axis}) over {axis}" if counted else f"over {axis}"
    carries = ", ".join(f"{n} = {n}" for n in kept)
    place = node.span.to(_colon(node))
    return write(place, f"scan {steps} with {carries}:", "a scan steps along an axis")


def _settle(ctx: Context, loop: Loop) -> None:
    """Run the body until it changes nothing that it did not change before."""
    real = ctx.sink
    for _ in range(PASSES):
        before = _snapshot(ctx)
        ctx.sink = Sink()
        settled = True
        try:
            stmts, end, phis = _run(ctx, loop)
            settled = not _generalise(ctx, loop, end)
        finally:
            found, ctx.sink = ctx.sink, real
            for diagnostic in found.diagnostics if settled else ():
                real.add(diagnostic)
        if settled:
            _finish(ctx, loop, stmts, end, phis)
            return
        _restore(ctx, before)
        ctx.scope = dict(loop.entry)
    ctx.fail("N252", "the shapes in this loop never settle", loop.node.span)


def _snapshot(ctx: Context) -> dict[str, Any]:
    state = {name: copy.copy(getattr(ctx, name)) for name in STATE}
    layers = {key: copy.copy(info) for key, info in ctx.layers.items()}
    return {**state, "infos": layers}


def _restore(ctx: Context, before: dict[str, Any]) -> None:
    for name in STATE:
        setattr(ctx, name, before[name])
    for key, info in ctx.layers.items():
        saved = before["infos"][key]
        info.bound_at, info.sizes = saved.bound_at, saved.sizes
        info.weights, info.gives = saved.weights, saved.gives


def _run(
    ctx: Context, loop: Loop
) -> tuple[list[Any], dict[str, Binding], dict[str, Binding]]:
    """One pass over the body."""
    from .statements import statements

    for name, entry in loop.carried.items():
        ctx.carried.setdefault(name, entry.symbols)
    for name, own in loop.statics.items():
        ctx.carried.setdefault(own, _roots(loop.entry[name].value))
    phis = _phis(ctx, loop)
    ctx.scope = {**loop.entry, **phis}
    with ctx.inside(), ctx.nested() as stmts:
        _bind_targets(ctx, loop)
        statements(ctx, loop.node.body)
        end = dict(ctx.scope)
    for name, phi in phis.items():
        last = end.get(name)
        if last is not None and last is not phi:
            phi.parents.append(last)
            if phi.used:
                last.use()
    return stmts, end, phis


def _changed(node: tree.For) -> set[str]:
    """The names that get values, and the lists that grow or shrink."""
    from .statements import targets

    return {t.id for s in node.body for t in targets(s)} | lists.changed(node.body)


def _phis(ctx: Context, loop: Loop) -> dict[str, Binding]:
    """What the loop changes, as it is when an iteration begins."""
    phis: dict[str, Binding] = {}
    for name in sorted(_changed(loop.node) & loop.entry.keys()):
        first = loop.entry[name]
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
    from .declarations import check_name, with_article

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
    from .apply import static_dims

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
    ctx.fail("N234", f"{count} names for {values}", loop.node.iterable.span)


def _generalise(ctx: Context, loop: Loop, end: Mapping[str, Binding]) -> bool:
    """Give names to sizes that differ from the iteration's beginning; False where none is new."""
    found = False
    for name, first in loop.entry.items():
        last = end.get(name)
        start = loop.starts.get(name, first.value)
        wider = lists.widened(start, last and last.value)
        if wider is not None:
            loop.starts[name] = wider
            found = True
        if isinstance(start, Static) and last and isinstance(last.value, Static):
            same = statics.united(start, last.value)
            if same is not None and same.flavor != start.flavor:
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
            new = _generalised(ctx, loop, name, first.value, start, last.value.type)
            if new is not None:
                loop.starts[name] = Tensor(ir.Var(name, new, first.span))
                found = True
    return found


def _generalised(
    ctx: Context, loop: Loop, name: str, first: Tensor, start: Tensor, last: TensorType
) -> TensorType | None:
    now = start.type
    if last.rank != now.rank or last.lead != now.lead or last.dtype != now.dtype:
        return None
    axes, changed = [], False
    for i, (a, b) in enumerate(zip(now.axes, last.axes, strict=True)):
        if a.size == b.size or a.size.name in loop.carried:
            axes.append(a)
            continue
        size = symbol(_symbol(ctx, loop, name, i, now.rank, a, b))
        axes.append(Axis(size, a.label or b.label))
        changed = True
    return now.with_axes(tuple(axes)) if changed else None


def _symbol(
    ctx: Context, loop: Loop, name: str, i: int, rank: int, a: Axis, b: Axis
) -> str:
    """The name of a carried size; values that change alike share it."""
    key = (a.size, b.size)
    if key not in loop.symbols:
        label = (
            a.label.lower() if a.label else "features" if i == rank - 1 else f"size_{i}"
        )
        chosen = ctx.unused_name(label)
        loop.symbols[key] = chosen
        loop.carried[chosen] = a.size
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
        value = _left_behind(ctx, loop, name, phi, last, nexts)
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
    from .statements import mentioned, targets

    return any(
        name in mentioned(stmt) and any(t.id != name for t in targets(stmt))
        for stmt in body
    )


def _left_behind(
    ctx: Context,
    loop: Loop,
    name: str,
    phi: Binding,
    last: Binding,
    nexts: dict[str, Dim],
) -> Value:
    start, value = phi.value, last.value
    if isinstance(start, Bad) or isinstance(value, Bad):
        return BAD
    if isinstance(start, Static) and isinstance(value, Static):
        same = statics.united(start, value)
        if same is None or same.flavor != start.flavor:
            label = f"{describe(value)} takes the place of {describe(start)}"
            _unsettled(ctx, loop.node.span, name, label, last)
            return BAD
        return start
    if isinstance(start, Listed) and isinstance(value, Listed):
        return lists.after(ctx, start, value, loop.iterable)
    if not isinstance(start, Tensor) or not isinstance(value, Tensor):
        help = None
        if isinstance(loop.entry[name].value, Static) and isinstance(value, Tensor):
            help = repair(name, value, loop.entry)
        label = "it is another kind of thing"
        _unsettled(ctx, loop.node.span, name, label, last, help)
        return BAD
    a, b = start.type, value.type
    if a.rank != b.rank or a.lead != b.lead or a.dtype != b.dtype:
        _unsettled(ctx, loop.node.span, name, f"{a} becomes {b}", last)
        return BAD
    for x, y in zip(a.axes, b.axes, strict=True):
        if x.size.name in loop.carried:
            held = nexts.setdefault(str(x.size.name), y.size)
            if held != y.size:
                _unsettled(ctx, loop.node.span, name, f"{a} becomes {b}", last)
                return BAD
        elif x.size != y.size:
            try:
                ctx.fact(
                    x.size,
                    y.size,
                    last.span,
                    f"`{name}` changes its shape in this loop",
                    label=f"{a} becomes {b}",
                )
            except Fault:
                return BAD
    return Tensor(ir.Var(name, a, last.span))


def _unsettled(
    ctx: Context,
    span: Span,
    name: str,
    label: str,
    last: Binding,
    help: str | None = None,
) -> None:
    ctx.error(
        "N252",
        f"`{name}` changes in this loop",
        last.span,
        label,
        related=(Label(span, ""),),
        help=help,
    )
