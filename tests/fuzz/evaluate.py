"""What a function of JAX computes, found with numpy and in float64.

XLA takes a second to compile what numpy computes in a millisecond, and two ways to the same value
differ by rounding. So a function is traced, and its equations are computed here: all that floats
is float64, half precision too, and values that ought to be equal are equal to ten digits.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from .arrays import ARRAYS
from .windows import WINDOWS

Rule = Callable[..., Any]


def evaluated(function: Callable[..., Any], *args: Any) -> Any:
    """What `function(*args)` gives, a tree of numpy's arrays."""
    closed, shape = jax.make_jaxpr(function, return_shape=True)(*args)
    values = run(closed.jaxpr, closed.consts, jax.tree.leaves(args))
    return jax.tree.unflatten(jax.tree.structure(shape), values)


def run(jaxpr: Any, consts: Sequence[Any], args: Sequence[Any]) -> list[Any]:
    """The equations of a jaxpr, one by one."""
    known = dict(zip(jaxpr.constvars, map(widened, consts), strict=True))
    known |= zip(jaxpr.invars, map(widened, args), strict=True)

    def value(atom: Any) -> Any:
        return widened(atom.val) if hasattr(atom, "val") else known[atom]

    with np.errstate(all="ignore"):
        for equation in jaxpr.eqns:
            given = [value(a) for a in equation.invars]
            results = computed(equation, given)
            known |= zip(equation.outvars, results, strict=True)
    return [value(a) for a in jaxpr.outvars]


def computed(equation: Any, given: list[Any]) -> Sequence[Any]:
    """The results of one equation."""
    name = equation.primitive.name
    if rule := CALLS.get(name):
        return rule(given, **equation.params)
    rule = ARRAYS.get(name) or WINDOWS.get(name)
    if rule is None or any(map(is_key, given)):
        return bound(equation, given)
    results = rule(*given, **equation.params)
    several = equation.primitive.multiple_results
    return results if several else [results]


def bound(equation: Any, given: list[Any]) -> Sequence[Any]:
    """What JAX itself makes of an equation."""
    args = [
        g if is_key(g) else jnp.asarray(g, a.aval.dtype)
        for g, a in zip(given, equation.invars, strict=True)
    ]
    results = equation.primitive.bind(*args, **equation.params)
    several = equation.primitive.multiple_results
    return [widened(r) for r in (results if several else [results])]


def is_key(value: Any) -> bool:
    """Whether a value is a key of a random stream."""
    return jnp.issubdtype(getattr(value, "dtype", np.int32), jax.dtypes.prng_key)


def widened(value: Any) -> Any:
    """An array of numpy, float64 if floating."""
    if is_key(value):
        return value
    floats = jnp.issubdtype(jnp.result_type(value), jnp.floating)
    return np.asarray(value, np.float64) if floats else np.asarray(value)


# ---------------------------------------------------------------------- calls


def called(given: list[Any], **params: Any) -> list[Any]:
    """A function within the function."""
    inner = params.get("jaxpr") or params.get("call_jaxpr")
    if hasattr(inner, "consts"):
        return run(inner.jaxpr, inner.consts, given)
    return run(inner, (), given)


def closed(jaxpr: Any, *args: Any) -> list[Any]:
    """A closed jaxpr of such arguments."""
    return run(jaxpr.jaxpr, jaxpr.consts, args)


def repeated(
    given: list[Any], *, cond_jaxpr: Any, body_jaxpr: Any, **counts: int
) -> list[Any]:
    """`while`."""
    first, second = counts["cond_nconsts"], counts["body_nconsts"]
    outer, inner = given[:first], given[first : first + second]
    carry = given[first + second :]
    while closed(cond_jaxpr, *outer, *carry)[0]:
        carry = closed(body_jaxpr, *inner, *carry)
    return carry


def scanned(
    given: list[Any],
    *,
    jaxpr: Any,
    length: int,
    reverse: bool,
    num_consts: int,
    num_carry: int,
    **_: Any,
) -> list[Any]:
    """`scan`."""
    consts, rest = given[:num_consts], given[num_consts:]
    carry, along = rest[:num_carry], rest[num_carry:]
    found: list[list[Any]] = []
    for i in reversed(range(length)) if reverse else range(length):
        outputs = closed(jaxpr, *consts, *carry, *(a[i] for a in along))
        carry = outputs[:num_carry]
        found.append(outputs[num_carry:])
    if not found:
        shapes = [v.aval for v in jaxpr.jaxpr.outvars[num_carry:]]
        return [*carry, *(np.zeros((0, *s.shape)) for s in shapes)]
    rows = found[::-1] if reverse else found
    return [*carry, *map(stacked, zip(*rows, strict=True))]


def stacked(rows: Sequence[Any]) -> Any:
    """The results of all steps, as one."""
    return jnp.stack(rows) if is_key(rows[0]) else np.stack(rows)


def chosen(given: list[Any], *, branches: Any, **_: Any) -> list[Any]:
    """`cond` and `switch`."""
    index = int(np.clip(given[0], 0, len(branches) - 1))
    return closed(branches[index], *given[1:])


CALLS: dict[str, Rule] = {
    **dict.fromkeys(
        (
            "jit", "pjit", "closed_call", "core_call", "custom_jvp_call", "remat2",
            "custom_vjp_call", "custom_vjp_call_jaxpr", "checkpoint", "remat",
        ),
        called,
    ),
    "while": repeated,
    "scan": scanned,
    "cond": chosen,
}  # fmt: skip
