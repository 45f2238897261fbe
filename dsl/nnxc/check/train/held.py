"""Weights that a train reads: `model.lm_head.kernel`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NoReturn

from ... import ir
from ...dims import Dim, const, symbol
from ...ir.fold_statements import declared, placed_items, repeats
from ...ir.fold_tensors import walk
from ...ops.base import Op
from ...shapes import Axis, TensorType
from ...syntax import tree
from ..context import Context
from ..foreign import native
from ..foreign.model_arguments import DECAY
from ..values import Fault, ModelRef, Signature, Tensor
from .selection import dotted, exists

_ALL_WEIGHTS = (
    *("parameters", "named_parameters", "params", "weights", "state_dict"),
    *("trainable_variables", "trainable_weights", "variables", "state"),
)


def held(ctx: Context, node: tree.Attribute) -> Tensor | None:
    """The weight that a path from `model` on names; None where it is no such path."""
    root: tree.Expr = node
    while isinstance(root, tree.Attribute | tree.Index):
        root = root.value
    binding = ctx.scope.get(root.id) if isinstance(root, tree.Name) else None
    if binding is None or not isinstance(binding.value, ModelRef):
        return None
    if binding.value.frozen:
        return None
    if node.name in ("forward", "apply", "__call__", "module"):
        text = f"`{node.value.span.text}` has no `{node.name}`"
        ctx.fail("N214", text, node.name_span, **native.advice(ctx, node))
    if node.name in _ALL_WEIGHTS and root is node.value:
        text = f"`{root.span.text}` has no `{node.name}`"
        help = f"{DECAY}; one of them is `model.head.kernel`"
        ctx.fail("N214", text, node.name_span, help=help)
    name, signature = dotted(ctx, node), binding.value.signature
    if signature.broken:
        raise Fault
    _, *path = name.split(".")
    exists(ctx, node, path, signature)
    type_ = _type(ctx, node, path, signature)
    unknown = {s for size in type_.sizes for s in size.symbols} - {*signature.params}
    if unknown:
        text = f"the size of `{name}` cannot be told here"
        help = "return what the loss needs"
        ctx.fail("N311", text, node.span, f"this is {type_}", help=help)
    return Tensor(ir.Var(name, type_, node.span))


def unadapted(ctx: Context, train: ir.Train) -> bool:
    """Whether no weight is read that adapters change; reports N517."""
    paths = train.adapters.paths if train.adapters else ()
    for var in _read(train):
        layer = next((p for p in paths if var.name.startswith(f"model.{p}.")), None)
        if layer is not None:
            text = f"`adapt` changes `{layer}`, so that its kernel is not all of it"
            ctx.error("N517", text, var.span, help="leave it out of `adapt`")
            return False
    return True


def _read(train: ir.Train) -> list[ir.Var]:
    goals = train.objectives
    bodies = (train.body, *(goal.body for goal in goals))
    tops = [s.value for body in bodies for s in body if isinstance(s, ir.Assign)]
    for goal in goals:
        tops += [goal.loss, *(value for _, value in goal.metrics)]
    found = (e for top in tops for e in walk(top) if isinstance(e, ir.Var))
    return [e for e in found if "." in e.name]


def _type(
    ctx: Context, node: tree.Expr, path: Sequence[str], at: Signature
) -> TensorType:
    """The type of a weight, in sizes of the model."""
    env: dict[str, Dim] = {}
    for position, name in enumerate(path):
        items = placed_items(at.definition.body)
        item, around = next(found for found in items if found[0].name == name)
        loops = repeats(around)
        _is_one(ctx, node, item, loops > 0, loops < len(around))
        if isinstance(item, ir.Variable):
            return _substituted(item.type, env)
        rest = ".".join(path[position + 1 :])
        if isinstance(item.callee, Op):
            return _substituted(_of_entry(ctx, node, item, rest), env)
        env, at = _inside(item, at.callees[item.callee], env), at.callees[item.callee]
    _incomplete(ctx, node, path[-1], [i.name for i in declared(at.definition.body)])


def _is_one(
    ctx: Context, node: tree.Expr, item: Any, looped: bool, chosen: bool
) -> None:
    """A path that is read leads through what every model has once."""
    several = isinstance(item, ir.Layer) and (item.count or item.copies) is not None
    if looped or several:
        text, help = f"`{item.name}` is several layers", "return what the loss needs"
        ctx.fail("N510", text, node.span, help=help)
    if chosen:
        text = f"`{item.name}` stands under an `if`, so that not every model has it"
        ctx.fail("N510", text, node.span, help="return what the loss needs")


def _of_entry(ctx: Context, node: tree.Expr, layer: ir.Layer, name: str) -> TensorType:
    if name not in layer.weights:
        _incomplete(ctx, node, layer.name, list(layer.weights))
    weight, op = layer.weights[name], layer.callee
    assert isinstance(op, Op)
    switch = op.param(weight.when) if weight.when else None
    if switch is not None:
        on = dict(layer.args).get(switch.name, ir.Literal(switch.default))
        if not (isinstance(on, ir.Literal) and on.value):
            text = f"not every `{layer.name}` has `{name}`"
            ctx.fail("N511", text, node.span, help=f"write `{switch.name}=true`")
    return TensorType("float", tuple(Axis(s, s.name) for s in weight.sizes))


def _incomplete(
    ctx: Context, node: tree.Expr, layer: str, inside: list[str]
) -> NoReturn:
    choices = ", ".join(f"`{n}`" for n in inside)
    help = f"name what is inside: {choices}" if inside else None
    ctx.fail("N511", f"`{layer}` is a layer, not a weight", node.span, help=help)


def _inside(
    layer: ir.Layer, callee: Signature, env: Mapping[str, Dim]
) -> dict[str, Dim]:
    """What the sizes inside of a block are in the model; what is unknown is named as its own."""
    defaults = {p.name: p.default for p in callee.definition.params}
    given = {**defaults, **dict(layer.args)}
    outer = {**{n: _size(v) for n, v in given.items()}, **layer.sizes}
    return {
        name: symbol(f"{layer.name}.{name}") if size is None else size.substitute(env)
        for name, size in outer.items()
    }


def _size(value: ir.Static | None) -> Dim | None:
    match value:
        case ir.Literal(int() as number):
            return const(number)
        case ir.Ref(name):
            return symbol(name)
        case ir.Size(dim):
            return dim
    return None


def _substituted(type_: TensorType, env: Mapping[str, Dim]) -> TensorType:
    sizes = (size.substitute(env) for size in type_.sizes)
    return type_.with_axes(tuple(Axis(s, s.name) for s in sizes))
