"""Statements of blocks, models and trains."""

from __future__ import annotations

from typing import assert_never

from .. import ir
from ..diagnostics import Label
from ..dims import Comparison, Dim, const
from ..shapes import TensorType, is_float
from ..source import Span
from ..syntax import tree
from . import types
from .arguments import initializer
from .branches import if_statement
from .context import Context
from .expressions import as_tensor, expr, static
from .loops import for_statement
from .values import BAD, Applied, Bad, Fault, Several, Static, Tensor, Value

RESERVED = frozenset({"self", "nnx", "jax", "jnp", "optax", "rngs"})


def statements(ctx: Context, body: tuple[tree.Statement, ...]) -> None:
    """Check statements in order; a mistake abandons its own statement only."""
    for position, node in enumerate(body):
        try:
            statement(ctx, node)
        except Fault:
            abandon(ctx, node)
        if isinstance(node, tree.Return) and position + 1 < len(body):
            ctx.error("N240", "this is never reached", body[position + 1].span)
            return


def statement(ctx: Context, node: tree.Statement) -> None:
    """Check one statement."""
    match node:
        case tree.Assign():
            assign(ctx, node)
        case tree.Return():
            return_(ctx, node)
        case tree.Declare("input"):
            inputs(ctx, node)
        case tree.Declare():
            variables(ctx, node)
        case tree.For():
            for_statement(ctx, node)
        case tree.If():
            if_statement(ctx, node)
        case tree.Require():
            require(ctx, node)
        case tree.Rngs():
            rngs(ctx, node)
        case tree.Evaluate(value):
            expr(ctx, value)
            ctx.fail(
                "N241",
                "this value goes nowhere",
                value.span,
                help="give it a name, or return it",
            )
        case tree.Metric() | tree.Select():
            ctx.fail("N242", "this belongs in a train", node.span)
        case _:
            assert_never(node)


def abandon(ctx: Context, node: tree.Statement) -> None:
    """After a mistake: what the statement mentions counts as used, what it names is unknown."""
    for name in mentioned(node):
        if name in ctx.scope:
            ctx.scope[name].use()
            value = ctx.scope[name].value
            if isinstance(value, Applied):
                value.layer.used = True
    for target in targets(node):
        if target.id not in ctx.params:
            ctx.bind(target.id, BAD, target.span, "value")


def targets(node: tree.Statement) -> list[tree.Name]:
    """The names that a statement gives values to."""
    match node:
        case tree.Assign(names):
            return list(names)
        case tree.Declare(_, fields):
            return [tree.Name(f.name, f.name_span) for f in fields]
        case tree.For(_, _, body):
            return [t for s in body for t in targets(s)]
        case tree.If(_, then, orelse):
            return [t for s in (*then, *orelse) for t in targets(s)]
    return []


def mentioned(node: object) -> list[str]:
    """Every name in a piece of tree."""
    if isinstance(node, tree.Name):
        return [node.id]
    if isinstance(node, (tuple, list)):
        return [n for item in node for n in mentioned(item)]
    if hasattr(node, "__match_args__") and not isinstance(node, Span):
        return [
            n
            for key in node.__match_args__
            for n in mentioned(getattr(node, key))
        ]
    return []


# --------------------------------------------------------------- declarations


def rngs(ctx: Context, node: tree.Rngs) -> None:
    """`rngs params, dropout`."""
    for name in node.names:
        if name.id in ctx.declared_streams:
            ctx.error("N402", f"the stream `{name.id}` is declared twice", name.span)
        ctx.declared_streams[name.id] = name.span


def inputs(ctx: Context, node: tree.Declare) -> None:
    """`input x: [B, T, d], mask: bool[B, T] = none`."""
    for field in node.fields:
        try:
            _input(ctx, field)
        except Fault:
            ctx.bind(field.name, BAD, field.name_span, "input")
            ctx.broken_inputs = True


def _input(ctx: Context, field: tree.Field) -> None:
    check_name(ctx, field.name, field.name_span)
    _not_taken(ctx, field.name, field.name_span)
    kind = types.bind_axes(ctx, field.type, expr)
    optional = False
    if field.default is not None:
        if not (
            isinstance(field.default, tree.Constant) and field.default.value is None
        ):
            ctx.fail("N217", "an input's only default is `none`", field.default.span)
        optional = True
    if ctx.has_return or ctx.layers:
        ctx.fail("N243", "inputs stand before what uses them", field.span)
    if not optional and any(i.optional for i in ctx.inputs):
        ctx.fail(
            "N244",
            f"`{field.name}` is required, so it stands before optional inputs",
            field.name_span,
        )
    ctx.inputs.append(ir.ModelInput(field.name, kind, optional, field.name_span))
    value = Tensor(ir.Var(field.name, kind, field.name_span), optional)
    ctx.bind(field.name, value, field.name_span, "input")


