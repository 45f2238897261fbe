"""Functions of static values: `len(widths)`, `min(a, b)`, `range(n)`."""

from __future__ import annotations

import math
from typing import Final

from ... import ir
from ...dims import Dim, const, func, symbol
from ...ir.static_functions import STATIC_FUNCTIONS
from ...ops.base import Kind
from ...record import replace
from ...source import Span
from ..arguments.flavors import NUMERIC, describe
from ..context import Context
from ..control.lengths import equal_lengths
from ..definitions.parameter_kinds import demand, demand_whole, seen
from ..values import Static, number


def call(ctx: Context, name: str, args: tuple[Static, ...], span: Span) -> Static:
    """A static function: `len(widths)`, `min(a, b)`, `int(x)`, `sqrt(d)`, `range(n)`."""
    node = ir.StaticCall(name, tuple(a.node for a in args))
    low, high = STATIC_FUNCTIONS[name].fewest, STATIC_FUNCTIONS[name].most
    if not low <= len(args) <= high:
        expected = str(low) if low == high else f"{low} to {high}"
        many = "argument" if expected == "1" else "arguments"
        text = f"`{name}` takes {expected} {many}, not {len(args)}"
        counts = "it counts from 0: write `i + 1` where it is read"
        help = counts if name == "enumerate" else None
        ctx.fail("N205", text, span, help=help)
    match name:
        case "range" | "enumerate" | "zip" | "reversed":
            if name == "zip":
                equal_lengths(ctx, [_count(a) for a in args], span)
            return Static(
                node, "list", element=_iterated(ctx, name, args, span), items=()
            )
        case "len":
            need_list(ctx, args[0], name, span)
            if args[0].items:
                return number(len(args[0].items))
            return Static(node, "int", _len_dim(args[0]))
        case "min" | "max" if len(args) > 1:
            return _extreme(ctx, name, args, node, span)
        case "min" | "max" | "sum" | "prod":
            need_list(ctx, args[0], name, span)
            element = args[0].element
            return Static(node, element.flavor if element else "unknown")
        case "divisible":
            _need_numbers(ctx, args, name, span)
            return Static(node, "int")
        case "int" | "ceil" | "floor" | "round":
            _need_numbers(ctx, args, name, span)
            same = name != "int" or args[0].flavor == "int"
            return Static(
                node, "int", args[0].dim if args[0].flavor == "int" and same else None
            )
        case "abs":
            _need_numbers(ctx, args, name, span)
            return Static(node, args[0].flavor)
    _need_numbers(ctx, args, name, span)
    return Static(node, "float")


CONSTANTS: Final = {"pi": math.pi}


def need_list(ctx: Context, value: Static, name: str, span: Span) -> None:
    if value.flavor == "unknown" and value.param is not None:
        demand(ctx, value.param, Kind.LIST, span)
    elif value.flavor not in ("list", "window"):
        label = f"this is {describe(value)}"
        ctx.fail("N220", f"`{name}` needs a list", span, label, related=seen(value))


def _need_numbers(
    ctx: Context, args: tuple[Static, ...], name: str, span: Span
) -> None:
    for arg in args:
        if arg.flavor not in NUMERIC:
            ctx.fail(
                "N220", f"`{name}` needs numbers", span, f"this is {describe(arg)}"
            )


def _count(value: Static) -> Dim | None:
    """How many values a list has; None where it may be none, or is computed."""
    if value.items:
        return const(len(value.items))
    optional = value.optional or (value.param is not None and value.param.optional)
    if optional:
        return None
    match value.node:
        case ir.StaticSlice(ir.Ref(name), ir.Literal(int() as start), None, None):
            return func("len", symbol(name)) - start if start >= 0 else None
        case ir.StaticSlice(ir.Ref(name), None, ir.Literal(int() as stop), None):
            return func("len", symbol(name)) + stop if stop < 0 else None
    return _len_dim(value)


def _len_dim(value: Static) -> Dim | None:
    return (
        func("len", symbol(value.node.name)) if isinstance(value.node, ir.Ref) else None
    )


def _extreme(
    ctx: Context, name: str, args: tuple[Static, ...], node: ir.Static, span: Span
) -> Static:
    _need_numbers(ctx, args, name, span)
    dims = [a.dim for a in args]
    if all(d is not None for d in dims):
        return Static(node, "int", func(name, *[d for d in dims if d is not None]))
    return Static(
        node, "float" if any(a.flavor == "float" for a in args) else "unknown"
    )


def _iterated(ctx: Context, name: str, args: tuple[Static, ...], span: Span) -> Static:
    """What the elements of an iterable are like."""
    counter = Static(ir.Literal(0), "int")
    if name == "range":
        for arg in args:
            if arg.flavor not in ("int", "unknown"):
                text = f"this is {describe(arg)}"
                ctx.fail("N220", "`range` needs whole numbers", span, text)
            if arg.dim is not None:
                demand_whole(ctx, arg.dim, span)
        return replace(counter, below=args[0].dim) if len(args) == 1 else counter
    for arg in args:
        need_list(ctx, arg, name, span)
    elements = tuple(a.element or Static(ir.Literal(0), "unknown") for a in args)
    if name == "reversed":
        return elements[0]
    if name == "enumerate":
        counter = replace(counter, below=_len_dim(args[0]))
    items = (counter, *elements) if name == "enumerate" else elements
    return Static(ir.StaticList(()), "list", items=items)
