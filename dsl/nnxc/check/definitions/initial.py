"""What a `param` or `state` begins as: an initialiser, a number, or a tensor computed once."""

from __future__ import annotations

from ... import ir
from ...diagnostics import write
from ...ir.fold_static import asks_given
from ...ir.fold_tensors import walk
from ...ir.static_functions import STATIC_FUNCTIONS
from ...ops import INITIALIZERS
from ...shapes import TensorType, is_float
from ...syntax import tree
from ..arguments import types
from ..arguments.converters import initializer
from ..arguments.wrong_kind import NUMBERS
from ..construction import build_from, build_from_static
from ..context import Context
from ..values import Bad, Fault, Static, Tensor

WEIGHTS = "params"  # the stream that weights are drawn from


def initial(
    ctx: Context, node: tree.Expr, kind: TensorType, what: str
) -> ir.Static | ir.Expr:
    """The initial value of a variable of that type. Raises `Fault` after reporting."""

    if _names_an_initializer(ctx, node):
        return initializer(ctx, node)
    drawn = dict(ctx.streams), set(ctx.hard_streams)
    value = ctx.expr(node)
    ctx.streams, ctx.hard_streams = drawn  # calls of the model draw nothing here
    if isinstance(value, Bad):
        raise Fault
    if isinstance(value, Static) and value.flavor in NUMBERS:
        if value.flavor == "float" and not is_float(kind.dtype):
            text = f"{what} is {kind.dtype}, and begins as a whole number"
            ctx.fail(
                "N302", text, node.span, help="begin with `0`, or make it floating"
            )
        return value.node
    if not isinstance(value, Tensor):
        text = "an initialiser such as `normal(0.02)`, a number or a tensor must stand here"
        listed = isinstance(value, Static) and value.flavor == "list"
        advice = write(node.span, f"tensor({node.span.text})") if listed else {}
        ctx.fail("N207", text, node.span, **advice)
    made = with_constants(ctx, value.expr)
    _known_at_construction(ctx, made, what)
    types.check_type(ctx, value.type, kind, node.span, f"what {what} begins as")
    return made


def with_constants(ctx: Context, value: ir.Expr) -> ir.Expr:
    """The value with the locals in it that follow from parameters, and what these are made of."""
    found: dict[str, ir.Expr] = {}
    todo = [value]
    while todo:
        for part in walk(todo.pop()):
            held = ctx.scope.get(part.name) if isinstance(part, ir.Var) else None
            if held in ctx.constants and held is not None:
                made = ctx.constants[held]
                found.pop(held.name, None)
                found[held.name] = made  # what others are made of comes last
                todo.append(made)
    for name, made in found.items():
        value = ir.Let(name, made, value, value.type, value.span)
    return value


def is_constant(ctx: Context, value: ir.Expr) -> bool:
    """Whether a tensor follows from what is known when a model is built."""
    bound = {part.name for part in walk(value) if isinstance(part, ir.Let)}
    for part in walk(value):
        match part:
            case ir.Var(name) if name not in bound:
                if ctx.scope.get(name) not in ctx.constants:
                    return False
            case ir.OpCall(op=op) if op.streams:
                return False
            case ir.Apply() | ir.Invoke() | ir.ModelCall():
                return False
            case ir.Choose(static) | ir.Scalar(static) if asks_given(static):
                return False
            case ir.OpCall(args=args) if any(asks_given(arg) for _, arg in args):
                return False
    return True


def _names_an_initializer(ctx: Context, node: tree.Expr) -> bool:
    """Also where an unknown name stands, which is more likely one than anything else."""
    match node:
        case tree.Name(name) | tree.Call(tree.Name(name)):
            if name in INITIALIZERS:
                return True
            return not (
                name in ctx.scope or name in ctx.functions or name in STATIC_FUNCTIONS
            )
    return False


def _known_at_construction(ctx: Context, value: ir.Expr, what: str) -> None:
    bound = {part.name for part in walk(value) if isinstance(part, ir.Let)}
    for part in walk(value):
        match part:
            case ir.Var(name) if name in bound:
                continue
            case ir.Scalar(static):
                build_from_static(ctx, static, part.span, what)
            case ir.OpCall(stream=stream) if stream not in (None, WEIGHTS):
                help = f"write `rng={WEIGHTS}`, or an initialiser alone, such as `normal(0.02)`"
                text = f"{what} begins as what `{WEIGHTS}` gives, not `{stream}`"
                ctx.fail("N207", text, part.span, help=help)
            case ir.OpCall(args=args):
                for _, arg in args:
                    build_from_static(ctx, arg, part.span, what)
            case ir.Var() | ir.Apply() | ir.Invoke() | ir.ModelCall():
                text = f"{what} begins as what is known when the model is built"
                ctx.fail("N207", text, part.span, "this is known when it is called")
        if isinstance(part.type, TensorType):
            build_from(ctx, part.type.sizes, part.span, what)
