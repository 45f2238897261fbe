"""From a program to one whose models can take their sequence in pieces."""

from __future__ import annotations

from .. import ir
from ..dims import Dim, const
from ..record import Record, replace
from ..shapes import Outputs, TensorType, is_float, is_int
from ..source import Span
from .definitions import rewritten
from .limits import Source
from .rewriting import Given, Rewriting
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
    work = Rewriting(program, rewritten)
    for section in program.generates:
        model = program.definition(section.model)
        tokens = model.inputs[0]
        axes = Axes(time_of(model), tokens.type.sizes[0].name or "")
        given = Given(axes, {tokens.name: Source("ids", const(0))}, _scores(model))
        work.definition(model.name, given, section.span)
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


def _scores(model: ir.Definition) -> dict[str, Dim]:
    """How many tokens get scores, where parameters tell."""
    index = logits_of(model)
    assert index is not None
    size = model.outputs[index].sizes[-1]  # type: ignore[union-attr]
    known = size.symbols <= {p.name for p in model.params}
    return {"scores": size} if known else {}


def _is_sequence(output: ir.Type, time: str) -> bool:
    return (
        isinstance(output, TensorType)
        and output.rank == 3
        and output.sizes[1].name == time
        and is_float(output.dtype)
    )
