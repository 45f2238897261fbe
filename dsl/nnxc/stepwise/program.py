"""From a program to one whose models can take their sequence in pieces."""

from __future__ import annotations

from .. import ir
from ..record import Record, replace
from ..shapes import Outputs, TensorType, is_float, is_int
from ..source import Span
from .definition import rewritten
from .rewriting import Rewriting
from .time import Axes


class Problem(Record):
    """Why a model cannot go step by step."""

    message: str
    span: Span
    help: str | None = None


class Result(Record):
    """The program as it is to be written, and what is in the way."""

    program: ir.Program
    problems: tuple[Problem, ...]


def stepwise(program: ir.Program) -> Result:
    """The program with layers that go on where their last call ended, wherever a model generates."""
    work = Rewriting({d.name: d for d in program.definitions}, rewritten)
    for section in program.generates:
        model = program.definition(section.model)
        batch = model.inputs[0].type.sizes[0].name or ""
        work.definition(model.name, Axes(time_of(model), batch), section.span)
    work.finish()
    definitions = tuple(work.done.get(d.name, d) for d in program.definitions)
    problems = {p[1]: Problem(*p) for p in reversed(work.problems)}
    ordered = sorted(problems.values(), key=lambda p: p.span.start)
    return Result(replace(program, definitions=definitions), tuple(ordered))


def time_of(model: ir.Definition) -> str:
    """The axis of the tokens; an empty text where the model takes no sequence of tokens."""
    first = model.inputs[0] if model.inputs else None
    if first is None or not is_int(first.type.dtype) or first.type.rank != 2:
        return ""
    return first.type.sizes[1].name or ""


def logits_of(model: ir.Definition) -> int | None:
    """Which output scores the next token: `logits`, else the first [B, T, ...]; None for none."""
    names = model.outputs.names if isinstance(model.outputs, Outputs) else ()
    order = sorted(
        range(len(model.outputs)), key=lambda i: names[i : i + 1] != ("logits",)
    )
    fit = (i for i in order if _is_sequence(model.outputs[i], time_of(model)))
    return next(fit, None)


def _is_sequence(output: ir.Type, time: str) -> bool:
    return (
        isinstance(output, TensorType)
        and output.rank == 3
        and output.sizes[1].name == time
        and is_float(output.dtype)
    )
