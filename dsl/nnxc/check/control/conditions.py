"""What a condition tells about sizes, and joining what its two sides lead to."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from ... import ir
from ...dims import Dim, const, func, symbol
from ...shapes import Axis, TensorType
from ..context import Context
from ..values import Binding, Static, Tensor

Facts = dict[str, Dim]


def facts(ctx: Context, condition: Static) -> tuple[Facts, Facts]:
    """Sizes known where the condition holds, and where it does not."""
    return _facts(ctx, condition.node, True), _facts(ctx, condition.node, False)


def _facts(ctx: Context, node: ir.Static, holds: bool) -> Facts:
    match node:
        case ir.StaticUnary("not", operand):
            return _facts(ctx, operand, not holds)
        case ir.StaticBinary("and", left, right) if holds:
            return {**_facts(ctx, left, True), **_facts(ctx, right, True)}
        case ir.StaticBinary("or", left, right) if not holds:
            return {**_facts(ctx, left, False), **_facts(ctx, right, False)}
        case ir.StaticBinary("==" | "!=" as op, left, right) if (op == "==") == holds:
            return _equation(size(ctx, left), size(ctx, right))
    return {}


def _equation(left: Dim | None, right: Dim | None) -> Facts:
    if left is None or right is None:
        return {}
    for a, b in ((left, right), (right, left)):
        if a.name is not None and a.name not in b.symbols:
            return {a.name: b}
    return {}


def size(ctx: Context, node: ir.Static) -> Dim | None:
    """A static expression as a size, where it is one."""
    match node:
        case ir.Size(dim):
            return dim
        case ir.Literal(bool()):
            return None
        case ir.Literal(int(n)):
            return const(n)
        case ir.Ref(name):
            binding = ctx.scope.get(name)
            value = None if binding is None else binding.value
            if isinstance(value, Static) and value.node == node:
                return value.dim
            return symbol(name) if name in ctx.params else None
        case ir.StaticCall("len", (ir.Ref(name),)):
            return func("len", symbol(name))
        case ir.StaticBinary("+" | "-" | "*" | "//" as op, left, right):
            a, b = size(ctx, left), size(ctx, right)
            if a is None or b is None:
                return None
            return {"+": a.__add__, "-": a.__sub__, "*": a.__mul__}.get(
                op, a.__floordiv__
            )(b)
    return None


def asks_only_given(node: ir.Static) -> bool:
    """Whether a condition asks nothing but which optional inputs are passed."""
    match node:
        case ir.Given():
            return True
        case ir.StaticUnary(_, operand):
            return asks_only_given(operand)
        case ir.StaticBinary("and" | "or", left, right):
            return asks_only_given(left) and asks_only_given(right)
    return False


@contextmanager
def narrowed(ctx: Context, node: ir.Static, holds: bool) -> Iterator[None]:
    """Within, optional inputs that the condition asks about are present."""
    before = {n: ctx.scope[n] for n in _given(node, holds) if n in ctx.scope}
    for name, binding in before.items():
        if isinstance(binding.value, Tensor):
            value = Tensor(binding.value.expr)
            ctx.scope[name] = Binding(
                name, value, binding.span, binding.what, parents=[binding]
            )
    try:
        yield
    finally:
        for name, binding in before.items():
            if ctx.scope.get(name) is not None and ctx.scope[name].parents == [binding]:
                ctx.scope[name] = binding


def _given(node: ir.Static, holds: bool) -> list[str]:
    match node:
        case ir.Given(name) if holds:
            return [name]
        case ir.StaticUnary("not", operand):
            return _given(operand, not holds)
        case ir.StaticBinary("and", left, right) if holds:
            return _given(left, True) + _given(right, True)
        case ir.StaticBinary("or", left, right) if not holds:
            return _given(left, False) + _given(right, False)
    return []


def join_types(
    ctx: Context,
    then: TensorType,
    orelse: TensorType,
    when: Mapping[str, Dim],
    unless: Mapping[str, Dim],
) -> TensorType | None:
    """One type for both sides of a choice: equal, or equal under what the other side knows."""
    if (
        then.dtype != orelse.dtype
        or then.rank != orelse.rank
        or then.lead != orelse.lead
    ):
        return None
    axes = []
    for a, b in zip(then.axes, orelse.axes, strict=True):
        size = join_sizes(ctx, a.size, b.size, when, unless)
        if size is None:
            return None
        axes.append(Axis(size, a.label if a.label == b.label else a.label or b.label))
    return then.with_axes(tuple(axes))


def join_sizes(
    ctx: Context, a: Dim, b: Dim, when: Mapping[str, Dim], unless: Mapping[str, Dim]
) -> Dim | None:
    """One size for both sides of a choice, if one describes both."""
    if ctx.assume(a) == ctx.assume(b):
        return a
    # Where the condition fails, `a` must mean what `b` says; then `a` describes both.
    if ctx.assume(a).substitute(unless) == ctx.assume(b).substitute(unless):
        return a
    if ctx.assume(a).substitute(when) == ctx.assume(b).substitute(when):
        return b
    return None
