"""What shapes leave open between parameters is decided at the defaults and at each config."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from .. import ir
from ..diagnostics import Label, Sink
from ..instance import InstanceError, config_values, instantiate
from ..source import Span


def decide(program: ir.Program, sink: Sink) -> None:
    """Build every model without tensors, at its defaults and at its configs; report what fails."""
    for definition in program.definitions:
        if definition.is_model and all(
            p.default is not None for p in definition.params
        ):
            _at(program, definition.name, {}, definition.span, "at the defaults", sink)
    for config in program.configs:
        required = {
            p.name for p in program.definition(config.model).params if p.default is None
        }
        if required <= {name for name, _ in config.args}:
            try:
                values = config_values(config)
            except InstanceError as error:
                sink.error("N309", error.message, config.span)
                continue
            _at(
                program,
                config.model,
                values,
                config.span,
                f"in config `{config.name}`",
                sink,
            )


def _at(
    program: ir.Program,
    name: str,
    values: Mapping[str, Any],
    at: Span,
    where: str,
    sink: Sink,
) -> None:
    try:
        instance = instantiate(program, name, values)
    except InstanceError as error:
        _report(sink, error.message, error.span, error.chain, at, where)
        return
    for failure in instance.failures:
        _report(sink, failure.message, failure.span, failure.chain, at, where)


def _report(
    sink: Sink, message: str, span: Span, chain: tuple[Span, ...], at: Span, where: str
) -> None:
    related = tuple(Label(s, "constructed here") for s in chain[-2:])
    sink.error(
        "N304",
        f"{message}: this does not hold {where}",
        span,
        related=(*related, Label(at, where)),
        help="change the parameters so that it holds",
    )
