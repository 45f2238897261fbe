"""What must hold for static values to be computed at all, where nothing rules out that it does not."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, TypeAlias

from ... import ir
from ...dims import Dim, Func, const, func, symbol
from ...ir.asked import may_be_none
from ...ir.fold_static import mentions
from ...ir.fold_tensors import operands
from ...ops.base import Kind
from ...source import Span
from . import rates, windows
from .bounds import Bounds, computed_in, size_of
from .spec_words import AT_LEAST_1, Words

_LISTS = (Kind.LIST, Kind.SIZES, Kind.INTS, Kind.NUMBERS)


Shown: TypeAlias = tuple[str | Dim, str]


class Guard(ir.Require):
    """A check that the spec does not ask for. `shows` are the names, or what is computed of them,
    whose values its message tells, and what the spec calls them."""

    shows: tuple[Shown, ...] = ()


def shown(stmt: ir.Require) -> tuple[Shown, ...]:
    """What the message of a check tells the values of."""
    if isinstance(stmt, Guard):
        return stmt.shows
    return tuple((name, name) for name in sorted(mentions(stmt.condition)))


class Needs:
    """Notes what the values that are gone through need."""

    def __init__(self, definition: ir.Definition, bounds: Bounds):
        self.bounds = bounds
        self.words = Words(definition)
        self.rates = rates.own(definition)
        self.slid = windows.own_names(definition)
        self.absent = may_be_none(definition)
        self.params = {p.name for p in definition.params}
        self.lists = {p.name for p in definition.params if p.kind in _LISTS}
        self.counters: dict[str, Dim] = {}  # of loops around, whose end is known
        self.built = True  # whether the constructor knows what is computed
        self.conditional = 0  # how many `if`s are around
        self.when: list[ir.Static] = []  # what need not hold for a value to be computed
        self.needed: list[Guard] = []

    def guard(self, condition: ir.Static, message: str, span: Span) -> Guard:
        return Guard(condition, message, span, shows=self.words.names_in(condition))

    def expression(self, expr: ir.Expr) -> None:
        """All that is computed in a tensor, unless only a call knows whether it is."""
        if not self.built:
            return
        match expr:
            case ir.Choose(condition, then, orelse, span=span):
                self.value(condition, span)
                for part, holds in ((then, True), (orelse, False)):
                    with self.only(condition, holds):
                        self.expression(part)
                return
            case ir.Scalar(value, span=span):
                self.value(value, span)
            case ir.OpCall(op, args=args, span=span):
                for name, value in args:
                    self.value(value, span)
                    param = op.param(name)
                    if param and param.bounds:
                        what = f"the {name} of {op.name}"
                        self.within(value, param.bounds, what, span)
            case ir.Subscript(items=items, span=span):
                for item in items:
                    self.item(item, span)
            case ir.Reshape(type=type_, span=span):
                for dim in type_.sizes:
                    self.quotients(dim, span)
        for part in operands(expr):
            self.expression(part)

    def item(self, item: Any, span: Span) -> None:
        match item:
            case ir.SliceOf(lower, upper, step):
                for bound in (lower, upper, step):
                    if bound is not None:
                        self.value(bound, span)
            case ir.NewAxis() | ir.Rest():
                return
            case _ if isinstance(item, ir.Static):
                self.value(item, span)

    @contextmanager
    def only(self, condition: ir.Static, holds: bool) -> Iterator[None]:
        """Within, values are computed where a condition holds."""
        before, when = self.bounds, self.when
        self.bounds = before.under(condition, holds)
        others = unless(condition, holds)
        for other in others:
            self.bounds.rule_out(other)
        self.when = [*when, *others]
        yield
        told = self.bounds.told
        self.bounds, self.when = before, when
        self.bounds.told = told

    def value(self, value: ir.Static, span: Span) -> None:
        """All that is computed in a static value."""
        match value:
            case ir.Size(dim):
                self.quotients(dim, span)
            case ir.StaticUnary(operand=operand):
                self.value(operand, span)
            case ir.StaticBinary("and" | "or" as op, left, right):
                self.value(left, span)
                with self.only(left, op == "and"):
                    self.value(right, span)
            case ir.StaticBinary(op, left, right):
                self.value(left, span)
                self.value(right, span)
                self.binary(op, left, right, span)
            case ir.StaticIf(condition, then, orelse):
                self.value(condition, span)
                for part, holds in ((then, True), (orelse, False)):
                    with self.only(condition, holds):
                        self.value(part, span)
            case ir.StaticCall(name, args):
                for arg in args:
                    self.value(arg, span)
                self.call(name, args, span)
            case ir.StaticList(parts) | ir.StaticSlice(parts=parts):
                for part in parts:
                    self.value(part, span)
            case ir.StaticIndex(values, index):
                self.value(values, span)
                self.value(index, span)
                size = size_of(index)
                if isinstance(values, ir.Ref) and size is not None:
                    self.index(values.name, size, span)
            case ir.Function(args=named) | ir.Initializer(args=named):
                for _, part in named:
                    self.value(part, span)

    def binary(self, op: str, left: ir.Static, right: ir.Static, span: Span) -> None:
        if op in ("/", "//", "%"):
            self.divisor(right, span)
        if op == "**" and _below_0(right):
            self.divisor(left, span)

    def divisor(self, value: ir.Static, span: Span) -> None:
        """What something is divided by: no factor of it is 0."""
        if isinstance(value, ir.StaticBinary) and value.op == "*":
            self.divisor(value.left, span)
            self.divisor(value.right, span)
        elif not self.bounds.nonzero(value):
            condition = ir.StaticBinary("!=", sized(value), ir.Literal(0))
            self.need(condition, f"{self.words.of(value)} must not be 0", span)

    def call(self, name: str, args: Sequence[ir.Static], span: Span) -> None:
        match name, args:
            case ("log" | "log2"), (value,) if self.bounds.least_of(value) <= 0:
                if value not in self.bounds.other:
                    text = f"`{name}` of {self.words.of(value)} needs a number above 0"
                    condition = ir.StaticBinary(">", sized(value), ir.Literal(0))
                    self.need(condition, text, span)
            case "divisible", (_, by, *_) if self.bounds.least_of(by) < 1:
                size = size_of(by)
                least = ir.Literal(1) if size is None else ir.Size(const(1))
                multiple = by if size is None else ir.Size(size)
                condition = ir.StaticBinary(">=", multiple, least)
                self.need(condition, f"{self.words.of(by)}{AT_LEAST_1}", span)
            case "sqrt", (value,) if self.bounds.least_of(value) < 0:
                text = f"`sqrt` of {self.words.of(value)} needs a number of 0 or more"
                condition = ir.StaticBinary(">=", sized(value), ir.Literal(0))
                self.need(condition, text, span)
            case ("min" | "max"), (ir.Ref(values),):
                self.long_enough(values, const(1), span)

    def within(
        self, value: ir.Static, bounds: rates.Limits, what: str, span: Span
    ) -> None:
        """A number, or each of several, is between bounds."""
        match value:
            case ir.StaticIf(condition, then, orelse):
                for part, holds in ((then, True), (orelse, False)):
                    with self.only(condition, holds):
                        self.within(part, bounds, what, span)
                return
            case ir.StaticList(items):
                for item in items:
                    self.within(item, bounds, what, span)
                return
            case ir.Ref(name) if name in self.bounds.sized | self.slid:
                return
            case ir.Ref(name) if name in self.bounds.windows:
                value = ir.StaticCall("min", (value,))
                if bounds[0] >= 1 and not self.when:
                    self.bounds.sized |= {name}
            case ir.Literal(str() | tuple()):
                return
        enough = bounds[1] == math.inf and self.bounds.least_of(value) >= bounds[0]
        if not enough and not rates.keeps(value, bounds, self.rates):
            condition = rates.within(value, value, bounds)
            if isinstance(value, ir.Ref) and value.name in self.absent:
                none = ir.StaticBinary("==", value, ir.Literal(None))
                condition = ir.StaticBinary("or", none, condition)
            if isinstance(value, ir.Ref) and self.words.of(value).isidentifier():
                what = self.words.of(value)
            self.need(condition, rates.said(what, bounds), span)

    def quotients(self, dim: Dim, span: Span) -> None:
        """The divisions and indices in a size."""
        for atom in computed_in(dim):
            match atom:
                case Func("floordiv", (_, by)) if by.value is None:
                    self.divisor(
                        ir.Size(by) if by.name is None else ir.Ref(by.name), span
                    )
                case Func("index", (Dim(name=str(name)), at)):
                    self.index(name, at, span)

    def index(self, name: str, at: Dim, span: Span) -> None:
        """`name[at]`: the list is long enough. A counter gets to the end of its loop."""
        if at.value is not None:
            length = at.value + 1 if at.value >= 0 else -at.value
            self.long_enough(name, const(length), span)
            return
        last = at
        for counter in at.symbols & self.counters.keys():
            if (at - symbol(counter)).symbols.isdisjoint({counter}):
                last = last.substitute({counter: self.counters[counter] - 1})
        sure = not self.conditional and not self.when
        if not self.has(name, last + 1) and (sure or not self.has(name, at + 1)):
            self.long_enough(name, (last if sure else at) + 1, span)
        if at.name in self.params and self.bounds.least_size(at) < 0:
            self.long_enough(name, -at, span)

    def long_enough(self, name: str, count: Dim, span: Span) -> None:
        """A list has so many values."""
        if self.has(name, count):
            return
        length = func("len", symbol(name))
        condition = ir.StaticBinary(">=", ir.Size(length), ir.Size(count))
        values = "value" if count.value == 1 else "values"
        self.need(
            condition,
            f"{name} must have {self.words.size(count)} {values} or more",
            span,
        )

    def has(self, name: str, count: Dim) -> bool:
        """Whether a list is known to have so many values, or is none that a caller gives."""
        length = func("len", symbol(name))
        return name not in self.lists or self.bounds.least_size(length - count) >= 0

    def need(self, condition: ir.Static, message: str, span: Span) -> None:
        """Something must hold where what is around it is computed."""
        if self.bounds.has_told(condition, self.when):
            return
        self.bounds.told.append((condition, tuple(self.when)))
        for other in reversed(self.when):
            condition = ir.StaticBinary("or", other, condition)
        self.needed.append(self.guard(condition, message, span))
        if not self.when:
            self.bounds = self.bounds.under(condition)


def unless(condition: ir.Static, holds: bool) -> list[ir.Static]:
    """What all are false where a condition holds, or does not."""
    match condition:
        case ir.StaticBinary("and", left, right) if holds:
            return [*unless(left, True), *unless(right, True)]
        case ir.StaticBinary("or", left, right) if not holds:
            return [*unless(left, False), *unless(right, False)]
    return [ir.StaticUnary("not", condition) if holds else condition]


def sized(value: ir.Static) -> ir.Static:
    """A value as a size, where it is one, so that it is compared in one form."""
    dim = size_of(value)
    return value if dim is None or dim.name is not None else ir.Size(dim)


def _below_0(value: ir.Static) -> bool:
    match value:
        case ir.Literal(int() | float() as number):
            return number < 0
        case ir.StaticUnary("-", ir.Literal(int() | float() as number)):
            return number > 0
    return False
