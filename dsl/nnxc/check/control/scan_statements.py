"""`scan`: steps along an axis, each of which hands its carries to the next."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from ... import ir
from ...diagnostics import Label
from ...dims import Dim
from ...ir.fold_static import static_dims
from ...ops.base import Kind
from ...ops.base import Param as OpParam
from ...record import Record
from ...shapes import Axis, TensorType
from ...source import Span
from ...syntax import tree
from ...syntax.walk import bodies
from ..arguments import types
from ..arguments.axis_positions import axis_position
from ..context import Context
from ..definitions.declarations import check_name
from ..definitions.parameter_kinds import demand_sizes
from ..expressions.forms import named_size
from ..expressions.operands import static, static_or_name, tensor
from ..obligations import must_hold
from ..values import BAD, Bad, Binding, Fault, LayerInfo, Obligation, Tensor
from .carries import left_behind
from .kept import contained
from .lists import changed
from .scan_collects import Along, Inside, bind_collected, collects_in, stacked
from .targets import bindable, with_article

_OVER = OpParam("over", Kind.AXIS)
_AT_CALL = (ir.Computes, ir.For, ir.If, ir.Scan)


class Head(Record):
    """A checked head: values by name, those of a step without the axis."""

    along: Along
    steps: tuple[ir.Step, ...]
    carries: Mapping[str, Tensor]


def scan_statement(ctx: Context, node: tree.Scan) -> None:
    """`scan targets in sources over axis with carries:`."""
    taken = _names(ctx, node)
    head = _head(ctx, node)
    entry = dict(ctx.scope)
    lost = _changed_outside(ctx, node, entry)
    lost += sorted(n for n in changed(node.body) & entry.keys() if n not in lost)
    begin = _begin(ctx, node, head)
    with contained(ctx, {*taken, *(t.id for t in _assigned(node.body))}):
        stmts, end, inside = _body(ctx, node, taken)
    ctx.scope = entry
    known = {*entry, *head.carries}
    for name, last in end.items():
        if last.what == "layer" and name not in entry:
            ctx.scope[name] = last
        elif name not in known:
            ctx.partial[name] = last.span
    body, before = _divided(ctx, stmts)
    ctx.body += before
    collects = stacked(ctx, head.along, inside)
    for carry in node.carries:
        first = head.carries[carry.name].type
        left_behind(ctx, carry, begin[carry.name], end[carry.name], first)
    for name in lost:
        end[name].use()
        ctx.bind(name, BAD, end[name].span, "value")
    bind_collected(ctx, node, collects)
    ctx.body.append(
        ir.Scan(
            head.steps,
            tuple((name, value.expr) for name, value in head.carries.items()),
            tuple(collects.values()),
            head.along.axis.size,
            node.reversed,
            body,  # type: ignore[arg-type]
            node.span,
        )
    )


def _divided(
    ctx: Context, stmts: list[object]
) -> tuple[tuple[object, ...], list[object]]:
    """What is done in each step, and what is known before the first: not what follows from the
    loops and conditions within a step."""
    stays: list[object] = []
    before: list[object] = []
    own: set[str] = set()
    for stmt in stmts:
        at_call = isinstance(stmt, _AT_CALL)
        if at_call or not own.isdisjoint(ctx.roots(_asked(stmt))):
            own |= _given(stmt)
            stays.append(stmt)
        else:
            before.append(stmt)
    return tuple(stays), before


def _asked(stmt: object) -> set[str]:
    """The static names that what a step constructs is made of."""
    match stmt:
        case ir.StaticLet(value=value):
            return {s for d in static_dims(value) for s in d.symbols}
        case LayerInfo(args=args, sizes=sizes):
            dims = [d for static, _ in args.values() for d in static_dims(static)]
            return {s for d in (*dims, *sizes.values()) for s in d.symbols}
        case Obligation(left, right):
            return set(left.symbols | right.symbols)
    return set()


def _given(stmt: object) -> set[str]:
    """The static names that a statement gives values to."""
    match stmt:
        case ir.StaticLet(name):
            return {name}
        case ir.For(body=body, carried=carried):
            return {c.symbol for c in carried}.union(*map(_given, body))
        case ir.If(then=then, orelse=orelse):
            return set().union(*map(_given, (*then, *orelse)))
    return set()


def _names(ctx: Context, node: tree.Scan) -> dict[str, Span]:
    """The names that a step begins with: those of the inputs' entries are new."""
    taken: dict[str, Span] = {}
    carries = [tree.Name(c.name, c.name_span) for c in node.carries]
    for name in (*node.targets, *carries):
        check_name(ctx, name.id, name.span)
        if name.id in taken:
            message = f"`{name.id}` stands twice in the head of this scan"
            ctx.fail("N202", message, name.span)
        taken[name.id] = name.span
    for name in node.targets:
        held = ctx.scope.get(name.id)
        if held is not None and not isinstance(held.value, Bad):
            ctx.fail(
                "N202",
                f"`{name.id}` already names {with_article(held.what)}",
                name.span,
                related=(Label(held.span, "here"),),
                help="give its entries a name of their own",
            )
    for name in carries:
        bindable(ctx, name)
    return taken


# ----------------------------------------------------------------------- head


