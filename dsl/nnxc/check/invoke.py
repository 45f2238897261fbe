"""Calls: of functions, layers, blocks, methods, and of `model` in a train."""

from __future__ import annotations

from dataclasses import replace
from collections.abc import Iterable, Mapping
from typing import assert_never

from .. import ir
from ..ops.base import Input, Kind, Op
from ..shapes import TensorType
from ..source import Span
from ..syntax import tree
from . import statics, types
from .apply import (
    apply_block,
    apply_entry,
    construct,
    draw,
    shape,
    stream_of,
    stream_span,
)
from .arguments import OpenWindow
from .calls import Written, dims_of, evaluate_params, missing, sort_out, sort_out_block
from .context import Context
from .values import (
    BAD,
    Applied,
    Bad,
    BlockRef,
    Fault,
    LayerInfo,
    Method,
    ModelRef,
    OpRef,
    Several,
    Signature,
    Static,
    Tensor,
    Value,
)

FUNCTIONS = ("function", "loss", "metric")


def is_camel(name: str) -> bool:
    """Whether a name is spelt like a layer, block or model."""
    return name[:1].isupper()


def call(ctx: Context, node: tree.Call | tree.Named) -> Value:
    """A call that stands by itself, not after an arrow."""
    if isinstance(node, tree.Named):
        return _named(ctx, node)
    if isinstance(node.func, tree.Name) and _is_static(ctx, node.func, node.args):
        args = tuple(_static_arg(ctx, a) for a in node.args)
        return statics.call(ctx, node.func.id, args, node.span)
    from .expressions import expr

    func = ctx.attempt(lambda: expr(ctx, node.func))
    return _call_value(ctx, func, node, None)


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
    from .expressions import expr

    return expr(ctx, node)


def bind_layer(ctx: Context, node: tree.Named, layer: LayerInfo | None) -> None:
    """Make `as name` usable further down, for sharing."""
    held = ctx.scope.get(node.name)
    if held is not None and not (
        isinstance(held.value, Applied) and held.value.layer is layer
    ):
        from ..diagnostics import Label

        ctx.fail(
            "N202",
            f"`{node.name}` already names a {held.what}",
            node.name_span,
            related=(Label(held.span, "here"),),
        )
    if layer is not None:
        ctx.bind(node.name, Applied(layer), node.name_span, "layer").used = True


def _is_static(ctx: Context, func: tree.Name, args: Iterable[tree.Arg]) -> bool:
    if func.id not in statics.ARITY or func.id in ctx.scope:
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
            return held is not None and isinstance(held.value, Static)
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
    from .expressions import static

    if arg.name is not None:
        ctx.fail("N204", f"this function has no argument `{arg.name}`", arg.span)
    return static(ctx, arg.value, "this")


