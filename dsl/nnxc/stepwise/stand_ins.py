"""Which layer stands in for what looks back along a sequence."""

from __future__ import annotations

from .. import ir
from ..dims import Dim
from ..ops import stepwise as ops
from ..ops.base import Call, Op
from ..record import replace
from ..shapes import TensorType
from .time import time_axis, timed

FUNCTIONS = frozenset({"attend", "positions", "shift"})
_SCORED = ("slopes", "sinks", "segments", "chunk", "softcap")
Refusal = tuple[str, str | None]


def refusal(call: ir.OpCall, time: str) -> Refusal | None:
    """Why a function has no stand-in; None where it has one."""
    inputs = {n: v for n, v in call.inputs if isinstance(v, ir.Expr)}
    if call.op.name != "attend":
        (value,) = inputs.values()
        if time_axis(value.type, time) != 1:
            return "the sequence is not the second axis", None
        return None
    for name in ("q", "k", "v"):
        if time_axis(inputs[name].type, time) != 1:
            return f"{name}'s second axis is not the sequence", None
    if dict(call.args).get("causal") != ir.Literal(True):
        help = "write `causal=true`"
        return "this sees tokens that do not exist yet", help
    given = [n for n in ("mask", "bias") if n in inputs]
    if given:
        help = (
            "`window`, `chunk`, `segments` and `slopes` say it without the keys' number"
        )
        return f"{given[0]} says something of every key", help
    return None


def of_call(call: ir.OpCall, name: str) -> ir.Layer:
    """The layer that stands in for a function."""
    op, sizes = _function(call)
    return ir.Layer(name, op, call.args, sizes, {}, call.span)


def _function(call: ir.OpCall) -> tuple[Op, dict[str, Dim]]:
    inputs = {n: v.type for n, v in call.inputs if isinstance(v, ir.Expr)}
    if call.op.name == "positions":
        return ops.PLACES, {}
    if call.op.name == "shift":
        shape = _tensor(inputs["x"]).sizes[2:]
        sizes = {f"shape_{i}": size for i, size in enumerate(shape)}
        build = Call(ops.SHIFT.build.target, ("n", *sizes))  # type: ignore[union-attr]
        return replace(ops.SHIFT, build=build), sizes
    k, v = _tensor(inputs["k"]), _tensor(inputs["v"])
    sizes = {"kv_heads": k.sizes[2], "head_dim": k.sizes[3]}
    if v.sizes[3] != k.sizes[3]:
        sizes["value_dim"] = v.sizes[3]
    scored = any(n in dict(call.args) or n in inputs for n in _SCORED)
    op = ops.ATTEND_SCORED if scored or "value_dim" in sizes else ops.ATTEND
    return _without_absent(op, sizes), sizes


def _without_absent(op: Op, sizes: dict[str, Dim]) -> Op:
    """The values are as wide as the keys unless a size says otherwise."""
    if "value_dim" in sizes:
        return op
    assert isinstance(op.build, Call)
    kwargs = {k: v for k, v in op.build.kwargs.items() if k != "value_dim"}
    return replace(op, build=replace(op.build, kwargs=kwargs, always=()))


def of_layer(layer: ir.Layer, expr: ir.Apply, time: str) -> Op | str | None:
    """What a layer of the library becomes: an entry, why it cannot, or None: it stays."""
    assert isinstance(layer.callee, Op)
    args, name = dict(layer.args), layer.callee.name
    given = dict(expr.args)
    match name:
        case "Attention" if "context" not in given or timed(
            given["context"].type, time
        ):
            if args.get("causal") != ir.Literal(True):
                return "this sees tokens that do not exist yet"
            if len(given) > 1:
                return "a mask says something of every key"
            return ops.ATTENTION
        case "Conv":
            return _conv(layer, given["x"].type, args, time)
        case "LSTM" | "GRU":
            if args.get("reverse", ir.Literal(False)) != ir.Literal(False):
                return "this goes over the sequence from its end"
            if len(given) > 1 or expr.method is not None:
                return "states that are given and taken are not kept"
            return ops.RECURRENT[name]
    return None


def _conv(
    layer: ir.Layer, type_: ir.Type, args: dict[str, ir.Static], time: str
) -> Op | str | None:
    """A causal window keeps its past; one of a single entry looks nowhere."""
    windows = [size.value for name, size in layer.sizes.items() if "window" in name]
    if set(windows) == {1}:
        return None
    axis = time_axis(type_, time)
    if axis in (0, _tensor(type_).rank - 1):
        return None
    if args.get("padding") != ir.Literal("causal"):
        return 'this window sees later entries; write padding="causal"'
    if axis != 1 or args.get("stride", ir.Literal(1)) != ir.Literal(1):
        return "a window that keeps its past moves by one along the second axis"
    return ops.CAUSAL_CONV


def recurrence(scan: ir.Scan, name: str) -> ir.Layer | None:
    """The layer within which a scan goes on; None where its carries cannot be kept."""
    sizes: dict[str, Dim] = {}
    shapes = []
    for at, (_, value) in enumerate(scan.carries):
        if not isinstance(value.type, TensorType) or value.type.rank < 1:
            return None
        known = {f"carry_{at}_{i}": s for i, s in enumerate(value.type.sizes[1:])}
        if any(s.symbols & value.type.sizes[0].symbols for s in known.values()):
            return None
        shape = ", ".join(f"{{{n}}}" for n in known)
        shapes.append(f"=({shape}{',' * (len(known) == 1)})")
        sizes |= known
    op = replace(ops.SCAN, build=Call("Recurrence", tuple(shapes)))
    return ir.Layer(name, op, (), sizes, {}, scan.span)


def _tensor(type_: ir.Type) -> TensorType:
    assert isinstance(type_, TensorType)
    return type_
