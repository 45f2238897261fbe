"""What a place asks of an expression: a static value, a tensor."""

from __future__ import annotations

from typing import NoReturn, assert_never

from ... import ir
from ...diagnostics import Advice, meant, write
from ...ops.base import Kind
from ...record import Record, replace
from ...shapes import Outputs, TensorType
from ...syntax import tree
from ...syntax.walk import nodes_in
from ..arguments.flavors import NUMERIC, describe, describe_list
from ..context import Context
from ..definitions.parameter_kinds import demand
from ..foreign import chains, native
from ..values import (
    BAD,
    Applied,
    Bad,
    BlockRef,
    Fault,
    Listed,
    Method,
    ModelRef,
    OpRef,
    Several,
    Static,
    Tensor,
    Value,
)

_WHERE = "choose between tensors with `where(condition, a, b)`"

_OVER = ("sum", "mean", "max", "min", "prod")


def static_or_name(ctx: Context, node: tree.Expr) -> Value:
    """The value of an argument that may be a bare name of something that is no value."""
    if isinstance(node, (tree.Name, tree.ListOf, tree.Call)):
        return BAD
    return ctx.expr(node)


def static(ctx: Context, node: tree.Expr, what: str) -> Static:
    """An expression that must be known at construction."""
    value = ctx.expr(node)
    if isinstance(value, Static):
        return value
    if isinstance(value, Bad):
        raise Fault
    if isinstance(value, (Tensor, Several, Listed)):
        ctx.fail(
            "N230",
            f"{what} must be known when the model is built",
            node.span,
            "this is a tensor",
            **native.advice(ctx, _asked(ctx, node), _chosen(ctx, node)),
        )
    help = "a layer is applied: `x -> layer`" if isinstance(value, Applied) else None
    ctx.fail("N231", f"{what} must be a value", node.span, help=help)


def _chosen(ctx: Context, node: tree.Expr) -> Advice:
    """`a if x > 0 else b`, of a tensor."""
    for choice in nodes_in(ctx.statement, tree.IfElse):
        if choice.condition is node:
            sides = (node, choice.then, choice.orelse)
            text = f"where({', '.join(side.span.text for side in sides)})"
            return write(choice.span, text)
    if isinstance(node, tree.Name) and node.id in _MODES:
        return {"help": _KNOWN}
    return {"help": _WHERE}


_MODES = ("training", "train", "is_training", "deterministic", "eval", "inference")
_KNOWN = "layers know whether the model trains (`model.train()`, `model.eval()`): leave it out"


def _asked(ctx: Context, node: tree.Expr) -> Record:
    """The call of a function of sizes whose argument a tensor is, else the tensor."""
    calls = nodes_in(ctx.statement, tree.Call)
    return next((c for c in calls if any(a.value is node for a in c.args)), node)


def tensor(ctx: Context, node: tree.Expr, what: str = "this") -> Tensor:
    """An expression that must be a tensor; numbers become scalars."""
    return as_tensor(ctx, ctx.expr(node), node, what)


def as_tensor(
    ctx: Context, value: Value, node: tree.Expr, what: str = "this"
) -> Tensor:
    """A value as a tensor."""
    match value:
        case Tensor(_, False):
            return value
        case Static() if value.flavor in NUMERIC:
            return Tensor(scalar(ctx, value, node))
        case Bad():
            raise Fault
        case Tensor():
            shown = node.span.text[:40]
            text, help = (
                f"`{shown}` may be absent here",
                f"guard it: `if {shown} != none:`",
            )
            ctx.fail("N232", text, node.span, help=help)
        case Static() | Several() | Listed():
            _not_one_tensor(ctx, value, node, what)
        case Applied() | Method() | OpRef() | BlockRef() | ModelRef():
            _not_applied(ctx, value, node)
    assert_never(value)


def _as_list(node: tree.Expr) -> Advice:
    """What a list of numbers is as a tensor."""
    match node:
        case tree.Call(tree.Name("range", span), args) if args:
            return meant(span, "arange")
    if len(node.span.text) > 40:
        return {"help": f"write `tensor({node.span.text[:40]}...)`"}
    return write(node.span, f"tensor({node.span.text})")


def _not_one_tensor(
    ctx: Context, value: Static | Several | Listed, node: tree.Expr, what: str
) -> NoReturn:
    match value:
        case Static():
            code, text, label = "N233", "must be a tensor", f"this is {describe(value)}"
            advice = _as_list(node) if value.flavor == "list" else {}
        case Several():
            code, text = "N234", "must be one tensor"
            label = f"these are {len(value.types)} values"
            advice = _one_of(ctx, value, node)
        case Listed():
            code, text = "N233", "must be one tensor"
            label, advice = f"this is {describe_list(value)}", _joined(ctx, node)
    ctx.fail(code, f"{what} {text}", node.span, label, **advice)


