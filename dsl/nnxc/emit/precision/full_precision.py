"""What is computed in float32, and kept in it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence, Set

from ... import ir
from ...ir.fold_statements import expressions, statements
from ...ir.fold_tensors import operands, walk
from ...ops.base import Call, Op
from ...record import replace
from ...shapes import TensorType, is_float
from .exact import otherwise

FULL = "f32"


ARITHMETIC = ("+", "-", "*", "/", "//", "%", "**")


def converted(item: ir.ModelInput) -> ir.Stmt:
    given = ir.Var(item.name, item.type.with_dtype(FULL), item.span)
    stmt = ir.Assign((item.name,), ir.Cast(given, item.type, item.span), item.span)
    if not item.optional:
        return stmt
    return ir.If(ir.Given(item.name), (stmt,), (), item.span)


def assigned_once(definition: ir.Definition) -> set[str]:
    """The tensors that have one meaning, and `_`, which nothing reads; what a scan takes or gives
    is of the spec's dtype."""
    counts = Counter(_targets(definition.body))
    once = {n for n, times in counts.items() if times == 1 or n == "_"}
    return once - otherwise(definition)


def assigned_again(definition: ir.Definition) -> set[str]:
    """The tensors that get other values outside of loops: in arms, or one after another."""
    counts = Counter(_targets(definition.body))
    again = {n for n, times in counts.items() if times > 1 and n != "_"}
    loops = [s for s in statements(definition.body) if isinstance(s, ir.For)]
    return again - {*_targets(loops)} - otherwise(definition)


def assigned_alone(definition: ir.Definition) -> set[str]:
    """The tensors that get their values outside of loops, each by an assignment of its own."""
    body = definition.body
    loops = [s for s in statements(body) if isinstance(s, ir.For)]
    several = (s for s in statements(body) if isinstance(s, ir.Assign))
    shared = {n for s in several if len(s.targets) > 1 for n in s.targets}
    return {*_targets(body)} - {*_targets(loops)} - shared - otherwise(definition)


def _targets(body: Sequence[ir.Stmt]) -> Iterator[str]:
    """The names that assignments of a body give values, as often as they do."""
    for stmt in statements(body):
        if isinstance(stmt, ir.Assign):
            yield from stmt.targets


def uses(body: Sequence[ir.Stmt]) -> Counter[str]:
    """How often each tensor is read, and each layer applied."""
    tops = (e for s in statements(body) for e in expressions(s))
    found = (e for top in tops for e in walk(top))
    return Counter(
        e.layer if isinstance(e, ir.Apply) else e.name
        for e in found
        if isinstance(e, ir.Apply | ir.Var)
    )


def passes(layer: ir.Layer, method: str | None) -> bool:
    """Whether a layer gives the dtype that it is given."""
    return (
        isinstance(layer.callee, Op)
        and layer.count is None
        and method is None
        and not (layer.callee.dtype_aware or layer.callee.product)
        and not (layer.callee.origin or layer.callee.helper)
    )


def gives_full(layer: ir.Layer, method: str | None) -> bool:
    """Whether a layer can be asked for float32."""
    if not isinstance(layer.callee, Op) or layer.count or layer.copies:
        return False
    if method:
        known = layer.callee.methods.get(method)
        return known is not None and known.in_full is not None
    return layer.callee.dtype_aware and not layer.callee.methods


def summing(op: Op, whole: Call) -> Op:
    """A product whose sums are given as they are."""
    build = op.build
    if isinstance(build, Call):
        whole = replace(build, kwargs={**build.kwargs, **whole.kwargs})
    return replace(op, build=whole)


def in_float32(op: Op) -> bool:
    if op.in_float32 is None:
        return op.group in ("loss", "metric")
    return op.in_float32


def computes(value: ir.OpCall) -> bool:
    """Whether what is summed is computed on the spot."""
    return computed(value.inputs[0][1])


def computed(given: ir.Expr | tuple[ir.Expr, ...]) -> bool:
    match given:
        case ir.OpCall(op):
            return computes_as(op)
        case ir.Operator(op):
            return op in ARITHMETIC
    return False


def computes_as(op: Op) -> bool:
    """Whether a function computes in the dtype that it is given."""
    return not (op.product or op.helper or op.dtype_aware or op.origin)


def of_weights(value: ir.Expr, weights: Set[str]) -> bool:
    """Whether a value is computed of weights alone, which may be kept in float32."""
    parts = [v for v in walk(value) if not isinstance(v, ir.Scalar)]
    read = [v.name for v in parts if isinstance(v, ir.Var)]
    rest = (v for v in parts if not isinstance(v, ir.Var))
    plain = all(computed(v) or isinstance(v, ir.Reshape | ir.Subscript) for v in rest)
    return bool(read) and plain and weights >= {*read}


def conversion(value: ir.OpCall) -> ir.Cast | None:
    """An `astype` from one floating dtype to another."""
    (_, inner), *_ = value.inputs or ((None, ()),)
    if value.op.name != "astype" or isinstance(inner, tuple):
        return None
    kinds = (inner.type, value.type)
    if not all(isinstance(k, TensorType) and is_float(k.dtype) for k in kinds):
        return None
    return ir.Cast(inner, value.type, value.span)  # type: ignore[arg-type]


def is_full(value: ir.Expr) -> bool:
    return isinstance(value.type, TensorType) and value.type.dtype == FULL


def surely_full(value: ir.Expr, loose: Set[str]) -> bool:
    """Whether a value is float32 whatever the inputs are that may come in another dtype."""
    match value:
        case ir.Var(name) if name in loose:
            return False
        case ir.Operator() | ir.Reshape() | ir.Subscript() | ir.Apply():
            return any(surely_full(part, loose) for part in operands(value))
        case ir.OpCall(op) if computes_as(op) and not (in_float32(op) or op.sums):
            return any(surely_full(part, loose) for part in operands(value))
    return is_full(value)


def _is_narrow(value: ir.Expr) -> bool:
    """Whether a value may be of less than float32."""
    kind = value.type
    return isinstance(kind, TensorType) and kind.dtype in ("float", "bf16", "f16")


def typed(value: ir.Expr, dtype: str) -> ir.Expr:
    """The expression, its value of another floating dtype."""
    if not _is_narrow(value):
        return value
    return replace(value, type=value.type.with_dtype(dtype))  # type: ignore[union-attr]


def widened(kind: ir.Type) -> ir.Type:
    narrow = isinstance(kind, TensorType) and kind.dtype == "float"
    return kind.with_dtype(FULL) if narrow else kind  # type: ignore[union-attr]


def as_first(new: ir.Expr) -> ir.Expr:
    """The dtype of the first part, where that is wider than the spec means it."""
    first, *_ = operands(new)
    return typed(new, FULL) if is_full(first) else new


def as_any(new: ir.Expr) -> ir.Expr:
    """The widest dtype of the parts."""
    return typed(new, FULL) if any(map(is_full, operands(new))) else new


def each(
    change: Callable[[ir.Expr], ir.Expr], value: ir.Expr | tuple[ir.Expr, ...]
) -> ir.Expr | tuple[ir.Expr, ...]:
    """What is changed of an input, which may be several tensors."""
    return tuple(map(change, value)) if isinstance(value, tuple) else change(value)
