"""What an input is where it is absent: nothing, or a default."""

from __future__ import annotations

from ... import ir
from ...diagnostics import Label
from ...shapes import TensorType
from ...syntax import tree
from ...syntax.walk import nodes_in
from ..arguments import types
from ..context import Context
from ..expressions.operands import as_tensor
from ..values import Static
from .known_axes import known_here


def is_none(node: tree.Expr | None) -> bool:
    """Whether a default is `none`."""
    return isinstance(node, tree.Constant) and node.value is None


def fill(ctx: Context, field: tree.Field, kind: TensorType) -> None:
    """`mask: bool[B, T] = true`: an absent input is made where the call begins."""
    node = field.default
    assert node is not None
    _axes_known(ctx, field, node, kind)
    value = _value(ctx, field, node, kind)
    absent = ir.StaticUnary("not", ir.Given(field.name))
    made = ir.Assign((field.name,), value, field.span)
    ctx.body.append(ir.If(absent, (made,), (), field.span))


def _axes_known(
    ctx: Context, field: tree.Field, node: tree.Expr, kind: TensorType
) -> None:
    """The sizes of what is made come from inputs that are always there."""
    there = {
        s for i in ctx.inputs if not i.optional for d in i.type.sizes for s in d.symbols
    }
    for size in kind.sizes:
        for axis in sorted((size.symbols & ctx.axes.keys()) - there - ctx.lost_axes):
            ctx.fail(
                "N217",
                f"`{axis}` is not known where `{field.name}` is absent",
                field.type.span,
                related=(Label(node.span, "the default needs it"),),
                help="take it from an input that stands before, or write `= none`",
            )


def _value(
    ctx: Context, field: tree.Field, node: tree.Expr, kind: TensorType
) -> ir.Expr:
    if kind.lead:
        ctx.fail("N314", "a default has a fixed number of axes", field.type.span)
    for name in nodes_in(node, tree.Name):
        if name.id in ctx.axes:
            known_here(ctx, name)
    value = ctx.expr(node)
    if isinstance(value, Static) and value.flavor in ("int", "float", "bool"):
        types.check_dtype(
            ctx, _dtype(value, kind), kind.dtype, node.span, "the default"
        )
        dims = field.type.dims or ()
        value = ctx.expr(filled(dims, node, value, kind.dtype))
    made = as_tensor(ctx, value, node, "a default")
    types.check_type(ctx, made.type, kind, node.span, "the default")
    return made.expr


def _dtype(value: Static, kind: TensorType) -> str:
    """A number's dtype; a whole one adapts."""
    whole = value.flavor == "int" and kind.dtype != "bool"
    return kind.dtype if whole else value.flavor


def filled(
    dims: tuple[tree.Expr, ...], node: tree.Expr, value: Static, dtype: str
) -> tree.Call:
    """One number everywhere, as a spec would write it."""
    name = {0: "zeros", 1: "ones"}.get(value.value, "full") if value.known else "full"
    args = [tree.Arg(None, tree.ListOf(dims, node.span), node.span)]
    if name == "full":
        args.append(tree.Arg(None, node, node.span))
    if dtype != "float":
        args.append(tree.Arg("dtype", tree.Name(dtype, node.span), node.span))
    return tree.Call(tree.Name(name, node.span), tuple(args), node.span)
