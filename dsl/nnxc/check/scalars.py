"""Numbers that become tensors: `total = 0.0`, to which a loop or a branch adds."""

from __future__ import annotations

from typing import Any

from .. import ir
from ..syntax import tree
from .absent import filled
from .context import Context
from .flavors import NUMERIC
from .values import Binding, Static, Tensor, Value


def counterpart(value: Value, other: Value) -> Tensor | None:
    """The scalar tensor that a name stands for in another place, where here it is a number."""
    if not isinstance(value, Static) or not isinstance(other, Tensor):
        return None
    scalar = not other.type.axes and not other.type.lead
    plain = value.flavor in NUMERIC and value.param is None
    return other if scalar and plain else None


def as_tensor(ctx: Context, body: list[Any], number: Binding, like: Tensor) -> Binding:
    """The name as a tensor from the end of `body` on."""
    from .expressions import expr

    static, name, span = number.value, number.name, number.span
    assert isinstance(static, Static)
    kind = like.type.dtype
    if static.known:
        value = filled((), tree.Number(static.value, "", span), static, kind)
    else:
        value = filled((), tree.Name(name, span), static, kind)
    made = expr(ctx, value)
    assert isinstance(made, Tensor)
    body.append(ir.Assign((name,), made.expr, span))
    var = Tensor(ir.Var(name, like.type, span))
    return Binding(name, var, span, number.what, parents=[number])
