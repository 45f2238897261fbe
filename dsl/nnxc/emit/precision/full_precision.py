"""What is computed in float32, and kept in it."""

from __future__ import annotations

from collections import Counter

from ... import ir
from ...ir.fold_statements import statements
from ...ir.fold_tensors import operands
from ...ops.base import Call, Op
from ...record import replace
from ...shapes import TensorType

FULL = "f32"


ARITHMETIC = ("+", "-", "*", "/", "//", "%", "**")


def converted(item: ir.ModelInput) -> ir.Stmt:
    given = ir.Var(item.name, item.type.with_dtype(FULL), item.span)
    stmt = ir.Assign((item.name,), ir.Cast(given, item.type, item.span), item.span)
    if not item.optional:
        return stmt
    return ir.If(ir.Given(item.name), (stmt,), (), item.span)


def assigned_once(definition: ir.Definition) -> set[str]:
    """The tensors that have one meaning; what a scan takes or gives is of the spec's dtype."""
    counts = Counter(
        name
        for stmt in statements(definition.body)
        if isinstance(stmt, ir.Assign)
        for name in stmt.targets
    )
    scans = [s for s in statements(definition.body) if isinstance(s, ir.Scan)]
    fixed = {n for s in scans for n in (*s.inner, *s.ends, *s.outer)}
    fixed |= {i.name for i in definition.inputs}
    return {n for n, times in counts.items() if times == 1} - fixed


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


def is_full(value: ir.Expr) -> bool:
    return isinstance(value.type, TensorType) and value.type.dtype == FULL


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
