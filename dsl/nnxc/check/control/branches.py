"""`if` statements: both sides checked, their results joined."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

from ... import ir
from ...diagnostics import Advice, Label, write
from ...dims import Dim
from ...ir.fold_static import asks_given, static_dims
from ...ops.base import Kind
from ...record import Record
from ...shapes import Axis, TensorType
from ...syntax import tree
from ..arguments.flavors import describe, describe_list
from ..construction import build_from
from ..context import Context
from ..definitions.parameter_kinds import demand, seen
from ..expressions.operands import static
from ..expressions.statics import no_none
from ..values import BAD, Applied, Bad, Binding, Listed, Several, Static, Tensor, Value
from . import changing, list_types
from .conditions import Facts, asks_only_given, facts, join_sizes, join_types, narrowed
from .kept import keep, merged, under
from .scalars import as_tensor, counterpart, repair

Scope = dict[str, Binding]
T = TypeVar("T")


def if_statement(ctx: Context, node: tree.If) -> None:
    """`if condition:` … `else:` …, decided at construction."""

    def side(holds: bool) -> None:
        ctx.statements(node.then if holds else node.orelse)

    both(ctx, node, side)


def both(
    ctx: Context, node: tree.If | tree.IfElse, side: Callable[[bool], T]
) -> tuple[Choice, T, T]:
    """Check both sides, each under what it knows, and join what they leave behind."""
    condition = condition_of(ctx, node.condition)
    when, unless = facts(ctx, condition)
    before, kept = dict(ctx.scope), ctx.kept
    with _side(ctx, node, condition, when, True) as then:
        first = side(True)
        then_scope = dict(ctx.scope)
    ctx.scope, then_kept, ctx.kept = dict(before), ctx.kept, kept
    with _side(ctx, node, condition, unless, False) as orelse:
        second = side(False)
        else_scope = dict(ctx.scope)
    ctx.kept = merged(kept, then_kept, ctx.kept)
    if isinstance(node, tree.If) or then or orelse:
        ctx.body.append(ir.If(condition.node, then, orelse, node.span))  # type: ignore[arg-type]
    choice = Choice(node, condition.node, when, unless, (then, orelse))
    ctx.scope = _join(ctx, choice, before, then_scope, else_scope)
    return choice, first, second


def condition_of(ctx: Context, node: tree.Expr) -> Static:
    """What an `if` asks, which must be true or false and known at construction."""
    _asks_for_none(ctx, node)
    condition = static(ctx, node, "the condition of `if`")
    no_none(ctx, condition, node.span)
    if condition.flavor == "unknown" and condition.param is not None:
        demand(ctx, condition.param, Kind.BOOL, node.span)
    elif condition.flavor not in ("bool", "unknown"):
        text = "a condition is true or false"
        advice: Advice = {"help": "compare it, such as `n > 0`"}
        if condition.flavor in ("int", "float") and isinstance(node, tree.Name):
            advice = write(node.span, f"{node.id} > 0", "compare it")
        ctx.fail("N207", text, node.span, related=seen(condition), **advice)
    build_from(ctx, static_dims(condition.node), node.span, "the choice")
    return condition


def _asks_for_none(ctx: Context, node: tree.Expr) -> None:
    """`if mask:`, `if not mask:`, where the input may be absent."""
    operand = (
        node.operand if isinstance(node, tree.Unary) and node.op == "not" else node
    )
    held = ctx.scope.get(operand.id) if isinstance(operand, tree.Name) else None
    if held is None or not isinstance(held.value, Tensor) or not held.value.optional:
        return
    held.use()
    op = "!=" if operand is node else "=="
    told = Tensor(held.value.expr)  # further down it is not told again
    ctx.bind(held.name, told, held.span, held.what).use()
    text = f"`{held.name}` may be absent here"
    ctx.fail("N232", text, node.span, **write(node.span, f"{held.name} {op} none"))


@contextmanager
def _side(
    ctx: Context,
    node: tree.If | tree.IfElse,
    condition: Static,
    known: Facts,
    holds: bool,
) -> Iterator[list[Any]]:
    """Within, one side is checked; its statements go to the list that is yielded."""
    with (
        ctx.side(node.span, holds, asks_given(condition.node)),
        ctx.inside(),
        ctx.nested() as stmts,
        ctx.assuming(known),
        narrowed(ctx, condition.node, holds),
        under(ctx, condition.node, holds),
    ):
        yield stmts


class Choice(Record):
    """An `if` whose sides have been checked, and what each side knows."""

    node: tree.If | tree.IfElse
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
        elif isinstance(a.value, Applied) or isinstance(b.value, Applied):
            _unknown(a, b)
            _one_sided(ctx, b if isinstance(a.value, Applied) else a)
        else:
            a, b = _tensors(ctx, choice, before.get(name), a, b)
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


def _tensors(
    ctx: Context, choice: Choice, before: Binding | None, a: Binding, b: Binding
) -> tuple[Binding, Binding]:
    """A number on one side, and a tensor on the other: a tensor on both, of one number, or where
    the tensor takes the place of what was there before."""
    sides = [a, b]
    for i, (number, other) in enumerate(((a, b), (b, a))):
        like = counterpart(ctx, number.value, other.value)
        if like is not None and (number is before or not like.type.axes):
            sides[i] = as_tensor(ctx, choice.sides[i], number, like)
    return sides[0], sides[1]


def _joined(ctx: Context, choice: Choice, name: str, a: Binding, b: Binding) -> Value:
    x, y = a.value, b.value
    if isinstance(x, Bad) or isinstance(y, Bad):
        _unknown(a, b)
        return BAD
    if isinstance(x, Tensor) and isinstance(y, Tensor):
        either = one_type(ctx, choice, x.type, y.type)
        if either is not None:
            return Tensor(ir.Var(name, either, a.span), x.optional or y.optional)
        _differ(ctx, choice, name, a, b, str(x.type), str(y.type))
        return BAD
    if isinstance(x, Static) and isinstance(y, Static):
        condition, span = choice.condition, choice.node.span
        static = changing.joined(ctx, name, condition, choice.sides, span, x, y)
        if static is not None:
            return static
    if isinstance(x, Listed) and isinstance(y, Listed):
        built = not asks_given(choice.condition) or _grow_alike(choice, name, x, y)
        listed = list_types.joined(ctx, name, x, y) if built else None
        if listed is not None:
            return listed
    if isinstance(x, Several) and isinstance(y, Several) and x.types == y.types:
        return Several(ir.Var(name, x.types, a.span), x.types)
    _differ(ctx, choice, name, a, b, _kind(x), _kind(y))
    return BAD


def _grow_alike(choice: Choice, name: str, a: Listed, b: Listed) -> bool:
    """Whether the constructor knows what tensors a list has though the call decides the side."""
    taken = (s for side in choice.sides for s in _inside(side) if isinstance(s, ir.Pop))
    kept = all(s.name != name for s in taken)
    return kept and asks_only_given(choice.condition) and list_types.alike(a, b)


def _inside(body: Iterable[Any]) -> Iterator[Any]:
    """Statements, and all inside them."""
    for stmt in body:
        yield stmt
        for part in ("body", "then", "orelse"):
            yield from _inside(getattr(stmt, part, ()))


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
            return describe_list(value)
    return "no value"


def one_type(
    ctx: Context, choice: Choice, x: TensorType, y: TensorType
) -> TensorType | None:
    """The type of what is one or the other; None where dtype or number of axes differ."""
    joined = join_types(ctx, x, y, choice.when, choice.unless)
    return joined or _chosen(ctx, choice, x, y)


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
        size = join_sizes(ctx, a.size, b.size, choice.when, choice.unless)
        if size is None:
            sides = zip(choice.sides, (a.size, b.size), strict=True)
            names = a.names(i, x.rank, "out_features")
            value = ir.StaticIf(choice.condition, *(_size(*side) for side in sides))
            size = ctx.local_size(ctx.unused_name(*names), value, choice.node.span)
        axes.append(Axis(size, a.label or b.label))
    return x.with_axes(tuple(axes))


def _size(side: Iterable[Any], size: Dim) -> ir.Static:
    """A size of one side, which does not name there what is chosen: `a if p else b if q else c`."""
    for stmt in side:
        match stmt:
            case ir.StaticLet(name, ir.StaticIf() as value) if name == size.name:
                return value
    return ir.Size(size)


def _differ(
    ctx: Context,
    choice: Choice,
    name: str,
    a: Binding,
    b: Binding,
    x: str,
    y: str,
) -> None:
    _unknown(a, b)
    related = tuple(Label(c.span, t) for c, t in ((a, x), (b, y)))
    same = "shape" if asks_given(choice.condition) else "number of axes"
    help = f"give it the same dtype and {same} on both sides"
    if isinstance(a.value, Listed) and isinstance(b.value, Listed):
        help = "append as many tensors on both sides, of the same dtypes and shapes"
    for one, other in ((a.value, b.value), (b.value, a.value)):
        if isinstance(one, Static) and isinstance(other, Tensor):
            help = repair(name, other, ctx.scope)
    ctx.error(
        "N301",
        f"`{name}` differs after this `if`",
        choice.node.condition.span,
        f"{x} if it holds, {y} if not",
        related=related,
        help=help,
    )
