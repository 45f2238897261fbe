"""Statements of blocks, models and trains."""

from __future__ import annotations

import re
from typing import NoReturn, assert_never

from ... import ir
from ...diagnostics import Advice, Fix, closest, meant, remove, write
from ...shapes import Outputs
from ...source import Span
from ...syntax import tree
from ...syntax.walk import Body, bodies, mentioned, targets
from ..context import Context
from ..definitions.declarations import inputs, require, rngs, variables
from ..expressions.operands import as_tensor
from ..values import BAD, Applied, Bad, Fault, Listed, Several, Tensor, Value
from . import list_types, lists
from .assignments import assign
from .branches import if_statement
from .for_loops import for_statement
from .scan_collects import collect
from .scan_statements import refuse_declaration, scan_statement


def statements(ctx: Context, body: tuple[tree.Statement, ...]) -> None:
    """Check statements in order; a mistake abandons its own statement only."""
    for position, node in enumerate(body):
        try:
            statement(ctx, node)
        except Fault:
            ctx.abandoned = True
            abandon(ctx, node)
        if isinstance(node, tree.Return) and position + 1 < len(body):
            ctx.error("N240", "this is never reached", body[position + 1].span)
            return


def statement(ctx: Context, node: tree.Statement) -> None:
    """Check one statement."""
    ctx.statement = node
    match node:
        case tree.Declare() | tree.Rngs() if ctx.scan is not None:
            refuse_declaration(ctx, node)
        case tree.Assign():
            assign(ctx, node)
        case tree.Return():
            return_(ctx, node)
        case tree.Declare("input"):
            inputs(ctx, node)
        case tree.Declare():
            variables(ctx, node)
        case tree.For():
            for_statement(ctx, node)
        case tree.Scan():
            scan_statement(ctx, node)
        case tree.Collect():
            collect(ctx, node)
        case tree.If():
            if_statement(ctx, node)
        case tree.Require():
            require(ctx, node)
        case tree.Rngs():
            rngs(ctx, node)
        case tree.Evaluate(tree.Call() as value) if lists.append(ctx, value):
            return
        case tree.Evaluate(value):
            _goes_nowhere(ctx, value)
        case tree.Init():
            text = "`init` stands in a model, outside of `if` and loops"
            help = "it names weights of blocks too: `init c_proj.kernel = ...`"
            ctx.fail("N278", text, node.span, help=help)
        case (
            tree.Metric()
            | tree.Select()
            | tree.Adapt()
            | tree.Frozen()
            | tree.Optimize()
        ):
            ctx.fail("N242", "this belongs in a train", node.span)
        case _:
            assert_never(node)


def _goes_nowhere(ctx: Context, value: tree.Expr) -> NoReturn:
    _compared(ctx, value)
    if isinstance(ctx.expr(value), Bad):
        raise Fault
    ctx.fail("N241", "this value goes nowhere", value.span, **_named(ctx, value))


def _named(ctx: Context, value: tree.Expr) -> Advice:
    """A value that is read by the name of its layer is named; the last of all is returned."""
    text, below = value.span.text, value.span.source.text[value.span.end : ctx.head.end]
    layer = re.search(r" as ([a-z_]\w*)$", text)
    if layer is not None and re.search(rf"\b{layer[1]}\b", below):
        made = text[: layer.start()]
        return write(value.span, f"{layer[1]} = {made}", "a value is named by `=`")
    if not below.strip() and ctx.kind != "train":
        return write(value.span, f"return {text}")
    if isinstance(value, tree.Pipe) and isinstance(value.source, tree.Name):
        return write(value.span, f"{value.source.id} = {text}", "a value has a name")
    return {"help": "give it a name, or return it"}


def abandon(ctx: Context, node: tree.Statement) -> None:
    """After a mistake: what the statement mentions counts as used, misspelt or not; what it names
    is unknown."""
    for name in mentioned(node):
        name = name if name in ctx.scope else closest(name, ctx.scope) or name
        if name in ctx.scope:
            ctx.scope[name].use()
            value = ctx.scope[name].value
            if isinstance(value, Applied):
                value.layer.used = True
    for target in targets(node):
        ctx.bind(target.id, BAD, target.span, "value")


