"""Tensors among what constructs a layer: `LayerNorm(x)`, `Linear(x, 32)`."""

from __future__ import annotations

from collections.abc import Sequence

from ...diagnostics import write
from ...ops.base import Kind, Op
from ...record import Record
from ...syntax import tree
from ...syntax.walk import names_in, nodes_in
from ..context import Context
from ..foreign.arrows import placed
from ..foreign.spelling import entry
from ..foreign.tensor_parts import type_of
from ..foreign.tree_parts import path_to
from ..values import Bad, Tensor


def no_input(ctx: Context, op: Op, args: Sequence[tree.Arg], node: tree.Expr) -> None:
    """Report a tensor that stands first where a layer is constructed: inputs come by arrows."""
    if op.group != "layer" or not args or not isinstance(node, tree.Call):
        return
    takes = any(p.positional for p in op.params)
    binary = not takes and len(args) == 1 and isinstance(args[0].value, tree.Binary)
    given = _is_input(ctx, op, args)
    if not (given or binary):
        return
    chain = path_to(ctx.statement, node)
    parent = chain[-2] if len(chain) > 1 else None
    if isinstance(parent, tree.Stage) and binary:
        _beside_an_arrow(ctx, op, args[0], chain)
    if isinstance(parent, (tree.Stage, tree.Call)) or not given:
        return
    first, *rest = args
    if any(type_of(ctx, a.value) and a.span.text != first.span.text for a in rest):
        return  # of several inputs, the others have names
    rest = [a for a in rest if a.span.text != first.span.text]
    made = entry(ctx, op.name, rest, True) or op.name
    source = first.span.text
    source = f"({source})" if isinstance(first.value, tree.Binary) else source
    text = placed(f"{source} -> {made}", parent)
    message = (
        f"`{first.span.text[:40]}` is a tensor, and `{op.name}` takes parameters here"
    )
    ctx.fail(
        "N205", message, first.span, **write(node.span, text, "inputs come by arrows")
    )


def _is_input(ctx: Context, op: Op, args: Sequence[tree.Arg]) -> bool:
    """Whether the first argument is a tensor; one that is unknown is, where no parameter is left."""
    first = args[0]
    if first.name is not None or isinstance(first.value, (tree.ListOf, tree.IfElse)):
        return False
    if any(n.name in ("shape", "ndim") for n in nodes_in(first.value, tree.Attribute)):
        return False
    held = [ctx.scope.get(name.id) for name in names_in(first.value)]
    if isinstance(first.value, tree.Call):
        return _gives_tensor(ctx, first.value)
    values = [one.value for one in held if one is not None]
    if any(isinstance(value, Tensor) for value in values):
        return True
    takes = [p for p in op.params if p.positional]
    sizes = any(p.kind in (Kind.SIZES, Kind.INTS) for p in takes)
    given = [a for a in args if a.name is None]
    return (
        not sizes
        and len(given) > len(takes)
        and any(isinstance(value, Bad) for value in values)
    )


def _gives_tensor(ctx: Context, call: tree.Call) -> bool:
    """Whether a call gives a tensor: `relu(x)`, `fc(x)`."""
    func = call.func
    layer = isinstance(func, tree.Call)
    known = isinstance(func, tree.Name) and (
        func.id in ctx.functions or func.id in ctx.scope
    )
    given = [n for a in call.args for n in names_in(a.value)]
    return (layer or known) and any(type_of(ctx, name) for name in given)


def _beside_an_arrow(
    ctx: Context, op: Op, arg: tree.Arg, chain: Sequence[Record]
) -> None:
    """`x -> LayerNorm(x + y)`: what is given is what flows in."""
    pipe = chain[-3] if len(chain) > 2 else None
    if arg.name is not None:
        return
    if not isinstance(pipe, tree.Pipe) or pipe.stages[0] is not chain[-2]:
        return
    if not isinstance(pipe.source, tree.Name):
        return
    place = pipe.source.span.to(pipe.stages[0].value.span)
    text = f"({arg.span.text}) -> {op.name}"
    message = (
        f"`{arg.span.text[:40]}` is a tensor, and `{op.name}` takes parameters here"
    )
    ctx.fail("N205", message, arg.span, **write(place, text, "inputs come by arrows"))
