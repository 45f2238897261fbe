"""Lists of tensors: `skips = []`, `skips.append(x)`, `skips.pop()`."""

from __future__ import annotations

import builtins
from typing import NoReturn

from ... import ir
from ...diagnostics import Advice, Label, write
from ...dims import const, symbol
from ...record import replace
from ...shapes import Axis, TensorType
from ...source import Span
from ...syntax import tree
from ...syntax.walk import nodes_in
from ..arguments.flavors import describe
from ..context import Context
from ..expressions.operands import as_tensor, tensor
from ..values import Bad, Binding, Fault, Listed, Static, Tensor
from .list_types import differ, merged
from .targets import bindable

APPEND, POP = "append", "pop"
METHODS = (APPEND, POP)


def changed(node: object) -> set[str]:
    """The names of what a piece of tree appends to or pops from."""
    return {
        call.func.value.id
        for call in nodes_in(node, tree.Call)
        if isinstance(call.func, tree.Attribute)
        and isinstance(call.func.value, tree.Name)
        and call.func.name in METHODS
    }


# ----------------------------------------------------------------- statements


def assign(ctx: Context, node: tree.Assign) -> bool:
    """`skips = []` and `skip = skips.pop()`; False where it is another assignment."""
    target = node.targets[0]
    if node.op != "=" or len(node.targets) > 1:
        return False
    if isinstance(node.value, tree.ListOf):
        items = node.value.items
        starred = any(isinstance(i, tree.Starred) for i in items)
        if starred or (items and target.id not in ctx.growing):
            return False
        bindable(ctx, target)
        _in_model(ctx, node.span)
        _new(ctx, target, node.value.items, node.span)
        return True
    name = _owner(ctx, node.value, POP)
    if name is None:
        return False
    bindable(ctx, target)
    ctx.bind(target.id, _pop(ctx, name, node.value, target.id), target.span, "value")
    return True


def _new(
    ctx: Context, target: tree.Name, items: tuple[tree.Expr, ...], span: Span
) -> None:
    var, steady = ir.Var(target.id, (), target.span), frozenset(ctx.locals)
    held = Listed(var, None, (), const(0), steady=steady)
    values = [tensor(ctx, item, "what a list holds") for item in items]
    for value in values:
        held = _with(ctx, target.id, held, value)
    ctx.body.append(ir.NewList(target.id, span, tuple(v.expr for v in values)))
    ctx.bind(target.id, held, target.span, "list")


def append(ctx: Context, node: tree.Call) -> bool:
    """`skips.append(x)` on a line of its own; False where it is another call."""
    name = _owner(ctx, node, APPEND)
    if name is None:
        return False
    _in_model(ctx, node.span)
    if len(node.args) != 1 or node.args[0].name is not None:
        margin = "\n" + " " * (node.span.source.position(node.span.start)[1] - 1)
        calls = (f"{name}.append({a.value.span.text})" for a in node.args)
        advice = write(node.span, margin.join(calls)) if node.args else {}
        ctx.fail("N205", "`append` takes one tensor", node.span, **advice)
    value = _entry(ctx, node.args[0].value)
    held = _with(ctx, name, _held(ctx, name), value)
    ctx.body.append(ir.Append(name, value.expr, node.span))
    _rebind(ctx, name, held)
    return True


def _entry(ctx: Context, node: tree.Expr) -> Tensor:
    """What a list that grows holds: a tensor."""
    value = ctx.expr(node)
    if isinstance(value, Static) and value.flavor in ("int", "float", "unknown"):
        ctx.fail(
            "N233",
            "what a list holds must be a tensor",
            node.span,
            f"this is {describe(value)}",
            help="a list of numbers has one from the start, and grows by `+`: `widths = [d]`, "
            "`widths = widths + [n]`",
        )
    return as_tensor(ctx, value, node, "what a list holds")


def of_another_kind(
    ctx: Context, what: str, held: Listed, kind: TensorType, span: Span
) -> NoReturn:
    """Report a tensor that does not go with those of a list."""
    ctx.fail(
        "N257",
        f"{what} holds tensors of another kind",
        span,
        f"this is {kind}",
        help=f"its tensors are like {held.element}: the same dtype, as many axes",
    )


def _with(ctx: Context, name: str, held: Listed, value: Tensor) -> Listed:
    """The list with one more tensor."""
    element = merged(ctx, name, held, value.type)
    if element is None:
        of_another_kind(ctx, f"`{name}`", held, value.type, value.expr.span)
    items = None if held.items is None else (*held.items, value.type)
    count = None if held.count is None else held.count + 1
    return replace(held, element=element, items=items, count=count)


def pop(ctx: Context, node: tree.Expr) -> Tensor | None:
    """`skips.pop()` inside an expression: taken before its statement; None for another call."""
    name = _owner(ctx, node, POP)
    if name is None:
        return None
    target = ctx.unused_name(_one_of(name))
    return _pop(ctx, name, node, target)


def _pop(ctx: Context, name: str, node: tree.Expr, target: str) -> Tensor:
    _in_model(ctx, node.span)
    if isinstance(node, tree.Call) and node.args:
        ctx.fail("N205", "`pop` takes nothing: it gives the last tensor", node.span)
    held = _held(ctx, name)
    ctx.scope[name].use()
    if held.element is None or held.items == ():
        ctx.fail("N256", f"`{name}` is empty here", node.span)
    type, sizes = _typed(ctx, held, target, node.span)
    items = held.items[:-1] if held.items else None
    count = None if held.count is None else held.count - 1
    ctx.body.append(ir.Pop(target, name, type, sizes, node.span))
    _rebind(ctx, name, replace(held, items=items, count=count))
    return Tensor(ir.Var(target, type, node.span))


