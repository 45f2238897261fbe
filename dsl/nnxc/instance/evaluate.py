"""Static values computed: the arithmetic of a constructor, done by the compiler.

A value is what Python would have (numbers, text, None, tuples for lists and windows), or a `Dim`
where axes that only a call knows take part. Work and sizes are bounded: whatever a spec writes,
evaluation ends soon, with a value or a typed error. Knows `ir` and `dims`.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Mapping
from typing import Any, assert_never

from .. import ir
from ..dims import (
    Dim,
    DimError,
    Func,
    Monomial,
    as_dim,
    const,
    func,
    power,
    symbol,
)
from ..dims_compare import Comparison, compare
from ..ir.static_functions import STATIC_FUNCTIONS
from ..ir.static_values import (
    MAX_BITS,
    MAX_ITEMS,
    MAX_TEXT,
    Absent,
    EvaluationError,
    TooMuch,
    Undecided,
    Value,
    plain,
    sequence,
    show,
)

# ---------------------------------------------------------------------- sizes


def resolve(dim: Dim, env: Mapping[str, Value]) -> Dim:
    """A size with every name that `env` has replaced, `widths[i]` and its like looked up.

    Raises `EvaluationError`.
    """
    if dim.value is not None or dim.symbols.isdisjoint(env):
        return dim
    try:
        if dim.name is not None:
            return _whole(env[dim.name], dim.name)
        return sum((_resolve_term(m, c, env) for m, c in dim.terms), const(0))
    except DimError as error:
        raise EvaluationError(str(error)) from None


def _resolve_term(
    monomial: Monomial, coefficient: int, env: Mapping[str, Value]
) -> Dim:
    """One product. Numbers are multiplied as numbers, which is what most sizes are."""
    number, rest = coefficient, const(1)
    for atom, exponent in monomial:
        size = _resolve_atom(atom, env)
        if size.value is None:
            rest = rest * power(size, const(exponent))
        else:
            number *= size.value**exponent
    return const(number) if rest.value == 1 else rest * number


def _resolve_atom(atom: str | Func, env: Mapping[str, Value]) -> Dim:
    if isinstance(atom, str):
        return _whole(env[atom], atom) if atom in env else symbol(atom)
    match atom.name, atom.args:
        case "index", (values, position):
            return _index_atom(values, position, env)
        case "len", (Dim(name=str(name)),) if name in env:
            return const(len(sequence(env[name], name)))
        case "if", (then, condition, orelse) if (
            chosen := resolve(condition, env).value
        ) is not None:
            return resolve(then if chosen else orelse, env)
    return func(atom.name, *(resolve(a, env) for a in atom.args))


def _index_atom(values: Dim, position: Dim, env: Mapping[str, Value]) -> Dim:
    name, place = values.name, resolve(position, env)
    if name is None or name not in env or place.value is None:
        return func("index", values, place)
    item = _item(sequence(env[name], name), place.value)
    return _whole(item, f"{name}[{place}]")


def _whole(value: Value, name: str) -> Dim:
    match value:
        case Dim():
            return value
        case int():
            return as_dim(int(value))
        case float() if value.is_integer():
            return as_dim(int(value))
        case None:
            raise Absent(f"{name} is none where a size is needed")
    raise EvaluationError(f"{name} is {show(value)}, which is no size")


# --------------------------------------------------------------------- values


def evaluate(
    static: ir.Static,
    env: Mapping[str, Value],
    given: Callable[[str], bool] = lambda name: False,
) -> Value:
    """The value of a static expression; `given` answers `mask != none`.

    A name that `env` lacks is an axis. Raises `EvaluationError`, and `Undecided` where the
    answer hangs on such an axis.
    """

    def value_of(part: ir.Static) -> Value:
        return evaluate(part, env, given)

    match static:
        case ir.Literal(value):
            return value
        case ir.Ref(name):
            return env[name] if name in env else symbol(name)
        case ir.Size(dim):
            return plain(resolve(dim, env))
        case ir.StaticUnary(op, operand):
            return _unary(op, value_of(operand))
        case ir.StaticBinary("and", left, right):
            return value_of(left) and value_of(right)
        case ir.StaticBinary("or", left, right):
            return value_of(left) or value_of(right)
        case ir.StaticBinary(op, left, right):
            return _binary(op, value_of(left), value_of(right))
        case ir.StaticIf(condition, then, orelse):
            return value_of(then if truth(value_of(condition)) else orelse)
        case ir.StaticCall(name, args):
            return _call(name, [value_of(a) for a in args])
        case ir.StaticList(items):
            return tuple(value_of(item) for item in items)
        case ir.StaticIndex(values, index):
            return _item(sequence(value_of(values), "this value"), value_of(index))
        case ir.StaticSlice(values, start, stop, step):
            bounds = [None if b is None else value_of(b) for b in (start, stop, step)]
            return _part(sequence(value_of(values), "this value"), bounds)
        case ir.Given(name):
            return given(name)
        case ir.Function(op):
            return op
        case ir.Initializer(op, args):
            return ir.Initializer(
                op, tuple((k, ir.Literal(value_of(v))) for k, v in args)
            )
    assert_never(static)


def truth(value: Value) -> bool:
    """Whether a value counts as true; raises `Undecided` for an axis."""
    if isinstance(value, Dim):
        raise Undecided
    return bool(value)


def _item(items: tuple[Value, ...], index: Value) -> Value:
    if isinstance(index, Dim):
        raise Undecided
    if not isinstance(index, int):
        raise EvaluationError(f"a list cannot be indexed by {show(index)}")
    if not -len(items) <= index < len(items):
        raise EvaluationError(f"index {index} is outside a list of {len(items)}")
    return items[index]


def _part(items: tuple[Value, ...], bounds: list[Any]) -> tuple[Value, ...]:
    if any(isinstance(b, Dim) for b in bounds):
        raise Undecided
    if not all(b is None or isinstance(b, int) for b in bounds):
        raise EvaluationError("a list is cut at whole numbers")
    if bounds[2] == 0:
        raise EvaluationError("the step of a slice is 0")
    return items[slice(*bounds)]


_ARITHMETIC: Mapping[str, Callable[[Any, Any], Any]] = {
    "+": operator.add,
    "-": operator.sub,
    "*": operator.mul,
    "/": operator.truediv,
    "//": operator.floordiv,
    "%": operator.mod,
    "**": operator.pow,
}
_ORDER: Mapping[str, Callable[[Any, Any], bool]] = {
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}


def _unary(op: str, value: Value) -> Value:
    if op == "not":
        return not truth(value)
    return _computed("-", lambda: -value, value)


def _binary(op: str, left: Value, right: Value) -> Value:
    if op == "in":
        return any(
            truth(_binary("==", left, item))
            for item in sequence(right, "what is right of `in`")
        )
    if isinstance(left, Dim) or isinstance(right, Dim):
        return _over_axes(op, left, right)
    if op in ("==", "!="):
        return (left == right) is (op == "==")
    if op in _ORDER:
        return _computed(op, lambda: _ORDER[op](left, right), left, right)
    _bound(op, left, right)
    return _computed(op, lambda: _ARITHMETIC[op](left, right), left, right)


def _bound(op: str, left: Value, right: Value) -> None:
    """Refuses what Python would compute at length: a huge power, a long repetition."""
    match op, left, right:
        case "**", int(), int() if right * max(left.bit_length(), 1) > MAX_BITS:
            raise TooMuch("this number is too large")
        case "*", tuple() | str(), int() if len(left) * right > MAX_ITEMS:
            raise TooMuch("this list is too long")
        case "*", int(), tuple() | str() if len(right) * left > MAX_ITEMS:
            raise TooMuch("this list is too long")


def _computed(op: str, compute: Callable[[], Value], *operands: Value) -> Value:
    try:
        value = compute()
    except ZeroDivisionError:
        raise EvaluationError("division by zero") from None
    except OverflowError:
        raise TooMuch("this number is too large") from None
    except DimError as error:
        raise EvaluationError(str(error)) from None
    except (TypeError, ValueError):
        shown = " and ".join(show(v) for v in operands)
        kind = Absent if None in operands else EvaluationError
        raise kind(f"`{op}` does not apply to {shown}") from None
    return _bounded(value)


def _bounded(value: Value) -> Value:
    match value:
        case complex():
            raise EvaluationError("the root of a negative number")
        case int() if value.bit_length() > MAX_BITS:
            raise TooMuch("this number is too large")
        case tuple() if len(value) > MAX_ITEMS:
            raise TooMuch("this list is too long")
        case str() if len(value) > MAX_TEXT:
            raise TooMuch("this text is too long")
    return value


def _over_axes(op: str, left: Value, right: Value) -> Value:
    kinds = {type(left), type(right)} - {Dim, int, bool}
    if kinds == {float} or op == "/":
        raise Undecided
    if kinds and op in ("==", "!="):
        return op == "!="
    return _computed(op, lambda: _of_sizes(op, left, right), left, right)


def _of_sizes(op: str, left: Value, right: Value) -> Value:
    if not isinstance(left, (Dim, int)) or not isinstance(right, (Dim, int)):
        raise TypeError
    if op in _ARITHMETIC:
        return plain(_ARITHMETIC[op](as_dim(left), as_dim(right)))
    return _compared(op, as_dim(left), as_dim(right))


def _compared(op: str, left: Dim, right: Dim) -> bool:
    answer = compare(left, right)
    if answer is Comparison.UNKNOWN:
        raise Undecided
    if op in ("==", "!="):
        return (answer is Comparison.EQUAL) is (op == "==")
    # Where sizes differ for sure, every coefficient of their difference has one sign.
    sign = 0 if answer is Comparison.EQUAL else (left - right).terms[0][1]
    return _ORDER[op](sign, 0)


# ------------------------------------------------------------------ functions


def _call(name: str, args: list[Value]) -> Value:
    function = STATIC_FUNCTIONS[name]
    over_axes = any(_has_axis(a) for a in args)
    compute = function.over_axes if over_axes else function.compute
    if compute is None:
        raise Undecided
    return _computed(name, lambda: compute(*args), *args)


def _has_axis(value: Value) -> bool:
    if isinstance(value, tuple):
        return any(isinstance(v, Dim) for v in value)
    return isinstance(value, Dim)
