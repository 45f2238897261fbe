"""Layers on lines of their own, as in a list of Keras or of a configuration: one chain."""

from __future__ import annotations

from itertools import groupby

from ...diagnostics import Advice, write
from ...record import replace
from ...source import Span
from ...syntax import tree
from ...syntax.walk import names_in
from ..context import Context
from ..foreign.foreign_names import known
from ..foreign.spelling import spell
from ..foreign.tree_parts import last_name

_WIDTH = 88


def with_chains(ctx: Context, node: tree.Definition) -> tree.Definition:
    """A definition in which layers that follow each other, applied to nothing, which N241 tells,
    are applied to what stands before."""
    body: list[tree.Statement] = []
    names = _given(node)

    def is_layer(statement: tree.Statement) -> bool:
        return _is_layer(ctx, statement, names)

    for listed, group in groupby(node.body, is_layer):
        run = [*group]
        if not listed or len(run) < 2 or node.broken or not names:
            names.update(
                t.id for s in run if isinstance(s, tree.Assign) for t in s.targets
            )
            body += run
            continue
        ends = run[-1] is node.body[-1]
        body.append(_chained(ctx, run, _last(body), ends))
    return replace(node, body=tuple(body)) if len(body) < len(node.body) else node


def _given(node: tree.Definition) -> set[str]:
    """The names of the inputs."""
    declared = (s for s in node.body if isinstance(s, tree.Declare))
    return {f.name for s in declared if s.keyword == "input" for f in s.fields}


def _last(body: list[tree.Statement]) -> str:
    """What the statements so far have made last, or the first input."""
    for statement in reversed(body):
        if isinstance(statement, tree.Assign):
            return statement.targets[-1].id
    inputs = (s for s in body if isinstance(s, tree.Declare) and s.keyword == "input")
    return next((s.fields[0].name for s in inputs), "x")


def _is_layer(ctx: Context, node: tree.Statement, names: set[str]) -> bool:
    """Whether a statement is `Linear(d)` or `relu`, and not `relu(x)`."""
    if not isinstance(node, tree.Evaluate):
        return False
    match node.value:
        case tree.Call(tree.Name() | tree.Attribute() as func):
            pass
        case tree.Name() | tree.Attribute() as func:
            pass
        case _:
            return False
    read = {n.id for n in names_in(node.value)}
    name = last_name(func)
    is_block = name[:1].isupper() or name in ctx.signatures
    is_function = known(ctx, name) in ctx.functions
    return (is_block or is_function) and not read & names


def _chained(
    ctx: Context, run: list[tree.Statement], source: str, ends: bool
) -> tree.Statement:
    """The chain for a run of layers, as a statement."""
    values = [s.value for s in run if isinstance(s, tree.Evaluate)]
    span = run[0].span.to(run[-1].span)
    stages = tuple(tree.Stage(v, span=v.span) for v in values)
    pipe: tree.Expr = tree.Pipe(tree.Name(source, values[0].span), stages, span=span)
    head = "return" if ends else f"{source} ="
    texts = [spell(ctx, step.value, step) for step in stages]
    advice = _written(f"{head} {source}", texts, span)
    if texts != [v.span.text for v in values]:  # the fix is about them too
        pipe, ctx.lost = tree.Name(source, values[0].span), True
    message = "these layers are applied to nothing"
    ctx.error("N241", message, run[0].span, **advice)
    if ends:
        return tree.Return((pipe,), (), span)
    target = tree.Name(source, values[0].span)
    return tree.Assign((target,), "=", pipe, span)


def _written(head: str, texts: list[str], span: Span) -> Advice:
    """The chain on a line, or a line for each layer."""
    margin = span.source.position(span.start)[1] - 1
    text = " -> ".join([head, *texts])
    if len(text) + margin > _WIDTH or "#" in span.text:
        text = f"\n{' ' * (margin + 4)}-> ".join([head, *texts])
    return write(span, text, "arrows join them")
