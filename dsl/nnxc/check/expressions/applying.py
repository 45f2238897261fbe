"""Applying layers, blocks and models that are there to what they take."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from ... import ir
from ...diagnostics import Advice, write
from ...ops.base import Op
from ...shapes import TensorType
from ...source import Span
from ...syntax import tree
from ..arguments import copied, types
from ..arguments.apply import apply_entry
from ..arguments.binding import Written
from ..arguments.blocks import apply_block
from ..arguments.inputs import tensor_input, wrap
from ..arguments.side_by_side import one_by_one
from ..context import Context
from ..control.targets import keeps_state
from ..foreign import native
from ..values import (
    BAD,
    Bad,
    Fault,
    LayerInfo,
    Listed,
    ModelRef,
    Several,
    Signature,
    Static,
    Tensor,
    Value,
)
from .gradients import GRADIENT, gradient


def apply(
    ctx: Context,
    layer: LayerInfo,
    method: Op | None,
    args: Iterable[tree.Arg],
    span: Span,
    piped: Value | None,
) -> Value:
    """Apply a declared layer to its arguments."""
    if method is GRADIENT:
        value = apply(ctx, layer, None, args, span, piped)
        return value if isinstance(value, Bad) else gradient(ctx, layer, value, span)
    names = _input_names(layer, method)
    given: dict[str, Value | tree.Expr] = {}
    if piped is not None and names:
        given[names[0]] = piped
    free = [n for n in names if n not in given]
    for arg in args:
        one_by_one(ctx, arg, len(free))
        key = arg.name or (free[0] if free else None)
        if key is None or key not in names:
            _refuse_argument(ctx, layer, arg, names)
        if key in given:
            ctx.fail("N210", f"`{key}` is given twice", arg.span)
        assert key is not None
        given[key] = arg.value
        free = [n for n in free if n != key]
    for name, nodes in layer.pending.inputs.items() if layer.bound_at is None else ():
        given.setdefault(name, nodes[0])
    return _applied(ctx, layer, method, given, span)


def _refuse_argument(
    ctx: Context, layer: LayerInfo, arg: tree.Arg, names: list[str]
) -> None:
    layer.used = True
    if isinstance(layer.callee, Signature) and layer.callee.lossy:
        raise Fault  # an input may be what was lost
    if arg.name is None:
        count = len(names)
        ctx.fail(
            "N205",
            f"`{layer.name}` is applied to {count} input{'s' * (count != 1)}",
            arg.span,
            **native.too_many(ctx, arg),
        )
    has = "it has " + ", ".join(f"`{n}`" for n in names)
    if arg.name == "each":
        made = layer.span.text.partition("(")[0]
        has = f"it stands where the layer is made: `{made}(..., {arg.span.text})`"
    near = ctx.suggest(arg.name, names, arg.span, has)
    text = f"`{layer.name}` has no input `{arg.name}`"
    advice = near if arg.name == "each" else native.advice(ctx, arg, near)
    ctx.fail("N204", text, arg.span, **advice)


def _inputs(layer: LayerInfo, method: Op | None) -> list[tuple[str, bool, bool]]:
    """Name, optional, many of each input."""
    if isinstance(layer.callee, Op):
        op = method or layer.callee
        return [(i.name, i.optional, i.many) for i in op.inputs]
    return [(i.name, i.optional, False) for i in layer.callee.definition.inputs]


def _input_names(layer: LayerInfo, method: Op | None) -> list[str]:
    return [name for name, _, _ in _inputs(layer, method)]


def _applied(
    ctx: Context,
    layer: LayerInfo,
    method: Op | None,
    given: Mapping[str, Value | tree.Expr],
    span: Span,
) -> Value:
    layer.used = True
    inputs: dict[str, Tensor] = {}
    broken = False
    for name, optional, _ in _inputs(layer, method):
        if name not in given:
            if not optional:
                text = f"`{layer.name}` needs its input `{name}`"
                ctx.fail("N211", text, span, **_begin(ctx, layer, given, inputs, span))
            continue
        tensor = tensor_input(ctx, name, optional, given[name], span)
        if tensor is BAD:
            broken = True
        elif tensor is not None:
            inputs[name] = tensor  # type: ignore[assignment]
    if broken:
        raise Fault
    if layer.each is None:
        return wrap(_one(ctx, layer, method, inputs, span))
    return wrap(
        copied.apply_each(
            ctx, layer, inputs, span, lambda i: _one(ctx, layer, method, i, span)
        )
    )


def _begin(
    ctx: Context,
    layer: LayerInfo,
    given: Mapping[str, Value | tree.Expr],
    inputs: Mapping[str, Tensor],
    span: Span,
) -> Advice:
    """The states with which a cell begins."""
    first, size = inputs.get("x"), layer.args.get("hidden")
    if first is None or size is None or "Cell" not in span.text or first.type.rank != 2:
        names = ", ".join(
            name for name, optional, _ in _inputs(layer, None) if not optional
        )
        if span.text.partition("(")[0] == _callee(layer):
            return _by_name(ctx, layer, given, span)
        return {"help": f"give it all that it takes: `{layer.name}({names})`"}
    zeros = f"zeros([{first.type.sizes[0]}, {size[1]}])"
    states = ", ".join(f"{name}={zeros}" for name, _, _ in _inputs(layer, None)[1:])
    text = span.text[:-1] if span.text.endswith(")") else f"{span.text}("
    why = "in a scan it takes what is carried; by itself"
    return write(span, f"{text}, {states})", why)


def _callee(layer: LayerInfo) -> str:
    callee = layer.callee
    return callee.name if isinstance(callee, Op) else callee.definition.name


def _by_name(
    ctx: Context,
    layer: LayerInfo,
    given: Mapping[str, Value | tree.Expr],
    span: Span,
) -> Advice:
    """What a layer lacks where it is made, each from what has its name here."""
    wanted = [n for n, optional, _ in _inputs(layer, None) if not optional]
    lacks = [n for n in wanted if n not in given]
    here = [
        n for n in lacks if n in ctx.scope and isinstance(ctx.scope[n].value, Tensor)
    ]
    inside = ", ".join(f"{n}={n if n in here else '...'}" for n in lacks)
    head, _, rest = span.text.partition("(")
    rest = rest.removesuffix(")").rstrip().removesuffix(",")
    text = f"{head}({rest}, {inside})" if rest else f"{head}({inside})"
    if here == lacks:
        return write(span, text, "inputs have names here")
    return {"help": f"give it by name: `{text}`"}


def _one(
    ctx: Context,
    layer: LayerInfo,
    method: Op | None,
    inputs: Mapping[str, Tensor],
    span: Span,
) -> ir.Expr:
    if isinstance(layer.callee, Op):
        made = apply_entry(
            ctx, layer, method or layer.callee, method.name if method else None,
            inputs, layer.pending, span,
        )  # fmt: skip
        if layer.count is not None and isinstance(made, ir.Apply):
            _same_as_input(ctx, made, inputs, span)
    else:
        made = apply_block(ctx, layer, layer.callee, inputs, span)
    assert not isinstance(made, Tensor)
    if layer.has_state:
        help = "apply it before or after the scan, or take a layer without statistics"
        keeps_state(ctx, f"the statistics of `{layer.name}`", span, help)
    return made


def _same_as_input(
    ctx: Context, made: ir.Apply, inputs: Mapping[str, Tensor], span: Span
) -> None:
    first = next(iter(inputs.values()))
    if not isinstance(made.type, TensorType):
        ctx.fail("N318", "a stack passes one value on", span)
    types.check_type(ctx, made.type, first.type, span, "what a stacked layer returns")


def call_model(
    ctx: Context,
    model: ModelRef,
    args: Iterable[tree.Arg],
    span: Span,
    piped: Value | None,
) -> Value:
    """`model(x)` in a train. A frozen one draws only what it draws in evaluation."""
    signature, before = model.signature, dict(ctx.streams)
    definition = signature.definition
    layer = LayerInfo(model.name, signature, {}, {}, span, True)
    layer.pending = Written()
    for name in signature.params:
        own = (ir.Ref(name), _own_size(ctx, name))
        layer.args[name] = model.args.get(name, own)
    value = apply(ctx, layer, None, args, span, piped)
    if model.frozen:
        for stream in {*definition.streams} - signature.hard_streams - {*before}:
            ctx.streams.pop(stream, None)
    if isinstance(value, (Tensor, Several, Listed)) and isinstance(
        value.expr, ir.Apply
    ):
        return wrap(ir.ModelCall(value.expr.args, value.expr.type, span, model.name))
    assert isinstance(value, Bad), definition.name
    return value


def _own_size(ctx: Context, name: str) -> object:
    binding = ctx.scope.get(name)
    return binding.value.dim if binding and isinstance(binding.value, Static) else None