def taken(
    ctx: Context, name: str, held: Listed, index: ir.Static, span: Span
) -> Tensor:
    """`maps[i]`, read before its statement."""
    target = ctx.unused_name(_one_of(name))
    type, sizes = _typed(ctx, held, target, span)
    ctx.body.append(ir.Pop(target, name, type, sizes, span, index))
    return Tensor(ir.Var(target, type, span))


def renamed(ctx: Context, value: ir.Expr, target: str) -> bool:
    """`first = maps[0]`: what was just taken from a list gets its name at once; False for any other
    value."""
    last = ctx.body[-1] if ctx.body else None
    match value, last:
        case ir.Var(name), ir.Pop(taken) if name == taken and name in ctx.temporaries:
            ctx.body[-1] = replace(last, target=target)
            return True
    return False


def _one_of(name: str) -> str:
    short = name.removesuffix("s")
    if short == name:
        return f"{name}_item"
    return f"{short}_" if hasattr(builtins, short) else short


def _typed(
    ctx: Context, held: Listed, target: str, span: Span
) -> tuple[TensorType, tuple[tuple[int, str], ...]]:
    """The type of the tensor that is taken; sizes that differ get names of their own."""
    assert held.element is not None
    sizes = []
    axes = list(held.items[-1].axes if held.items else held.element.axes)
    for i, axis in enumerate(held.element.axes):
        if held.given and held.items is None and axis.size.name in ctx.varying:
            differ(ctx, i, span)
        if not held.given and axis.size.name in ctx.varying:
            name = ctx.unused_name(f"{target}_{held.element.axis_name(i)}")
            ctx.locals[name] = axis.size.symbols
            sizes.append((i, name))
            if not held.items:
                axes[i] = Axis(symbol(name), axis.label)
    return held.element.with_axes(tuple(axes)), tuple(sizes)


def store(ctx: Context, target: tree.Name, value: Listed, span: Span) -> None:
    """`hidden = x -> Encoder`: a list that a call gives gets its name."""
    if isinstance(value.expr, ir.Var):
        ctx.fail("N255", f"`{value.expr.name}` would get a second name", span)
    ctx.body.append(ir.Assign((target.id,), value.expr, span))
    var = ir.Var(target.id, value.expr.type, target.span)
    ctx.bind(target.id, replace(value, expr=var), target.span, "list")


def _in_model(ctx: Context, span: Span) -> None:
    if ctx.kind == "train":
        ctx.fail("N255", "lists change in blocks and models only", span)
    if ctx.scan is not None:
        ctx.fail(
            "N264",
            "a list cannot change in a scan",
            span,
            related=(Label(ctx.scan.span, "the scan"),),
            help="gather what every step gives with `collect`",
        )


def _owner(ctx: Context, node: tree.Expr, method: str) -> str | None:
    """The list whose method is called."""
    match node:
        case tree.Call(tree.Attribute(tree.Name(name), called)) if called == method:
            held = ctx.scope.get(name)
            if held is not None and isinstance(held.value, Bad):
                held.use()
                raise Fault
            return name if held and isinstance(held.value, Listed) else None
    return None


def _held(ctx: Context, name: str) -> Listed:
    value = ctx.scope[name].value
    assert isinstance(value, Listed)
    return value


def _rebind(ctx: Context, name: str, value: Listed) -> None:
    """The list goes on under its name; whether it is used is asked of its beginning."""
    first = ctx.scope[name]
    ctx.scope[name] = Binding(name, value, first.span, "list", parents=[first])


def not_inside(ctx: Context, arms: tuple[tree.Expr, ...]) -> None:
    """A choice between values changes no list."""
    for call in nodes_in(arms, tree.Call):
        if any(_owner(ctx, call, method) for method in METHODS):
            ctx.fail(
                "N255",
                "a list is changed in a statement of its own here",
                call.span,
                help="name what it gives: `skip = skips.pop()`",
            )


def no_method(ctx: Context, node: tree.Attribute) -> NoReturn:
    """`skips.first`, or `skips.append` that is not called on a line of its own."""
    if node.name in METHODS:
        given = "x" if node.name == APPEND else ""
        shown = f"{node.value.span.text[:40]}.{node.name}({given})"
        text = f"`{node.name}` is called"
        ctx.fail("N255", text, node.span, **_as_line(ctx, node, shown))
    text = f"a list has no `{node.name}`"
    ctx.fail("N214", text, node.name_span, **_appended(ctx))


def _as_line(ctx: Context, node: tree.Attribute, shown: str) -> Advice:
    """`xs = xs.append(x)`: the line without what comes before the call."""
    match ctx.statement:
        case tree.Assign((tree.Name(name),), "=", tree.Call(func) as call, span):
            if func is node and node.span.text.startswith(f"{name}."):
                return write(span, call.span.text)
    return {"help": f"write a line `{shown}`"}


def _appended(ctx: Context) -> Advice:
    """`xs.extend([a, b])`: each on a line."""
    match ctx.statement:
        case tree.Evaluate(
            tree.Call(
                tree.Attribute(owner, "extend"), (tree.Arg(_, tree.ListOf(items)),)
            ),
            span,
        ) if items:
            margin = "\n" + " " * (span.source.position(span.start)[1] - 1)
            lines = (f"{owner.span.text}.append({i.span.text})" for i in items)
            return write(span, margin.join(lines))
    return {"help": "it has `append` and `pop`"}
