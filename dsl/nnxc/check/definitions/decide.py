"""What shapes leave open between parameters is decided at the defaults and at each config."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from ... import ir
from ...diagnostics import Advice, Fix, Label, Sink
from ...instance import config_values, instantiate
from ...instance.evaluate import truth
from ...instance.instance_scope import Scope
from ...instance.nodes import Failure, Instance, InstanceError
from ...instance.work import Work
from ...ir.static_values import Undecided
from ...source import Span
from ..train.idle import idle


def decide(program: ir.Program, sink: Sink) -> None:
    """Build every model without tensors, at its defaults and at its configs; report what fails."""
    work = Work()
    for definition in program.definitions:
        if definition.is_model and all(
            p.default is not None for p in definition.params
        ):
            where = "at the defaults"
            _at(program, definition.name, {}, definition.span, where, sink, work)
    for config in program.configs:
        required = {
            p.name for p in program.definition(config.model).params if p.default is None
        }
        if required <= {name for name, _ in config.args}:
            try:
                values = config_values(config)
            except InstanceError as error:
                sink.error("N322", error.message, config.span)
                continue
            _at(
                program,
                config.model,
                values,
                config.span,
                f"in config `{config.name}`",
                sink,
                work,
            )


def _at(
    program: ir.Program,
    name: str,
    values: Mapping[str, Any],
    at: Span,
    where: str,
    sink: Sink,
    work: Work,
) -> None:
    try:
        instance = instantiate(program, name, values, work=work)
    except InstanceError as error:
        related = _chain(error.chain, at, where)
        text = f"this cannot be built {where}: {error.message}"
        none = error.absent
        help = f"ask for it before: `if {none} != none:`" if none else None
        sink.error("N322", text, error.span, related=related, help=help)
        return
    advice = _nearby(program, name, values, instance, work) if instance.failures else {}
    for goal in idle(program, instance) if not values else ():
        text = f"nothing is left that trains {where}"
        help = "name what is there then, or give the parameters other defaults"
        sink.error("N518", text, goal.span, help=help)
    failures = [f for f in instance.failures if not _told(f, instance.failures)]
    lost = [f for f in failures if f.message.startswith(_BELOW_1)][1:]
    failures = [f for f in failures if f not in lost]
    for failure in (*failures, *_of_train(program, instance)):
        sink.error(
            "N304",
            f"{failure.message}: this does not hold {where}",
            failure.span,
            related=_chain(failure.chain, at, where),
            **advice,
        )


def _nearby(
    program: ir.Program,
    name: str,
    values: Mapping[str, Any],
    instance: Instance,
    work: Work,
) -> Advice:
    """A value near the default of one parameter with which all requirements hold."""
    help = "change the parameters so that it holds"
    params = program.definition(name).params
    texts = " ".join(f.message for f in instance.failures)
    for param in params if not values else ():
        mentioned = re.search(rf"\b{param.name}\b", texts)
        match param.default:
            case ir.Literal(int() as default) if mentioned and default is not True:
                pass
            case _:
                continue
        for value in (default + step for near in range(1, 9) for step in (near, -near)):
            if value > 0 and _holds_with(program, name, {param.name: value}, work):
                place = _default_of(param, default)
                fix = f", such as `{param.name} = {value}`"
                return {"help": help + fix, "fix": Fix(place, str(value))}
    return {"help": help}


def _default_of(param: ir.Parameter, default: int) -> Span:
    """Where the default of a parameter is written."""
    source, end = param.span.source, param.span.end
    found = re.compile(rf"\s*=\s*(?={default}\b)").match(source.text, end)
    at = found.end() if found else end
    return Span(source, at, at + (len(str(default)) if found else 0))


def _holds_with(
    program: ir.Program, name: str, values: Mapping[str, Any], work: Work
) -> bool:
    try:
        instance = instantiate(program, name, values, work=work)
    except InstanceError:
        return False
    return not instance.failures and not [*_of_train(program, instance)]


_BELOW_1 = "a size below 1"  # what is made of such a size is one too


def _told(failure: Failure, others: tuple[Failure, ...]) -> bool:
    """Whether the call that led there is reported for the same."""
    return any(
        o.message.startswith(failure.message) and o.span in failure.chain
        for o in others
    )


def _chain(chain: Sequence[Span], at: Span, where: str) -> tuple[Label, ...]:
    return (*(Label(s, "constructed here") for s in chain[-2:]), Label(at, where))


def _of_train(program: ir.Program, instance: Instance) -> Iterator[Failure]:
    """What the model's train requires of the parameters, and these do not keep."""
    scope = Scope(dict(instance.values), frozenset())
    for train in program.trains:
        bodies = (train.body, *(o.body for o in train.objectives))
        own = train.model == instance.name
        for item in (stmt for body in bodies for stmt in body) if own else ():
            if isinstance(item, ir.StaticLet):
                scope.let(item.name, item.value, item.span)
            elif isinstance(item, ir.Require) and not _holds(scope, item):
                yield Failure(item.message, item.span)


def _holds(scope: Scope, required: ir.Require) -> bool:
    try:
        return truth(scope.value(required.condition, required.span))
    except Undecided:
        return True