def variables(ctx: Context, node: tree.Declare) -> None:
    """`param scale: [d] = ones`, `state count: int[] = 0`."""
    if node.keyword == "batch":
        ctx.broken_inputs = True
        ctx.fail("N242", "`batch` belongs in a train", node.span)
    for field in node.fields:
        try:
            _variable(ctx, field, node.keyword == "state")
        except Fault:
            ctx.bind(field.name, BAD, field.name_span, node.keyword)


def _variable(ctx: Context, field: tree.Field, state: bool) -> None:
    what = "state" if state else "param"
    check_name(ctx, field.name, field.name_span)
    _not_taken(ctx, field.name, field.name_span)
    kind = types.written(ctx, field.type, expr)
    if kind.lead:
        ctx.fail("N314", f"a {what} has a fixed number of axes", field.type.span)
    if not state and not is_float(kind.dtype):
        ctx.fail(
            "N302",
            "a param is floating",
            field.type.span,
            help="use `state` for other dtypes",
        )
    ctx.build_from(kind.sizes, field.type.span, f"the {what} `{field.name}`")
    if field.default is None:
        ctx.fail(
            "N218",
            f"`{field.name}` needs an initial value",
            field.span,
            help=f"write `{what} {field.name}: ... = zeros`",
        )
    init = initializer(ctx, field.default)
    _initialisable(ctx, init, kind, field.default.span)
    ctx.body.append(ir.Variable(field.name, kind, init, state, field.name_span))
    ctx.states.update({field.name: kind} if state else {})
    ctx.has_weights = ctx.has_weights or not state
    ctx.bind(
        field.name,
        Tensor(ir.Var(field.name, kind, field.name_span)),
        field.name_span,
        what,
    )


def _initialisable(ctx: Context, init: ir.Static, kind: TensorType, span: Span) -> None:
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


def check_name(ctx: Context, name: str, span: Span) -> None:
    """A name must not be one that generated code cannot have."""
    if name in RESERVED or name.startswith("__"):
        ctx.fail(
            "N219",
            f"`{name}` cannot be used as a name",
            span,
            help=f"write `{name.strip('_')}_value`",
        )


def _not_taken(ctx: Context, name: str, span: Span) -> None:
    held = ctx.scope.get(name)
    if held is not None:
        ctx.fail(
            "N202",
            f"`{name}` already names {_a(held.what)}",
            span,
            related=(Label(held.span, "here"),),
        )


def _a(what: str) -> str:
    return f"an {what}" if what[0] in "aeiou" else f"a {what}"


def require(ctx: Context, node: tree.Require) -> None:
    """`require heads % 2 == 0, "message"`."""
    condition = static(ctx, node.condition, "what is required")
    if condition.flavor not in ("bool", "unknown"):
        ctx.fail("N207", "`require` needs a condition", node.condition.span)
    ctx.build_from_static(condition.node, node.condition.span, "the check")
    if condition.known and condition.value is False:
        ctx.fail("N321", "this is never true", node.condition.span)
    message = node.message or " ".join(node.condition.span.text.split())
    ctx.body.append(ir.Require(condition.node, message, node.span))


# ----------------------------------------------------------------- assignment


def assign(ctx: Context, node: tree.Assign) -> None:
    """`targets op value`."""
    for target in node.targets:
        check_name(ctx, target.id, target.span)
    value = ctx.attempt(lambda: _assigned(ctx, node))
    if isinstance(value, Bad):
        raise Fault
    if len(node.targets) > 1:
        unpack(ctx, node, value)
        return
    target = node.targets[0]
    _bindable(ctx, target)
    store(ctx, target, value, node.span)


def _assigned(ctx: Context, node: tree.Assign) -> Value:
    if node.op == "=":
        return expr(ctx, node.value)
    from .operators import combine

    if len(node.targets) > 1:
        ctx.fail("N245", f"`{node.op}` has one target", node.span)
    target = node.targets[0]
    if target.id not in ctx.scope:
        ctx.fail(
            "N201",
            f"`{target.id}` has no value yet",
            target.span,
            help=f"`{node.op}` changes a value; use `=` first",
        )
    left = expr(ctx, target)
    right = ctx.attempt(lambda: expr(ctx, node.value))
    if isinstance(left, Bad) or isinstance(right, Bad):
        return BAD
    span = node.value.span
    if isinstance(left, Tensor) and isinstance(right, Tensor):
        _keeps_shape(ctx, node, left, right)
        span = right.expr.span
    whole = tree.Binary(node.op[0], target, node.value, span)
    return combine(ctx, node.op[0], left, right, whole)


def _keeps_shape(ctx: Context, node: tree.Assign, left: Tensor, right: Tensor) -> None:
    """`x += y` is an `x` of the same shape."""
    have, new = left.type, right.type
    pairs = list(zip(reversed(have.sizes), reversed(new.sizes), strict=False))
    unfit = [not _stretches(ctx, b, a) for a, b in pairs]
    if not any(unfit) and (have.lead or (new.rank <= have.rank and not new.lead)):
        return
    last = isinstance(node.value, tree.Pipe) and unfit == [True, *unfit[1:]]
    repair = f"; end the branch with `-> Linear({have.sizes[-1]})`" if last else ""
    ctx.fail(
        "N301",
        "shapes do not match",
        right.expr.span,
        f"this is {new}",
        related=(Label(node.targets[0].span, f"`{node.targets[0].id}` is {have}"),),
        help=f"`{node.op}` needs equal shapes{repair}",
    )


