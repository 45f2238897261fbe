"""`l2(model)`, `mse(model, y)`: a model is applied before anything is made of what it gives."""

from __future__ import annotations

from collections.abc import Iterable

from ...diagnostics import Advice, write
from ...ops.base import Op
from ...syntax import tree
from ..context import Context
from ..values import ModelRef
from .tree_parts import path_to

DECAY = "weights decay by the optimizer: `adamw(1e-3, weight_decay=0.01)`"
_SIZES = ("l1", "l2", "norm", "sum", "square", "abs", "mean")


def no_model(ctx: Context, op: Op, args: Iterable[tree.Arg]) -> None:
    """Report a model where a tensor belongs."""
    for arg in args:
        held = ctx.scope.get(arg.value.id) if isinstance(arg.value, tree.Name) else None
        if held is None or not isinstance(held.value, ModelRef):
            continue
        name = arg.value.span.text
        advice: Advice = {"help": DECAY}
        if op.name not in _SIZES or arg.name is not None:
            fields = [n for n, one in ctx.scope.items() if one.what == "batch field"]
            wanted = [
                i for i in held.value.signature.definition.inputs if not i.optional
            ]
            given = ", ".join(fields[: len(wanted)])
            advice = write(arg.value.span, f"{name}({given})", "call it")
        ctx.fail("N235", f"`{name}` is not a tensor", arg.span, **advice)


def no_stack(ctx: Context, op: Op, args: Iterable[tree.Arg]) -> None:
    """`x -> repeat(Block(d), n)`: layers are stacked by `*`."""
    given = [*args]
    layers = [a for a in given if _is_layer(ctx, a.value)]
    if op.name not in ("repeat", "stack", "tile") or len(layers) != 1:
        return
    chain = path_to(ctx.statement, layers[0])
    call = chain[-2] if len(chain) > 1 else None
    counts = [a for a in given if a not in layers]
    message = f"`{op.name}` takes tensors"
    if not isinstance(call, tree.Call) or len(counts) != 1:
        ctx.fail("N235", message, layers[0].span, help="a stack is `Block(...) * n`")
    text = f"{layers[0].span.text} * {counts[0].value.span.text}"
    ctx.fail("N235", message, layers[0].span, **write(call.span, text))


def _is_layer(ctx: Context, node: tree.Expr) -> bool:
    """Whether an argument is `Block(d)`."""
    match node:
        case tree.Call(tree.Name(name)):
            op = ctx.functions.get(name)
            return name in ctx.signatures or (op is not None and op.group == "layer")
    return False
