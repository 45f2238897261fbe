"""Tensor expressions as Python text: one expression in, one expression out."""

from __future__ import annotations

from collections.abc import Sequence
from typing import assert_never

from ... import ir
from ...dims import Dim
from ...ops.base import Op
from ...shapes import DTYPES, ListType, Outputs, TensorType
from ..python import text as t
from ..python.free_names import bound_name
from ..python.library import call
from ..python.library_calls import fill
from ..python.line_uses import Axis
from ..python.names import fields
from ..python.scope import Callee, Scope
from ..python.static_text import size, slice_of, static
from ..python.text import Text
from . import copies

_BITWISE = {"and": "&", "or": "|"}


def render(expr: ir.Expr, scope: Scope) -> str:
    """The Python expression of a tensor expression.

    `Let` and stacks need statements of their own: `flow.lower` removes them beforehand.
    """
    return text(expr, scope).text


def text(expr: ir.Expr, scope: Scope) -> Text:
    """The same with its precedence."""
    match expr:
        case ir.Var(name):
            return t.opaque(scope.value(name))
        case ir.Scalar(value):
            return static(value, scope)
        case ir.Apply():
            return _apply(expr, scope)
        case ir.OpCall(op):
            made = call(expr, scope, {n: _input(v, scope) for n, v in expr.inputs})
            return declared(made, op, expr.type, scope) if op.origin else made
        case ir.Invoke(function, value):
            return Text(f"{static(function, scope).at(t.ATOM)}({text(value, scope)})")
        case ir.Operator(op, operands):
            return _operator(op, [text(o, scope) for o in operands])
        case ir.Subscript(value, items):
            keys = ", ".join(_item(i, scope) for i in items)
            return Text(f"{text(value, scope).at(t.ATOM)}[{keys}]")
        case ir.Reshape(value, type_):
            return _reshape(value, type_, scope)
        case ir.Cast():
            return _cast(expr, scope)
        case ir.TupleOf() | ir.ListOf():
            return _display(expr, scope)
        case ir.Item(ir.TupleOf(items), index):
            return text(items[index], scope)
        case ir.Element(value, index):
            return Text(f"{text(value, scope).at(t.ATOM)}[{static(index, scope)}]")
        case ir.Item(value, index):
            whole, kind = text(value, scope).at(t.ATOM), value.type
            if isinstance(kind, Outputs):
                return Text(f"{whole}.{fields(kind.names)[index]}")
            return Text(f"{whole}[{index}]")
        case ir.ListPart(value, start, stop, step):
            part = slice_of(start, stop, step, scope)
            return Text(f"{text(value, scope).at(t.ATOM)}[{part}]")
        case ir.Choose(_, then, orelse):
            return t.ternary(asked(expr, scope), text(then, scope), text(orelse, scope))
        case ir.ModelCall(args):
            return _invoke(scope.models[expr.model], None, args, scope)
        case ir.Let():
            raise TypeError("a value used twice needs a statement")
        case _:
            assert_never(expr)


def _display(expr: ir.TupleOf | ir.ListOf, scope: Scope) -> Text:
    """Several values, or a list; what is in another list is unpacked."""
    if isinstance(expr, ir.TupleOf):
        return t.tuple_of([text(item, scope).text for item in expr.items])
    items = (
        (
            f"*{text(item, scope).at(t.ATOM)}"
            if isinstance(item.type, ListType)
            else text(item, scope).text
        )
        for item in expr.items
    )
    return Text(f"[{', '.join(items)}]")


def asked(choice: ir.Choose, scope: Scope) -> Text:
    """The test of a choice."""
    present = scope.presence(choice.span)
    if present is not None:
        return Text(present, t.COMPARE)
    return static(choice.condition, scope)


def _input(value: ir.Expr | tuple[ir.Expr, ...], scope: Scope) -> Text:
    if isinstance(value, tuple):
        return Text(f"[{', '.join(text(v, scope).text for v in value)}]")
    return text(value, scope)


def _apply(expr: ir.Apply, scope: Scope) -> Text:
    callee = scope.callee(expr.layer)
    made = _applied(expr, callee, scope)
    return declared(made, callee.extern, expr.type, scope) if callee.extern else made


def _applied(expr: ir.Apply, callee: Callee, scope: Scope) -> Text:
    if callee.copies is not None:
        args = [
            (callee.names.get(n, n), text(v, scope).text, n in callee.optional)
            for n, v in expr.args
        ]
        return Text(copies.called(callee, callee.copies, args, expr.each, scope.rngs))
    build = callee.in_full.get(expr.method or "")
    if build and isinstance(expr.type, TensorType) and expr.type.dtype == "f32":
        known = {n: text(v, scope) for n, v in expr.args}
        known |= {"self": Text(callee.text), "dtype": Text(scope.dtype_text("float"))}
        return fill(build, known.get, known)
    return _invoke(callee, expr.method, expr.args, scope)


