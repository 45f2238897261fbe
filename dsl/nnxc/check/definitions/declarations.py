"""Declarations: streams, inputs, params, states, requirements."""

from __future__ import annotations

import re

from ... import ir
from ...diagnostics import Advice, Fix, Label, meant, remove, write
from ...ir.statements import BUFFER
from ...ops.base import Kind
from ...shapes import TensorType, is_float
from ...source import Span
from ...syntax import tree
from ...syntax.walk import names_in
from ..arguments import types
from ..construction import build_from, build_from_static, not_asked
from ..context import Context
from ..control.targets import with_article
from ..documented import doc_of
from ..expressions.operands import static
from ..values import BAD, Binding, Fault, Tensor
from .initial import initial
from .optional_inputs import fill, is_none
from .parameter_kinds import demand, seen
from .streams import expect_stream

RESERVED = frozenset({"self", "nnx", "jax", "jnp", "optax", "rngs"})


def rngs(ctx: Context, node: tree.Rngs) -> None:
    """`rngs params, dropout`."""
    for name in node.names:
        if name.id in ctx.declared_streams:
            ctx.error("N402", f"the stream `{name.id}` is declared twice", name.span)
            continue
        ctx.declared_streams[name.id] = name.span
        try:
            expect_stream(ctx, name.id, name.span)
        except Fault:
            ctx.streams.setdefault(name.id, name.span)  # one message is enough


def inputs(ctx: Context, node: tree.Declare) -> None:
    """`input x: [B, T, d], mask: bool[B, T] = none`."""
    for field in node.fields:
        try:
            input_(ctx, field)
        except Fault:
            ctx.bind(field.name, BAD, field.name_span, "input")
            ctx.broken_inputs = True
            ctx.lost_axes |= {n.id for n in names_in(field.type)}
            for name in names_in(field):
                ctx.count_used(name.id)


def input_(ctx: Context, field: tree.Field) -> None:
    """One input. Raises `Fault` after reporting."""
    check_name(ctx, field.name, field.name_span)
    _not_taken(ctx, field.name, field.name_span)
    for axis in _axes(ctx):
        axis.used = True  # its own place in a shape is no use
    kind = types.bind_axes(ctx, field.type)
    optional = field.default is not None
    filled = optional and not is_none(field.default)
    if ctx.has_return or ctx.layers:
        text = "inputs stand before what uses them"
        ctx.fail("N243", text, field.span, **_moved_up(ctx, field))
    if not optional and any(i.optional for i in ctx.inputs):
        ctx.fail(
            "N244",
            f"`{field.name}` is required, so it stands before optional inputs",
            field.name_span,
        )
    if filled:
        fill(ctx, field, kind)
    ctx.inputs.append(ir.ModelInput(field.name, kind, optional, field.name_span))
    absent = optional and not filled
    value = Tensor(ir.Var(field.name, kind, field.name_span), absent)
    ctx.bind(field.name, value, field.name_span, "input")
    for axis in _axes(ctx):
        axis.used = False


def _moved_up(ctx: Context, field: tree.Field) -> Advice:
    """The lines from the first statement on, with this one first."""
    source, line = field.span.source, field.span.whole_line()
    first = ctx.definition[0].span.whole_line()
    if line.text.lstrip().count("[") > 1 or not line.text.strip().startswith("input "):
        return {}
    if first.start >= line.start or not line.text.endswith("\n"):
        return {}
    above = Span(source, first.start, line.start)
    if re.search(r"(?m)^ *input\b", above.text):
        return {}
    help = "move it up, below the head"
    return {"help": help, "fix": Fix(above.to(line), line.text + above.text)}


def _axes(ctx: Context) -> list[Binding]:
    """The axes so far. Who reads one reads an input that tells it."""
    return [binding for binding in ctx.scope.values() if binding.what == "axis"]


def variables(ctx: Context, node: tree.Declare) -> None:
    """`param scale: [d] = ones`, `state count: int[] = 0`."""
    if node.keyword == "batch":
        ctx.broken_inputs = True
        ctx.fail("N242", "`batch` belongs in a train", node.span)
    doc = doc_of(node.trivia)
    for field in node.fields:
        try:
            _variable(ctx, field, node.keyword == "state", doc if field.kind else "")
        except Fault:
            ctx.bind(field.name, BAD, field.name_span, node.keyword)