def _not_applied(ctx: Context, value: Value, node: tree.Expr) -> NoReturn:
    shown = node.span.text[:40]
    text, help = f"`{shown}` is not a tensor", f"apply it: `x -> {shown}`"
    if isinstance(value, Applied):
        value.layer.used = True
        text = f"`{value.layer.name}` is a layer, not a tensor"
    ctx.fail("N235", text, node.span, **(chains.begun(ctx, node) or {"help": help}))


def scalar(ctx: Context, value: Static, node: tree.Expr) -> ir.Scalar:
    """A static number among tensors."""
    dtype = {"int": "int", "bool": "bool"}.get(value.flavor, "float")
    if value.flavor == "unknown":
        if value.param is not None:
            demand(ctx, value.param, Kind.NUMBER, node.span)
        for name in value.dim.symbols & ctx.params.keys() if value.dim else ():
            ctx.params[name].doubtful = True
    return ir.Scalar(value.node, TensorType(dtype, ()), node.span)


def _one_of(ctx: Context, value: Several, node: tree.Expr) -> Advice:
    """How one of several values is taken: those with names by its name."""
    if isinstance(value.types, Outputs):
        name = "logits" if "logits" in value.types.names else value.types.names[0]
        flows = next(iter(nodes_in(ctx.statement, tree.Pipe)), None)
        if flows and not ctx.statement.span.contains(node.span):
            text = f"{flows.source.span.text}.{name}"
            return write(flows.source.span, text, "take one by its name")
        if isinstance(node, (tree.Name, tree.Call)):
            return write(node.span, f"{node.span.text}.{name}", "take one by its name")
    if isinstance(node, tree.Name) or not isinstance(value.expr, ir.TupleOf):
        flows = next(iter(nodes_in(ctx.statement, tree.Pipe)), None)
        if flows and isinstance(flows.source, tree.ListOf):
            return _into_one(flows)
    for call in nodes_in(ctx.statement, tree.Call):
        match call:
            case tree.Call(
                tree.Name("sum"), (tree.Arg(_, tree.ListOf(items) as listed),)
            ):
                if listed is node:
                    text = " + ".join(item.span.text for item in items)
                    return write(call.span, text)
    return {"help": "give them names: `a, b = ...`"}


def _into_one(flows: tree.Pipe) -> Advice:
    """`[x, y] -> Linear(3)`, `(x, m) -> Attention(2)`: one tensor flows."""
    source, first = flows.source, flows.stages[0].value
    assert isinstance(source, tree.ListOf)
    head = first.func if isinstance(first, tree.Call) else first
    if (
        isinstance(head, tree.Name)
        and head.id == "Attention"
        and len(source.items) == 2
    ):
        x, context = (item.span.text for item in source.items)
        inside = first.span.text.partition("(")[2].removesuffix(")")
        place = source.span.to(first.span)
        text = f"{x} -> Attention({inside}, context={context})"
        return write(place, text, "inputs have names here")
    items = ", ".join(item.span.text for item in source.items)
    place = source.span.to(first.span)
    text = f"[{items}] -> concat(axis=-1) -> {first.span.text}"
    return write(place, text, "one tensor flows")


def _joined(ctx: Context, node: tree.Expr) -> Advice:
    """How a list of tensors becomes one: appended to, or joined for a sum over them."""
    match ctx.statement:
        case tree.Assign((tree.Name(name),), "+=", tree.ListOf((item,)), span) if (
            name == node.span.text
        ):
            return write(span, f"{name}.append({item.span.text})")
    for call in nodes_in(ctx.statement, tree.Call):
        lone = len(call.args) == 1 and call.args[0].value is node
        if lone and isinstance(call.func, tree.Name) and call.func.id in _OVER:
            inside = f"stack({node.span.text}, axis=0), axis=0"
            return write(call.span, f"{call.func.id}({inside})")
    return {
        "help": "take one with `.pop()` or `[-1]`, or join them with `concat` or `stack`"
    }


def no_tuple(ctx: Context, node: tree.Expr) -> None:
    """Refuse `(a, b)`, with what stands there instead."""
    if isinstance(node, tree.ListOf) and node.round:
        advice = native.advice(ctx, node, write(node.span, f"[{node.span.text[1:-1]}]"))
        ctx.fail("N122", "a tuple is Python", node.span, **advice)


def believed(ctx: Context, got: Tensor, wanted: TensorType) -> Tensor:
    """What follows from a loop or a choice is better told by what is asserted of it."""
    if not ctx.internal({s for d in got.type.sizes for s in d.symbols}):
        return got
    kept = got.type.axes[: got.type.rank - wanted.rank] if wanted.lead else ()
    return Tensor(replace(got.expr, type=got.type.with_axes(kept + wanted.axes)))
