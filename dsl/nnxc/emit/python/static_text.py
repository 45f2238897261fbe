"""Static values and sizes as Python text."""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterator, Mapping
from typing import assert_never

from ... import ir
from ...dims import Dim, DimError, Func, Monomial, const, func, symbol
from ...ir.static_functions import STATIC_FUNCTIONS
from ...ops.base import REQUIRED, Call, Op, Param
from . import text as t
from .free_names import bound_name
from .library_calls import fill
from .scope import Scope
from .text import Text

ARITHMETIC: dict[str, Callable[[Dim, Dim], Dim]] = {
    "+": operator.add,
    "-": operator.sub,
    "*": operator.mul,
    "//": operator.floordiv,
    "%": operator.mod,
}


def static(value: ir.Static, scope: Scope) -> Text:
    """The Python expression of a static value."""
    match value:
        case ir.Literal(inner):
            return t.literal(inner)
        case ir.Ref(name):
            return Text(scope.symbol(name))
        case ir.Size(dim):
            return size(dim, scope)
        case ir.StaticUnary(op, operand):
            return _unary(op, operand, scope)
        case ir.StaticBinary(op, left, right):
            return _binary(op, left, right, scope)
        case ir.StaticIf(condition, then, orelse):
            return t.ternary(
                static(condition, scope), static(then, scope), static(orelse, scope)
            )
        case ir.StaticCall():
            made = _called(value, scope)
            return Text(f"tuple({made})") if _iterates(value) else made
        case ir.StaticList(items):
            return t.tuple_of([static(i, scope).text for i in items])
        case ir.StaticIndex(ir.Ref(name), ir.Ref(index)) if own := scope.sizes.get(
            func("index", symbol(name), symbol(index))
        ):
            return Text(scope.symbol(own))
        case ir.StaticIndex(inner, index):
            return Text(f"{static(inner, scope).at(t.ATOM)}[{static(index, scope)}]")
        case ir.StaticSlice(inner, start, stop, step):
            part = slice_of(start, stop, step, scope)
            return Text(f"{static(inner, scope).at(t.ATOM)}[{part}]")
        case ir.Given(name):
            return Text(f"{scope.given(name)} is not None", t.COMPARE)
        case ir.Function(op, args):
            called = value.name
            return Text(called) if called else function(op, dict(args), scope)
        case ir.Initializer(op, args):
            return initializer(op, dict(args), scope)
        case _:
            assert_never(value)


def iterable(value: ir.Static, scope: Scope) -> Text:
    """A static value where Python goes through it once: what makes a list need not keep it."""
    if isinstance(value, ir.StaticCall):
        return _called(value, scope)
    return static(value, scope)


def _called(call: ir.StaticCall, scope: Scope) -> Text:
    given = static if call.name in ("len", "reversed") else iterable
    return static_call(call.name, [given(a, scope).text for a in call.args])


def _iterates(call: ir.StaticCall) -> bool:
    """Whether Python goes through what the function gives, but once."""
    function = STATIC_FUNCTIONS.get(call.name)
    return function is not None and function.iterates


def slice_of(
    start: ir.Static | None,
    stop: ir.Static | None,
    step: ir.Static | None,
    scope: Scope,
) -> str:
    """`start:stop:step`, for between brackets."""
    bounds = [static(b, scope).text if b else "" for b in (start, stop)]
    return ":".join(bounds + ([static(step, scope).text] if step else []))


def function(op: Op, args: Mapping[str, ir.Static], scope: Scope) -> Text:
    """A function of the library as a value: `nnx.gelu`, `partial(nnx.elu, alpha=2.0)`."""
    name = op.inputs[0].name
    build = op.build_for(args)
    with scope.recording():  # only to see what names they take
        taken = [static(value, scope).text for value in args.values()]
    variable = bound_name("x", taken)

    def lookup(hole: str) -> Text | None:
        if hole == name:
            return Text(variable)
        if hole in args:
            return static(args[hole], scope)
        param = op.param(hole)
        return default(param) if param else None

    match build:
        case Call(target, (only,)) if only == name and "{" not in target:
            if not build.always and not args:
                return Text(target)
            alone = Call("partial", (f"={target}",), build.kwargs, build.always)
            return fill(alone, lookup, args)
        case str() if build.endswith(f"({{{name}}})") and build.count("{") == 1:
            return Text(build.removesuffix(f"({{{name}}})"))
    return Text(f"lambda {variable}: {fill(build, lookup, args)}", t.TERNARY)


def initializer(op: Op, args: Mapping[str, ir.Static], scope: Scope) -> Text:
    """An initialiser of jax.nn, called with its arguments."""

    def lookup(name: str) -> Text | None:
        if name in args:
            return static(args[name], scope)
        param = op.param(name)
        return None if param is None or param.default is REQUIRED else default(param)

    made = fill(op.build_for(args), lookup, args)
    name = scope.initializers.get(made.text)
    return made if name is None else Text(name)


def default(param: Param) -> Text:
    """The default of an entry's parameter."""
    if param.choices and param.default in param.choices:
        return t.opaque(param.choices[param.default])
    return t.literal(param.default)


def static_call(name: str, args: list[str]) -> Text:
    """A function of the language over static values, or all of a list: `*widths`."""
    if name == "*":
        return Text(f"*{args[0]}")
    function = STATIC_FUNCTIONS.get(name)  # or one that the module defines
    python = name if function is None else function.python
    if name == "zip":
        args = [*args, "strict=True"]
    return Text(f"{python}({', '.join(args)})")