def _call_value(
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
        case ModelRef(signature):
            return call_model(ctx, signature, node.args, node.span, piped)
        case Bad():
            _check_arguments(ctx, node.args)
            return BAD
        case Static() if func.flavor in ("function", "unknown"):
            return invoke(ctx, func, node, piped)
        case Static() | Tensor() | Several():
            ctx.fail(
                "N216", f"`{node.func.span.text[:40]}` cannot be called", node.func.span
            )
    assert_never(func)


def _check_arguments(ctx: Context, args: Iterable[tree.Arg]) -> None:
    """Look for mistakes in the arguments of something unknown."""
    from .expressions import static_or_name

    for arg in args:
        if not isinstance(arg.value, (tree.Name, tree.ListOf)):
            ctx.attempt(lambda a=arg: static_or_name(ctx, a.value))  # type: ignore[misc]


# --------------------------------------------------------------------- layers


def declare(
    ctx: Context, callee: Op | Signature, args: Iterable[tree.Arg], node: tree.Expr
) -> tuple[LayerInfo, Written]:
    """Construct a layer; what is given to its inputs stays in the `Written`."""
    name, named = _layer_name(ctx, node.span)
    if isinstance(callee, Op):
        written = sort_out(ctx, callee, args, node.span, piped=True)
    else:
        written = sort_out_block(ctx, callee, args, node.span)
    info = construct(ctx, callee, written, node.span, name, named)
    info.pending = written
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
    names = _input_names(layer, method)
    given: dict[str, Value | tree.Expr] = {}
    if piped is not None and names:
        given[names[0]] = piped
    free = [n for n in names if n not in given]
    for arg in args:
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
    if arg.name is None:
        count = len(names)
        ctx.fail(
            "N205",
            f"`{layer.name}` is applied to {count} input{'s' * (count != 1)}",
            arg.span,
        )
    ctx.fail(
        "N204",
        f"`{layer.name}` has no input `{arg.name}`",
        arg.span,
        **(
            ctx.suggest(arg.name, names)
            or {"help": "it has " + ", ".join(f"`{n}`" for n in names)}
        ),
    )


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
                ctx.fail("N211", f"`{layer.name}` needs its input `{name}`", span)
            continue
        tensor = _input(ctx, name, optional, given[name], span)
        if tensor is BAD:
            broken = True
        elif tensor is not None:
            inputs[name] = tensor  # type: ignore[assignment]
    if broken:
        raise Fault
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
    return wrap(made)


def _same_as_input(
    ctx: Context, made: ir.Apply, inputs: Mapping[str, Tensor], span: Span
) -> None:
    first = next(iter(inputs.values()))
    if not isinstance(made.type, TensorType):
        ctx.fail("N318", "a stack passes one value on", span)
    types.check_type(ctx, made.type, first.type, span, "what a stacked layer returns")


def _input(
    ctx: Context, name: str, optional: bool, given: Value | tree.Expr, span: Span
) -> Tensor | Bad | None:
    """One input: None where `none` was given to an optional one."""
    from .expressions import as_tensor, expr

    if isinstance(
        given,
        (Tensor, Static, Several, Applied, Method, OpRef, BlockRef, ModelRef, Bad),
    ):
        value, node = given, tree.Name(
            name, given.expr.span if isinstance(given, (Tensor, Several)) else span
        )
    else:
        value, node = ctx.attempt(lambda: expr(ctx, given)), given  # type: ignore[assignment]
    if isinstance(value, Bad):
        return BAD
    if optional and isinstance(value, Static) and value.flavor == "none":
        return None
    if optional and isinstance(value, Tensor):
        return value
    try:
        return as_tensor(ctx, value, node, f"`{name}`")
    except Fault:
        return BAD


def wrap(made: ir.Expr) -> Tensor | Several:
    """An expression as a value, single or several."""
    return (
        Tensor(made) if isinstance(made.type, TensorType) else Several(made, made.type)
    )


# ------------------------------------------------------------------ functions


def function(
    ctx: Context, op: Op, args: Iterable[tree.Arg], span: Span, piped: Value | None
) -> Value:
    """Call a function of the library, the piped value being its first input."""
    if isinstance(piped, Bad):
        _check_arguments(ctx, args)
        return BAD
    written = sort_out(ctx, op, args, span, piped=piped is not None)
    inputs = _function_inputs(ctx, op, written, span, piped)
    missing(ctx, op, written, span)
    subject = _subject(inputs)
    params = evaluate_params(ctx, op, written, subject)
    for name, (node, value) in params.items():
        if isinstance(value, OpenWindow) and subject is not None:
            params[name] = (node, value.over(subject))
    shaped = shape(
        ctx, op, inputs, dims_of(params), span, {**written.spans, **_spans(inputs)}
    )
    stream = stream_of(op, params)
    draw(ctx, stream, stream_span(op, written.spans, span), hard=True)
    made = ir.OpCall(
        replace(op, build=shaped.build or op.build),
        tuple(
            (n, tuple(t.expr for t in v) if isinstance(v, tuple) else v.expr)
            for n, v in inputs.items()
        ),
        tuple((n, s) for n, (s, _) in params.items()),
        shaped.sizes,
        shaped.out,
        span,
        shaped.flops,
        stream,
    )
    return wrap(made)


def _subject(inputs: Mapping[str, Tensor | tuple[Tensor, ...]]) -> TensorType | None:
    for value in inputs.values():
        first = value[0] if isinstance(value, tuple) else value
        return first.type
    return None


def _spans(inputs: Mapping[str, Tensor | tuple[Tensor, ...]]) -> dict[str, Span]:
    return {n: t.expr.span for n, t in inputs.items() if isinstance(t, Tensor)}


def _function_inputs(
    ctx: Context, op: Op, written: Written, span: Span, piped: Value | None
) -> dict[str, Tensor | tuple[Tensor, ...]]:
    inputs: dict[str, Tensor | tuple[Tensor, ...]] = {}
    broken = False
    required = [i for i in op.inputs if not i.optional]
    queue = _spread(piped, required)
    for spec in op.inputs:
        values: list[Value | tree.Expr] = []
        if queue and not spec.optional:
            values = queue if spec.many else [queue.pop(0)]
            queue = [] if spec.many else queue
        values += written.inputs.get(spec.name, [])
        if not values and not spec.optional:
            ctx.fail("N211", f"`{op.name}` needs `{spec.name}`", span)
        try:
            if values:
                _fill(ctx, spec, values, span, inputs)
        except Fault:
            broken = True
    if broken:
        raise Fault
    return inputs


def _spread(piped: Value | None, required: list[Input]) -> list[Value | tree.Expr]:
    """What an arrow brings: one value, or several to a function that takes as many."""
    if piped is None:
        return []
    if isinstance(piped, Several) and (
        required[:1] and required[0].many or len(required) > 1
    ):
        return list(items(piped))
    return [piped]


def items(value: Several) -> list[Tensor | Several]:
    """The single values of several."""
    if isinstance(value.expr, ir.TupleOf):
        return [wrap(e) for e in value.expr.items]
    return [
        wrap(ir.Item(value.expr, i, t, value.expr.span))
        for i, t in enumerate(value.types)
    ]


def _fill(
    ctx: Context,
    spec: Input,
    values: list[Value | tree.Expr],
    span: Span,
    into: dict[str, Tensor | tuple[Tensor, ...]],
) -> None:
    if not spec.many:
        made = _input(ctx, spec.name, spec.optional, values[0], span)
        if isinstance(made, Bad):
            raise Fault
        if made is not None:
            into[spec.name] = made
        return
    tensors: list[Tensor] = []
    for value in values:
        tensors.extend(_many(ctx, spec, value, span))
    into[spec.name] = tuple(tensors)


def _many(
    ctx: Context, spec: Input, given: Value | tree.Expr, span: Span
) -> list[Tensor]:
    from .expressions import expr

    is_value = isinstance(
        given,
        (Tensor, Static, Several, Applied, Method, OpRef, BlockRef, ModelRef, Bad),
    )
    value = given if is_value else expr(ctx, given)  # type: ignore[arg-type]
    if isinstance(value, Several):
        return [t for item in items(value) for t in _many(ctx, spec, item, span)]
    if isinstance(value, Static) and value.items:
        made: list[Tensor] = []
        for element in value.items:
            made.extend(_many(ctx, spec, element, span))
        return made
    tensor = _input(ctx, spec.name, False, value, span)
    if not isinstance(tensor, Tensor):
        raise Fault
    return [tensor]


def invoke(ctx: Context, func: Static, node: tree.Call, piped: Value | None) -> Value:
    """Apply a function-valued parameter: `activation(x)`."""
    from .expressions import as_tensor, expr

    if func.param is not None:
        from .arguments import demand

        demand(ctx, func.param, Kind.FUNCTION, node.span)
    values = ([piped] if piped is not None else []) + [
        expr(ctx, a.value) for a in node.args
    ]
    if len(values) != 1:
        ctx.fail("N205", "an activation takes one input", node.span)
    tensor = as_tensor(ctx, values[0], node)
    return Tensor(ir.Invoke(func.node, tensor.expr, tensor.type, node.span))


# --------------------------------------------------------------------- models


def call_model(
    ctx: Context,
    signature: Signature,
    args: Iterable[tree.Arg],
    span: Span,
    piped: Value | None,
) -> Value:
    """`model(x)` in a train."""
    definition = signature.definition
    layer = LayerInfo("model", signature, {}, {}, span, True)
    layer.pending = Written()
    for name in signature.params:
        layer.args[name] = (ir.Ref(name), _own_size(ctx, name))
    value = apply(ctx, layer, None, args, span, piped)
    if isinstance(value, (Tensor, Several)) and isinstance(value.expr, ir.Apply):
        return wrap(ir.ModelCall(value.expr.args, value.expr.type, span))
    assert isinstance(value, Bad), definition.name
    return value


def _own_size(ctx: Context, name: str) -> object:
    binding = ctx.scope.get(name)
    return binding.value.dim if binding and isinstance(binding.value, Static) else None
