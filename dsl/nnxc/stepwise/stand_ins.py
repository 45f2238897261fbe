"""Which layer stands in for what looks back along a sequence."""

from __future__ import annotations

from collections.abc import Mapping

from .. import ir
from ..dims import Dim
from ..ops import stepwise as ops
from ..ops.base import Call, Op
from ..record import Record, replace
from ..shapes import DTYPES, TensorType
from .along import ALONG, MIXED, numbers
from .time import Axes, axis_of, carries, in_front

_SCORED = ("slopes", "sinks", "chunk", "softcap")
_FIRST = "sequences are the first two axes, [B, T, ...], of what looks back"
_OTHERS = "`window`, `chunk` and `slopes` say it without the keys' number"
_CAUSAL = "write `causal=true`"
_INSTEAD = "write `causal=true` in place of the mask"
_OTHER_KEYS = "`attend(q, k, v, causal=true)` keeps keys and values of any kind"
_ABSENT = "leave it out, or give it under `if` where an optional input is there: `if mask != none:`"
_LATER = "this sees tokens that do not exist yet"


class Refusal(Record):
    """Why something has no stand-in."""

    message: str
    help: str | None = None


def of_function(call: ir.OpCall, axes: Axes) -> Refusal | bool:
    """Whether a function that looks back has a stand-in; it stays where it does not look along
    the sequence."""
    given = {n: v.type for n, v in call.inputs if isinstance(v, ir.Expr)}
    if call.op.name == "attend":
        return _attend(call, given, axes)
    along = all(in_front(type_, axes) for type_ in given.values())
    return True if along else Refusal(ALONG, _FIRST)


def _attend(
    call: ir.OpCall, given: Mapping[str, ir.Type], axes: Axes
) -> Refusal | bool:
    """Keys that are no sequence are seen whole by each query."""
    causal = dict(call.args).get("causal") == ir.Literal(True)
    over_time = carries(given["k"], axes.time) or carries(given["v"], axes.time)
    if not over_time and axis_of(given["q"], axes.time) == 1:
        return _across(call, given, axes)
    if any(not in_front(given[name], axes) for name in ("q", "k", "v")):
        return Refusal(ALONG, _FIRST)
    if not causal:
        return Refusal(_LATER, _INSTEAD if "mask" in given else _CAUSAL)
    for name in ("mask", "bias", "segments"):
        if name in given:
            return Refusal(f"{name} says something of every key", _OTHERS)
    return True


def _across(
    call: ir.OpCall, given: Mapping[str, ir.Type], axes: Axes
) -> Refusal | bool:
    """Attention to what is no sequence: by scores that count no places."""
    counting = ("causal", "window", "chunk")
    off = (None, ir.Literal(False), ir.Literal(None))
    counts = any(dict(call.args).get(name) not in off for name in counting)
    if counts or "slopes" in given or "segments" in given:
        return Refusal("this counts from the start of the sequence")
    return _rows(given, axes)


def _rows(given: Mapping[str, ir.Type], axes: Axes) -> Refusal | bool:
    """Whether masks have the queries where scores have them."""
    for name in ("mask", "bias"):
        type_ = given.get(name)
        if not isinstance(type_, TensorType) or not carries(type_, axes.time):
            continue
        if axis_of(type_, axes.time) != type_.rank - 2:
            return Refusal(ALONG)
    return False


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
    if call.op.name == "state_space":
        heads, d = _tensor(inputs["x"]).sizes[2:]
        return ops.STATE, {"heads": heads, "d": d, "n": _tensor(inputs["b"]).sizes[3]}
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


def of_layer(layer: ir.Layer, expr: ir.Apply, axes: Axes) -> Op | Refusal | None:
    """What a layer that looks back becomes: an entry, why it cannot, or None: it stays."""
    assert isinstance(layer.callee, Op)
    given = {name: value.type for name, value in expr.args}
    if expr.method == ir.GRADIENT:
        return Refusal(ALONG)
    match layer.callee.name:
        case "Attention":
            return _attention(layer, given, axes)
        case "Conv":
            return _conv(layer, _tensor(given["x"]), axes)
        case "LSTM" | "GRU":
            return _recurrent(layer, given, expr.method, axes)
    return Refusal(ALONG)


