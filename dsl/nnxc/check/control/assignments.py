"""Assignments: a name, or several, and what they stand for from there on."""

from __future__ import annotations

from typing import NoReturn

from ... import ir
from ...diagnostics import Advice, Label, write
from ...dims import Dim, const
from ...dims_compare import Comparison
from ...source import Span
from ...syntax import tree
from ..arguments import types
from ..arguments.inputs import wrap
from ..context import Context
from ..definitions.declarations import check_name
from ..definitions.initial import is_constant
from ..expressions.forms import named
from ..expressions.invoke import FUNCTIONS, declare
from ..expressions.operands import as_tensor
from ..expressions.operators import combine
from ..obligations import compare
from ..values import (
    BAD,
    Applied,
    Bad,
    BlockRef,
    Fault,
    Listed,
    OpRef,
    Several,
    Static,
    Tensor,
    Value,
)
from . import lists
from .changing import version
from .targets import bindable, keeps_state

MAX_RANK = 64  # of numpy's arrays


def assign(ctx: Context, node: tree.Assign) -> None:
    """`targets op value`."""
    for target in node.targets:
        check_name(ctx, target.id, target.span)
    if node.gathers is not None:
        _no_stack(ctx, node, node.gathers)
    if lists.assign(ctx, node):
        return
    value = ctx.attempt(lambda: _assigned(ctx, node))
    if isinstance(value, Bad):
        raise Fault
    if len(node.targets) > 1:
        unpack(ctx, node, value)
        return
    target = node.targets[0]
    bindable(ctx, target)
    store(ctx, target, value, node.span)


def _no_stack(ctx: Context, node: tree.Assign, name: tree.Name) -> NoReturn:
    """`*states, x = ...` of no stack and in no loop, which are written out before this."""
    text, star = f"`*{name.id}` gathers what flows through a stack", name.span
    help = (
        f"`*{name.id}, x = x -> Block(...) * n`: the stack stands last, and `x` alone; "
        "any other line stands in a `for`"
    )
    if ctx.kind == "train":
        ctx.fail("N255", "lists are made in blocks and models only", star)
    ctx.fail("N234", text, star, "here is none", help=help)


def _assigned(ctx: Context, node: tree.Assign) -> Value:
    if node.op == "=":
        return _declared(ctx, ctx.expr(node.value), node.value)
    if len(node.targets) > 1:
        ctx.fail("N245", f"`{node.op}` has one target", node.span)
    target = node.targets[0]
    if target.id not in ctx.scope:
        if target.id in ctx.forbidden:
            raise Fault  # what gave it a value was lost
        ctx.fail(
            "N201",
            f"`{target.id}` has no value yet",
            target.span,
            help=f"`{node.op}` changes a value; use `=` first",
        )
    left = ctx.expr(target)
    right = ctx.attempt(lambda: ctx.expr(node.value))
    if isinstance(left, Bad) or isinstance(right, Bad):
        return BAD
    span = node.value.span
    if isinstance(left, Tensor) and isinstance(right, Tensor):
        _keeps_shape(ctx, node, left, right)
        span = right.expr.span
    whole = tree.Binary(node.op[0], target, node.value, span)
    return combine(ctx, node.op[0], left, right, whole)


def _declared(ctx: Context, value: Value, node: tree.Expr) -> Value:
    """A layer or block that needs no parentheses is constructed by its name alone."""
    match value:
        case OpRef(op) if op.group not in FUNCTIONS:
            return Applied(declare(ctx, op, (), node)[0])
        case BlockRef(signature):
            return Applied(declare(ctx, signature, (), node)[0])
    return value


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
    return to != const(1) and compare(ctx, to, size) is not Comparison.DIFFERENT


