"""Calls: of functions, layers, blocks, methods, and of `model` in a train."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import assert_never

from ... import ir
from ...diagnostics import Advice, Label, write
from ...ir.static_functions import STATIC_FUNCTIONS
from ...ops.base import Op
from ...shapes import TensorType
from ...source import Span
from ...syntax import tree
from ..arguments import copied, types
from ..arguments.apply import apply_entry, construct
from ..arguments.binding import Written, sort_out
from ..arguments.block_arguments import sort_out_block
from ..arguments.blocks import apply_block
from ..arguments.inputs import check_arguments, tensor_input, wrap
from ..arguments.side_by_side import one_by_one
from ..context import Context
from ..control import lists
from ..control.targets import keeps_state, with_article
from ..definitions.naming import is_camel
from ..foreign import native
from ..foreign.not_callable import no_layer_too, not_callable
from ..values import (
    BAD,
    Applied,
    Bad,
    BlockRef,
    Fault,
    LayerInfo,
    Listed,
    Method,
    ModelRef,
    OpRef,
    Several,
    Signature,
    Static,
    Tensor,
    Value,
)
from . import static_calls
from .functions import function, invoke
from .gradients import GRADIENT, gradient
from .operands import static

FUNCTIONS = ("function", "loss", "metric")


# What keeps its name where `as` gives it to a layer.
BESIDE_LAYERS = ("parameter", "input", "value", "axis")


def call(ctx: Context, node: tree.Call | tree.Named) -> Value:
    """A call that stands by itself, not after an arrow."""
    if isinstance(node, tree.Named):
        return _named(ctx, node)
    popped = lists.pop(ctx, node)
    if popped is not None:
        return popped
    if isinstance(node.func, tree.Name) and _is_static(ctx, node.func, node.args):
        args = tuple(_static_arg(ctx, a) for a in node.args)
        return static_calls.call(ctx, node.func.id, args, node.span)

    func = ctx.attempt(lambda: ctx.expr(node.func))
    return call_value(ctx, func, node, None)


def _named(ctx: Context, node: tree.Named) -> Value:
    value = ctx.attempt(lambda: _inner(ctx, node.value))
    layer = ctx.layers.get(node.name)
    if layer is None and not isinstance(value, Bad):
        ctx.fail(
            "N215",
            "`as` names a layer",
            node.name_span,
            help="name a value by `name = ...`",
        )
    bind_layer(ctx, node, layer)
    return value


def _inner(ctx: Context, node: tree.Expr) -> Value:

    return ctx.expr(node)


def bind_layer(ctx: Context, node: tree.Named, layer: LayerInfo | None) -> None:
    """Make `as name` usable further down, for sharing; a value of that name keeps it, and the
    name after `as` is then that of the attribute alone."""
    held = ctx.scope.get(node.name)
    if held is None or (isinstance(held.value, Applied) and held.value.layer is layer):
        if layer is not None:
            bound = ctx.bind(node.name, Applied(layer), node.name_span, "layer")
            bound.used = bound.gives_way = True
    elif held.what not in BESIDE_LAYERS or _may_be_applied(held.value):
        ctx.fail(
            "N202",
            f"`{node.name}` already names {with_article(held.what)}",
            node.name_span,
            related=(Label(held.span, "here"),),
        )


def _may_be_applied(value: Value) -> bool:
    """Whether an arrow may lead to a name of this value, as to a layer."""
    return isinstance(value, Static) and value.flavor == "function"


def _is_static(ctx: Context, func: tree.Name, args: Iterable[tree.Arg]) -> bool:
    if func.id not in STATIC_FUNCTIONS or func.id in (*ctx.scope, *ctx.partial):
        return False
    if func.id not in ctx.functions:
        return True
    return all(a.name is None and _looks_static(ctx, a.value) for a in args)


def _looks_static(ctx: Context, node: tree.Expr) -> bool:
    """Whether an expression is static, told by its names and without evaluating it."""
    match node:
        case tree.Number() | tree.Constant() | tree.Window() | tree.String():
            return True
        case tree.Name(name):
            held = ctx.scope.get(name)
            if held is None:
                return name in static_calls.CONSTANTS
            return isinstance(held.value, Static)
        case tree.Binary("==" | "!=", _, tree.Constant(None)):
            return True
        case tree.Binary(_, a, b):
            return _looks_static(ctx, a) and _looks_static(ctx, b)
        case tree.Unary(_, a):
            return _looks_static(ctx, a)
        case tree.Index(value):
            return _looks_static(ctx, value)
        case tree.ListOf(items):
            return all(_looks_static(ctx, i) for i in items)
        case tree.IfElse(c, a, b):
            return all(_looks_static(ctx, n) for n in (c, a, b))
        case tree.Call(tree.Name() as func, args):
            return _is_static(ctx, func, args)
    return False


def _static_arg(ctx: Context, arg: tree.Arg) -> Static:
    if arg.name is not None:
        ctx.fail("N204", f"this function has no argument `{arg.name}`", arg.span)
    return static(ctx, arg.value, "this")


def call_value(
    ctx: Context, func: Value, node: tree.Call, piped: Value | None
) -> Value:
    """Call what `func` stands for."""
    match func:
        case OpRef(op) if op.group in FUNCTIONS:
            return function(ctx, op, node.args, node.span, piped)
        case OpRef(op):
            return Applied(declare(ctx, op, node.args, node)[0])
        case BlockRef(signature):
            return Applied(declare(ctx, signature, node.args, node)[0])
        case Applied(layer):
            return apply(ctx, layer, None, node.args, node.span, piped)
        case Method(layer, op):
            return apply(ctx, layer, op, node.args, node.span, piped)
        case ModelRef():
            return call_model(ctx, func, node.args, node.span, piped)
        case Bad():
            check_arguments(ctx, node.args)
            return BAD
        case Static() if func.flavor in ("function", "unknown"):
            no_layer_too(ctx, node.func)
            return invoke(ctx, func, node, piped)
        case Static() | Tensor() | Several() | Listed():
            not_callable(ctx, node.func)
    assert_never(func)


def declare(
    ctx: Context, callee: Op | Signature, args: Iterable[tree.Arg], node: tree.Expr
) -> tuple[LayerInfo, Written]:
    """Construct a layer; what is given to its inputs stays in the `Written`."""
    if isinstance(callee, Signature) and not is_camel(callee.definition.name):
        raise Fault  # told where it is declared
    name, named = _layer_name(ctx, node.span)
    known: Mapping[str, object] = {} if isinstance(callee, Op) else callee.params
    args, each = copied.taken_out(tuple(args), known)
    if isinstance(callee, Op):
        written = sort_out(ctx, callee, args, node.span, piped=True)
    else:
        written = sort_out_block(ctx, callee, args, node.span)
    info = construct(ctx, callee, written, node.span, name, named)
    info.pending, info.each = written, each
    return info, written


def _layer_name(ctx: Context, span: Span) -> tuple[str, bool]:
    """The name settled for a layer constructed there, and whether the author gave it."""
    found = ctx.layer_names.get(span)
    if found is not None:
        return found
    if ctx.kind == "train":
        help = "declare it in the model"
        ctx.fail("N504", "a train declares no layers", span, help=help)
    ctx.fail("N231", "a layer cannot stand here", span)


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
                ctx.fail("N211", text, span, **_begin(layer, inputs, span))
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


def _begin(layer: LayerInfo, inputs: Mapping[str, Tensor], span: Span) -> Advice:
    """The states with which a cell begins."""
    first, size = inputs.get("x"), layer.args.get("hidden")
    if first is None or size is None or "Cell" not in span.text or first.type.rank != 2:
        names = ", ".join(
            name for name, optional, _ in _inputs(layer, None) if not optional
        )
        if not layer.named and "(" in span.text:
            lacks = [n for n, optional, _ in _inputs(layer, None)[1:] if not optional]
            inside = ", ".join(f"{name}=..." for name in lacks)
            before = span.text.removesuffix(")")
            gap = "" if before.endswith("(") else ", "
            return {"help": f"give it by name: `{before}{gap}{inside})`"}
        return {"help": f"give it all that it takes: `{layer.name}({names})`"}
    zeros = f"zeros([{first.type.sizes[0]}, {size[1]}])"
    states = ", ".join(f"{name}={zeros}" for name, _, _ in _inputs(layer, None)[1:])
    text = span.text[:-1] if span.text.endswith(")") else f"{span.text}("
    why = "in a scan it takes what is carried; by itself"
    return write(span, f"{text}, {states})", why)


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