def _attention(
    layer: ir.Layer, given: Mapping[str, ir.Type], axes: Axes
) -> Op | Refusal | None:
    causal = dict(layer.args).get("causal", ir.Literal(False))
    context = given.get("context")
    if context is not None and not carries(context, axes.time):
        if causal != ir.Literal(False):
            return Refusal("this counts from the start of the sequence")
        if axis_of(given["x"], axes.time) != 1:
            return Refusal(ALONG)
        rows = _rows(given, axes)
        return rows if isinstance(rows, Refusal) else None
    if not in_front(given["x"], axes):
        return Refusal(ALONG, _FIRST)
    if causal != ir.Literal(True):
        return Refusal(_LATER, _INSTEAD if "mask" in given else _CAUSAL)
    if context is not None:
        return Refusal("these are keys of another sequence", _OTHER_KEYS)
    if len(given) > 1:
        return Refusal("a mask says something of every key", _ABSENT)
    return ops.ATTENTION


def _recurrent(
    layer: ir.Layer,
    given: Mapping[str, ir.Type],
    method: str | None,
    axes: Axes,
) -> Op | Refusal | None:
    type_ = _tensor(given["x"])
    axis = axis_of(type_, axes.time)
    batch = axis_of(type_, axes.batch)
    if axis is not None and axis < type_.rank - 2:
        return Refusal(MIXED) if (batch or 0) >= type_.rank - 2 else None
    if not in_front(type_, axes) or type_.rank != 3:
        return Refusal(ALONG, _FIRST)
    if dict(layer.args).get("reverse", ir.Literal(False)) != ir.Literal(False):
        return Refusal("this goes over the sequence from its end")
    if len(given) > 1 or method is not None:
        return Refusal("states that are given and taken are not kept")
    assert isinstance(layer.callee, Op)
    return ops.RECURRENT[layer.callee.name]


def _conv(layer: ir.Layer, type_: TensorType, axes: Axes) -> Op | Refusal | None:
    """A causal window keeps its past; one of a single entry looks nowhere."""
    args = dict(layer.args)
    windows = [size for name, size in layer.sizes.items() if "window" in name]
    still = {*(numbers(args.get("stride", ir.Literal(1))) or [0])} == {1}
    first = type_.rank - 1 - len(windows)
    alone = {first + i for i, size in enumerate(windows) if size.value == 1 and still}
    sliding = {*range(first, type_.rank)} - alone
    places = [axis_of(type_, s) for s in axes.both if carries(type_, s)]
    if not sliding & {*places}:
        return None
    if places[1:] and places[1] in sliding:
        return Refusal(MIXED)
    if not in_front(type_, axes) or type_.rank != 3 or not still:
        return Refusal("a window that keeps its past moves by one along [B, T, d]")
    if args.get("padding") != ir.Literal("causal"):
        return Refusal("this window sees later entries", 'write `padding="causal"`')
    if args.get("weight_norm", ir.Literal(None)) != ir.Literal(None):
        return Refusal("a window that keeps its past has no `weight_norm`")
    return ops.CAUSAL_CONV


def recurrence(scan: ir.Scan, name: str, axes: Axes) -> ir.Layer | None:
    """The layer within which a scan goes on; None where its carries cannot be kept."""
    sizes: dict[str, Dim] = {}
    shapes, dtypes = [], []
    for at, (_, value) in enumerate(scan.carries):
        if not isinstance(value.type, TensorType) or value.type.rank < 1:
            return None
        if not axes.whole or value.type.sizes[0].name != axes.batch:
            return None
        known = {f"carry_{at}_{i}": s for i, s in enumerate(value.type.sizes[1:])}
        if any(s.symbols & {*axes.both} for s in known.values()):
            return None
        shape = ", ".join(f"{{{n}}}" for n in known)
        shapes.append(f"=({shape}{',' * (len(known) == 1)})")
        sizes |= known
        dtypes.append("None" if value.type.dtype == "float" else _jax(value.type))
    said = f"=({', '.join(dtypes)}{',' * (len(dtypes) == 1)})"
    given = {"dtypes": said} if {*dtypes} - {"None"} else {}
    op = replace(ops.SCAN, build=Call("Recurrence", tuple(shapes), given))
    return ir.Layer(name, op, (), sizes, {}, scan.span)


def _jax(type_: TensorType) -> str:
    return f"jnp.{DTYPES[type_.dtype]}"


def _tensor(type_: ir.Type) -> TensorType:
    assert isinstance(type_, TensorType)
    return type_