def _unary(op: str, operand: ir.Static, scope: Scope) -> Text:
    if op != "not":
        return Text(f"{op}{static(operand, scope).at(t.UNARY)}", t.UNARY)
    match operand:
        case ir.StaticBinary("==" | "!=" as inner, left, right):
            return _binary("!=" if inner == "==" else "==", left, right, scope)
        case ir.StaticBinary("in", left, right):
            return _binary("not in", left, right, scope)
        case ir.StaticUnary("not", inner):
            return static(inner, scope)
        case ir.Given(name):
            return Text(f"{scope.given(name)} is None", t.COMPARE)
    return Text(f"not {static(operand, scope).at(t.NOT)}", t.NOT)


def membership(value: ir.Static) -> ir.Static | None:
    """`x in (1, 2)` for `x == 1 or x == 2`, where a value asks so for whole numbers or texts."""
    asked = [*_equalities(value)]
    items = tuple(item for _, item in asked)
    kinds = {type(item.value) for item in items}
    one = (
        len(kinds) == 1
        and kinds <= {int, str}
        and all(x == asked[0][0] for x, _ in asked)
    )
    if len(items) < 2 or not one:
        return None
    return ir.StaticBinary("in", asked[0][0], ir.StaticList(items))


def _equalities(value: ir.Static) -> Iterator[tuple[ir.Static, ir.Literal]]:
    """What `x == 1 or y == 2` compares; a part that is another is compared with None."""
    match value:
        case ir.StaticBinary("or", left, right):
            yield from _equalities(left)
            yield from _equalities(right)
        case ir.StaticBinary("==", left, ir.Literal() as right):
            yield left, right
        case _:
            yield value, ir.Literal(None)


def _binary(op: str, left: ir.Static, right: ir.Static, scope: Scope) -> Text:
    if op == "or" and (found := membership(ir.StaticBinary(op, left, right))):
        return static(found, scope)
    if op in ("==", "!="):
        for one, other in ((left, right), (right, left)):
            match other:
                case ir.Literal(None):
                    identity = "is" if op == "==" else "is not"
                    return t.binary(identity, static(one, scope), Text("None"))
                case ir.Literal(bool() as truth):
                    same = truth == (op == "==")
                    return static(one if same else ir.StaticUnary("not", one), scope)
    return t.binary(op, static(left, scope), static(right, scope))


def size(dim: Dim, scope: Scope) -> Text:
    """The Python expression of a size."""
    if scope.sizes:
        dim = _with_names(dim, scope.sizes)
    return Text(dim.render(scope.symbol, python=True), level(dim))


def _with_parts(dim: Dim, names: Mapping[Dim, str]) -> Dim:
    """The size with static locals in place of sums and products that are part of it."""
    for known in names:
        if len(known.terms) > 1:
            dim = dim - (known - symbol(names[known])) * _times(dim, known)
        elif known.terms[0][1] == 1:
            dim = _with_product(dim, known.terms[0][0], names[known])
    return dim


def _times(dim: Dim, part: Dim) -> int:
    """How often all terms of a part are among those of a size."""
    terms = dict(dim.terms)
    return max(0, min(terms.get(m, 0) // c if c > 0 else 0 for m, c in part.terms))


def _with_product(dim: Dim, factors: Monomial, name: str) -> Dim:
    total = const(0)
    for monomial, coefficient in dim.terms:
        powers, term = dict(monomial), const(coefficient)
        if all(powers.get(atom, 0) >= power for atom, power in factors):
            term = term * symbol(name)
            powers |= {atom: powers[atom] - power for atom, power in factors}
        total = total + term * Dim(((tuple(p for p in powers.items() if p[1]), 1),))
    return total


def _with_names(dim: Dim, names: Mapping[Dim, str]) -> Dim:
    """The size with static locals in place of what they stand for."""
    if dim in names:
        return symbol(names[dim])
    dim = _with_parts(dim, names)
    if not any(isinstance(a, Func) for m, _ in dim.terms for a, _ in m):
        return dim
    total = const(0)
    for monomial, coefficient in dim.terms:
        term = const(coefficient)
        for atom, power in monomial:
            alone = Dim(((((atom, 1),), 1),))
            base = symbol(names[alone]) if alone in names else alone
            term = term * base**power
        total = total + term
    return total


def as_size(value: ir.Static) -> Dim | None:
    """The size that a static value is, where it has a canonical form."""
    match value:
        case ir.Literal(int() as number) if not isinstance(number, bool):
            return const(number)
        case ir.Ref(name):
            return symbol(name)
        case ir.Size(dim):
            return dim
        case ir.StaticBinary(op, left, right) if op in ARITHMETIC:
            a, b = as_size(left), as_size(right)
            if a is None or b is None:
                return None
            try:
                return ARITHMETIC[op](a, b)
            except DimError:
                return None
    return None


def level(dim: Dim) -> int:
    """How tightly the outermost operator of a rendered size binds."""
    if len(dim.terms) != 1:
        return t.ADD if dim.terms else t.ATOM
    monomial, coefficient = dim.terms[0]
    if coefficient < 0:
        return t.UNARY if not monomial else t.MULTIPLY
    if len(monomial) + (coefficient != 1) > 1:
        return t.MULTIPLY
    for atom, power in monomial:
        if power != 1:
            return t.POWER
        if isinstance(atom, Func):
            return {"floordiv": t.MULTIPLY, "pow": t.POWER}.get(atom.name, t.ATOM)
    return t.ATOM
