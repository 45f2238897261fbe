"""What helps propose in the place of foreign expressions.

Called only where a mistake was found.
"""

from __future__ import annotations

import re

from ...diagnostics import Advice, meant, remove, write
from ...ops.base import Op
from ...record import Record
from ...source import Span
from ...syntax import tree
from ..context import Context
from . import chains, foreign_forms, foreign_statements, tables
from .arrows import placed
from .foreign_calls import unflattened
from .foreign_names import known
from .function_objects import function_object
from .spelling import entry, spell
from .tensor_parts import type_of
from .tree_parts import (
    Chain,
    as_written,
    last_name,
    name_of,
    path_to,
    whole_line,
    whole_of,
)


def advice(ctx: Context, node: Record, otherwise: Advice | None = None) -> Advice:
    """What to write in the place of the foreign expression in which `node` stands."""
    chain = path_to(ctx.statement, node) or [node]
    if found := _statement(ctx, chain) or _needless(ctx, chain):
        return found
    for around in chain:
        if flat := _flattened(ctx, around):
            return flat
        if scores := foreign_forms.tied(ctx, around):
            return write(around.span, scores)  # type: ignore[attr-defined]
    top, parent = whole_of(chain)
    if isinstance(parent, tree.Assign) and (found := function_object(ctx, parent, top)):
        return found
    text = placed(spell(ctx, top, parent), parent)
    if isinstance(parent, tree.Assign) and _is_chain(top):
        return chains.inlined(ctx, parent, text) or otherwise or {}
    if text == top.span.text:  # type: ignore[attr-defined]
        return otherwise or {}
    span: Span = top.span  # type: ignore[attr-defined]
    return _one_word(node, span, text) or write(span, text)


def _flattened(ctx: Context, node: Record) -> Advice | None:
    """A loss of what `view(-1, classes)` flattens takes it as it is."""
    if not isinstance(node, tree.Call) or ctx.kind != "train":
        return None
    op = ctx.functions.get(known(ctx, last_name(node.func)))
    if op is None or op.group != "loss":
        return None
    if list(unflattened(op, node.args)) == list(node.args):
        return None
    return write(node.span, spell(ctx, node), "a loss takes all axes")


def _is_chain(node: Record) -> bool:
    return isinstance(node, tree.Call) and last_name(node.func) == "Sequential"


def too_many(ctx: Context, arg: tree.Arg, otherwise: Advice | None = None) -> Advice:
    """Advice where a call has more arguments by position than are taken: sizes of inputs are those
    of another library, others are left out."""
    if found := advice(ctx, arg):
        return found
    chain = path_to(ctx.statement, arg)
    call = chain[-2] if len(chain) > 1 else None
    if not isinstance(call, tree.Call) or arg not in call.args:
        return otherwise or {}
    kept = call.args[: call.args.index(arg)]
    inside = call.span.text[: arg.span.start - call.span.start].rstrip().rstrip(",")
    text = f"{inside})" if kept else inside.removesuffix("(")
    return write(call.span, text)


def input_by_name(ctx: Context, op: Op, arg: tree.Arg) -> Advice | None:
    """Advice to name an input that a layer gets where it is constructed: `Attention(2, y)`."""
    chain = path_to(ctx.statement, arg)
    call = chain[-2] if len(chain) > 1 else None
    kind = type_of(ctx, arg.value)
    further = op.inputs[1:]
    if op.group != "layer" or not isinstance(call, tree.Call):
        return None
    first = call.args[0]
    if arg is not first and type_of(ctx, first.value) is not None:
        behind = ", ".join(a.span.text for a in call.args[1:])
        text = f"({first.span.text} -> {call.func.span.text}({behind}))"
        return write(call.span, text, "inputs come by arrows")
    if kind is None or not further:
        return None
    kept = call.span.text[: arg.span.start - call.span.start]
    rest = call.args[call.args.index(arg) + 1 :]
    if any(a.name is None and a.value.span.text != arg.value.span.text for a in rest):
        return {"help": f"its inputs have names: `{further[0].name}={arg.span.text}`"}
    more = [
        f"{further[0].name}={arg.span.text}",
        *(a.span.text for a in rest if a.name),
    ]
    return write(call.span, f"{kept}{', '.join(more)})", "inputs have names here")


def without_input_size(ctx: Context, op: Op, arg: tree.Arg) -> Advice:
    """Advice to leave out the size of an input, which moved an argument to the next place."""
    chain = path_to(ctx.statement, arg)
    call = chain[-2] if len(chain) > 1 else None
    if op.name not in tables.INPUT_SIZES or not isinstance(call, tree.Call):
        return {}
    if len(call.args) < 2 or call.args[0].name is not None:
        return {}
    rest = tree.Call(call.func, as_written(call).args[1:], call.span)
    text = entry(ctx, op.name, rest.args, False)
    return write(call.span, text, "sizes of inputs are inferred") if text else {}


def _one_word(node: Record, span: Span, text: str) -> Advice | None:
    """Where only the name at fault changes, that alone."""
    name = name_of(node)
    if name is None:
        return None
    start, end = name.start - span.start, name.end - span.start
    before, after = span.text[:start], span.text[end:]
    word = text[len(before) : len(text) - len(after)]
    fits = before + word + after == text and word.isidentifier()
    return meant(name, word) if fits else None


def _needless(ctx: Context, chain: Chain) -> Advice | None:
    """Advice to leave out a statement that elsewhere does what is generated here."""
    for node in chain:
        if isinstance(node, tree.Evaluate) and isinstance(node.value, tree.Call):
            func = node.value.func
            while isinstance(func, tree.Attribute) and isinstance(
                func.value, tree.Call
            ):
                func = func.value.func
            name = last_name(func)
            if name in tables.NOTHING and name not in ctx.scope:
                return remove(whole_line(node.span), tables.NOTHING[name])
    return None


def _statement(ctx: Context, chain: Chain) -> Advice | None:
    """Statements that are another kind of statement here."""
    match chain[0]:
        case tree.Assign(targets, "=", tree.Attribute(value, "shape")):
            kind = type_of(ctx, value)
        case tree.Assign(targets, "=", tree.Call(tree.Attribute(value, "size"), ())):
            kind = type_of(ctx, value)
        case _:
            return foreign_statements.statement(ctx, chain[0])
    if kind is None or kind.lead or len(targets) != kind.rank:
        return None
    pairs = [(t.id, str(s)) for t, s in zip(targets, kind.sizes, strict=True)]
    span = chain[0].span
    source, end = span.source.text, ctx.head.end or len(span.source.text)
    read = [
        (n, s)
        for n, s in pairs
        if n != s and re.search(rf"\b{n}\b", source[span.end : end])
    ]
    if not read:
        return remove(whole_line(span), "sizes have names: leave it out")
    margin = "\n" + " " * (span.source.position(span.start)[1] - 1)
    text = margin.join(f"{name} = {size}" for name, size in read)
    return write(span, text, "sizes have names")
