"""The variables that `param` and `state` declare."""

from __future__ import annotations

from .. import ir
from . import text as t
from .expr import render
from .scope import Scope
from .statics import size, static


def variable(var: ir.Variable, scope: Scope) -> str:
    """The Flax variable of a `param` or `state`."""
    kind = "nnx.BatchStat" if var.state else "nnx.Param"
    if isinstance(var.init, ir.Expr):
        return f"{kind}({value(var.init, scope)})"
    shape = t.tuple_of([size(s, scope).text for s in var.type.sizes]).text
    dtype = (
        "jnp.float32" if var.type.dtype == "float" else scope.dtype_text(var.type.dtype)
    )
    return f"{kind}({_initial(var.init, shape, dtype, scope)})"


def value(expr: ir.Expr, scope: Scope) -> str:
    """A tensor that a constructor computes, in the dtype of weights."""
    dtype, scope.dtype = scope.dtype, None
    try:
        return render(expr, scope)
    finally:
        scope.dtype = dtype


def _initial(init: ir.Static, shape: str, dtype: str, scope: Scope) -> str:
    typed = "" if dtype == "jnp.float32" else f", {dtype}"
    plain = {"zeros": "jnp.zeros", "ones": "jnp.ones"}
    match init:
        case ir.Initializer(op, ()) if op.name in plain:
            return f"{plain[op.name]}({shape}{typed})"
        case ir.Initializer(op, ((_, value),)) if op.name == "constant":
            return _initial(value, shape, dtype, scope)
        case ir.Initializer():
            return f"{static(init, scope).at(t.ATOM)}(rngs.params(), {shape}{typed})"
        case ir.Literal(0 | 1 as value) if not isinstance(value, bool):
            return f"jnp.{'ones' if value else 'zeros'}({shape}{typed})"
    return f"jnp.full({shape}, {static(init, scope)}, {dtype})"