def _head(ctx: Context, node: tree.Scan) -> Head:
    if len(node.targets) != len(node.sources):
        names, count = len(node.targets), len(node.sources)
        message = (
            f"{names} name{'s' * (names != 1)} for {count} input{'s' * (count != 1)}"
        )
        ctx.fail("N234", message, node.targets[0].span)
    sources = _tensors(ctx, node.sources, "what a scan steps along")
    carries = _tensors(
        ctx, tuple(c.value for c in node.carries), "what a carry begins as"
    )
    along, positions = _along(ctx, node, sources)
    steps = tuple(
        ir.Step(name.id, value.expr, p - value.type.rank if value.type.lead else p)
        for name, value, p in zip(node.targets, sources, positions, strict=True)
    )
    values = zip(node.carries, carries, strict=True)
    return Head(along, steps, {carry.name: value for carry, value in values})


def _tensors(ctx: Context, nodes: tuple[tree.Expr, ...], what: str) -> list[Tensor]:
    """All of them, so that each mistake is found."""

    def one(node: tree.Expr) -> Tensor:
        return tensor(ctx, node, what)

    values = [ctx.attempt(lambda node=node: one(node)) for node in nodes]  # type: ignore[misc]
    found = [v for v in values if isinstance(v, Tensor)]
    if len(found) < len(values):
        raise Fault
    return found


def _along(
    ctx: Context, node: tree.Scan, sources: list[Tensor]
) -> tuple[Along, list[int]]:
    """The axis, and its position in each of the inputs."""
    if not sources:
        return Along(_count(ctx, node)), []
    over = static_or_name(ctx, node.over)
    positions = [axis_position(ctx, _OVER, node.over, over, s.type) for s in sources]
    first, at = sources[0].type, positions[0]
    for value, position in zip(sources[1:], positions[1:], strict=True):
        must_hold(
            ctx,
            value.type.sizes[position],
            first.sizes[at],
            value.expr.span,
            "what a scan steps along has one size",
            label=f"this is {value.type}",
            related=(Label(sources[0].expr.span, f"this is {first}"),),
        )
    return Along(first.axes[at], at - first.rank if first.lead else at), positions


def _count(ctx: Context, node: tree.Scan) -> Axis:
    """A number of steps: whole, and at least 1."""
    count = static(ctx, node.over, "the number of steps")
    if count.flavor not in ("int", "unknown"):
        message = "a scan without inputs goes over a number of steps"
        ctx.fail("N207", message, node.over.span)
    size: Dim = named_size(ctx, count, "steps", node.over.span)[1]
    types.positive(ctx, size, node.over.span)
    demand_sizes(ctx, size, node.over.span)
    return Axis(size, size.name)


# ----------------------------------------------------------------------- body


def _begin(ctx: Context, node: tree.Scan, head: Head) -> dict[str, Binding]:
    """Bind what a step begins with; returns the carries."""
    for target, step in zip(node.targets, head.steps, strict=True):
        value = step.value.type
        assert isinstance(value, TensorType)
        rest = list(value.axes)
        del rest[step.axis]
        var = ir.Var(target.id, value.with_axes(tuple(rest)), target.span)
        ctx.bind(target.id, Tensor(var), target.span, "value")
    spans = {c.name: c.name_span for c in node.carries}
    return {
        name: ctx.bind(
            name, Tensor(ir.Var(name, value.type, spans[name])), spans[name], "value"
        )
        for name, value in head.carries.items()
    }


def _body(
    ctx: Context, node: tree.Scan, taken: Mapping[str, Span]
) -> tuple[list[object], dict[str, Binding], Inside]:
    outside = ctx.scan
    with ctx.inside(), ctx.nested() as stmts:
        ctx.scan = inside = Inside(node.span, ctx.conditional, taken)
        ctx.statements(node.body)
        end = dict(ctx.scope)
    ctx.scan = outside
    return stmts, end, inside


def _changed_outside(
    ctx: Context, node: tree.Scan, entry: Mapping[str, Binding]
) -> list[str]:
    """The values of the outside that the body assigns to, each reported once."""
    carried = {c.name for c in node.carries}
    found: list[str] = []
    for target in _assigned(node.body):
        held = entry.get(target.id)
        if held is not None:
            held.gives_way = False  # further steps would apply a value
        if held is None or held.what not in ("value", "input"):
            continue
        if target.id not in carried and target.id not in found:
            found.append(target.id)
            ctx.error(
                "N264",
                f"`{target.id}` belongs to the outside of this scan",
                target.span,
                "a step cannot change it",
                related=(Label(held.span, "it gets its value here"),),
                help=f"make it a carry: `with {target.id} = {target.id}`",
            )
    return found


def _assigned(body: tuple[tree.Statement, ...]) -> Iterator[tree.Name]:
    """What a body assigns to in its own scope."""
    for node in body:
        match node:
            case tree.Assign(targets):
                yield from targets
            case tree.Scan(carries=carries, body=inner):
                yield from (tree.Name(c.name, c.name_span) for c in carries)
                yield from collects_in(inner)
            case _:
                for inner in bodies(node):
                    yield from _assigned(inner)


def refuse_declaration(ctx: Context, node: tree.Declare | tree.Rngs) -> None:
    """Inputs, weights, state and streams belong to the definition."""
    word = node.keyword if isinstance(node, tree.Declare) else "rngs"
    help = f"move it above the scan, whose steps share {'it' if word != 'rngs' else 'them'}"
    ctx.fail("N266", f"`{word}` cannot stand in a scan", node.span, help=help)
