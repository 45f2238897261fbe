"""The Optax transformation of an objective, as text."""

from __future__ import annotations

from ... import ir
from ...ops.base import REQUIRED, Kind
from ...ops.training.optimizers import MATRICES
from ...record import Record
from ..python.library import argument
from ..python.library_calls import fill
from ..python.scope import Scope
from ..python.static_text import default, static
from ..python.text import Text

ACCUMULATE, MATRIX_AXES = "accumulate", "matrix_axes"  # in the shared module


# The numbers that a run chooses anew, by the names of their arguments.
CHOSEN = ("learning_rate", "peak", "warmup", "steps", "weight_decay")


class Transformation(Record):
    """What makes an Optax transformation: an expression, and the parameters that it has."""

    text: str
    parameters: tuple[str, ...]


def transformation(goal: ir.Objective, table: str | None) -> Transformation:
    """Clipping, optimizer and accumulation in one expression. `table` is the name of the model's
    matrices, where the optimizer wants them."""
    scope = Scope()
    parameters: dict[str, str] = {}
    text = train_op(goal.optimizer, scope, parameters, table).text
    if goal.clip is not None:
        limit = static(goal.clip, scope)
        text = f"optax.chain(optax.clip_by_global_norm({limit}), {text})"
    if goal.accumulate is not None:
        count = static(goal.accumulate, scope)
        if goal.weight is not None:
            text = f"{ACCUMULATE}({text}, {count})"
        else:
            text = f"optax.MultiSteps({text}, {count}).gradient_transformation()"
    return Transformation(text, tuple(parameters.values()))


def train_op(
    made: ir.TrainOp,
    scope: Scope,
    parameters: dict[str, str],
    table: str | None = None,
) -> Text:
    """An optimizer or schedule with its arguments; `parameters` gains those that a run chooses."""
    args = dict(made.args)
    chosen: set[str] = set()  # by a run: a template may say each several times

    def lookup(name: str) -> Text | None:
        if name == MATRICES:
            return Text(f"partial({MATRIX_AXES}, {table})") if table else None
        param = made.op.param(name)
        assert param is not None, f"{made.op.name} has nothing called {name!r}"
        if name not in args:
            return None if param.default is REQUIRED else default(param)
        value = args[name]
        if isinstance(value, ir.TrainOp):
            return train_op(value, scope, parameters)
        if name in chosen:
            return Text(name)
        text = argument(param, value, scope)
        if name not in CHOSEN or name in parameters:
            return text
        chosen.add(name)
        kind = "int" if param.kind is Kind.SIZE else "float"
        parameters[name] = f"{name}: {kind} = {text}"
        return Text(name)

    return fill(made.op.build_for(args), lookup, args)
