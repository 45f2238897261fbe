"""What expressions and statements of the IR mention."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence

from ... import ir
from ...ir.fold_statements import (
    all_expressions,
    declared,
    mapped,
    statements,
)
from ...ir.fold_static import alternatives, givens
from ...ir.fold_tensors import operands as children
from ...ir.fold_tensors import rebuilt, walk
from ...record import replace


def substitute(expr: ir.Expr, name: str, by: ir.Expr) -> ir.Expr:
    """The expression with a tensor replaced."""
    if isinstance(expr, ir.Var):
        return by if expr.name == name else expr
    if isinstance(expr, ir.Let) and expr.name == name:
        return replace(expr, value=substitute(expr.value, name, by))
    return rebuilt(expr, [substitute(c, name, by) for c in children(expr)])


def shared(expr: ir.Expr) -> ir.Expr | None:
    """A value of which several parts of an expression are items, outside of choices; None if there
    is none. The checker repeats the value in each item, as one object."""
    seen: set[int] = set()
    rest = [expr]
    while rest:
        expr = rest.pop()
        if isinstance(expr, ir.Item) and not isinstance(expr.value, ir.Var):
            if id(expr.value) in seen:
                return expr.value
            seen.add(id(expr.value))
        elif not isinstance(expr, ir.Choose):
            rest.extend(children(expr))
    return None


def with_items(
    expr: ir.Expr, value: ir.Expr, by: ir.Expr | Sequence[ir.Expr]
) -> ir.Expr:
    """The expression with items of `value` (this very object) made items of another value, or
    replaced by the parts that `by` lists; an empty list stands for parts without a meaning yet.
    """
    if isinstance(expr, ir.Item) and expr.value is value:
        if isinstance(by, ir.Expr):
            return replace(expr, value=by)
        return by[expr.index] if by else ir.Scalar(ir.Literal(None), expr.type, expr.span)  # type: ignore[arg-type]
    if isinstance(expr, ir.Choose):
        return expr
    parts = children(expr)
    changed = [with_items(c, value, by) for c in parts]
    same = all(a is b for a, b in zip(parts, changed, strict=True))
    return expr if same else rebuilt(expr, changed)


def possible(condition: ir.Static, holds: bool) -> ir.Static | None:
    """What must hold so that a condition may come out so, whichever optional inputs are passed;
    None where nothing must."""
    match condition:
        case ir.StaticUnary("not", operand):
            return possible(operand, not holds)
        case ir.StaticBinary("and" | "or" as op, left, right) if givens(condition):
            both = (op == "and") == holds
            sides = [possible(side, holds) for side in (left, right)]
            known = [side for side in sides if side is not None]
            if len(known) == 2:
                return ir.StaticBinary("and" if both else "or", *known)
            return known[0] if known and both else None
    if givens(condition):
        return None
    return condition if holds else ir.StaticUnary("not", condition)


def not_grown(body: Sequence[ir.Stmt], lists: set[str]) -> tuple[ir.Stmt, ...]:
    """Statements without those that append to these lists, unless they begin them."""
    begun = {s.name for s in statements(body) if isinstance(s, ir.NewList)}
    left = lists - begun
    return mapped(
        body, lambda s: None if isinstance(s, ir.Append) and s.name in left else s
    )


def only_declares(
    body: Sequence[ir.Stmt],
) -> dict[str, ir.Layer | ir.Variable] | None:
    """What statements declare, where they do nothing else in the constructor."""
    found: dict[str, ir.Layer | ir.Variable] = {}
    for stmt in body:
        match stmt:
            case ir.Declare(layer):
                found[layer.name] = layer
            case ir.Variable():
                found[stmt.name] = stmt
            case ir.Computes() | ir.Require(call_time=True):
                continue
            case _:
                return None
    return found


def functions_in(value: ir.Static | None) -> Iterator[ir.Function]:
    """The activations that a static value may be."""
    for found in alternatives(value) if value is not None else ():
        match found:
            case ir.Function():
                yield found
            case ir.StaticList(items):
                for item in items:
                    yield from functions_in(item)


def totals(body: Sequence[ir.Stmt]) -> list[ir.Total]:
    """What sums the sizes of lists."""
    return [s for s in statements(body) if isinstance(s, ir.Total)]


def popped(body: Sequence[ir.Stmt]) -> list[ir.Pop]:
    """What takes tensors from lists."""
    return [s for s in statements(body) if isinstance(s, ir.Pop)]


def in_use(body: Sequence[ir.Stmt]) -> set[str]:
    """The layers and variables that calls use."""
    found: set[str] = set()
    for stmt in statements(body):
        if isinstance(stmt, ir.UpdateState):
            found.add(stmt.name)
        if isinstance(stmt, ir.Scan) and stmt.within:
            found.add(stmt.within)
    for expr in (e for top in all_expressions(body) for e in walk(top)):
        if isinstance(expr, ir.Apply):
            found.add(expr.layer)
        elif isinstance(expr, ir.Var):
            found.add(expr.name)
    return found


def joined(body: Sequence[ir.Stmt], i: int) -> tuple[ir.Stmt, int]:
    """The statement at `i` and where the next one is; `x = f(x)`, `return x` are one."""
    match body[i : i + 2]:
        case (ir.Assign((target,), value), ir.Return((ir.Var(name),), _) as end) if (
            name == target
        ):
            return replace(end, values=(value,)), i + 2
    return body[i], i + 1


def telling(arm: Sequence[ir.Stmt], counts: Mapping[str, int]) -> list[str]:
    """The layers that are there exactly where a side of an `if` is taken: it declares them on
    every way through it, and nothing else does. `counts` says how often each is declared.
    """
    here = Counter(item.name for item in declared(arm))
    return [name for name in _every_way(arm) if here[name] == counts[name]]


def _every_way(arm: Sequence[ir.Stmt]) -> dict[str, None]:
    """The names of what statements declare, whatever conditions within them say."""
    found: dict[str, None] = {}
    for stmt in arm:
        if isinstance(stmt, ir.Declare | ir.Variable):
            found |= {item.name: None for item in declared((stmt,))}
        elif isinstance(stmt, ir.If):
            there, other = _every_way(stmt.then), _every_way(stmt.orelse)
            found |= {name: None for name in there if name in other}
    return found


def opposite(stmt: ir.If) -> ir.If:
    """The `if` that asks the contrary."""
    condition = ir.StaticUnary("not", stmt.condition)
    return replace(stmt, condition=condition, then=stmt.orelse, orelse=stmt.then)
