"""The Optax transformation of an objective, as text."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType

from ... import ir
from ...ops.base import REQUIRED, Call, Kind
from ...ops.training.optimizers import DECAYING, MATRICES
from ...record import Record
from ..python.library import argument
from ..python.library_calls import fill
from ..python.scope import Scope
from ..python.static_text import default, static
from ..python.text import Text, quoted

# In the shared module.
ACCUMULATE, MATRIX_AXES, MASK = "accumulate", "matrix_axes", "weights_named"


# The numbers that a run chooses anew, by the names of their arguments.
CHOSEN = (
    "learning_rate", "value", "init", "peak", "warmup", "steps", "weight_decay",
)  # fmt: skip
# Where a schedule has a default for it, `init` is the warm-up's beginning, and not the rate.
_RATES = ("value", "init")


class Transformation(Record):
    """What makes an Optax transformation: an expression, and the parameters that it has."""

    text: str
    parameters: tuple[str, ...]


def transformation(
    goal: ir.Objective, table: str | None, decay: Sequence[str]
) -> Transformation:
    """Clipping, optimizer and accumulation in one expression. `table` is the name of the model's
    matrices, where the optimizer wants them; `decay`, the ends of paths of weights that decay.
    """
    scope = Scope()
    parameters: dict[str, str] = {}
    found = {MATRICES: f"partial({MATRIX_AXES}, {table})"} if table else {}
    if decay:
        found[DECAYING] = f"{MASK}({', '.join(map(quoted, decay))})"
    text = train_op(goal.optimizer, scope, parameters, found).text
    build = _build(goal.optimizer, found)
    chained = isinstance(build, Call) and build.around != "{}"
    if goal.clip is not None:
        text = f"optax.clip_by_global_norm({static(goal.clip, scope)}), {text}"
    if chained or goal.clip is not None:
        text = f"optax.chain({text})"
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
    found: Mapping[str, str] = MappingProxyType({}),
) -> Text:
    """An optimizer or schedule with its arguments; `parameters` gains those that a run chooses.
    `found` is what the model says besides."""
    args = dict(made.args)
    chosen: set[str] = set()  # by a run: a template may say each several times

    def lookup(name: str) -> Text | None:
        if name in (MATRICES, DECAYING):
            return Text(found[name]) if name in found else None
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
        fixed = name in _RATES and param.default is not REQUIRED
        if name not in CHOSEN or fixed or name in parameters:
            return text
        chosen.add(name)
        kind = "int" if param.kind is Kind.SIZE else "float"
        parameters[name] = f"{name}: {kind} = {text}"
        return Text(name)

    return fill(_build(made, found), lookup, args)


def _build(made: ir.TrainOp, found: Mapping[str, str]) -> Call | str:
    return made.op.build_for({*dict(made.args), *found})
