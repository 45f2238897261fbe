"""`l2(model)`, `mse(model, y)`: a model is applied before anything is made of what it gives."""

from __future__ import annotations

from collections.abc import Iterable

from ...diagnostics import Advice, write
from ...ops.base import Op
from ...syntax import tree
from ..context import Context
from ..values import ModelRef

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
