"""How far ids of tokens and positions may go: as far as the tables that they are looked up in."""

from __future__ import annotations

from collections.abc import Mapping

from .. import ir
from ..dims import Dim, as_dim, const, func, symbol
from ..ir.fold_tensors import indexed
from ..ops.base import Call, Op
from ..ops.stepwise import LIMITS
from ..record import Record, replace
from ..shapes import TensorType
from ..source import Span

KINDS = ("ids", "positions", "scores")
UNTOLD = "a table does not tell how far this may go"


class Source(Record):
    """What a value counts, `ids` or `positions`: the value is `count * times // over + more`."""

    kind: str
    more: Dim
    times: Dim = const(1)
    over: Dim = const(1)

    @property
    def told(self) -> bool:
        """Whether it is known how a value follows from what it counts."""
        return self.kind in KINDS

    @property
    def plain(self) -> bool:
        """Whether it says the same wherever it is read, in numbers alone."""
        return not (self.more.symbols | self.times.symbols | self.over.symbols)

    def below(self, size: Dim) -> Dim:
        """How many counts there are whose values are below a size."""
        whole = (size - self.more) * self.over
        return whole if self.times == const(1) else (whole - 1) // self.times + 1

    def by(self, op: str, size: Dim | None) -> Source:
        """What counts in a value that was changed by a number."""
        if not self.told or size is None:
            return NOT_TOLD
        if op in ("+", "-"):
            return replace(self, more=self.more + (size if op == "+" else -size))
        if op == "*" and self.over == const(1) and (size.value or 1) > 0:
            return replace(self, more=self.more * size, times=self.times * size)
        if op == "//" and self.more == const(0) and (size.value or 1) > 0:
            return replace(self, over=self.over * size)
        return NOT_TOLD


NOT_TOLD = Source("untold", const(0))
_SAME = ("astype", "stop_gradient", "shift", "expand", "squeeze", "broadcast")


def source_of(expr: ir.Expr, names: Mapping[str, Source]) -> Source | None:
    """What a value counts; None where it is no id and no position, or one within bounds."""
    match expr:
        case ir.Var(name):
            return names.get(name)
        case ir.Choose(then=then, orelse=orelse):
            return either(source_of(then, names), source_of(orelse, names))
        case ir.OpCall(op=Op(name="positions")):
            return Source("positions", const(0))
        case ir.OpCall(
            op=Op(name=name), inputs=((_, value), *_)
        ) if name in _SAME and not isinstance(value, tuple):
            return source_of(value, names)
        case ir.Cast(value=value) | ir.Reshape(value=value) | ir.Subscript(value=value):
            return source_of(value, names)
        case ir.Operator("+" | "-" | "*" | "//" as op, (value, ir.Scalar(by))) | (
            ir.Operator("+" | "*" as op, (ir.Scalar(by), value))
        ):
            found, size = source_of(value, names), _size(by)
            return None if found is None else found.by(op, size)
    return None


def table_of(
    expr: ir.Expr, layers: Mapping[str, ir.Layer]
) -> list[tuple[ir.Expr, Dim]]:
    """What is looked up, and in how many rows; what is not looked up has none."""
    match expr:
        case ir.Apply(layer=name, args=((_, ids), *_), method=None) if name in layers:
            weight = layers[name].weights.get("embedding")
            return [] if weight is None else [(ids, weight.sizes[0])]
        case ir.OpCall(op=Op(name="one_hot"), inputs=((_, ids),), type=type_):
            assert isinstance(type_, TensorType) and not isinstance(ids, tuple)
            return [(ids, type_.sizes[-1])]
        case ir.OpCall(op=Op(name="take"), inputs=((_, x), (_, ids)), args=args):
            assert not isinstance(x, tuple) and not isinstance(ids, tuple)
            axis = dict(args).get("axis", ir.Literal(0))
            if not isinstance(axis, ir.Literal) or not isinstance(x.type, TensorType):
                return []
            return [(ids, x.type.sizes[axis.value])]
        case ir.Subscript(value, items) if isinstance(value.type, TensorType):
            return [
                (i, n) for i, n in indexed(items, value.type) if isinstance(i, ir.Expr)
            ]
    return []


def either(one: Source | None, other: Source | None) -> Source | None:
    """What a value counts that is one or the other: the one that goes further."""
    if one == other:
        return one
    if one is None or other is None or replace(one, more=other.more) != other:
        return NOT_TOLD
    return replace(one, more=func("max", one.more, other.more))


class Limits:
    """The limits that one stretch of statements sets."""

    def __init__(self, sizes: Mapping[str, Dim]) -> None:
        self.sizes = dict(sizes)

    def add(self, kind: str, size: Dim) -> None:
        """Ids or positions are below a size."""
        known = self.sizes.get(kind, size)
        self.sizes[kind] = size if known == size else func("min", known, size)

    def layer(self, name: str, span: Span, root: bool) -> ir.Layer:
        """The module that knows them in the generated class; in the model's own, it notes which
        layers have caches."""
        model = ("=self",) if root else ()
        sizes = {k: k for k in KINDS if k in self.sizes}
        build = Call(LIMITS.name, model, sizes, KINDS)
        op = replace(LIMITS, build=build)
        return ir.Layer(name, op, (), self.sizes, {}, span)


def _size(static: ir.Static) -> Dim | None:
    match static:
        case ir.Literal(int() as number):
            return as_dim(number)
        case ir.Size(dim):
            return dim
        case ir.Ref(name):
            return symbol(name)
    return None
