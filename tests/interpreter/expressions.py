"""Expressions: what they give, and what becomes of a value after an arrow."""

from __future__ import annotations

import math
import operator
from typing import TYPE_CHECKING, Any

import jax.numpy as jnp

from nnxc.syntax import tree

from .apply import apply, call_function, construct
from .functions import STATIC
from .values import (
    DTYPES,
    AxisRef,
    Function,
    Kind,
    Layer,
    Method,
    Record,
    Refused,
    Stack,
    Tensor,
    broadcast_names,
    tensors_in,
)

if TYPE_CHECKING:
    from .program import File, Run

OPERATORS = {
    "+": operator.add, "-": operator.sub, "*": operator.mul, "/": operator.truediv,
    "//": operator.floordiv, "%": operator.mod, "**": operator.pow, "==": operator.eq,
    "!=": operator.ne, "<": operator.lt, "<=": operator.le, ">": operator.gt,
    ">=": operator.ge, "and": jnp.logical_and, "or": jnp.logical_or,
}  # fmt: skip
AXES = {"axis", "axes", "over"}


class Expressions:
    """Evaluates expressions in the names of one definition."""

    def __init__(
        self, run: Run, file: File, path: tuple[Any, ...], names: dict[int, str]
    ):
        self.run, self.file, self.path, self.names = run, file, path, names
        self.env: dict[str, Any] = {}
        self.indices: list[int] = []
        self.states: dict[str, tuple[Tensor, tuple[Any, ...]]] = {}
        self.optional: dict[str, tree.Field] = {}
        self.collected: dict[str, list[Any]] = {}
        self.around: dict[str, Any] = {}  # the parameters of the model

    # -------------------------------------------------------------- evaluation

    def value(self, node: tree.Expr) -> Any:
        match node:
            case tree.Number(value=value) | tree.String(value=value):
                return value
            case tree.Constant(value=value):
                return value
            case tree.Window(sizes=sizes):
                return tuple(sizes)
            case tree.Name(id=name):
                return self.lookup(name)
            case tree.ListOf(items=items):
                return [v for i in items for v in self.in_list(i)]
            case tree.Unary(op=op, operand=operand):
                return self.unary(op, self.value(operand))
            case tree.Binary():
                return self.binary(node)
            case tree.IfElse():
                return self.chosen(node, lambda frame, side: frame.value(side))
            case tree.Pipe(source=source, stages=stages):
                value = self.value(source)
                for stage in stages:
                    value = self.stage(stage.value, value)
                return value
            case tree.Assertion(value=value, type=type):
                return self.asserted(self.value(value), type)
            case tree.Attribute(value=value, name=name):
                return self.attribute(value, name)
            case tree.Index(value=value, items=items):
                return self.indexed(self.value(value), items)
            case tree.Call():
                return self.call(node)
            case tree.Named(value=value, name=name):
                found = self.value(value)
                self.keep_layer(name, value)
                return found
        raise NotImplementedError(type(node).__name__)

    def in_list(self, node: tree.Expr) -> list[Any]:
        """What an item puts into a list: itself, or behind `*` all that is in another."""
        if isinstance(node, tree.Starred):
            return list(self.value(node.value))
        return [self.value(node)]

    def lookup(self, name: str) -> Any:
        if name in self.env:
            return self.env[name]
        if name == "pi":
            return math.pi
        return self.file.lookup(name)

    def keep_layer(self, name: str, node: tree.Expr) -> None:
        """A layer can be applied again by its name, where no value has it."""
        while isinstance(node, tree.Call) and isinstance(node.func, tree.Call):
            node = node.func
        if isinstance(self.env.get(name), Layer | Stack | None):
            self.env[name] = self.assigned(node)

    def assigned(self, node: tree.Expr) -> Any:
        """What a name is given; a layer without arguments is constructed."""
        match node:
            case tree.IfElse():
                return self.chosen(node, lambda frame, side: frame.assigned(side))
            case tree.Name() if id(node) in self.names:
                return construct(self, self.value(node), (), node)
        return self.value(node)

    def tensor(self, value: Any) -> Tensor:
        return value if isinstance(value, Tensor) else Tensor(value)

    def unary(self, op: str, value: Any) -> Any:
        if not isinstance(value, Tensor):
            return not value if op == "not" else -value
        array = jnp.logical_not(value.array) if op == "not" else -value.array
        return Tensor(array, value.names)

    def binary(self, node: tree.Binary) -> Any:
        left = self.assigned(node.left) if node.op == "*" else self.value(node.left)
        if isinstance(left, Layer):
            return self.stack(left, self.value(node.right))
        if node.op in ("and", "or") and not isinstance(left, Tensor):
            if bool(left) is (node.op == "or"):
                return left
            return self.value(node.right)
        right = self.value(node.right)
        if node.op == "in":
            return left in right
        return self.operate(node.op, left, right)

    def operate(self, op: str, left: Any, right: Any) -> Any:
        tensors = [v for v in (left, right) if isinstance(v, Tensor)]
        if left is None or right is None:
            return (left is right) is (op == "==")
        if not tensors:
            return self.plain(op, left, right)
        a, b = (v.array if isinstance(v, Tensor) else v for v in (left, right))
        result = OPERATORS[op](a, b)
        return Tensor(result, broadcast_names(tensors, result.shape))

    def plain(self, op: str, left: Any, right: Any) -> Any:
        """Numbers, texts, lists; functions are equal where their names are."""
        if isinstance(left, Function | Kind):
            left, right = left.name, right.name
        if op == "and" or op == "or":
            raise TypeError(op)
        return OPERATORS[op](left, right)

    def stack(self, layer: Layer, count: int) -> Stack:
        from dataclasses import replace

        layers = [replace(layer, path=(*layer.path, i)) for i in range(count)]
        return Stack(tuple(layers))

    # ------------------------------------------------------------------ shapes

    def shape(self, dims: tuple[tree.Expr, ...]) -> tuple[list[int], list[str | None]]:
        """Sizes, and the names of those that are names."""
        sizes = [self.value(d) for d in dims]
        return sizes, [d.id if isinstance(d, tree.Name) else None for d in dims]

    def axis(self, node: tree.Expr) -> Any:
        """An axis, or a list of them, by name or by position."""
        match node:
            case tree.ListOf(items=items):
                return [self.axis(i) for i in items]
            case tree.Name(id=name):
                if name not in self.env:
                    return AxisRef(name, None)
                value = self.value(node)
                if isinstance(value, list | tuple):
                    return [AxisRef(None, v) for v in value]
                return value if value is None else AxisRef(name, value)
            case tree.Number(value=value):
                return AxisRef(None, value)
        value = self.value(node)
        if value is None:
            return None
        return AxisRef(None, value) if value < 0 else AxisRef("", value)

    def asserted(self, value: Any, type: tree.TypeOf) -> Any:
        if type.dims is None or not isinstance(value, Tensor):
            return value
        dims = type.dims
        names: list[str | None] = []
        if dims and isinstance(dims[0], tree.Dots):
            dims = dims[1:]
            names = list(value.names[: value.ndim - len(dims)])
        sizes, own = self.shape(dims)
        if list(value.shape[value.ndim - len(sizes) :]) != sizes:
            raise Refused(f"{value.shape} is not {sizes}")
        array = value.array
        if type.dtype not in (None, "float"):
            array = array.astype(DTYPES[type.dtype])
        kept = value.names[len(names) :]
        return Tensor(array, names + [n or k for n, k in zip(own, kept, strict=True)])

    def relaid(self, value: Tensor, items: tuple[tree.Expr, ...]) -> Tensor:
        """The same elements in another layout."""
        lead: tuple[int, ...] = ()
        if items and isinstance(items[0], tree.Dots):
            sizes, names = self.shape(items[1:])
            left = math.prod(value.shape)
            tail = math.prod(sizes)
            at = value.ndim
            while at and math.prod(value.shape[at:]) != tail:
                at -= 1
            assert math.prod(value.shape[:at]) * tail == left
            lead = value.shape[:at]
            return Tensor(
                value.array.reshape(*lead, *sizes), [*value.names[:at], *names]
            )
        sizes, names = self.shape(items)
        return Tensor(value.array.reshape(sizes), names)

    # ---------------------------------------------------------------- indexing

    def indexed(self, value: Any, items: tuple[Any, ...]) -> Any:
        if isinstance(value, Record):
            value = tuple(value.values())
        if not isinstance(value, Tensor):
            (item,) = items
            if isinstance(item, tree.Slice):
                return value[self.slice(item)]
            return value[self.value(item)]
        basic: list[Any] = []
        tensors: list[Tensor] = []
        names: list[str | None] = []
        at, place = 0, 0
        written = [i for i in items if not self.adds_axis(i)]
        for item in items:
            if isinstance(item, tree.Dots):
                more = value.ndim - len(written) + 1
                basic += [slice(None)] * more
                names += value.names[at : at + more]
                at += more
                continue
            found = (
                self.slice(item) if isinstance(item, tree.Slice) else self.value(item)
            )
            if isinstance(found, Tensor):
                place = len(names) if not tensors else place
                tensors.append(found)
                found = slice(None)
            elif isinstance(found, slice):
                names.append(value.names[at])
            elif found is None:
                names.append(None)
            basic.append(found)
            at += 0 if found is None else 1
        names += value.names[at:]
        array = value.array[tuple(basic)]
        if tensors:
            arrays = [t.array for t in tensors]
            array = array[(slice(None),) * place + tuple(arrays)]
            shape = jnp.broadcast_shapes(*(a.shape for a in arrays))
            names[place:place] = broadcast_names(tensors, shape)
        return Tensor(array, names)

    def adds_axis(self, item: Any) -> bool:
        return isinstance(item, tree.Constant) and item.value is None

    def slice(self, node: tree.Slice) -> slice:
        parts = (node.lower, node.upper, node.step)
        return slice(*(None if p is None else self.value(p) for p in parts))

    # -------------------------------------------------------------- applications

    def stage(self, node: tree.Expr, value: Any) -> Any:
        """What an arrow brings, given to what follows it."""
        match node:
            case tree.Named(value=inner, name=name):
                found = self.stage(inner, value)
                self.keep_layer(name, inner)
                return found
            case tree.ListOf(items=items):
                return self.relaid(self.tensor(value), items)
            case tree.Branch(arms=arms):
                return tuple(self.arm(arm, value) for arm in arms)
            case tree.IfElse():
                return self.chosen(node, lambda frame, side: frame.stage(side, value))
            case tree.Assertion(value=inner, type=type):
                return self.asserted(self.stage(inner, value), type)
            case tree.Call(func=func, args=args):
                target = self.value(func)
                if isinstance(target, Function):
                    return call_function(self, target, [value], args)
                if isinstance(target, Kind):
                    layer = construct(self, target, args, node)
                    return apply(self, layer, [value], ())
                return apply(self, target, [value], args)
        target = self.assigned(node)
        if isinstance(target, Function):
            return call_function(self, target, [value], ())
        if isinstance(target, Kind):
            target = construct(self, target, (), node)
        return apply(self, target, [value], ())

    def arm(self, arm: tree.Expr, value: Any) -> Any:
        if not isinstance(arm, tree.Pipe):
            return self.stage(arm, value)
        for node in (arm.source, *(s.value for s in arm.stages)):
            value = self.stage(node, value)
        return value

    def attribute(self, node: tree.Expr, name: str) -> Any:
        value = self.value(node)
        if isinstance(value, Record):
            return value[name]
        if isinstance(value, Kind):
            value = construct(self, value, (), node)
        return Method(value, name)

    def call(self, node: tree.Call) -> Any:
        func = node.func
        if isinstance(func, tree.Name) and func.id not in self.env:
            plain = self.static(func.id, node.args)
            if plain is not None:
                return plain[0]
        if isinstance(func, tree.Attribute) and func.name in ("append", "pop"):
            items = self.value(func.value)
            return getattr(items, func.name)(*(self.value(a.value) for a in node.args))
        target = self.value(func)
        if isinstance(target, Function):
            return call_function(self, target, [], node.args)
        if isinstance(target, Kind):
            return construct(self, target, node.args, node)
        return apply(self, target, [], node.args)

    def static(self, name: str, args: tuple[tree.Arg, ...]) -> tuple[Any] | None:
        """What a function gives that is known when the model is built, if it is that."""
        if name not in STATIC:
            return None
        if name in ("len", "range", "enumerate", "zip", "reversed"):
            return (STATIC[name](*(self.value(a.value) for a in args)),)
        values = [self.value(a.value) for a in args[:1]]
        if tensors_in(values) or any(a.name in AXES for a in args):
            return None
        values += [self.value(a.value) for a in args[1:]]
        if tensors_in(values):
            return None
        names = {a.name: v for a, v in zip(args, values, strict=True) if a.name}
        plain = [v for a, v in zip(args, values, strict=True) if not a.name]
        return (STATIC[name](*plain, **names),)
