"""Weights of more than two axes: which of them a weight is summed over, for its first values."""

from __future__ import annotations

from collections.abc import Sequence

from ... import ir
from ...ir.fold_statements import all_expressions, mapped, statements
from ...ir.fold_tensors import walk
from ...ops.base import Op
from ...record import replace

_AXES = ("in_axis", "out_axis", "batch_axis")
_SLID = "convolve"  # the function whose kernel has a window before its last two axes


def with_fans(body: Sequence[ir.Stmt]) -> tuple[ir.Stmt, ...]:
    """The statements, where weights of more than two axes are stacks of matrices, each with a fan of
    its own, unless the spec says which axes are which or slides them as a kernel."""
    kernels = _kernels(body)

    def changed(stmt: ir.Stmt) -> ir.Stmt:
        match stmt:
            case ir.Variable(name, type_, ir.Initializer(op, args) as init):
                if type_.rank < 3 or name in kernels or not _by_fans(op, args):
                    return stmt
                axes = tuple(ir.Literal(i) for i in range(type_.rank - 2))
                stack = axes[0] if len(axes) == 1 else ir.StaticList(axes)
                return replace(
                    stmt, init=replace(init, args=(*args, ("batch_axis", stack)))
                )
        return stmt

    return mapped(body, changed)


def _by_fans(op: Op, args: Sequence[tuple[str, ir.Static]]) -> bool:
    written = {name for name, _ in args}
    return op.param("batch_axis") is not None and written.isdisjoint(_AXES)


def _kernels(body: Sequence[ir.Stmt]) -> set[str]:
    """The weights that are slid over something, as they are or after some arithmetic."""
    found: set[str] = set()
    for value in all_expressions(body):
        found |= _slid(value)
    for stmt in reversed(list(statements(body))):
        if isinstance(stmt, ir.Assign) and not found.isdisjoint(stmt.targets):
            found |= _names(stmt.value)
    return found


def _slid(value: ir.Expr) -> set[str]:
    found: set[str] = set()
    for node in walk(value):
        match node:
            case ir.OpCall(Op(name=name), inputs) if name == _SLID:
                kernel = dict(inputs)["kernel"]
                found |= _names(kernel) if isinstance(kernel, ir.Expr) else set()
    return found


def _names(value: ir.Expr) -> set[str]:
    return {node.name for node in walk(value) if isinstance(node, ir.Var)}
