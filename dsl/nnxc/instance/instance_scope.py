"""The names of a definition and what they stand for, at given values. Knows `ir`, `evaluate`."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress

from .. import ir
from ..dims import Dim, DimError, const
from ..dims_equation import linear
from ..ir.fold_static import mentions
from ..ir.fold_tensors import indexed
from ..ir.static_values import Absent, EvaluationError, TooMuch, Undecided, Value, show
from ..ops.base import Op
from ..record import replace
from ..shapes import Axis, ListType, TensorType, like
from ..source import Span
from .evaluate import evaluate, resolve, truth
from .nodes import InstanceError, TooLarge

_OPEN = "this depends on a size that only a call knows"


class Scope:
    """Values by name; which optional inputs are given; what `...` in a shape stands for."""

    def __init__(self, env: dict[str, Value], given: frozenset[str]):
        self.env, self.given = env, given
        self.lead: tuple[Axis, ...] | None = None
        self.lists: dict[str, list[TensorType]] = {}
        self.several: dict[str, tuple[ir.Type, ...]] = {}
        self.results: dict[int, ir.Type] = {}  # by the identity of a call

    def value(self, static: ir.Static, span: Span) -> Value:
        """A static value, a `Dim` where it is a size over open axes; raises `Undecided`."""
        try:
            return evaluate(static, self.env, self.given.__contains__)
        except TooMuch as error:
            raise TooLarge(str(error), span) from None
        except EvaluationError as error:
            raise self._failed(error, mentions(static), span) from None

    def _failed(
        self, error: EvaluationError, names: set[str], span: Span
    ) -> InstanceError:
        """The error of a value that is made of these names."""
        absent = self.none_of(names) if isinstance(error, Absent) else None
        return InstanceError(str(error), span, absent)

    def none_of(self, names: Iterable[str]) -> str:
        """The name among these that is `none`."""
        return next((n for n in sorted(names) if self.env.get(n, 0) is None), "n")

    def known(self, static: ir.Static, span: Span) -> Value:
        """A static value that construction cannot do without."""
        try:
            return self.value(static, span)
        except Undecided:
            raise InstanceError(_OPEN, span) from None

    def decide(self, static: ir.Static, span: Span) -> bool:
        try:
            return truth(self.known(static, span))
        except Undecided:
            raise InstanceError(_OPEN, span) from None

    def let(self, name: str, static: ir.Static, span: Span) -> None:
        """A local gets its value; one that is undecided stays a symbol."""
        try:
            self.env[name] = self.value(static, span)
        except Undecided:
            self.env.pop(name, None)

    def together(self, lets: list[tuple[str, ir.Static]], span: Span) -> None:
        """Locals get their next values, which are told by those that they have."""
        values: dict[str, Value] = {}
        for name, static in lets:
            with suppress(Undecided):
                values[name] = self.value(static, span)
        for name, _ in lets:
            self.env.pop(name, None)
        self.env.update(values)

    def size(self, dim: Dim, span: Span) -> Dim:
        try:
            return resolve(dim, self.env)
        except EvaluationError as error:
            raise self._failed(error, {*dim.symbols}, span) from None

    def work(self, flops: Dim | None) -> Dim | None:
        try:
            return None if flops is None else resolve(flops, self.env)
        except EvaluationError:
            return None

    def type(self, type: ir.Type, span: Span) -> ir.Type:
        """A type with what is known put in."""
        if isinstance(type, tuple):
            return like(type, (self.type(t, span) for t in type))
        if isinstance(type, ListType):
            count = type.count and self.size(type.count, span)
            items = type.items and tuple(self.tensor(t, span) for t in type.items)
            return ListType(self.tensor(type.element, span), count, items)
        return self.tensor(type, span)

    def type_of(self, expr: ir.Expr) -> ir.Type:
        """The type of a value; of lists and of what calls gave, as they are at these sizes."""
        match expr:
            case ir.Var(name) if name in self.lists:
                return self._list(expr)
            case ir.Var(name) if name in self.several:
                return self.several[name]
            case ir.Apply() if id(expr) in self.results:
                return self.results[id(expr)]
            case ir.TupleOf(items):
                return tuple(self.type_of(item) for item in items)
            case ir.Item(value, index):
                return part(self.type_of(value), index)
            case ir.ListPart(value):
                return self._part(expr, self.type_of(value))
            case ir.ListOf(items):
                return self._listed(expr, [self.type_of(item) for item in items])
        return self.type(expr.type, expr.span)

    def _part(self, expr: ir.ListPart, whole: ir.Type) -> ListType:
        """A part of a list: the tensors in it, and how many there are."""
        assert isinstance(whole, ListType)
        if whole.items is None:
            return replace(whole, count=None)
        bounds = [
            None if bound is None else self.known(bound, expr.span)
            for bound in (expr.start, expr.stop, expr.step)
        ]
        items = whole.items[slice(*bounds)]
        return replace(whole, count=const(len(items)), items=items)

    def _listed(self, expr: ir.ListOf, types: list[ir.Type]) -> ListType:
        """A list of tensors, and of those of other lists."""
        found: list[TensorType] = []
        element = self.tensor(expr.type.element, expr.span)
        for kind in types:
            if isinstance(kind, TensorType):
                found.append(kind)
            elif isinstance(kind, ListType) and kind.items is not None:
                found += kind.items
            else:
                return ListType(element)
        return ListType(element, const(len(found)), tuple(found))

    def _list(self, expr: ir.Var) -> ListType:
        items = tuple(self.lists[expr.name])
        if isinstance(expr.type, ListType):
            element = self.tensor(expr.type.element, expr.span)
        else:
            element = items[0]
        return ListType(element, const(len(items)), items)

    def keep(self, targets: tuple[str, ...], value: ir.Expr) -> None:
        """Names get values; those that are no single tensors are known as they are."""
        self.given |= frozenset(targets)
        type = self.type_of(value)
        types = type if len(targets) > 1 and isinstance(type, tuple) else (type,)
        for name, kind in zip(targets, types, strict=False):
            self.lists.pop(name, None)
            self.several.pop(name, None)
            if isinstance(kind, ListType):
                self.lists[name] = list(kind.items or ())
            elif isinstance(kind, tuple):
                self.several[name] = kind

    def tensor(self, type: TensorType, span: Span) -> TensorType:
        axes = tuple(Axis(self.size(a.size, span), a.label) for a in type.axes)
        if type.lead and self.lead is not None:
            return TensorType(type.dtype, (*self.lead, *axes))
        return TensorType(type.dtype, axes, type.lead)

    def argument(self, static: ir.Static, span: Span) -> Value:
        """A value that may hang on an axis, None where it does."""
        try:
            return self.value(static, span)
        except Undecided:
            return None

    def needed(self, static: ir.Static, span: Span, what: str = "this") -> Value:
        """An argument that is not `none`."""
        with suppress(Undecided):
            value = self.value(static, span)
            if value is None:
                text = f"{what} is none where a value is needed"
                raise InstanceError(text, span, self.none_of(mentions(static)))
            return value
        return None

    def passed(self, op: Op, name: str, static: ir.Static, span: Span) -> Value:
        """What an entry of the library is given for one of its parameters."""
        param = op.param(name)
        if param is None or param.optional:
            return self.argument(static, span)
        return self.needed(static, span, f"`{name}`")

    def bind(self, targets: tuple[str, ...], item: Value, span: Span) -> None:
        parts = item if len(targets) > 1 else (item,)
        if not isinstance(parts, tuple) or len(parts) != len(targets):
            raise InstanceError(f"{show(item)} is not {len(targets)} values", span)
        self.env.update(zip(targets, parts, strict=True))

    def count(self, static: ir.Static, span: Span) -> int:
        count = self.known(static, span)
        if not isinstance(count, int):
            text = f"the number of layers is {show(count)}"
            absent = self.none_of(mentions(static)) if count is None else None
            raise InstanceError(text, span, absent)
        if count < 0:
            raise InstanceError(f"the number of layers is negative: {count}", span)
        return count

    def pop(self, statement: ir.Pop) -> None:
        """The sizes of the tensor that a list gives."""
        held, span, at = self.lists[statement.name], statement.span, statement.index
        if not held:
            raise InstanceError(f"`{statement.name}` is empty here", span)
        if at is not None and (wrong := self.outside(statement.name, at, span)):
            raise InstanceError(wrong, span)
        taken = held.pop() if at is None else held[self.known(at, span)]
        for index, name in statement.sizes:
            size = taken.sizes[index]
            self.env[name] = size if size.value is None else size.value

    def outside(self, name: str, index: ir.Static, span: Span) -> str | None:
        """What is wrong with the index of a list, if anything."""
        at, count = self.argument(index, span), len(self.lists.get(name, ()))
        if name not in self.lists or not isinstance(at, int) or -count <= at < count:
            return None
        return f"index {at} is outside a list of {count}"

    def beyond(self, expr: ir.Subscript) -> Iterator[str]:
        """What indices and slices of a tensor take that it does not have; JAX would clamp them."""
        source = self.type_of(expr.value)
        assert isinstance(source, TensorType)
        for item, axis in indexed(expr.items, source):
            size = axis.value
            if isinstance(item, ir.SliceOf):
                end = item.upper and self.argument(item.upper, expr.span)
                if size is not None and isinstance(end, int) and end > size:
                    yield f"this slice ends at {end}, beyond an axis of size {size}"
            if not isinstance(item, ir.Static):
                continue
            at = self.argument(item, expr.span)
            if size is not None and isinstance(at, int) and not -size <= at < size:
                yield f"index {at} is outside an axis of size {size}"

    def total(self, statement: ir.Total) -> None:
        """The length of all tensors of a list together."""
        found = const(0)
        for held in self.lists[statement.name]:
            assert isinstance(held, TensorType)
            found += held.sizes[statement.axis]
        self.env[statement.symbol] = found if found.value is None else found.value

    def compared(self, statement: ir.Require) -> str:
        """What is required, and the sizes at hand: `... (14 and 15)`."""
        match statement.condition:
            case ir.StaticBinary(_, ir.Size(left), ir.Size(right)):
                a, b = self.size(left, statement.span), self.size(right, statement.span)
                return f"{statement.message} ({a} and {b})"
        return statement.message

    # ------------------------------------------------------------ call sites

    def bind_inputs(
        self, declared: Iterable[ir.ModelInput], given: Mapping[str, ir.Type]
    ) -> None:
        """Axes of a block's inputs get the sizes of what it is applied to."""
        declared = tuple(declared)
        known = -1
        while len(self.env) > known:
            known = len(self.env)
            for parameter in declared:
                actual = given.get(parameter.name)
                if isinstance(actual, TensorType):
                    self._bind_tensor(parameter.type, actual, parameter.span)

    def _bind_tensor(
        self, declared: TensorType, actual: TensorType, span: Span
    ) -> None:
        extra = actual.rank - declared.rank
        if declared.lead and not actual.lead and extra >= 0:
            self.lead = actual.axes[:extra]
        pairs = zip(reversed(declared.sizes), reversed(actual.sizes), strict=False)
        for want, have in pairs:
            self._bind_axis(want, have, span)

    def _bind_axis(self, want: Dim, have: Dim, span: Span) -> None:
        free = want.symbols - self.env.keys()
        if len(free) != 1:
            return
        (name,) = free
        with suppress(DimError):
            size = _solved(self.size(want, span), have, name)
            if size is not None:
                self.env[name] = size if size.value is None else size.value


def _solved(want: Dim, have: Dim, name: str) -> Dim | None:
    """The size that `name` must be for `want` to be `have`: `T + 1` is 9, so `T` is 8."""
    parts = linear(want, name)
    if parts is None:
        return None
    factor, offset = parts
    quotient = (have - offset) // factor
    return quotient if quotient * factor == have - offset else None


def part(type: ir.Type, index: int) -> ir.Type:
    """One of several values, or of a list."""
    if isinstance(type, ListType):
        return type.items[index] if type.items else type.element
    assert isinstance(type, tuple)
    return type[index]


def of_one(type: ir.Type, axis: int | None) -> ir.Type:
    """What one of the copies along an axis gets."""
    if axis is None or not isinstance(type, TensorType):
        return type
    return type.with_axes(type.axes[:axis] + type.axes[axis + 1 :])


def is_empty(type: ir.Type) -> bool:
    """Whether a value would have an axis without entries."""
    match type:
        case TensorType(axes=axes):
            return any(a.size.value is not None and a.size.value < 1 for a in axes)
        case ListType(element, items=items):
            return any(map(is_empty, items or (element,)))
    return any(is_empty(part) for part in type)
