"""The axis along which a sequence goes, in types and in arguments."""

from __future__ import annotations

from collections.abc import Sequence

from .. import ir
from ..dims import Dim
from ..ops.base import Kind, Op
from ..shapes import ListType, TensorType


def timed(type_: ir.Type, time: str) -> bool:
    """Whether a size of a value depends on how long the sequence is."""
    if isinstance(type_, TensorType):
        return any(time in size.symbols for size in type_.sizes)
    if isinstance(type_, ListType):
        return timed(type_.element, time)
    return any(timed(part, time) for part in type_)


def time_axis(type_: ir.Type, time: str) -> int | None:
    """The one axis that goes along the sequence; None where it is not just one."""
    if not isinstance(type_, TensorType):
        return None
    found = [i for i, size in enumerate(type_.sizes) if time in size.symbols]
    if len(found) == 1 and type_.sizes[found[0]].name == time:
        return found[0]
    return None


def has_time_axis(type_: ir.Type, time: str) -> bool:
    """Whether every tensor of a value has just one axis along the sequence, or none."""
    if isinstance(type_, ListType):
        return has_time_axis(type_.element, time)
    if isinstance(type_, tuple):
        return all(has_time_axis(part, time) for part in type_)
    return not timed(type_, time) or time_axis(type_, time) is not None


def axes_named(call: ir.OpCall) -> set[int]:
    """The axes of its first input that an operation is told to work along."""
    first = call.inputs[0][1] if call.inputs else None
    if not isinstance(first, ir.Expr) or not isinstance(first.type, TensorType):
        return set()
    written = dict(call.args)
    found: set[int] = set()
    for param in call.op.params:
        if param.kind in (Kind.AXIS, Kind.AXES):
            value = written.get(param.name, param.default)
            found |= {p % first.type.rank for p in positions(value)}
    return found


def positions(value: object) -> list[int]:
    """The numbers in an argument of axes."""
    match value:
        case ir.Literal(inner):
            return positions(inner)
        case ir.Size(Dim(value=int() as number)):
            return [number]
        case ir.StaticList(items):
            return [p for item in items for p in positions(item)]
        case bool() | None:
            return []
        case int():
            return [value]
        case tuple():
            return [p for item in value for p in positions(item)]
        case ir.StaticUnary("-", operand):
            return [-p for p in positions(operand)]
    return []


# What only moves axes about, or adds and drops those of size 1.
MOVES = frozenset(
    {"expand", "squeeze", "stack", "concat", "transpose", "swapaxes", "repeat"}
)
# What makes a value that is the same all along the sequence, or drawn for each entry.
CREATES = frozenset(
    {"zeros", "ones", "full", "broadcast", "normal", "uniform", "bernoulli", "gumbel"}
)
# What mixes all axes between the first and the last, or looks back along the last.
ACROSS = frozenset(
    {
        "GroupNorm",
        "InstanceNorm",
        "ConvTranspose",
        "max_pool",
        "avg_pool",
        "resize",
        "segment_positions",
    }
)


def mixes(op: Op) -> bool:
    """Whether an entry mixes a sequence whatever its arguments."""
    return op.name in ACROSS


def leads(op: Op, given: Sequence[tuple[str, ir.Type]], time: str) -> bool:
    """Whether Python code gets the sequence only where it declares `...`: entry by entry."""
    for name, type_ in given:
        axis, spec = time_axis(type_, time), op.input(name)
        if timed(type_, time) and axis is None:
            return False
        rank = type_.rank if isinstance(type_, TensorType) else 0
        if axis is not None and spec is not None and axis >= rank - spec.axes:
            return False
    return True


def sums_over(call: ir.OpCall, time: str) -> bool:
    """Whether an `einsum` sums over the sequence, in one operand or another."""
    pattern = dict(call.args).get("pattern")
    if call.op.name != "einsum" or not isinstance(pattern, ir.Literal):
        return False
    before, after = str(pattern.value).split("->")
    kept = after.split()
    values = call.inputs[0][1]
    for term, value in zip(
        before.split(","), values if isinstance(values, tuple) else (), strict=True
    ):
        axis = time_axis(value.type, time)
        if axis is None:
            continue
        names = term.split()
        rank = getattr(value.type, "rank", 0)
        from_end = names[::-1][: rank - axis] if "..." in names else names[: axis + 1]
        name = from_end[-1] if from_end else "..."
        if name not in kept:
            return True
    return False
