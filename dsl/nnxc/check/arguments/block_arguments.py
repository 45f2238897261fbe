"""Binding what a call writes to what a block takes."""

from __future__ import annotations

from collections.abc import Iterable

from ... import ir
from ...diagnostics import Advice, write
from ...ops.base import REQUIRED, Kind
from ...ops.base import Param as OpParam
from ...source import Span
from ...syntax import tree
from ..context import Context
from ..expressions.operands import static_or_name
from ..foreign import native
from ..values import Converted, Fault, Param, Signature, Tensor
from .binding import Written, convert_one, unknown_argument


def sort_out_block(
    ctx: Context, signature: Signature, args: Iterable[tree.Arg], span: Span
) -> Written:
    """Give each argument of a block its place: parameters by position or name, inputs by name."""
    args = tuple(args)
    written = Written()
    name = signature.definition.name
    order = list(signature.params)
    inputs = [i.name for i in signature.definition.inputs]
    position = 0
    for arg in args:
        if arg.name is None:
            if position >= len(order):
                ctx.fail(
                    "N205",
                    f"`{name}` takes {len(order)} positional argument{'s' * (len(order) != 1)}",
                    arg.span,
                    **_too_many_of_block(ctx, args, arg, span),
                )
            key = order[position]
            position += 1
        else:
            key = arg.name
        if key in written.params or key in written.inputs:
            ctx.fail("N210", f"`{key}` is given twice", arg.span)
        if key in signature.params:
            written.params[key] = arg.value
        elif key in inputs:
            written.inputs[key] = [arg.value]
        else:
            written.unknown = True
            if not signature.lossy:  # else it may be an input that was lost
                unknown_argument(ctx, name, arg, order + inputs)
            continue
        written.spans[key] = arg.span
    return written


def _too_many_of_block(
    ctx: Context, args: tuple[tree.Arg, ...], arg: tree.Arg, span: Span
) -> Advice:
    """`Mlp(x, d)`: an input comes by an arrow."""
    first = args[0].value
    held = ctx.scope.get(first.id) if isinstance(first, tree.Name) else None
    name = span.text.partition("(")[0]
    if held is None or not isinstance(held.value, Tensor) or " " in name:
        return native.too_many(ctx, arg)
    rest = ", ".join(a.span.text for a in args[1:])
    return write(
        span, f"({first.span.text} -> {name}({rest}))", "inputs come by arrows"
    )


def evaluate_block_params(
    ctx: Context, signature: Signature, written: Written, span: Span
) -> dict[str, Converted]:
    """Convert a block's arguments by the kinds that its body gave them; one whose kind was lost to
    a mistake may be anything."""
    done: dict[str, Converted] = {}
    broken = False
    for name, param in signature.params.items():
        if name not in written.params:
            if param.default is None:
                if not (written.unknown or signature.lossy):
                    text = f"`{signature.definition.name}` needs `{name}`"
                    ctx.error("N211", text, span, help=_give(span, name))
                broken = True
            continue
        if param.kind is None:
            given = written.params[name]
            ctx.attempt(lambda g=given: static_or_name(ctx, g))  # type: ignore[misc]
            broken = True
            continue
        try:
            one = convert_one(ctx, as_entry(param), written.params[name], None)
            done[name] = _over_axes(ctx, param, one, written.params[name].span)
        except Fault:
            broken = True
    if broken:
        raise Fault
    return done


def _give(span: Span, name: str) -> str:
    """How a call gives what it lacks."""
    head, _, inside = span.text.partition("(")
    before = inside.removesuffix(")").strip()
    more = f"{before}, " if before else ""
    return f"give it: `{head}({more}{name}=...)`"


def _over_axes(
    ctx: Context, param: Param, converted: Converted, span: Span
) -> Converted:
    """A window has a number for each axis that the block slides it over; one stands for all."""
    node, sizes = converted
    if param.kind is not Kind.WINDOW or param.element is None or sizes is None:
        return converted
    rank = param.element.value
    if len(sizes) not in (1, rank):
        text = f"`{param.name}` is a window of {rank} sizes"
        ctx.fail("N305", text, span, f"this has {len(sizes)}")
    if len(sizes) == rank:
        return converted
    items = node.items if isinstance(node, ir.StaticList) else (node,)
    return ir.StaticList(items * rank), sizes * rank


def as_entry(param: Param) -> OpParam:
    """A definition's parameter in the form that entries have."""
    default = REQUIRED if param.default is None else param.default
    kind = param.kind or Kind.NUMBER
    kind = Kind.LIST if kind in (Kind.SIZES, Kind.INTS) else kind
    return OpParam(
        param.name,
        kind,
        default,
        optional=param.optional,
        bounds=None if param.asked and kind is not Kind.NUMBER else param.bounds,
        empty=param.asked,
    )