def store(ctx: Context, target: tree.Name, value: Value, span: Span) -> None:
    """Give one name one value."""
    match value:
        case Applied(layer):
            if layer.name != target.id:
                text = f"`{layer.name}` would get a second name"
                ctx.fail("N246", text, target.span, **_one_name(ctx, layer.name))
            ctx.bind(target.id, value, target.span, "layer").used = True
        case Static():
            made = _static_local(ctx, target, value, span)
            ctx.bind(target.id, made, target.span, "value")
        case Tensor() if value.type.rank > MAX_RANK:
            rank = value.type.rank
            text = f"this has {rank} axes, a tensor has {MAX_RANK} at most"
            ctx.fail("N303", text, span)
        case Tensor() if target.id in ctx.states:
            _update_state(ctx, target, value, span)
        case Tensor():
            _store_tensor(ctx, target, value, span)
        case Several(expr, kinds):
            ctx.body.append(ir.Assign((target.id,), expr, span))
            several = Several(ir.Var(target.id, kinds, target.span), kinds)
            ctx.bind(target.id, several, target.span, "value")
        case Listed():
            bindable(ctx, target)
            lists.store(ctx, target, value, span)
        case _:
            ctx.fail("N216", "this is not a value", span, help="apply it to something")


def _one_name(ctx: Context, name: str) -> Advice:
    """A layer is called by `=` or by `as`."""
    statement = ctx.statement
    if isinstance(statement, tree.Assign) and statement.span.text.endswith(
        f" as {name}"
    ):
        place = Span(
            statement.span.source, statement.value.span.start, statement.span.end
        )
        made = place.text.removesuffix(f" as {name}")
        return write(place, made, "a layer has one name")
    return {"help": f"a layer has one name: write `{name}` where it is meant"}


def _update_state(ctx: Context, target: tree.Name, value: Tensor, span: Span) -> None:
    what = f"the state `{target.id}`"
    help = "carry what changes, and assign it to the state after the scan"
    keeps_state(ctx, what, target.span, help)
    wanted, advised = ctx.states[target.id], None
    if value.type.rank > wanted.rank:
        advised = "take the batch away, as by `mean(x, axis=B)`, or declare it so"
    if wanted.dtype == "int" and value.type.dtype != "int":
        advised = "declare it floating: `state name: [] = 0.0`"
    place = value.expr.span
    types.check_type(ctx, value.type, wanted, place, what, help=advised)
    ctx.body.append(ir.UpdateState(target.id, value.expr, span))


def _store_tensor(ctx: Context, target: tree.Name, value: Tensor, span: Span) -> None:
    if value.optional:
        as_tensor(ctx, value, target)
    constant = is_constant(ctx, value.expr)
    if not lists.renamed(ctx, value.expr, target.id):
        ctx.body.append(ir.Assign((target.id,), value.expr, span))
    var = Tensor(ir.Var(target.id, value.type, target.span))
    held = ctx.bind(target.id, var, target.span, "value")
    if constant:
        ctx.constants[held] = value.expr


def _static_local(ctx: Context, target: tree.Name, value: Static, span: Span) -> Static:
    """A static local: sizes keep their form, others become a symbol of their own."""
    if target.id in ctx.reassigned:
        return version(ctx, target.id, value, span)
    dim, node = value.dim, value.node
    if value.flavor in ("int", "unknown") and dim is None:
        dim = named(ctx, node, target.id, "size", span)
        node = ir.Ref(str(dim.name))
    if node != ir.Ref(target.id):
        ctx.spelled[target.id] = target.id
        ctx.local(target.id, node, span)
    return Static(
        ir.Ref(target.id),
        value.flavor,
        dim,
        value.value,
        value.known,
        value.items,
        value.element,
        optional=value.optional,
    )


