"""Numbers that become tensors: `total = 0.0`, to which a loop or a branch adds."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ... import ir
from ...record import replace
from ...syntax import tree
from ..arguments.flavors import NUMERIC
from ..context import Context
from ..definitions.optional_inputs import filled
from ..values import Binding, Static, Tensor, Value


def counterpart(ctx: Context, value: Value, other: Value) -> Tensor | None:
    """The tensor that a name stands for in another place, where here it is a number; None where
    its sizes are not known here."""
    if not isinstance(value, Static) or not isinstance(other, Tensor):
        return None
    plain = value.flavor in NUMERIC and value.param is None
    there = plain and not other.type.lead and not unknown(ctx, other)
    return other if there else None


def unknown(ctx: Context, value: Tensor) -> set[str]:
    """What the sizes of a tensor are made of that is not known wherever the inputs are."""
    given = {
        s for i in ctx.inputs if not i.optional for d in i.type.sizes for s in d.symbols
    }
    named = {s for size in value.type.sizes for s in size.symbols}
    return named - ctx.params.keys() - given


def as_tensor(ctx: Context, body: list[Any], number: Binding, like: Tensor) -> Binding:
    """The name as a tensor from the end of `body` on: the number everywhere."""

    static, name, span = number.value, number.name, number.span
    assert isinstance(static, Static)
    kind = like.type.dtype
    if static.known:
        value = filled((), tree.Number(static.value, "", span), static, kind)
    else:
        value = filled((), tree.Name(name, span), static, kind)
    before, ctx.scope = ctx.scope, {**ctx.scope, name: number}
    made = ctx.expr(value)
    ctx.scope = before
    assert isinstance(made, Tensor) and isinstance(made.expr, ir.OpCall)
    shape = ir.StaticList(tuple(ir.Size(size) for size in like.type.sizes))
    args = tuple((n, shape if n == "shape" else a) for n, a in made.expr.args)
    body.append(ir.Assign((name,), replace(made.expr, args=args, type=like.type), span))
    var = Tensor(ir.Var(name, like.type, span))
    return Binding(name, var, span, number.what, parents=[number])


def repair(name: str, value: Tensor, scope: Mapping[str, Binding]) -> str:
    """What to write where a number does not become a tensor by itself."""
    for other in scope.values():
        held = other.value
        if isinstance(held, Tensor) and not held.optional and held.type == value.type:
            return f"make it a tensor first: `{name} = {name} + 0 * {other.name}`"
    return "make it a tensor of that shape first"
