"""Calls of library functions, and of function-valued parameters."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TypeAlias

from ... import ir
from ...diagnostics import Advice, write
from ...ops.base import Input, Kind, Op
from ...record import replace
from ...shapes import TensorType
from ...source import Span
from ...syntax import tree
from ...syntax.walk import nodes_in
from ..arguments.apply import draw, shape, stream_of, stream_span
from ..arguments.binding import (
    Written,
    dims_of,
    evaluate_params,
    missing,
    sort_out,
    with_defaults,
)
from ..arguments.converters import OpenWindow
from ..arguments.flavors import describe_list
from ..arguments.inputs import check_arguments, items, tensor_input, wrap
from ..context import Context
from ..control import list_types
from ..control.whole_lists import as_input, shape_of_list
from ..definitions.parameter_kinds import demand
from ..train.probabilities import takes_logits
from ..values import (
    BAD,
    Applied,
    Bad,
    BlockRef,
    Converted,
    Fault,
    Listed,
    Method,
    ModelRef,
    OpRef,
    Several,
    Static,
    Tensor,
    Value,
)
from .operands import as_tensor

Given: TypeAlias = Tensor | tuple[Tensor, ...] | Listed


def function(
    ctx: Context, op: Op, args: Iterable[tree.Arg], span: Span, piped: Value | None
) -> Value:
    """Call a function of the library, the piped value being its first input."""
    if isinstance(piped, Bad):
        check_arguments(ctx, args)
        return BAD
    written = sort_out(ctx, op, args, piped=piped is not None)
    inputs = _function_inputs(ctx, op, written, span, piped)
    with_defaults(ctx, op, written)
    missing(ctx, op, written, span)
    subject = _subject(inputs)
    params = evaluate_params(ctx, op, written, subject)
    for name, (node, value) in params.items():
        if isinstance(value, OpenWindow) and subject is not None:
            params[name] = (node, value.over(subject))
    _dtype_of_numbers(op, params)
    rule = shape_of_list if _has_list(inputs) else shape
    shaped = rule(
        ctx, op, inputs, dims_of(params), span, {**written.spans, **_spans(inputs)}
    )
    stream = stream_of(op, params)
    draw(ctx, stream, stream_span(op, written.spans, span), hard=True)
    made = ir.OpCall(
        replace(op, build=shaped.build or op.build, dtype_aware=_aware(op, shaped.out)),
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
    takes_logits(ctx, made)
    return wrap(made)


def _dtype_of_numbers(op: Op, params: dict[str, Converted]) -> None:
    """A list of floating numbers may hold whole ones in a config: its dtype is written."""
    for param in op.params:
        if (
            param.kind is Kind.NUMBERS
            and param.name in params
            and "dtype" not in params
        ):
            node, kind = params[param.name]
            if kind.dtype == "float" and not _all_floats(node):
                params["dtype"] = (ir.Literal("float"), "float")


def _all_floats(node: ir.Static) -> bool:
    match node:
        case ir.StaticList(items):
            return all(map(_all_floats, items))
        case ir.Literal(float()):
            return True
    return False


def _aware(op: Op, out: ir.Type) -> bool:
    """Whether it takes the dtype of the model: what is of another takes its own."""
    return op.dtype_aware and not (isinstance(out, TensorType) and out.dtype != "float")


def _has_list(inputs: Mapping[str, Given]) -> bool:
    return any(isinstance(v, Listed) for v in inputs.values())


def _subject(inputs: Mapping[str, Given]) -> TensorType | None:
    for value in inputs.values():
        if isinstance(value, Listed):
            return value.items[0] if value.items else value.element
        first = value[0] if isinstance(value, tuple) else value
        return first.type
    return None


def _spans(inputs: Mapping[str, Given]) -> dict[str, Span]:
    return {n: t.expr.span for n, t in inputs.items() if not isinstance(t, tuple)}


def _function_inputs(
    ctx: Context, op: Op, written: Written, span: Span, piped: Value | None
) -> dict[str, Given]:
    inputs: dict[str, Given] = {}
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
            if written.unknown:
                raise Fault
            taken = ", ".join(f"`{i.name}`" for i in op.inputs if not i.optional)
            help = f"it takes {taken}" if len(required) > 1 else f"write `{op.name}(x)`"
            advice = _positions(ctx, op, spec, span) or {"help": help}
            ctx.fail("N211", f"`{op.name}` needs `{spec.name}`", span, **advice)
        try:
            if values:
                _fill(ctx, spec, values, span, inputs)
        except Fault:
            broken = True
    if broken:
        raise Fault
    return inputs


def _positions(ctx: Context, op: Op, spec: Input, span: Span) -> Advice | None:
    """`x -> rope`: positions are counted."""
    if spec.name != "positions":
        return None
    flows = next(iter(nodes_in(ctx.statement, tree.Pipe)), None)
    source = flows.source.span.text if flows else ""
    if not source.isidentifier():
        return {"help": f"count them: `{op.name}(positions(x))`"}
    inside = span.text.partition("(")[2].removesuffix(")")
    given = ", ".join([f"positions({source})", *([inside] if inside else [])])
    return write(span, f"{op.name}({given})", "positions are counted")


def _spread(piped: Value | None, required: list[Input]) -> list[Value | tree.Expr]:
    """What an arrow brings: one value, or several to a function that takes as many."""
    if piped is None:
        return []
    if isinstance(piped, Several) and (
        (required[:1] and required[0].many) or len(required) > 1
    ):
        return list(items(piped))
    return [piped]


def _fill(
    ctx: Context,
    spec: Input,
    values: list[Value | tree.Expr],
    span: Span,
    into: dict[str, Given],
) -> None:
    if not spec.many:
        made = tensor_input(ctx, spec.name, spec.optional, values[0], span)
        if isinstance(made, Bad):
            raise Fault
        if made is not None:
            into[spec.name] = made
        return
    whole = _whole(ctx, values[0]) if len(values) == 1 else None
    if whole is not None:
        into[spec.name] = as_input(ctx, whole, whole.expr.span)
        return
    tensors: list[Tensor] = []
    for value in values:
        tensors.extend(_many(ctx, spec, value, span))
    into[spec.name] = tuple(tensors)


def _whole(ctx: Context, given: Value | tree.Expr) -> Listed | None:
    """A list of tensors that stands alone where any number of tensors may."""
    if isinstance(given, tree.Name):
        held = ctx.scope.get(given.id)
        if held is None or not isinstance(held.value, Listed):
            return None
        held.use()
        return replace(held.value, expr=replace(held.value.expr, span=given.span))
    if _is_path(given) or _is_part(ctx, given) or _is_joined(given):

        given = ctx.expr(given)  # type: ignore[arg-type]
    return given if isinstance(given, Listed) else None


def _is_part(ctx: Context, node: object) -> bool:
    """Whether an expression is a part of a list, `maps[1:]`."""
    match node:
        case tree.Index(value, (tree.Slice(),)):
            return _whole(ctx, value) is not None
    return False


def _is_joined(node: object) -> bool:
    """Whether an expression is `[*states, x]`."""
    items = node.items if isinstance(node, tree.ListOf) else ()
    return any(isinstance(item, tree.Starred) for item in items)


def _is_path(node: object) -> bool:
    """Whether an expression is `a.b.c`, which may be looked at twice."""
    while isinstance(node, tree.Attribute):
        node = node.value
        if isinstance(node, tree.Name):
            return True
    return False


def _many(
    ctx: Context, spec: Input, given: Value | tree.Expr, span: Span
) -> list[Tensor]:

    is_value = isinstance(
        given,
        (
            Tensor,
            Static,
            Several,
            Listed,
            Applied,
            Method,
            OpRef,
            BlockRef,
            ModelRef,
            Bad,
        ),
    )
    value = given if is_value else ctx.expr(given)  # type: ignore[arg-type]
    if isinstance(value, Several):
        return [t for item in items(value) for t in _many(ctx, spec, item, span)]
    if isinstance(value, Listed) and value.items:
        return list_types.one_by_one(value, span)
    if isinstance(value, Static) and value.items:
        made: list[Tensor] = []
        for element in value.items:
            made.extend(_many(ctx, spec, element, span))
        return made
    if isinstance(value, Listed) and not is_value:
        text = f"beside {describe_list(value)} stand no further tensors"
        help = "a list stands alone; `axis=` has a name"
        ctx.fail("N233", text, given.span, help=help)  # type: ignore[union-attr]
    tensor = tensor_input(ctx, spec.name, False, value, span)
    if not isinstance(tensor, Tensor):
        raise Fault
    return [tensor]


def invoke(ctx: Context, func: Static, node: tree.Call, piped: Value | None) -> Value:
    """Apply a function-valued parameter: `activation(x)`."""
    if func.param is not None:
        demand(ctx, func.param, Kind.FUNCTION, node.span)
    values = ([piped] if piped is not None else []) + [
        ctx.expr(a.value) for a in node.args
    ]
    if len(values) != 1:
        ctx.fail("N205", "an activation takes one input", node.span)
    tensor = as_tensor(ctx, values[0], node)
    return Tensor(ir.Invoke(func.node, tensor.expr, tensor.type, node.span))
