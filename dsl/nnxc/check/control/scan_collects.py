"""What a scan gathers from its steps."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from ... import ir
from ...diagnostics import Label
from ...record import Record
from ...shapes import Axis
from ...source import Span
from ...syntax import tree
from ...syntax.walk import bodies
from ..context import Context
from ..definitions.declarations import check_name
from ..expressions.operands import tensor
from ..values import BAD, Tensor
from .targets import bindable


class Along(Record):
    """What a scan goes along: its number of steps, and for what it collects the axis: counted
    from the end where the rank of the first input is open."""

    axis: Axis
    position: int = 0


@dataclass(slots=True, eq=False)
class Inside:
    """The scan whose body is being checked."""

    span: Span
    depth: int
    taken: Mapping[str, Span]
    locals: dict[str, Tensor] = field(default_factory=dict)  # by collected name


def collect(ctx: Context, node: tree.Collect) -> None:
    """`collect name = value`."""
    scan: Inside | None = ctx.scan
    if scan is None or ctx.conditional != scan.depth:
        ctx.fail(
            "N263",
            "`collect` stands in the body of a `scan`",
            node.span,
            "" if scan is None else "not inside `if` or `for`",
            help=None if scan is None else "choose the value first, then collect it",
        )
    name = tree.Name(node.name, node.name_span)
    check_name(ctx, name.id, name.span)
    bindable(ctx, name)
    seen = {**scan.taken, **{n: made.expr.span for n, made in scan.locals.items()}}
    if name.id in seen:
        ctx.fail(
            "N202",
            f"`{name.id}` already names a value of this scan",
            name.span,
            related=(Label(seen[name.id], "here"),),
        )
    value = tensor(ctx, node.value, "what is collected")
    local = ir.Var(ctx.unused_name(name.id), value.type, name.span)
    scan.locals[name.id] = Tensor(local)
    ctx.body.append(ir.Assign((local.name,), value.expr, node.span))


def collects_in(body: tuple[tree.Statement, ...]) -> Iterator[tree.Name]:
    for node in body:
        match node:
            case tree.Collect(name, name_span=span):
                yield tree.Name(name, span)
            case tree.For() | tree.If():
                for inner in bodies(node):
                    yield from collects_in(inner)


def stacked(ctx: Context, along: Along, inside: Inside) -> dict[str, ir.Collected]:
    """The collected values stacked: where the axis is in the first input, or last where they
    have fewer axes."""
    found: dict[str, ir.Collected] = {}
    axis, position = along.axis, along.position
    for name, local in inside.locals.items():
        value, span = local.type, local.expr.span
        rank = value.rank + 1
        if value.lead and position >= 0:
            ctx.error(
                "N314",
                f"`{name}` has leading axes",
                span,
                f"this is {value}",
                help="collect what has a fixed number of axes",
            )
            continue
        assert isinstance(local.expr, ir.Var)
        at = max(position + rank, 0) if position < 0 else min(position, rank - 1)
        kind = value.with_axes((*value.axes[:at], axis, *value.axes[at:]))
        place = at - rank if value.lead else at
        found[name] = ir.Collected(name, local.expr.name, kind, place)
    return found


def bind_collected(
    ctx: Context, node: tree.Scan, collects: Mapping[str, ir.Collected]
) -> None:
    for name in {n.id: n for n in collects_in(node.body)}.values():
        made = collects.get(name.id)
        value = Tensor(ir.Var(name.id, made.type, name.span)) if made else BAD
        if made or name.id not in ctx.scope:
            ctx.bind(name.id, value, name.span, "value")
