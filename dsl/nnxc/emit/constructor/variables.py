"""The variables that `param` and `state` declare."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from ... import ir
from ...ir.fold_statements import declared
from ...ir.statements import OF_FLAX
from ..calls.expr import text
from ..python import text as t
from ..python.docs import described
from ..python.scope import Scope
from ..python.static_text import size, static
from ..python.text import Text
from ..signature import Names


def state_classes(program: ir.Program, names: Names) -> list[str]:
    """The classes of the kinds of state, each with what is kept in it."""
    held: dict[str, dict[str, list[ir.Variable]]] = {}
    for definition in program.definitions:
        for item in declared(definition.body):
            if (
                isinstance(item, ir.Variable)
                and item.state
                and item.kind not in OF_FLAX
            ):
                owners = held.setdefault(item.kind, {})
                owners.setdefault(definition.name, []).append(item)
    return [_state_class(kind, owners, names) for kind, owners in held.items()]


def _state_class(
    kind: str, owners: Mapping[str, Sequence[ir.Variable]], names: Names
) -> str:
    kept = []
    for owner, variables in owners.items():
        known = names.signatures[owner]
        attributes = dict.fromkeys(f"`{known.attributes[v.name]}`" for v in variables)
        kept.append(f"{', '.join(attributes)} of {known.name}")
    comments = (v.doc for variables in owners.values() for v in variables if v.doc)
    sentence = f"State that no optimizer trains: {'; '.join(kept)}."
    doc = described(next(comments, ""), sentence)
    return f'class {names.states[kind]}(nnx.Variable[jax.Array]):\n    """{doc}"""\n'


def variable(var: ir.Variable, kind: str, scope: Scope) -> str:
    """The Flax variable of a `param` or `state`, whose class is `kind`."""
    dtype = _dtype(var, scope)
    if isinstance(var.init, ir.Expr):
        begun = _computed(var.init, scope)
        if dtype == scope.param_dtype:
            begun = Text(f"{begun.at(t.ATOM)}.astype({dtype})")
        return f"{kind}({begun.text})"
    shape = t.tuple_of([size(s, scope).text for s in var.type.sizes]).text
    return f"{kind}({_initial(var.init, shape, dtype, scope)})"


def _dtype(var: ir.Variable, scope: Scope) -> str:
    """What its values are kept in: a `state` in float32 unless it names another dtype."""
    if var.type.dtype != "float":
        return scope.dtype_text(var.type.dtype)
    if var.state or scope.param_dtype is None:
        return "jnp.float32"
    return scope.param_dtype


def value(expr: ir.Expr, scope: Scope) -> str:
    """A tensor that a constructor computes, in float32."""
    return _computed(expr, scope).text


def _computed(expr: ir.Expr, scope: Scope) -> Text:
    dtype, scope.dtype = scope.dtype, None
    try:
        return text(expr, scope)
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
