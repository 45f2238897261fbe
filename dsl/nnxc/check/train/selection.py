"""Which weights train: `only` and `freeze`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, TypeAlias

from ... import ir
from ...diagnostics import Advice, write
from ...ir.fold_statements import declared, placed_items, repeats
from ...source import Span
from ...syntax import tree
from ..context import Context
from ..foreign import native
from ..values import Fault, Signature

if TYPE_CHECKING:
    from .train_parts import Parts


UNKNOWN = ("*",)  # the weights of Python code


def select(ctx: Context, node: tree.Select, parts: Parts, signature: Signature) -> None:
    """`only paths` or `freeze paths`, every path being one of the model."""
    goal = parts.goal
    if parts.adapters:
        text = f"`{node.keyword}` and `adapt` exclude each other"
        ctx.fail("N517", text, node.span, help="only adapters train")
    other = "freeze" if node.keyword == "only" else "only"
    if getattr(goal, other):
        ctx.fail("N509", "`only` and `freeze` exclude each other", node.span)
    chosen = getattr(goal, node.keyword)
    broken = False
    for path in node.paths:
        try:
            chosen.append(_chosen(ctx, path, chosen, signature))
        except Fault:
            broken = True
    if broken:
        raise Fault


def _chosen(
    ctx: Context, path: tree.Expr, chosen: list[str], signature: Signature
) -> str:
    inner, place = path, ""
    match path:
        case tree.Index(base, (item,)):
            inner, place = base, _place(ctx, item, path.span)
    name = dotted(ctx, inner)
    exists(ctx, inner, name.split("."), signature)
    if place and not _is_list(signature, name.split(".")):
        text = f"`{name}` is no list of layers"
        ctx.fail("N510", text, path.span, help=f"write `{name}`")
    if name + place in chosen:
        ctx.fail("N202", f"`{name}{place}` is named twice", path.span)
    return name + place


def _place(ctx: Context, item: tree.Expr | tree.Slice, span: Span) -> str:
    """`[0]` or `[-2:]`, of whole numbers."""
    parts: list[tree.Expr | None] = []
    stepped = isinstance(item, tree.Slice) and item.step is not None
    parts += [item.lower, item.upper] if isinstance(item, tree.Slice) else [item]
    numbers = ["" if part is None else _whole(part) for part in parts]
    found = [number for number in numbers if number is not None]
    if stepped or len(found) < len(numbers):
        text = "layers of a list are chosen by whole numbers"
        ctx.fail("N510", text, span, help="such as `h[0]`, `h[:2]` or `h[-2:]`")
    return f"[{':'.join(found)}]"


def _whole(part: tree.Expr) -> str | None:
    sign = ""
    if isinstance(part, tree.Unary) and part.op == "-":
        sign, part = "-", part.operand
    if isinstance(part, tree.Number) and isinstance(part.value, int):
        return f"{sign}{part.value}"
    return None


def _is_list(signature: Signature, path: list[str]) -> bool:
    """Whether a path names layers of a loop or a stack, outside of any other."""
    here: Signature | None = signature
    for position, name in enumerate(path):
        if here is None:
            return False
        layers = _in_loops(here.definition.body)
        if name not in layers or layers[name][1] is not (position + 1 == len(path)):
            return False
        callee = layers[name][0].callee
        here = here.callees.get(callee) if isinstance(callee, str) else None
    return True


def _in_loops(body: Sequence[ir.Stmt]) -> dict[str, tuple[ir.Layer, bool]]:
    """Layers by name, and whether there are several of each."""
    return {
        item.name: (item, bool(repeats(around)) or item.count is not None)
        for item, around in placed_items(body)
        if isinstance(item, ir.Layer)
    }


def dotted(ctx: Context, node: tree.Expr) -> str:
    """A path of layers as text. Reports N510."""
    match node:
        case tree.Name(name):
            return name
        case tree.Attribute(value, name):
            return f"{dotted(ctx, value)}.{name}"
    ctx.fail(
        "N510", "a path of weights is dotted names, such as `encoder.wte`", node.span
    )


def told_where_whole(signature: Signature) -> None:
    """Give up silently where a mistake in a definition may be what keeps a layer from being there."""
    if signature.broken:
        raise Fault
    for callee in signature.callees.values():
        told_where_whole(callee)


def exists(
    ctx: Context, node: tree.Expr, path: list[str], signature: Signature
) -> None:
    """Follow the path through the model's layers; of several kinds of one name, one has it."""
    here = [signature]
    for position, name in enumerate(path):
        members = [(one, *_members(one)) for one in here]
        having = [m for m in members if name in m[1] or name in m[2]]
        if not having:
            for one in here:
                told_where_whole(one)
            known = [
                n for _, layers, variables in members for n in (*layers, *variables)
            ]
            ctx.fail(
                "N511",
                f"`{here[-1].definition.name}` has no layer `{name}`",
                node.span,
                **_meant(ctx, node, name, list(dict.fromkeys(known))),
            )
        kinds = [(one, k) for one, layers, _ in having for k in layers.get(name, ())]
        here = [
            one.callees[k]
            for one, k in kinds
            if isinstance(k, str) and k in one.callees
        ]
        weights = [w for _, k in kinds if isinstance(k, tuple) for w in k]
        rest = ".".join(path[position + 1 :])
        if not rest or rest in weights:
            return
        if not here:
            _not_inside(
                ctx, node, name, rest, weights, UNKNOWN in [k for _, k in kinds]
            )


def _not_inside(
    ctx: Context,
    node: tree.Expr,
    name: str,
    rest: str,
    weights: list[str],
    brought: bool,
) -> None:
    if brought:
        help = f"what is inside of Python code is not known here; name `{name}`"
        ctx.fail("N511", f"`{name}` is an `extern`", node.span, help=help)
    advice = ctx.suggest(rest, weights, node.span)
    ctx.fail("N511", f"`{name}` has no `{rest}`", node.span, **advice)


def _meant(ctx: Context, node: tree.Expr, name: str, known: list[str]) -> Advice:
    near = ctx.suggest(name, known, node.span)
    if name in ("model", "self") and isinstance(node, tree.Attribute):
        path = node.span.text.partition(".")[2]
        return write(node.span, path, "a path begins inside of the model")
    if not near and known:
        near = {"help": "it has " + ", ".join(f"`{n}`" for n in known[:6])}
    return native.advice(ctx, node, near)


Inside: TypeAlias = str | tuple[str, ...]  # a block's name, or the names of weights


def _members(signature: Signature) -> tuple[dict[str, list[Inside]], set[str]]:
    """Layers, each with what is inside of those of that name, and variables of a definition."""
    layers: dict[str, list[Inside]] = {}
    variables: set[str] = set()
    for item in declared(signature.definition.body):
        if isinstance(item, ir.Variable):
            variables.add(item.name)
            continue
        callee = item.callee
        inside = callee if isinstance(callee, str) else tuple(item.weights)
        brought = not isinstance(callee, str) and callee.origin is not None
        layers.setdefault(item.name, []).append(UNKNOWN if brought else inside)
    return layers, variables
