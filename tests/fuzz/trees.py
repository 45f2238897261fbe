"""Short ways to write trees: the vocabulary of the generator of valid specs."""

from __future__ import annotations

from collections.abc import Iterable

from nnxc.dims import Dim, Func
from nnxc.syntax import tree


def name(text: str) -> tree.Name:
    """A name."""
    return tree.Name(text)


def literal(value: object) -> tree.Expr:
    """A number, a string, a constant, or a list of these; sizes and trees as they are."""
    match value:
        case None | bool():
            return tree.Constant(value)
        case int() | float() if value < 0:
            return tree.Unary("-", literal(-value))
        case int() | float():
            return tree.Number(value, repr(value))
        case str():
            return tree.String(value)
        case list():
            return tree.ListOf(tuple(map(literal, value)))
        case Dim():
            return size(value)
    return value  # type: ignore[return-value]


def size(dim: Dim) -> tree.Expr:
    """A size as arithmetic over names."""
    result: tree.Expr | None = None
    for monomial, coefficient in sorted(dim.terms, key=lambda t: t[1] < 0):
        factors: list[tree.Expr] = []
        if abs(coefficient) != 1 or not monomial:
            factors.append(literal(abs(coefficient)))
        for atom, power in monomial:
            factors.extend([_atom(atom)] * power)
        term = chained("*", factors)
        if result is None:
            result = term if coefficient > 0 else tree.Unary("-", term)
        else:
            result = tree.Binary("+" if coefficient > 0 else "-", result, term)
    return literal(0) if result is None else result


def _atom(atom: str | Func) -> tree.Expr:
    if isinstance(atom, str):
        return name(atom)
    assert atom.name == "floordiv"
    return tree.Binary("//", *map(size, atom.args))


def chained(op: str, parts: Iterable[tree.Expr]) -> tree.Expr:
    """`a op b op c`, from the left."""
    first, *rest = parts
    for part in rest:
        first = tree.Binary(op, first, part)
    return first


def call(func: str, *args: object, **named: object) -> tree.Call:
    """`func(args, name=...)`."""
    positional = [tree.Arg(None, literal(a)) for a in args]
    by_name = [tree.Arg(n, literal(v)) for n, v in named.items()]
    return tree.Call(name(func), (*positional, *by_name))


def pipe(source: tree.Expr, *stages: tree.Expr) -> tree.Expr:
    """`source -> stage -> stage`."""
    return tree.Pipe(source, tuple(map(tree.Stage, stages))) if stages else source


def type_of(sizes: Iterable[Dim], dtype: str | None = None) -> tree.TypeOf:
    """`dtype[sizes]`."""
    return tree.TypeOf(dtype, tuple(map(size, sizes)))


def declare(
    keyword: str, *fields: tuple[str, tree.TypeOf, tree.Expr | None]
) -> tree.Declare:
    """`input a: T, b: T = none` and its like."""
    return tree.Declare(keyword, tuple(tree.Field(*f) for f in fields))


def assign(target: str, value: tree.Expr, op: str = "=") -> tree.Assign:
    """`target op value`."""
    return tree.Assign((name(target),), op, value)


def definition(
    kind: str,
    text: str,
    params: dict[str, object],
    body: Iterable[tree.Statement],
) -> tree.Definition:
    """`kind text(params):`; a parameter that is `...` has no default."""
    parameters = tuple(
        tree.Parameter(n, None if v is ... else literal(v)) for n, v in params.items()
    )
    return tree.Definition(kind, name(text), parameters, tuple(body))