def _invoke(
    callee: Callee,
    method: str | None,
    given: Sequence[tuple[str, ir.Expr]],
    scope: Scope,
) -> Text:
    args, keywords = [], []
    for name, value in given:
        python = text(value, scope).text
        if name in callee.optional:
            keywords.append(f"{callee.names.get(name, name)}={python}")
        else:
            args.append(python)
    if callee.draws and method is None:
        keywords.append(f"rngs={scope.rngs}")
    if method == ir.GRADIENT:
        return _gradient(callee.text, args, keywords)
    target = f"{callee.text}.{method}" if method else callee.text
    if callee.rematted:
        target = callee.rematted
        args.insert(0, callee.text)
    return Text(f"{target}({', '.join(args + keywords)})")


def _gradient(target: str, args: Sequence[str], keywords: Sequence[str]) -> Text:
    first, *others = args
    around = (target, *others, *(f"dict({keyword})" for keyword in keywords))
    name = bound_name("x", around)
    call = f"{target}({', '.join((name, *others, *keywords))})"
    return Text(f"jax.grad(lambda {name}: {call}.sum())({first})")


def _operator(op: str, operands: Sequence[Text]) -> Text:
    if len(operands) == 1:
        sign = "~" if op == "not" else op
        return Text(f"{sign}{operands[0].at(t.UNARY)}", t.UNARY)
    left, right = operands
    return t.binary(_BITWISE.get(op, op), left, right)


def _item(
    item: ir.Static | ir.SliceOf | ir.NewAxis | ir.Rest | ir.Expr, scope: Scope
) -> str:
    match item:
        case ir.SliceOf(lower, upper, step):
            ends = (lower, upper) if step is None else (lower, upper, step)
            return _slice(*("" if p is None else static(p, scope).text for p in ends))
        case ir.NewAxis():
            return "None"
        case ir.Rest():
            return "..."
    if isinstance(item, ir.Expr):
        return render(item, scope)
    return static(item, scope).text


def _slice(*parts: str) -> str:
    """A slice as Black has it: with spaces where a part is more than a name or a number."""
    words = (part.removeprefix("-").replace("_", "a") for part in parts if part)
    if all(map(str.isalnum, words)):
        return ":".join(parts)
    return " : ".join(parts).replace(" :  : ", " :: ").strip()


def _reshape(value: ir.Expr, type_: TensorType, scope: Scope) -> Text:
    source = text(value, scope).at(t.ATOM)
    dims = _dims(type_, scope)
    assert isinstance(value.type, TensorType)
    if type_.lead:
        dims.insert(0, f"*{source}.shape[:{-value.type.rank or ''}]")
    return Text(f"{source}.reshape({', '.join(dims)})")


def _dims(type_: TensorType, scope: Scope) -> list[str]:
    """The new sizes; a lone composite one is left to JAX, or the lone one that would be read from
    a shape, where no other may be 0."""
    sizes = type_.sizes
    composite = [s for s in sizes if _is_composite(s) and s not in scope.sizes]
    left = composite if len(composite) == 1 else _read_from_shapes(sizes, scope)
    alone = len(left) == 1 and not type_.lead
    return ["-1" if alone and s is left[0] else size(s, scope).text for s in sizes]


def _read_from_shapes(sizes: Sequence[Dim], scope: Scope) -> list[Dim]:
    """The sizes that nothing else tells, where all others are at least 1; else none."""
    known = [bool(s.value) or s.name in scope.positive for s in sizes]
    rest = [s for s, sure in zip(sizes, known, strict=True) if not sure]
    with scope.recording() as uses:
        for dim in rest:
            size(dim, scope)
    return rest if any(isinstance(use, Axis) for use in uses) else []


def _is_composite(dim: Dim) -> bool:
    return dim.name is None and dim.value is None


def _cast(expr: ir.Cast, scope: Scope) -> Text:
    assert isinstance(expr.value.type, TensorType)
    if scope.same_dtype(expr.type.dtype, expr.value.type.dtype):
        return text(expr.value, scope)
    match expr.value:
        case ir.Var(name) if (
            name in scope.stored
        ):  # not rounded to the model's dtype first
            value = Text(scope.stored[name])
        case _:
            value = text(expr.value, scope)
    return Text(f"{value.at(t.ATOM)}.astype({scope.dtype_text(expr.type.dtype)})")


def declared(made: Text, op: Op, type_: ir.Type, scope: Scope) -> Text:
    """What Python code gives, held to what the spec declares of it."""
    types = type_ if isinstance(type_, tuple) else (type_,)
    wanted = (_wanted(kind, op.dtype, scope) for kind in types)
    return Text(f"declared({made}, {t.quoted(op.name)}, {', '.join(wanted)})")


def _wanted(kind: ir.Type, dtype: str | None, scope: Scope) -> str:
    """A type as text; `dtype` is what was declared, where that of the type is the one meant here."""
    assert isinstance(kind, TensorType)
    said = dtype or kind.dtype
    name = said if said == "float" else DTYPES[said].rstrip("_")
    sizes = [size(s, scope).text for s in kind.sizes]
    return t.tuple_of([t.quoted(name), *['"..."'] * kind.lead, *sizes]).text


def draws(op: Op) -> bool:
    """Whether applying a layer takes rngs=."""
    return bool(op.streams)
