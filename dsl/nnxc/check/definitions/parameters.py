"""Parameters and their defaults."""

from __future__ import annotations

from ... import ir
from ...diagnostics import Label, meant
from ...ops.base import Kind
from ...syntax import tree
from ...syntax.walk import nodes_in
from ..arguments.activation_names import by_name, is_activation
from ..arguments.activation_values import activation
from ..context import Context
from ..expressions import statics
from ..expressions.static_calls import CONSTANTS
from ..foreign import tables
from ..values import OpRef, Param, Static, Tensor
from .declarations import check_name


def numbers_of(node: tree.Definition) -> set[str]:
    """The names with which the body computes, or which it compares with a number."""
    found: set[str] = set()
    for binary in nodes_in(node.body, tree.Binary):
        sides = binary.left, binary.right
        compares = binary.op in statics.COMPARISONS
        if binary.op in ("and", "or", "in"):
            continue
        if not compares or any(isinstance(side, tree.Number) for side in sides):
            found |= {side.id for side in sides if isinstance(side, tree.Name)}
    return found


def parameter(
    ctx: Context, node: tree.Parameter, numbers: set[str], fraction: bool = False
) -> Param:
    """One parameter; `numbers` are those that are computed with; a `fraction` is given numbers
    that are not whole. Raises `Fault` after reporting."""
    check_name(ctx, node.name, node.name_span)
    if node.name in ctx.params:
        ctx.fail(
            "N202",
            f"there are two parameters `{node.name}`",
            node.name_span,
            related=(Label(ctx.params[node.name].span, "the first"),),
        )
    param = Param(
        node.name,
        node.name_span,
        None,
        number=node.name in numbers,
        handed=node.handed,
    )
    if node.default is not None:
        _default(ctx, param, node.default)
    if node.like is not None:
        _default(ctx, param, node.like)
        param.default = None
    if fraction:
        _of_fractions(param)
    ctx.params[node.name] = param
    ctx.bind(node.name, statics.of_param(param), node.name_span, "parameter")
    return param


def _of_fractions(param: Param) -> None:
    """A whole number by default may be another in a call, unless a use needs it whole; so may those
    of a list."""
    if param.kind is Kind.INT:
        param.kind = Kind.NUMBER
    if param.kind is Kind.SIZES:
        param.kind, param.element = Kind.LIST, Static(ir.Literal(0), "unknown")
        param.fractions = True


def _default(ctx: Context, param: Param, node: tree.Expr) -> None:
    value = _default_value(ctx, node)
    param.default, param.element, param.given = value.node, value.element, node.span
    match value.flavor:
        case "none":
            param.optional = True
        case "int":
            param.kind = Kind.INT
        case "float":
            param.kind, param.fraction = Kind.NUMBER, True
        case "window":
            param.kind = Kind.WINDOW
        case "list":
            whole = value.element is not None and value.element.flavor == "int"
            param.kind = Kind.SIZES if whole else Kind.LIST
        case "bool" | "text" | "function" as flavor:
            kinds = {"bool": Kind.BOOL, "text": Kind.TEXT, "function": Kind.FUNCTION}
            param.kind = kinds[flavor]


def _known_activation(ctx: Context, node: tree.Name) -> None:
    """A bare name in a default is that of an activation."""
    if node.id in (*ctx.scope, *ctx.functions, *ctx.signatures):
        return
    known = [name for name, op in ctx.functions.items() if is_activation(op)]
    text = f"there is no name `{node.id}`"
    constant = tables.CONSTANTS.get(node.id.casefold())
    otherwise = "a default is a number, a text, a list or an activation"
    if own := tables.DTYPES.get(node.id):
        otherwise = f"a dtype stands in a shape, `{own}[B, d]`, not in a parameter"
    near = ctx.suggest(node.id, known, node.span, otherwise)
    advice = meant(node.span, constant) if constant else near
    ctx.fail("N200", text, node.span, **advice)


def _default_value(ctx: Context, node: tree.Expr) -> Static:
    """Defaults are literals, arithmetic on them, lists, and activations by name."""

    by_name(ctx, node)
    if (
        isinstance(node, tree.Name)
        and node.id[:1].islower()
        and node.id not in CONSTANTS
    ):
        _known_activation(ctx, node)
    value = ctx.expr(node)
    if isinstance(value, OpRef) and is_activation(value.op):
        return Static(activation(ctx, value.op), "function")
    if isinstance(value, Static) and (value.known or value.items):
        if value.flavor == "int" and value.known:
            return Static(value.node, "int", value.dim, value.value, True)
        return value
    if isinstance(value, Tensor):
        help = "a tensor that is learned or kept is a `param` or a `state`"
    else:
        help = f"compute it in the body: `name = {node.span.text}`"
    ctx.fail("N254", "a default is a literal value", node.span, help=help)
