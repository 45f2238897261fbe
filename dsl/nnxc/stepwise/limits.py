"""How far ids of tokens and positions may go: as far as the tables that they are looked up in."""

from __future__ import annotations

from collections.abc import Mapping

from .. import ir
from ..dims import Dim, as_dim, const, func, symbol
from ..ops.base import Call, Op
from ..ops.stepwise import LIMITS
from ..record import Record, replace
from ..shapes import TensorType
from ..source import Span

KINDS = ("ids", "positions", "scores")


class Source(Record):
    """What a value counts, `ids` or `positions`, and how much more it is."""

    kind: str
    more: Dim


_SAME = ("astype", "stop_gradient", "shift", "expand", "squeeze", "broadcast")


def source_of(expr: ir.Expr, names: Mapping[str, Source]) -> Source | None:
    """What a value counts; None where it is no id and no position, or one within bounds."""
    match expr:
        case ir.Var(name):
            return names.get(name)
        case ir.OpCall(op=Op(name="positions")):
            return Source("positions", const(0))
        case ir.OpCall(
            op=Op(name=name), inputs=((_, value), *_)
        ) if name in _SAME and not isinstance(value, tuple):
            return source_of(value, names)
        case ir.Cast(value=value) | ir.Reshape(value=value) | ir.Subscript(value=value):
            return source_of(value, names)
        case ir.Operator("+" | "-" as op, (value, ir.Scalar(by))) | ir.Operator(
            "+" as op, (ir.Scalar(by), value)
        ):
            found, more = source_of(value, names), _size(by)
            if found is None or more is None:
                return None
            return Source(found.kind, found.more + (more if op == "+" else -more))
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
            if axis != ir.Literal(0) or not isinstance(x.type, TensorType):
                return []
            return [(ids, x.type.sizes[0])]
        case ir.Subscript(value, items) if isinstance(value.type, TensorType):
            if ir.Rest() in items or ir.NewAxis() in items:
                return []
            sizes = zip(items, value.type.sizes, strict=False)
            return [(i, n) for i, n in sizes if isinstance(i, ir.Expr)]
    return []


class Limits:
    """The limits that one stretch of statements sets."""

    def __init__(self, sizes: Mapping[str, Dim]) -> None:
        self.sizes = dict(sizes)

    def add(self, kind: str, size: Dim) -> None:
        """Ids or positions are below a size."""
        known = self.sizes.get(kind, size)
        self.sizes[kind] = size if known == size else func("min", known, size)

    def layer(self, name: str, span: Span) -> ir.Layer:
        """The module that knows them in the generated class."""
        build = Call(LIMITS.name, (), {k: k for k in KINDS if k in self.sizes}, KINDS)
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
