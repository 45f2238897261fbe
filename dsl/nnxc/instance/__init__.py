"""A definition at given parameter values: its layers, weights, shapes and FLOPs, without JAX.

The body is walked as the constructed model would run it, with sizes for tensors. Requirements
that fail at these values are gathered; what no constructor could survive raises `InstanceError`.
Work is bounded. Knows `ir`, `evaluate`, `shapes`, `dims`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import Final

from .. import ir
from ..ir.static_values import EvaluationError, Value
from ..source import Span
from .body_walk import Body
from .evaluate import evaluate
from .nodes import Instance, InstanceError, TooLarge, Values
from .work import Walk, Work

NOTHING: Final[Mapping[str, Value]] = MappingProxyType({})


def instantiate(
    program: ir.Program,
    name: str,
    args: Values = NOTHING,
    axes: Mapping[str, int] = NOTHING,
    given: Iterable[str] = (),
    work: Work | None = None,
) -> Instance:
    """The definition `name` with these arguments, defaults for the rest.

    Axes that `axes` lacks stay symbols. `given` names the optional inputs that are passed.
    Walks that are given the same `work` share what there is of it.
    Raises `InstanceError`; KeyError where the program has no such definition.
    """
    definition = program.definition(name)
    env = {**args, **axes}
    body = Body(definition, Walk(program, work or Work()), env, frozenset(given))
    try:
        entered = body.enter(args)
    except RecursionError:
        raise TooLarge("this model is nested too deeply", definition.span) from None
    bound = {p.name: body.env[p.name] for p in definition.params}
    return Instance(name, bound, entered.node, entered.output, entered.failures)


def config_values(config: ir.Config) -> dict[str, Value]:
    """The arguments of a `config`; raises `InstanceError`."""
    return {name: _constant(value, config.span) for name, value in config.args}


def _constant(static: ir.Static, span: Span) -> Value:
    try:
        return evaluate(static, {})
    except EvaluationError as error:
        raise InstanceError(str(error), span) from None
    except RecursionError:
        raise TooLarge("this value is nested too deeply", span) from None
