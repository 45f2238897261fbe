"""`generate Model`: whether a model gives tokens one by one."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from ... import ir
from ...diagnostics import Label, Sink
from ...instance import config_values, instantiate
from ...instance.nodes import Node, Values
from ...ir.fold_statements import declared
from ...source import Span
from ...stepwise import attending, foreign, logits_of, parts_of, stepwise, time_of
from ...syntax import tree
from ..train.probabilities import last_of


def check_generate(
    node: tree.Generate, sink: Sink, model: ir.Definition
) -> ir.Generate | None:
    """The section of a sound model that takes tokens and scores the next; None for others."""
    help = "its first input is int[B, T], and an output is [B, T, vocab]"
    logits = logits_of(model)
    last = last_of(model.body[-1]) if model.body else None
    if logits is not None and last is not None and last.op.name == "softmax":
        text = f"`{model.name}` gives probabilities, and tokens are drawn from scores"
        sink.error("N700", text, last.span, help="leave out `softmax`")
        return None
    if not time_of(model) or logits is None:
        what = "takes no tokens" if not time_of(model) else "scores no next token"
        sink.error("N700", f"`{model.name}` {what}", node.model.span, help=help)
        return None
    needed = [i for i in model.inputs[1:] if not i.optional]
    if needed:
        sink.error(
            "N700",
            f"`{model.name}` takes more than tokens",
            node.model.span,
            f"it needs `{needed[0].name}`",
            help="give the input a default: `= none`",
        )
        return None
    return ir.Generate(model.name, logits, node.span)


def one_each(sink: Sink, file: tree.File) -> None:
    """A file generates from one model."""
    found = [item for item in file.items if isinstance(item, tree.Generate)]
    for item in found[1:]:
        same = item.model.id == found[0].model.id
        message = "this file generates from two models"
        sink.error(
            "N700",
            "this is said twice" if same else message,
            item.model.span,
            related=(Label(found[0].model.span, "the first"),),
            help="leave it out" if same else "put the other into a file of its own",
        )


def report_problems(program: ir.Program, sink: Sink) -> None:
    """Say what keeps models from going token by token."""
    if program.generates:
        for problem in stepwise(program).problems:
            sink.error("N701", problem.message, problem.span, help=problem.help)


def tunix_problems(program: ir.Program, start: Span, sink: Sink) -> None:
    """Say what keeps the model of a sound spec from Tunix's interface."""
    if not program.generates:
        help = "write `generate Model`"
        sink.error("N702", "no model of this spec generates", start, help=help)
    stepping = stepwise(program).program
    kept = foreign(stepping)
    if kept is not None:
        what = "Tunix's cache holds keys and values only"
        sink.error("N702", what, kept.span, "this keeps something else")
    elif program.generates:
        _attention_problem(program, attending(stepping), sink)
    for section in program.generates:
        if parts_of(stepping.definition(section.model)) is None:
            what = (
                f"the head of `{section.model}` cannot be told from what comes before"
            )
            help = "make scores of one value: `x -> Linear(vocab)`"
            sink.error("N702", what, section.span, help=help)


def _attention_problem(
    program: ir.Program, layers: Sequence[ir.Layer], sink: Sink
) -> None:
    """Say where a model has no layer that Tunix keeps a cache for, at any values that are known."""
    section = program.generates[0]
    text = f"`{section.model}` attends to nothing"
    if not layers:
        help = "Tunix keeps a cache for each `Attention(heads, causal=true)`"
        sink.error("N702", text, section.span, help=help)
        return
    spans = {layer.span for layer in layers}
    if not spans <= {i.span for d in program.definitions for i in declared(d.body)}:
        return  # `attend` is a function until there is a cache
    known = [*_known_values(program, section.model)]
    if known and not any(_has(program, section.model, v, spans) for v in known):
        help = "give the parameters defaults, or a `config`, with which it attends"
        where = f"{text} at the defaults"
        sink.error("N702", where, section.span, help=help)


def _known_values(program: ir.Program, model: str) -> Iterator[Values]:
    """What the model is constructed with: at its defaults, where it has them, and its configs."""
    open_ = {p.name for p in program.definition(model).params if p.default is None}
    given = [config_values(c) for c in program.configs if c.model == model]
    return (values for values in ({}, *given) if open_ <= values.keys())


def _has(program: ir.Program, model: str, values: Values, spans: set[Span]) -> bool:
    """Whether a layer that stands at one of these places is constructed."""

    def inside(node: Node) -> bool:
        found = node.span in spans or any(map(inside, node.children))
        return node.copies > 0 and found

    return inside(instantiate(program, model, values).root)
