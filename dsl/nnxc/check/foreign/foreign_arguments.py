"""Arguments of foreign calls as they are written here, by what the parameter is."""

from __future__ import annotations

import re
from collections.abc import Sequence

from ...ops.base import Kind, Op, Param
from ...record import Record
from ...shapes import DTYPES
from ...syntax import tree
from ..context import Context
from . import argument_names, tables
from .foreign_forms import Spell
from .foreign_names import is_number, known, takes_sizes
from .tree_parts import whole_number


def listed(ctx: Context, spell: Spell, items: Sequence[Record]) -> str:
    return "[" + ", ".join(spell(ctx, item) for item in items) + "]"


def by_position(
    ctx: Context, spell: Spell, params: Sequence[Param], args: Sequence[tree.Arg]
) -> list[str]:
    """Arguments by position; more of them than there are parameters are one list."""
    if params and params[0].kind in (Kind.SHAPE, Kind.AXES) and len(args) > len(params):
        return [listed(ctx, spell, [a.value for a in args])]
    shaped = bool(args) and isinstance(args[0].value, tree.ListOf)
    if params and params[0].kind is Kind.SHAPE and len(args) > 1 and not shaped:
        return [listed(ctx, spell, [a.value for a in args])]
    kept = args[: len(params)] if not takes_sizes(params) else args
    padded = [*params, *[params[-1]] * len(kept)] if params else []
    return [value(ctx, spell, a.value, p) for a, p in zip(kept, padded, strict=False)]


def by_name(ctx: Context, spell: Spell, op: Op, arg: tree.Arg) -> list[str]:
    """An argument by name, under the name that it has here; none where it says nothing."""
    name = arg.name or ""
    names = [*(p.name for p in op.params), *(i.name for i in op.inputs), "each"]
    if name == "betas" and isinstance(arg.value, tree.ListOf):
        pairs = zip(("b1", "b2"), arg.value.items, strict=False)
        return [f"{n}={spell(ctx, v)}" for n, v in pairs if n in names]
    unneeded = (
        name not in names and name in argument_names.UNNEEDED and op.extra is None
    )
    if unneeded and argument_names.argument(name, names) is None:
        return []
    texts = argument_names.VALUES.get(name, {}) if name not in names else {}
    if name not in names:
        name = argument_names.argument(name, names) or name
    param = op.param(name)
    if isinstance(arg.value, tree.String) and arg.value.value in texts:
        return [f'{name}="{texts[arg.value.value]}"']
    if param is None:
        return [f"{name}={spell(ctx, arg.value, arg)}"]
    return [f"{name}={value(ctx, spell, arg.value, param)}"]


_NUMBERS = (Kind.NUMBER, Kind.SCHEDULE, Kind.SIZE, Kind.INT)


def value(ctx: Context, spell: Spell, node: tree.Expr, param: Param) -> str:
    """An argument as its kind is written."""
    match node:
        case tree.String("tanh" | "none" as text) if param.name == "approximate":
            return str(text == "tanh").lower()
        case tree.Constant(None) if param.kind is Kind.BOOL:
            return "false"
        case tree.String(text) if param.kind is Kind.BOOL and (
            text.casefold() in ("true", "false")
        ):
            return text.casefold()
        case tree.String(text) if param.kind is Kind.STREAM and text.isidentifier():
            return text
        case tree.Call() if param.kind is Kind.STREAM:
            return "noise"
        case tree.String(text) if param.kind in (Kind.AXIS, Kind.AXES) and (
            text in ctx.scope
        ):
            return text
        case tree.String(text) if param.choices and text.casefold() in param.choices:
            return f'"{text.casefold()}"'
        case tree.String(text) if param.kind is Kind.WINDOW and re.fullmatch(
            r"\d+(x\d+)*", text
        ):
            return text
        case tree.String(text) if param.kind is Kind.DTYPE:
            return tables.DTYPES.get(text, text)
        case tree.String(text) if param.kind in _NUMBERS:
            return text if is_number(text) else node.span.text
        case tree.String(text) if param.kind in (Kind.INIT, Kind.FUNCTION):
            return known(ctx, text)
        case tree.ListOf(items, round=True) if param.kind is Kind.WINDOW:
            sizes = [whole_number(i) for i in items]
            if len(sizes) > 1 and all(s is not None and s > 0 for s in sizes):
                return "x".join(str(s) for s in sizes)
            return listed(ctx, spell, items) if len(items) > 1 else spell(ctx, items[0])
        case tree.ListOf((item,), round=True):
            return spell(ctx, item)
        case tree.Name(name) if param.kind is Kind.DTYPE and name not in DTYPES:
            return tables.DTYPES.get(name, name)
        case tree.Name(name) if param.kind is Kind.INIT:
            return known(ctx, name.rstrip("_"))
        case tree.Attribute(name="shape") if param.kind is Kind.SHAPE:
            return spell(ctx, node, tree.Arg(None, node))
    return spell(ctx, node)
