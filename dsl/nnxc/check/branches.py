"""`if` statements: both sides checked, their results joined."""

from __future__ import annotations

from contextlib import nullcontext
from typing import Any

from .. import ir
from ..diagnostics import Label
from ..dims import symbol
from ..ops.base import Kind
from ..record import Record
from ..shapes import Axis, TensorType
from ..syntax import tree
from . import lists
from .conditions import Facts, asks_given, facts, join_types, narrowed
from .context import Context
from .kept import keep, merged, under
from .scalars import as_tensor, counterpart
from .statics import describe
from .values import BAD, Applied, Bad, Binding, Listed, Several, Static, Tensor, Value

Scope = dict[str, Binding]


def if_statement(ctx: Context, node: tree.If) -> None:
    """`if condition:` … `else:` …, decided at construction."""
    condition = condition_of(ctx, node.condition)
    when, unless = facts(ctx, condition)
    before, kept = dict(ctx.scope), ctx.kept
    then, then_scope = _side(ctx, node, condition, when, True)
    ctx.scope, then_kept, ctx.kept = dict(before), ctx.kept, kept
    orelse, else_scope = _side(ctx, node, condition, unless, False)
    ctx.kept = merged(kept, then_kept, ctx.kept)
    ctx.body.append(ir.If(condition.node, then, orelse, node.span))  # type: ignore[arg-type]
    choice = Choice(node, condition.node, when, unless, (then, orelse))
    ctx.scope = _join(ctx, choice, before, then_scope, else_scope)


def condition_of(ctx: Context, node: tree.Expr) -> Static:
    """What an `if` asks, which must be true or false and known at construction."""
    from .expressions import static

    condition = static(ctx, node, "the condition of `if`")
    if condition.flavor == "unknown" and condition.param is not None:
        condition.param.kind = condition.param.kind or Kind.BOOL
    elif condition.flavor != "bool":
        ctx.fail(
            "N207",
            "a condition is true or false",
            node.span,
            help="compare it, such as `n > 0`",
        )
    ctx.build_from_static(condition.node, node.span, "the choice")
    return condition


def _side(
    ctx: Context,
    node: tree.If,
    condition: Static,
    known: Facts,
    holds: bool,
) -> tuple[list[object], Scope]:
    from .statements import statements

    decided = (
        nullcontext() if asks_given(condition.node) else ctx.side(node.span, holds)
    )
    with (
        decided,
        ctx.inside(),
        ctx.nested() as stmts,
        ctx.assuming(known),
        narrowed(ctx, condition.node, holds),
        under(ctx, condition.node, holds),
    ):
        statements(ctx, node.then if holds else node.orelse)
        scope = dict(ctx.scope)
    return stmts, scope


class Choice(Record):
    """An `if` whose sides have been checked, and what each side knows."""

    node: tree.If
    condition: ir.Static
    when: Facts
    unless: Facts
    sides: tuple[list[Any], list[Any]]  # their statements


def _join(
    ctx: Context, choice: Choice, before: Scope, then: Scope, orelse: Scope
) -> Scope:
    scope: Scope = {}
    for name in [*then, *(n for n in orelse if n not in then)]:
        a, b = then.get(name), orelse.get(name)
        if a is None or b is None:
            one = _one_sided(ctx, a or b)
            keep(ctx, one, choice.condition, b is None)
        elif a is b or (name in before and _origin(a) is _origin(b)):
            scope[name] = before.get(name, a)
        elif isinstance(a.value, Applied) and isinstance(b.value, Applied):
            _one_sided(ctx, a)
        else:
            value = _joined(ctx, choice, name, a, b)
            # Not among the bindings that must be read: those that it joins are.
            joined = Binding(name, value, b.span, b.what, parents=[a, b])
            joined.used = isinstance(value, Bad)
            scope[name] = joined
    return scope


def _origin(binding: Binding) -> Binding:
    """The binding that narrowing an optional input started from."""
    value = binding.value
    if (
        len(binding.parents) == 1
        and isinstance(value, Tensor)
        and binding.what == "input"
    ):
        return binding.parents[0]
    return binding


