"""Binding what a call writes to what a block takes."""

from __future__ import annotations

from collections.abc import Iterable

from ... import ir
from ...diagnostics import Advice, write
from ...ops.base import REQUIRED, Kind
from ...ops.base import Param as OpParam
from ...source import Span
from ...syntax import tree
from ...syntax.walk import nodes_in
from ..context import Context
from ..expressions.operands import static_or_name
from ..foreign import native
from ..foreign.tensor_parts import type_of
from ..values import Converted, Fault, Param, Signature, Tensor
from . import lacking
from .binding import Written, convert_one, unknown_argument
from .converters import OpenWindow


def sort_out_block(
    ctx: Context, signature: Signature, args: Iterable[tree.Arg], span: Span
) -> Written:
    """Give each argument of a block its place: parameters by position or name, inputs by name."""
    args = tuple(args)
    written = Written()
    name = signature.definition.name
    order = signature.written
    inputs = [i.name for i in signature.definition.inputs]
    position = 0
    for arg in args:
        if arg.name is None:
            _no_input(ctx, signature, args, arg, span)
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
                hint = f"a stack is `{name}(...) * {arg.value.span.text}`"
                stacked = hint if arg.name in _STACKED else None
                takes = (
                    order if isinstance(ctx.statement, tree.Config) else order + inputs
                )
                unknown_argument(ctx, name, arg, takes, stacked)
            continue
        written.spans[key] = arg.span
    return written


_STACKED = ("n", "num_layers", "depth", "repeat", "repeats", "layers", "count")


def _no_input(
    ctx: Context,
    signature: Signature,
    args: tuple[tree.Arg, ...],
    arg: tree.Arg,
    span: Span,
) -> None:
    """`Mlp(16, x)`, `Encoder(x)`: inputs come by arrows, or by name."""
    if type_of(ctx, arg.value) is None or not signature.written:
        return
    most = len([a for a in args if a.name is None]) > len(signature.written)
    if most and arg is args[0] and not _is_stage(ctx, span):
        return  # told of the last
    name = signature.definition.name
    inputs = [i.name for i in signature.definition.inputs]
    tensors = [a for a in args if a.name is None and type_of(ctx, a.value)]
    others = [a.span.text for a in args if a not in tensors]
    given = [a.span.text for a in tensors]
    if span.text.partition("(")[0] != name or len(given) > len(inputs):
        return
    piped = _is_stage(ctx, span)
    names = inputs[1:] if piped else inputs[1 : len(given)]
    named = given if piped else given[1:]
    more = [f"{n}={g}" for n, g in zip(names, named, strict=False)]
    made = f"{name}({', '.join([*others, *more])})" if others or more else name
    text = made if piped else f"({given[0]} -> {made})"
    message = f"`{arg.span.text}` is a tensor, and `{name}` takes parameters here"
    why = "inputs have names here" if piped else "inputs come by arrows"
    ctx.fail("N205", message, arg.span, **write(span, text, why))


def _is_stage(ctx: Context, span: Span) -> bool:
    pipes = nodes_in(ctx.statement, tree.Pipe)
    return any(step.value.span == span for pipe in pipes for step in pipe.stages)


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
    if missing := [
        name
        for name, param in signature.params.items()
        if param.default is None and name not in written.params
    ]:
        if not (written.unknown or signature.lossy):
            lacking.told(ctx, signature, written.params, missing, span)
        for given in written.params.values():
            ctx.attempt(lambda g=given: static_or_name(ctx, g))  # type: ignore[misc]
        raise Fault
    done: dict[str, Converted] = {}
    broken = False
    for name, param in signature.params.items():
        if name not in written.params:
            continue
        if param.kind is None:
            ctx.faulty = True  # a mistake in the block leaves open what it is
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


def _over_axes(
    ctx: Context, param: Param, converted: Converted, span: Span
) -> Converted:
    """A window has a number for each axis that the block slides it over; one stands for all. So
    does each of a list of windows."""
    node, sizes = converted
    if param.element is None or sizes is None:
        return converted
    if param.kind is not Kind.WINDOW:
        _like_element(ctx, param, node, span)
        return converted
    rank = param.element.value
    if isinstance(sizes, OpenWindow):
        return node, sizes.of(rank)
    if len(sizes) not in (1, rank):
        text = f"`{param.name}` is a window of {rank} sizes"
        ctx.fail("N305", text, span, f"this has {len(sizes)}")
    if len(sizes) == rank:
        return converted
    items = node.items if isinstance(node, ir.StaticList) else (node,)
    return ir.StaticList(items * rank), sizes * rank


def _like_element(ctx: Context, param: Param, node: ir.Static, span: Span) -> None:
    """The windows of a list that is written down have as many sizes as those by default."""
    element = param.element
    assert element is not None
    if element.flavor != "window" or element.element is None:
        return
    rank = element.element.value
    for item in node.items if isinstance(node, ir.StaticList) else ():
        value = item.value if isinstance(item, ir.Literal) else None
        if isinstance(value, int) or (isinstance(value, tuple) and len(value) != rank):
            has = "is a number" if isinstance(value, int) else f"has {len(value)}"
            text = f"`{param.name}` has windows of {rank} sizes"
            ctx.fail("N305", text, span, f"one of these {has}")


_NUMBERS = (Kind.SIZE, Kind.INT, Kind.NUMBER)


def as_entry(param: Param) -> OpParam:
    """A definition's parameter in the form that entries have. Whether a number may be `none` is
    told where the block is built with it."""
    default = REQUIRED if param.default is None else param.default
    kind = param.kind or Kind.NUMBER
    kind = Kind.LIST if kind in (Kind.SIZES, Kind.INTS) else kind
    return OpParam(
        param.name,
        kind,
        default,
        optional=param.optional or kind in _NUMBERS,
        bounds=None if param.asked and kind is not Kind.NUMBER else param.bounds,
        empty=param.asked,
    )
