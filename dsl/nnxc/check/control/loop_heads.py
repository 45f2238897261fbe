"""What a loop runs over, and loops that are written otherwise here."""

from __future__ import annotations

import re
from typing import NoReturn

from ...diagnostics import Advice, write
from ...ops.base import Kind
from ...source import Span
from ...syntax import tree
from ...syntax.walk import names_in, targets
from ..arguments.flavors import describe
from ..context import Context
from ..expressions.operands import static
from ..values import Applied, Listed, Several, Static
from . import lists


def iterable_of(ctx: Context, node: tree.For) -> Static:
    """What a loop runs over, which is known at construction."""
    what = "what a loop runs over"
    over = node.iterable
    match over:
        case tree.Call(
            tree.Name("enumerate"), (tree.Arg(None, tree.Name() as inner), *_)
        ):
            held = ctx.scope.get(inner.id)
            over = inner if held and isinstance(held.value, Applied) else over
    if isinstance(over, tree.Name):
        value = ctx.expr(over)
        if isinstance(value, Applied):
            value.layer.used = True
            text, label = f"{what} must be a list", f"`{value.layer.name}` is a layer"
            ctx.fail("N231", text, over.span, label, **_stack(node, over.id))
        if isinstance(value, (Listed, Several)):
            text, label = (
                f"{what} must be known when the model is built",
                "these are tensors",
            )
            ctx.fail(
                "N230", text, node.iterable.span, label, **_one_by_one(node, value)
            )
    return static(ctx, node.iterable, what)


def _stack(node: tree.For, stack: str) -> Advice:
    """`for layer in layers: x = layer(x)`: a stack is applied as a whole."""
    name = node.targets[-1].id
    match node.body:
        case (tree.Assign((tree.Name(x),), "=", tree.Call(tree.Name(f), (arg,))),) if (
            f == name and arg.value.span.text == x
        ):
            pass
        case (
            tree.Assign((tree.Name(x),), "=", tree.Pipe(tree.Name(y), (stage,))),
        ) if (stage.value.span.text == name and x == y):
            pass
        case _:
            return {"help": f"apply the stack as a whole: `x -> {stack}`"}
    why = "a stack is applied as a whole"
    return write(node.span.to(node.body[-1].span), f"{x} = {x} -> {stack}", why)


def _one_by_one(node: tree.For, value: Listed | Several) -> Advice:
    """A loop over tensors, as one that counts, or written out for a few."""
    source, name, held = node.span.source, node.targets[0].id, node.iterable.span.text
    margin = " " * (source.position(node.span.start)[1] - 1)
    count = value.count.value if isinstance(value, Listed) and value.count else None
    unknown = isinstance(value, Listed) and count is None
    if len(node.targets) > 1 or unknown or not node.body:
        return {"help": "count: `for i in range(n):`, and take one by `[i]`"}
    if count is not None:
        text = f"for i in range({count}):\n{margin}    {name} = {held}[i]"
        return write(node.span.to(_colon(node)), text, "a loop counts")
    body = source.text[_colon(node).end : node.body[-1].span.end].lstrip("\n")
    lines = [line.removeprefix("    ") for line in body.split("\n")]
    copies = (
        re.sub(rf"\b{name}\b", f"{held}[{i}]", "\n".join(lines))
        for i in range(len(value.types) if isinstance(value, Several) else 0)
    )
    text = "\n".join(copies).removeprefix(margin)
    return write(
        node.span.to(node.body[-1].span), text, "write out what is done to each"
    )


def _colon(node: tree.For) -> Span:
    source, end = node.span.source, node.iterable.span.end
    at = source.text.index(":", end)
    return Span(source, at, at + 1)


def as_scan(ctx: Context, node: tree.For) -> Advice | None:
    """The head of a scan for a loop over an axis, where nothing but tensors changes in it."""
    match node.iterable:
        case tree.Call(tree.Name("range"), (tree.Arg(None, tree.Name(axis)),)):
            pass
        case _:
            return None
    if axis not in ctx.axes or lists.changed(node.body):
        return None
    kept = [n for n in sorted(changed_in(node)) if n in ctx.scope]
    if not kept or len(node.targets) != 1:
        return None
    name = node.targets[0].id
    counted = any(n.id == name for n in names_in(node.body))
    steps = f"{name} in arange({axis}) over {axis}" if counted else f"over {axis}"
    carries = ", ".join(f"{n} = {n}" for n in kept)
    place = node.span.to(_colon(node))
    return write(place, f"scan {steps} with {carries}:", "a scan steps along an axis")


def changed_in(node: tree.For) -> set[str]:
    """The names that get values, and the lists that grow or shrink."""
    return {t.id for s in node.body for t in targets(s)} | lists.changed(node.body)


_COUNTS = frozenset("ijklmn")


def no_list(ctx: Context, node: tree.For, value: Static) -> NoReturn:
    """Report a loop over what is no list."""
    text, place = "a loop runs over a list or a range", node.iterable.span
    label = f"this is {describe(value)}"
    ctx.fail("N220", text, place, label, **_as_list(ctx, node, value))


def _as_list(ctx: Context, node: tree.For, value: Static) -> Advice:
    name = node.iterable.id if isinstance(node.iterable, tree.Name) else ""
    if name in ctx.axes:
        help = f"a scan steps along an axis: `scan xt in x over {name} with ...`"
        return {"help": help}
    if value.flavor not in ("int", "unknown"):
        return {}
    if (param := _list_without_default(ctx, name)) is not None:
        why = f"a default says what the elements of `{param}` are"
        return {"help": f"{why}: `{param} = [[1, 2], [3]]`"}
    number = node.iterable.span.text
    if isinstance(node.iterable, tree.Number) or _counts(node):
        return write(node.iterable.span, f"range({number})")
    return {"help": f"write `[{number}]`, or `range({number})` to count"}


def _counts(node: tree.For) -> bool:
    """Whether a loop's variable has a name of those that count."""
    return all(t.id in _COUNTS or t.id.startswith("_") for t in node.targets)


def _list_without_default(ctx: Context, name: str) -> str | None:
    """The parameter of whose list a name is an element, where nothing says what those are."""
    for root in sorted(ctx.roots((name,)) - {name}):
        param = ctx.params.get(root)
        if param is not None and param.kind is Kind.LIST and param.default is None:
            return root
    return None
