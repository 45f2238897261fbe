"""Steps of several batches: what a batch weighs, so that the step has the gradient of all of them.

A loss that is a mean over a batch has, over several, the mean of their losses, each weighted by how
much counts in it: by the number of its examples, all alike, or by a mask.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple, TypeAlias

from ... import ir
from ...ir.fold_tensors import operands, placeless, rebuilt
from ...ops import MODEL_OPS
from ...shapes import ListType, TensorType
from ...source import Span
from ...stepwise import Examples, Found, first


class Constant(NamedTuple):
    """The same for every batch."""


class Rows(NamedTuple):
    """A tensor whose entries belong to one example each."""


class Total(NamedTuple):
    """A sum over the batch, of `what`."""

    what: ir.Expr


class Mean(NamedTuple):
    """A mean over the batch: of all, or of as much as `weight`, a number, says."""

    weight: ir.Expr | None


class Mixed(NamedTuple):
    """Anything else: of the whole batch it is not what it is of its parts."""


class Several(NamedTuple):
    """What a model gives, one by one."""

    kinds: tuple[Kind, ...]


Kind: TypeAlias = "Constant | Rows | Total | Mean | Mixed | Several"


def weight_of(
    loss: ir.Expr,
    body: Sequence[ir.Stmt],
    batch: Sequence[ir.ModelInput],
    models: Mapping[str, str],
    known: Mapping[str, ir.Definition],
) -> tuple[Mean | None, Span | None]:
    """How a loss is a mean over its batch; None where it is none that can be taken apart, and where
    a model computes with several examples at once, if that is why. `models` are those that are
    called, by their names in the train, and `known` all definitions."""
    reader = _Reader(body, batch, models, Examples(known))
    mean = reader.loss(loss)
    if mean is None and reader.mixed and _Reader(body, batch, {}, None).loss(loss):
        return None, reader.mixed
    return mean, None


class _Reader:
    def __init__(
        self,
        body: Sequence[ir.Stmt],
        batch: Sequence[ir.ModelInput],
        models: Mapping[str, str],
        examples: Examples | None,
    ):
        self.models, self.examples = models, examples
        self.mixed: Span | None = None
        self.kinds: dict[str, Kind] = {f.name: Rows() for f in batch}
        self.values: dict[str, ir.Expr] = {}
        firsts = [f.type.axes[0].size for f in batch if f.type.axes]
        self.rows = {size.name for size in firsts if size.name}
        for stmt in body:
            if isinstance(stmt, ir.Assign):
                self._assign(stmt)

    def _assign(self, stmt: ir.Assign) -> None:
        kind = self.kind(stmt.value)
        several = isinstance(kind, Several) and len(stmt.targets) > 1
        for place, target in enumerate(stmt.targets):
            self.kinds[target] = kind.kinds[place] if several else kind  # type: ignore[union-attr]
        if len(stmt.targets) == 1:
            self.values[stmt.targets[0]] = stmt.value

    def loss(self, loss: ir.Expr) -> Mean | None:
        kind = self.kind(loss)
        if not isinstance(kind, Mean):
            return None
        if kind.weight is None:
            return kind
        weight = self._from_batch(kind.weight)
        return None if weight is None else Mean(weight)

    def _from_batch(self, expr: ir.Expr) -> ir.Expr | None:
        """The expression over the batch alone; None where it needs the model."""
        if isinstance(expr, ir.ModelCall | ir.Apply):
            return None
        if isinstance(expr, ir.Var) and expr.name in self.values:
            return self._from_batch(self.values[expr.name])
        if isinstance(expr, ir.Var) and "." in expr.name:
            return None
        parts = [self._from_batch(part) for part in operands(expr)]
        found = [part for part in parts if part is not None]
        return rebuilt(expr, found) if len(found) == len(parts) else None

    # ----------------------------------------------------------------- kinds

    def kind(self, expr: ir.Expr) -> Kind:
        match expr:
            case ir.Var(name):
                return self.kinds.get(name, Constant())
            case ir.Scalar():
                return Constant()
            case ir.ModelCall():
                return self._model(expr)
            case ir.Operator(op, operands=(left, right)):
                return self._operator(expr, op, left, right)
            case ir.Operator("-", operands=(value,)) | ir.Cast(value=value):
                return self.kind(value)
            case ir.Item(value, index):
                whole = self.kind(value)
                one = whole.kinds[index] if isinstance(whole, Several) else whole
                return self._given(expr, [one])
            case ir.Let(name, value, inner):
                self._assign(ir.Assign((name,), value, expr.span))
                return self.kind(inner)
            case ir.OpCall(op=op) if op.group == "loss" or op.name in ("mean", "sum"):
                return self._reduction(expr)
            case ir.OpCall(op=op, stream=stream) if stream or op.streams:
                return Rows() if self._has_rows(expr) else Mixed()
        return self._each(expr, [self.kind(part) for part in operands(expr)])

    def _model(self, expr: ir.ModelCall) -> Kind:
        """What a model gives: of one example each, as far as its own code says."""
        kind = self._given(expr, [self.kind(value) for _, value in expr.args])
        if self.examples is None or isinstance(kind, Constant):
            return kind
        args = [(name, value.type) for name, value in expr.args]
        name = self.models[expr.model]
        rows = sorted(self.rows)
        found = [self.examples.of_call(name, args, row, expr.span) for row in rows]
        return self._apart(kind, found)

    def _apart(self, kind: Kind, found: Sequence[Found]) -> Kind:
        """Of several values, those that are not of one example each are mixed."""
        several = [f for f in found if isinstance(f, tuple)]
        if several and len(several) == len(found):
            parts = zip(*several, strict=True)
            return Several(tuple(self._apart(kind, part) for part in parts))
        mixed = next((span for f in found if (span := first(f))), None)
        self.mixed = self.mixed or mixed
        return Mixed() if mixed else kind

    def _given(self, expr: ir.Expr, kinds: list[Kind]) -> Kind:
        """What the model gives: a number may be anything of the batch."""
        if all(isinstance(k, Constant) for k in kinds):
            return Constant()
        if isinstance(expr.type, tuple):
            return (
                Rows()
                if all(isinstance(k, Constant | Rows) for k in kinds)
                else Mixed()
            )
        return self._each(expr, kinds)

    def _each(self, expr: ir.Expr, kinds: list[Kind]) -> Kind:
        """What maps entries to entries, or reduces axes other than the batch's."""
        if all(isinstance(k, Constant) for k in kinds):
            return Constant()
        whole = all(isinstance(k, Constant | Rows) for k in kinds)
        return Rows() if whole and self._has_rows(expr) else Mixed()

    def _has_rows(self, expr: ir.Expr) -> bool:
        """Whether a tensor has the axis of the batch once."""
        type_ = expr.type
        if isinstance(type_, ListType):
            type_ = type_.element
        if not isinstance(type_, TensorType):
            return isinstance(type_, tuple)
        named = [a for a in type_.axes if a.size.symbols & self.rows]
        return len(named) == 1

    def _operator(
        self, expr: ir.Operator, op: str, left: ir.Expr, right: ir.Expr
    ) -> Kind:
        kinds = one, other = self.kind(left), self.kind(right)
        if all(isinstance(k, Constant | Rows) for k in kinds):
            return self._each(expr, list(kinds))
        match op, one, other:
            case "*" | "/", Mean() | Total(), Constant():
                return self._divided(one, right) if op == "/" else one
            case "*", Constant(), Mean() | Total():
                return other
            case "/", Total(), Total(what):
                return Mean(what)
            case "+" | "-", Mean(), Constant():
                return one
            case "+" | "-", Constant(), Mean():
                return other
            case "+" | "-", Mean(a), Mean(b) if _same(a, b):
                return one
        return Mixed()

    def _divided(self, kind: Kind, by: ir.Expr) -> Kind:
        """A sum divided by how many rows there are is their mean."""
        counted = isinstance(by, ir.Scalar) and self._counts(by.value)
        return Mean(None) if isinstance(kind, Total) and counted else kind

    def _counts(self, value: ir.Static) -> bool:
        match value:
            case ir.Size(dim):
                return bool(dim.symbols & self.rows)
            case ir.Ref(name):
                return name in self.rows
        return False

    def _reduction(self, call: ir.OpCall) -> Kind:
        """`mean`, `sum` and the losses: to one number, or along axes that are not the batch's."""
        inputs = dict(call.inputs)
        where = inputs.pop("where", None)
        values = [v for v in inputs.values() if not isinstance(v, tuple)]
        kinds = [self.kind(value) for value in values]
        if all(isinstance(k, Constant) for k in kinds):
            return Constant()
        if not all(isinstance(k, Constant | Rows) for k in kinds):
            return Mixed()
        if isinstance(call.type, TensorType) and call.type.axes:
            return self._each(call, kinds)
        if call.op.name == "sum":
            return Total(call)
        if where is None:
            return Mean(None)
        assert not isinstance(where, tuple)
        return Mean(_count(where)) if isinstance(self.kind(where), Rows) else Mean(None)


def _count(mask: ir.Expr) -> ir.Expr:
    """How many entries a mask selects."""
    total = MODEL_OPS["sum"]
    return ir.OpCall(total, (("x", mask),), (), {}, TensorType("int", ()), mask.span)


def _same(one: ir.Expr | None, other: ir.Expr | None) -> bool:
    if one is None or other is None:
        return one is other
    return placeless(one) == placeless(other)