def _with_states(ctx: Context, node: tree.Assign) -> Advice:
    """`y, h = x -> GRU(4)`: the states come with `run`."""
    value = node.value
    made = value.stages[-1].value if isinstance(value, tree.Pipe) else value
    if isinstance(made, tree.Call) and isinstance(made.func, (tree.Call, tree.Name)):
        inner = made.func
        if isinstance(inner, tree.Call) or inner.id in ctx.layers:
            made = inner  # `layer(x)`
    name = made.id if isinstance(made, tree.Name) else ""
    name = name if name in ctx.layers else ctx.layer_names.get(made.span, ("",))[0]
    layer = ctx.layers.get(name)
    run = getattr(layer.callee, "methods", {}).get("run") if layer else None
    if run is None:
        return {}
    source, start = node.span.source, node.span.start
    op, count = run, len(node.targets)
    states = sum(1 for i in op.inputs if i.optional and i.name != "mask")
    start_of_value = node.value.span.start
    names = [t.id for t in node.targets] + ["_"] * (1 + states - count)
    equals = source.text[node.targets[-1].span.end : start_of_value]
    head = f"{', '.join(names)}{equals}{source.text[start_of_value : made.span.start]}"
    tail = source.text[made.span.end :]
    text = f"{head}{name}.run{tail[: node.span.end - made.span.end]}"
    why = "`run` gives the states too"
    if made.span.text == name:
        return write(node.span, text, why)
    column = source.position(start)[1] - 1
    margin, place = " " * column, Span(source, start - column, node.span.end)
    return write(place, f"{margin}{name} = {made.span.text}\n{margin}{text}", why)


_PLACES = {"max": "argmax", "min": "argmin", "sort": "argsort"}


def _with_places(node: tree.Assign) -> Advice:
    """`values, places = max(x, axis=1)`: a function of its own gives the places."""
    match node.value:
        case tree.Call(tree.Name(name)) if name in _PLACES:
            inside = node.value.span.text.partition("(")[2]
        case tree.Pipe(source, (tree.Stage(tree.Call(tree.Name(name))),)) if (
            name in _PLACES
        ):
            rest = node.value.stages[0].value.span.text.partition("(")[2]
            inside = f"{source.span.text}, {rest}"
        case _:
            return {}
    if len(node.targets) != 2:
        return {}
    values, places = (target.id for target in node.targets)
    lines = [] if values == "_" else [f"{values} = {name}({inside}"]
    lines += [] if places == "_" else [f"{places} = {_PLACES[name]}({inside}"]
    margin = "\n" + " " * (node.span.source.position(node.span.start)[1] - 1)
    return write(node.span, margin.join(lines), "each has a function of its own")


def _apart(node: tree.Assign, value: Value) -> Advice:
    """`q, k, v = x`, where the first axis of a tensor has as many places."""
    count = len(node.targets)
    first = value.type.sizes[:1] if isinstance(value, Tensor) else ()
    if not first or first[0].value != count:
        return {}
    names = [target.id for target in node.targets]
    whole = next(n for n in ("parts", "rows", "stacked") if n not in names)
    lines = [f"{whole} = {node.value.span.text}"]
    lines += [f"{name} = {whole}[{i}]" for i, name in enumerate(names) if name != "_"]
    margin = "\n" + " " * (node.span.source.position(node.span.start)[1] - 1)
    return write(node.span, margin.join(lines), "a place of an axis is taken by `[i]`")


def unpack(ctx: Context, node: tree.Assign, value: Value) -> None:
    """`a, b = values`; `_` stands for values that nobody needs."""
    if not isinstance(value, Several):
        text = f"{len(node.targets)} names for one value"
        advice = _with_places(node) or _with_states(ctx, node) or _apart(node, value)
        ctx.fail("N234", text, node.value.span, **advice)
    if len(value.types) != len(node.targets):
        ctx.fail(
            "N234",
            f"{len(node.targets)} names for {len(value.types)} values",
            node.value.span,
        )
    seen: set[str] = set()
    for target, kind in zip(node.targets, value.types, strict=True):
        if target.id == "_":
            continue
        if target.id in seen:
            ctx.fail(
                "N202", f"`{target.id}` stands twice among the targets", target.span
            )
        seen.add(target.id)
        bindable(ctx, target)
        made = wrap(ir.Var(target.id, kind, target.span))
        what = "list" if isinstance(made, Listed) else "value"
        ctx.bind(target.id, made, target.span, what)
    ctx.body.append(ir.Assign(tuple(t.id for t in node.targets), value.expr, node.span))