def _variable(ctx: Context, field: tree.Field, state: bool, doc: str) -> None:
    what = "state" if state else "param"
    check_name(ctx, field.name, field.name_span)
    _not_taken(ctx, field.name, field.name_span)
    kind = types.written(ctx, field.type)
    if kind.lead:
        ctx.fail("N314", f"a {what} has a fixed number of axes", field.type.span)
    if not state and not is_float(kind.dtype):
        ctx.fail(
            "N302",
            "a param is floating",
            field.type.span,
            help="use `state` for other dtypes",
        )
    build_from(ctx, kind.sizes, field.type.span, f"the {what} `{field.name}`")
    if field.default is None:
        ctx.fail(
            "N218",
            f"`{field.name}` needs an initial value",
            field.span,
            **write(field.span, f"{field.span.text} = zeros"),
        )
    _check_kind(ctx, field, state)
    init = initial(ctx, field.default, kind, f"the {what} `{field.name}`")
    if not isinstance(init, ir.Expr):
        not_asked(ctx, init, field.default.span, f"the {what} `{field.name}`")
    _initialisable(ctx, init, kind, field.default.span)
    held = (field.kind or BUFFER) if state else ""
    ctx.body.append(
        ir.Variable(field.name, kind, init, state, field.name_span, held, doc)
    )
    ctx.states.update({field.name: kind} if state else {})
    ctx.has_weights = ctx.has_weights or not state
    ctx.bind(
        field.name,
        Tensor(ir.Var(field.name, kind, field.name_span)),
        field.name_span,
        what,
    )


def _check_kind(ctx: Context, field: tree.Field, state: bool) -> None:
    """`state mean: [d] = 0 as Buffer`: a kind is of a state, and spelt like a class."""
    begins = field.default
    if state and isinstance(begins, tree.Named):
        name, span = begins.name, begins.name_span
        right = "".join(part.capitalize() for part in name.split("_")) or BUFFER
        text = f"`{name}` should be CamelCase"
        ctx.fail("N140", text, span, "names a kind of state", **meant(span, right))
    if field.kind and not state and begins is not None:
        behind = Span(field.span.source, begins.span.end, field.kind_span.end)
        advice = remove(behind, "each weight is an `nnx.Param`: leave it out")
        ctx.fail("N215", "a state has a kind", field.kind_span, **advice)


def _initialisable(ctx: Context, init: object, kind: TensorType, span: Span) -> None:
    """Fan-in initialisers need two axes."""
    scaled = (
        "lecun",
        "he",
        "glorot",
        "xavier",
        "kaiming",
        "variance_scaling",
        "orthogonal",
    )
    if (
        isinstance(init, ir.Initializer)
        and init.op.name.startswith(scaled)
        and kind.rank < 2
    ):
        ctx.fail(
            "N303", f"`{init.op.name}` needs at least two axes", span, f"this is {kind}"
        )


_STREAMS = ("rngs", "self")


def _instead(name: str, span: Span) -> Advice:
    """Another name; what Flax asks of every module is left out."""
    help = f"write `{name.strip('_')}_value`"
    before = span.source.text[: span.start]
    head = re.search(r"(?:^|\n)(?:model|block) \w+ *\(([^()\n]*)$", before)
    if name not in _STREAMS or head is None:
        return {"help": help}
    rest = re.compile(rf"{name}(?: *: *[\w.]+)?(?P<comma> *, *)?").match(
        span.source.text, span.start
    )
    assert rest is not None
    start, end = span.start, rest.end()
    if not rest["comma"]:
        start = len(before.rstrip(", "))
    why = "it is given where the model is built: leave it out"
    return remove(Span(span.source, start, end), why)


def check_name(ctx: Context, name: str, span: Span) -> None:
    """A name must not be one that generated code cannot have."""
    if name in RESERVED or name.startswith("__"):
        ctx.fail(
            "N219",
            f"`{name}` cannot be used as a name",
            span,
            **_instead(name, span),
        )


def _not_taken(ctx: Context, name: str, span: Span) -> None:
    held = ctx.scope.get(name)
    if held is not None:
        ctx.fail(
            "N202",
            f"`{name}` already names {with_article(held.what)}",
            span,
            related=(Label(held.span, "here"),),
        )


def require(ctx: Context, node: tree.Require) -> None:
    """`require heads % 2 == 0, "message"`."""
    condition = static(ctx, node.condition, "what is required")
    if condition.flavor == "unknown" and condition.param is not None:
        demand(ctx, condition.param, Kind.BOOL, node.condition.span)
    elif condition.flavor not in ("bool", "unknown"):
        text, span = "`require` needs a condition", node.condition.span
        advice: Advice = {}
        match node.condition:
            case tree.ListOf((tested, tree.String() as said)):
                plain = f"require {tested.span.text}, {said.span.text}"
                advice = write(node.span, plain)
        ctx.fail("N207", text, span, related=seen(condition), **advice)
    build_from_static(ctx, condition.node, node.condition.span, "the check")
    if condition.known and condition.value is False:
        ctx.fail("N321", "this is never true", node.condition.span)
    message = node.message or " ".join(node.condition.span.text.split())
    ctx.body.append(ir.Require(condition.node, message, node.span))
    match condition.node:
        case ir.StaticBinary(
            "==",
            ir.StaticCall("len", (ir.Ref(one),)),
            ir.StaticCall("len", (ir.Ref(other),)),
        ) if not ctx.sides and ctx.reassigned.isdisjoint((one, other)):
            ctx.equally_long.append({one, other})
