"""The Optax transformation of an objective, as text."""

from __future__ import annotations

from ... import ir
from ...ops.base import REQUIRED
from ...ops.training.optimizers import MATRICES
from ..python.library import argument
from ..python.library_calls import fill
from ..python.scope import Scope
from ..python.static_text import default, static
from ..python.text import Text

ACCUMULATE, MATRIX_AXES = "accumulate", "matrix_axes"  # in the shared module


def transformation(goal: ir.Objective, table: str | None) -> str:
    """Clipping, optimizer and accumulation in one expression, for the module's top level. `table`
    is the name of the model's matrices, where the optimizer wants them."""
    scope = Scope()
    text = train_op(goal.optimizer, scope, table).text
    if goal.clip is not None:
        limit = static(goal.clip, scope)
        text = f"optax.chain(optax.clip_by_global_norm({limit}), {text})"
    if goal.accumulate is not None:
        count = static(goal.accumulate, scope)
        if goal.weight is not None:
            return f"{ACCUMULATE}({text}, {count})"
        text = f"optax.MultiSteps({text}, {count}).gradient_transformation()"
    return text


def train_op(made: ir.TrainOp, scope: Scope, table: str | None = None) -> Text:
    """An optimizer or schedule with its arguments."""
    args = dict(made.args)

    def lookup(name: str) -> Text | None:
        if name == MATRICES:
            return Text(f"partial({MATRIX_AXES}, {table})") if table else None
        param = made.op.param(name)
        assert param is not None, f"{made.op.name} has nothing called {name!r}"
        if name not in args:
            return None if param.default is REQUIRED else default(param)
        value = args[name]
        if isinstance(value, ir.TrainOp):
            return train_op(value, scope)
        return argument(param, value, scope)

    return fill(made.op.build_for(args), lookup, args)