def return_(ctx: Context, node: tree.Return) -> None:
    """`return value, value`."""
    told, ctx.has_return = ctx.has_return, True
    if ctx.conditional and told:
        raise Fault  # of one `if` with several
    if ctx.conditional:
        ctx.fail(
            "N247",
            "`return` stands at the end of a definition, not inside `if`, `for` or `scan`",
            node.span,
            **_returned_after(ctx, node),
        )
    exprs: list[ir.Expr] = []
    broken = False
    for value in node.values:
        result = ctx.attempt(lambda v=value: _returned(ctx, v))  # type: ignore[misc]
        if isinstance(result, (Tensor, Several, Listed)):
            exprs.append(result.expr)
        else:
            broken = True
    if broken:
        ctx.broken = True
        raise Fault
    names = tuple(name.id for name in node.names)
    kinds = tuple(e.type for e in exprs)
    if names:
        ctx.outputs = Outputs(kinds, ctx.name, names)
    else:
        lone = len(kinds) == 1 and isinstance(kinds[0], tuple)
        ctx.outputs = kinds[0] if lone else kinds  # type: ignore[assignment]
    ctx.body.append(ir.Return(tuple(exprs), node.span, names))


def missing_return(node: tree.Definition) -> Advice:
    """The value that was made last, returned."""
    match node.body[-1]:
        case tree.Assign(targets, "=", span=span):
            name = targets[-1].id if len(targets) == 1 else "..."
        case _:
            return {"help": "end it with `return ...`"}
    if name == "...":
        return {"help": "end it with `return ...`"}
    margin = " " * (span.source.position(span.start)[1] - 1)
    end = span.whole_line()
    place = Span(span.source, end.end, end.end)
    text = f"{margin}return {name}\n"
    if not end.text.endswith("\n"):
        text = f"\n{margin}return {name}"
    return {"help": f"end it with `return {name}`", "fix": Fix(place, text)}


def _around(outer: Body, node: tree.Statement) -> list[tree.Statement]:
    """The statements in whose bodies one stands."""
    for item in outer:
        if item is node:
            return [item]
        for below in (_around(body, node) for body in bodies(item)):
            if below:
                return [item, *below]
    return []


def _returned_after(ctx: Context, node: tree.Return) -> Advice:
    """How the value of a loop or of a choice is returned after it."""
    text, span = node.span.source.text, node.span
    line = Span(span.source, text.rfind("\n", 0, span.start) + 1, span.end)
    after = text[span.end : ctx.head.end]
    if any(isinstance(n, tree.If) for n in _around(ctx.definition, node)):
        return {"help": "give it a name on both sides, and return that after the `if`"}
    if re.search(r"^ *return\b", after, re.M):
        end = text.find("\n", span.end) + 1 or len(text)
        why = "values stay after the loop, and are returned there: leave it out"
        return remove(Span(span.source, line.start, end), why)
    margin = " " * 4
    fix = Fix(line, f"{margin}{span.text}")
    return {"help": "return it after the loop, indented as that is", "fix": fix}


def _returned(ctx: Context, node: tree.Expr) -> Value:
    value = ctx.expr(node)
    if isinstance(value, Listed):
        return list_types.returned(ctx, value, node)
    return (
        value
        if isinstance(value, (Several, Bad))
        else as_tensor(ctx, value, node, "what is returned")
    )


def _compared(ctx: Context, value: tree.Expr) -> None:
    """`y == x -> f` where a new name begins the line."""
    sign = re.match(r"([a-z_]\w*) *(==|<-)", value.span.text)
    if sign is not None and sign[1] not in ctx.scope:
        start = value.span.start + sign.start(2)
        at = Span(value.span.source, start, start + 2)
        ctx.bind(sign[1], BAD, value.span, "value")
        text = "`==` compares" if sign[2] == "==" else "`<-` is no operator here"
        ctx.fail("N241", text, at, **meant(at, "="))