def _one_sided(ctx: Context, binding: Binding | None) -> Binding:
    """A value that one side alone gives is not there afterwards."""
    assert binding is not None
    ctx.partial[binding.name] = binding.span
    return binding


def _joined(ctx: Context, choice: Choice, name: str, a: Binding, b: Binding) -> Value:
    if (like := counterpart(a.value, b.value)) is not None:
        a = as_tensor(ctx, choice.sides[0], a, like)
    elif (like := counterpart(b.value, a.value)) is not None:
        b = as_tensor(ctx, choice.sides[1], b, like)
    x, y = a.value, b.value
    if isinstance(x, (Bad, Applied)) or isinstance(y, (Bad, Applied)):
        _unknown(a, b)
        return BAD
    if isinstance(x, Tensor) and isinstance(y, Tensor):
        joined = join_types(ctx, x.type, y.type, choice.when, choice.unless)
        joined = joined or _chosen(ctx, choice, x.type, y.type)
        if joined is not None:
            return Tensor(ir.Var(name, joined, a.span), x.optional or y.optional)
        _differ(ctx, choice.node, name, a, b, str(x.type), str(y.type))
        return BAD
    if isinstance(x, Static) and isinstance(y, Static):
        return _joined_static(ctx, name, x, y)
    if isinstance(x, Listed) and isinstance(y, Listed):
        listed = None if asks_given(choice.condition) else lists.joined(ctx, name, x, y)
        if listed is not None:
            return listed
    if isinstance(x, Several) and isinstance(y, Several) and x.types == y.types:
        return Several(ir.Var(name, x.types, a.span), x.types)
    _differ(ctx, choice.node, name, a, b, _kind(x), _kind(y))
    return BAD


def _unknown(*sides: Binding) -> None:
    """What a mistake keeps from being joined counts as used."""
    for side in sides:
        side.use()
        if isinstance(side.value, Applied):
            side.value.layer.used = True


def _kind(value: Value) -> str:
    match value:
        case Tensor():
            return str(value.type)
        case Static():
            return describe(value)
        case Several(types=types):
            return f"{len(types)} values"
        case Listed():
            return lists.described(value)
    return "no value"


def _chosen(
    ctx: Context, choice: Choice, x: TensorType, y: TensorType
) -> TensorType | None:
    """Sizes that depend on which side was taken, by names of their own."""
    if (
        x.dtype != y.dtype
        or x.rank != y.rank
        or x.lead != y.lead
        or asks_given(choice.condition)
    ):
        return None
    axes = []
    for i, (a, b) in enumerate(zip(x.axes, y.axes, strict=True)):
        size = a.size
        if ctx.assume(a.size) != ctx.assume(b.size):
            base = (
                a.label.lower()
                if a.label
                else "features" if i == x.rank - 1 else f"size_{i}"
            )
            value = ir.StaticIf(choice.condition, ir.Size(a.size), ir.Size(b.size))
            size = ctx.local_size(ctx.unused_name(base), value, choice.node.span)
        axes.append(Axis(size, a.label or b.label))
    return x.with_axes(tuple(axes))


def _joined_static(ctx: Context, name: str, x: Static, y: Static) -> Static:
    if x.dim is not None and x.dim == y.dim:
        return Static(ir.Ref(name), x.flavor, x.dim)
    flavor = x.flavor if x.flavor == y.flavor else "unknown"
    sizes = x.dim is not None and y.dim is not None
    if sizes:
        assert x.dim is not None and y.dim is not None
        ctx.locals[name] = (x.dim.symbols | y.dim.symbols) - {name}
    return Static(
        ir.Ref(name), flavor, symbol(name) if sizes else None, element=x.element
    )


def _differ(
    ctx: Context, node: tree.If, name: str, a: Binding, b: Binding, x: str, y: str
) -> None:
    _unknown(a, b)
    related = tuple(Label(c.span, t) for c, t in ((a, x), (b, y)))
    ctx.error(
        "N301",
        f"`{name}` differs after this `if`",
        node.condition.span,
        f"{x} if it holds, {y} if not",
        related=related,
        help="give it the same dtype and number of axes on both sides",
    )