def _stretches(ctx: Context, size: Dim, to: Dim) -> bool:
    if size in (to, const(1)):
        return True
    return to != const(1) and ctx.compare(to, size) is not Comparison.DIFFERENT


def _bindable(ctx: Context, target: tree.Name) -> None:
    held = ctx.scope.get(target.id)
    if held is None and (target.id in ctx.functions or target.id in ctx.signatures):
        return
    if held is not None and held.what in (
        "parameter",
        "axis",
        "param",
        "layer",
        "loop variable",
    ):
        if held.what == "layer" and isinstance(held.value, Bad):
            return
        ctx.fail(
            "N202",
            f"`{target.id}` already names {_a(held.what)}",
            target.span,
            related=(Label(held.span, "here"),),
        )


def store(ctx: Context, target: tree.Name, value: Value, span: Span) -> None:
    """Give one name one value."""
    match value:
        case Applied(layer):
            if layer.name != target.id:
                ctx.fail("N246", f"`{layer.name}` would get a second name", target.span)
            ctx.bind(target.id, value, target.span, "layer").used = True
        case Static():
            ctx.bind(
                target.id, _static_local(ctx, target, value, span), target.span, "value"
            )
        case Tensor() if target.id in ctx.states:
            types.check_type(
                ctx,
                value.type,
                ctx.states[target.id],
                value.expr.span,
                f"the state `{target.id}`",
            )
            ctx.body.append(ir.UpdateState(target.id, value.expr, span))
        case Tensor(made, optional):
            if optional:
                as_tensor(ctx, value, target)
            ctx.body.append(ir.Assign((target.id,), made, span))
            ctx.bind(
                target.id,
                Tensor(ir.Var(target.id, value.type, target.span)),
                target.span,
                "value",
            )
        case Several(made, kinds):
            ctx.body.append(ir.Assign((target.id,), made, span))
            ctx.bind(
                target.id,
                Several(ir.Var(target.id, kinds, target.span), kinds),
                target.span,
                "value",
            )
        case _:
            ctx.fail("N216", "this is not a value", span, help="apply it to something")


def _static_local(ctx: Context, target: tree.Name, value: Static, span: Span) -> Static:
    """A static local: sizes keep their form, others become a symbol of their own."""
    dim = value.dim
    if value.flavor in ("int", "unknown") and dim is None:
        dim = ctx.local_size(target.id, value.node, span)
    else:
        ctx.body.append(ir.StaticLet(target.id, value.node, span))
    return Static(
        ir.Ref(target.id),
        value.flavor,
        dim,
        value.value,
        value.known,
        value.items,
        value.element,
    )


def unpack(ctx: Context, node: tree.Assign, value: Value) -> None:
    """`a, b = values`."""
    if not isinstance(value, Several):
        ctx.fail("N234", f"{len(node.targets)} names for one value", node.value.span)
    if len(value.types) != len(node.targets):
        ctx.fail(
            "N234",
            f"{len(node.targets)} names for {len(value.types)} values",
            node.value.span,
        )
    seen: set[str] = set()
    for target, kind in zip(node.targets, value.types, strict=True):
        if target.id in seen:
            ctx.fail(
                "N202", f"`{target.id}` stands twice among the targets", target.span
            )
        seen.add(target.id)
        _bindable(ctx, target)
        var = ir.Var(target.id, kind, target.span)
        made: Value = (
            Tensor(var) if isinstance(kind, TensorType) else Several(var, kind)
        )
        ctx.bind(target.id, made, target.span, "value")
    ctx.body.append(ir.Assign(tuple(t.id for t in node.targets), value.expr, node.span))


def return_(ctx: Context, node: tree.Return) -> None:
    """`return value, value`."""
    ctx.has_return = True
    if ctx.conditional:
        ctx.fail(
            "N247",
            "`return` stands at the end of a definition, not inside `if` or `for`",
            node.span,
        )
    exprs: list[ir.Expr] = []
    broken = False
    for value in node.values:
        result = ctx.attempt(lambda v=value: _returned(ctx, v))  # type: ignore[misc]
        if isinstance(result, (Tensor, Several)):
            exprs.append(result.expr)
        else:
            broken = True
    if broken:
        ctx.broken = True
        raise Fault
    if len(exprs) == 1 and isinstance(exprs[0].type, tuple):
        ctx.outputs = exprs[0].type
    else:
        ctx.outputs = tuple(e.type for e in exprs)
    ctx.body.append(ir.Return(tuple(exprs), node.span))


def _returned(ctx: Context, node: tree.Expr) -> Value:
    value = expr(ctx, node)
    return (
        value
        if isinstance(value, (Several, Bad))
        else as_tensor(ctx, value, node, "what is returned")
    )
