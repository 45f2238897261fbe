"""Foreign expressions as they are written here: the text of a piece of tree.

It is spelt by its own text, in which the parts that others write differently are replaced.
"""

from __future__ import annotations

from collections.abc import Sequence

from ...dims import Dim
from ...ops.base import Input, Op
from ...record import Record, replace
from ...shapes import TensorType
from ...source import Span
from ...syntax import tree
from ..context import Context
from ..values import Listed, Several, Static, number
from . import argument_names, foreign_calls, foreign_forms, tables
from .arrows import has_arrow, placed
from .foreign_arguments import by_name, by_position, listed, value
from .foreign_names import (
    attended,
    entries,
    foreign_sizes,
    from_module,
    is_dtype,
    known,
)
from .tensor_parts import axis_size, is_layer, open_size, type_of
from .tree_parts import as_written, children, last_name, moved_from, whole_number


def spell(ctx: Context, node: Record, parent: Record | None = None) -> str:
    """A piece of tree as it is written here; its own text where nothing in it is foreign."""
    match node:
        case tree.Named(value) | tree.Branch((tree.Named(value), *_), alike=True):
            head, arrow, rest = spell(ctx, value, node).partition(" -> ")
            return f"{head} as {node.span.text.rpartition(' as ')[2]}{arrow}{rest}"
        case tree.Call():
            text = _call(ctx, as_written(node), parent)
        case tree.Attribute(value, "shape") if isinstance(parent, tree.Arg):
            text = _shape(ctx, value)
        case tree.Attribute():
            text = _attribute(ctx, node)
        case tree.Index(tree.Attribute(value, "shape"), (item,)):
            text = axis_size(ctx, value, item)
        case tree.ListOf(items, round=True) if not isinstance(parent, tree.Return):
            text = listed(ctx, spell, items)
        case tree.ListOf(items, round=True):
            text = ", ".join(spell(ctx, item, node) for item in items)
        case tree.Binary("@", left, right):
            sides = (placed(spell(ctx, s, node), node) for s in (left, right))
            text = f"matmul({', '.join(sides)})"
        case tree.Constant(value):
            text = {True: "true", False: "false", None: "none"}[value]
        case tree.Name(name) if (pooled := tables.pool(name)) and (
            name not in ctx.scope
        ):
            text = pooled
        case tree.Name(name) if not isinstance(parent, tree.Arg):
            text = known(ctx, name)
        case _:
            text = None
    return _rebuilt(ctx, node) if text is None else text


def _rebuilt(ctx: Context, node: Record) -> str:
    """The text of a node, its children spelt."""
    span: Span = node.span  # type: ignore[attr-defined]
    text, offset = span.text, span.start
    spans = [(c, c.span) for c in children(node) if isinstance(getattr(c, "span", None), Span)]  # type: ignore[attr-defined]
    for child, at in sorted(spans, key=lambda pair: -pair[1].start):
        if (
            at.source is not span.source
            or not span.start <= at.start <= at.end <= span.end
        ):
            continue
        new = placed(spell(ctx, child, node), node)
        if new != at.text:
            text = text[: at.start - offset] + new + text[at.end - offset :]
    return text


def _shape(ctx: Context, node: tree.Expr) -> str | None:
    """`x.shape` of a tensor, as a shape is written."""
    kind = type_of(ctx, node)
    if kind is None or kind.lead:
        return None
    return f"[{', '.join(map(str, kind.sizes))}]"


def _attribute(ctx: Context, node: tree.Attribute) -> str | None:
    name = from_module(ctx, node)
    if name is not None and (pooled := tables.pool(name)):
        return pooled
    if name is not None:
        return tables.DTYPES.get(name) or known(ctx, name)
    if node.name in tables.METHODS:
        return tables.METHODS[node.name].format(x=spell(ctx, node.value, node))
    kind = type_of(ctx, node.value)
    if node.name in ("ndim", "rank") and kind:
        return str(kind.rank)
    return None


def _call(ctx: Context, node: tree.Call, parent: Record | None) -> str | None:
    if isinstance(node.func, tree.Call):
        return _constructed(ctx, node.func, node.args)
    name = from_module(ctx, node.func)
    if name is None and isinstance(node.func, tree.Attribute):
        return _method(ctx, node.func, node.args)
    if name is None and isinstance(node.func, tree.Name):
        name = node.func.id
    if name is None or name in ctx.scope or name in ctx.signatures:
        return None
    if pooled := tables.pool(name):
        return pooled
    args = node.args
    if form := foreign_forms.form(
        ctx, spell, name, args, isinstance(parent, tree.Stage)
    ):
        return form
    if name in ("Activation", "get") and len(args) == 1:
        return _activation(ctx, args[0].value).removeprefix(" -> ")
    if name == "Sequential":
        stages = (tree.Stage(a.value) for a in _chained(args))
        return " -> ".join(spell(ctx, s.value, s) for s in stages)
    held = ctx.scope.get(last_name(args[0].value)) if args else None
    if name == "len" and held and isinstance(held.value, Listed):
        return str(held.value.count) if held.value.count is not None else None
    if name == "len" and held and isinstance(held.value, Several):
        return str(len(held.value.types))
    if name == "len" and args and (kind := type_of(ctx, args[0].value)) and kind.axes:
        return str(kind.sizes[0])
    moved, staged = None, isinstance(parent, tree.Stage)
    on_first = name in _ON_FIRST or node.func.span.text == "torch.split"
    if on_first and args and args[0].name is None and not staged:
        moved = _on_tensor(ctx, name, args[0].value, args[1:])
    if moved is not None:
        return moved
    if name == "permute" and staged and len(args) > 1:
        return f"transpose({listed(ctx, spell, [a.value for a in args])})"
    return entry(ctx, name, args, staged)


def _constructed(ctx: Context, func: tree.Call, args: Sequence[tree.Arg]) -> str | None:
    """`Layer(...)(x)`, `Loss()(x, y)`."""
    made, named = spell(ctx, func), last_name(func.func)
    if joined := foreign_forms.combined(spell, ctx, named, args):
        return joined
    if made == func.span.text and any(a.name in argument_names.UNNEEDED for a in args):
        args = [a for a in args if a.name not in argument_names.UNNEEDED]
        return f"{made}({', '.join(spell(ctx, a) for a in args)})" if args else None
    if made == func.span.text or not args:
        return None
    loss = entries(ctx).get(known(ctx, named))
    if loss is not None and loss.group in ("loss", "metric"):
        turned = foreign_forms.labels_first(func.func, args)
        plain = args[::-1] if turned else args
        return entry(ctx, named, (*plain, *func.args), False)
    first, *rest = [spell(ctx, a, None) for a in args]
    op = entries(ctx).get(made.partition("(")[0])
    if has_arrow(made) or (op is not None and op.group == "layer"):
        return f"{first} -> {made}" if not rest else attended(made, first, rest)
    inside = made.partition("(")[2].removesuffix(")")
    name = made.partition("(")[0]
    return f"{name}({', '.join([first, *rest, *([inside] if inside else [])])})"


def _chained(args: Sequence[tree.Arg]) -> Sequence[tree.Arg]:
    """The layers of a `Sequential`, also where they stand in a list."""
    match args:
        case (tree.Arg(_, tree.ListOf(items)),):
            return [tree.Arg(None, i, i.span) for i in items]
    return args


def _method(ctx: Context, func: tree.Attribute, args: Sequence[tree.Arg]) -> str | None:
    """`x.name(args)`."""
    name, value = func.name, func.value
    name = name if name.startswith("_") else name.rstrip("_")  # in place, there
    if name == "forward" or (name in ("apply", "__call__") and args):
        given = ", ".join(spell(ctx, a, None) for a in args)
        return f"{spell(ctx, value, func)}({given})"
    if is_layer(ctx, value):
        return None
    if text := _on_tensor(ctx, name, value, args):
        return text
    if name in ("append", "pop", "insert", "extend"):
        return None
    if name == "expand" and len(args) > 1:
        return None  # its sizes are not known
    own = known(ctx, name)
    op = entries(ctx).get(own)
    if op is None and args and not own.strip("+-*/"):
        return f"{spell(ctx, value, func)} {own} {spell(ctx, args[0], None)}"
    if op is None or not op.inputs:
        return None
    first = tree.Arg(None, value, value.span)
    return entry(ctx, name, (first, *args), False)


_ON_FIRST = frozenset(
    ("reshape", "view", "permute", "size", "unsqueeze", "masked_fill", "chunk")
)


def _made_anew(
    ctx: Context,
    name: str,
    value: tree.Expr,
    args: Sequence[tree.Arg],
    flat: Sequence[tree.Expr],
) -> str | None:
    """Methods that say a shape, parts or a dtype in another way."""
    x, given = _subject(ctx, value), [a.value for a in args]
    match name:
        case "new_zeros" | "new_ones" if flat:
            return f"{name.removeprefix('new_')}({listed(ctx, spell, flat)})"
        case "split" if parts := foreign_calls.counted(ctx.statement, value, given):
            first = tree.Arg(None, value, value.span)
            rest = [a for a in args[1:] if a.name]
            return entry(ctx, "split", (first, parts, *rest), False)
        case "to" | "type" if len(given) == 1 and (
            dtype := foreign_calls.dtype_of(from_module(ctx, given[0]))
        ):
            return f"astype({x}, {dtype})"
    return None


def _on_tensor(
    ctx: Context, name: str, value: tree.Expr, args: Sequence[tree.Arg]
) -> str | None:
    """What methods do with a tensor that no function here does under a like name."""
    x = _subject(ctx, value)
    given = [a.value for a in args]
    flat = given
    if len(given) == 1 and isinstance(given[0], tree.ListOf):
        flat = list(given[0].items)
    if made := _made_anew(ctx, name, value, args, flat):
        return made
    match name:
        case "view" | "reshape" if flat:
            return _reshaped(ctx, x, value, flat)
        case "permute":
            return f"transpose({x}, {listed(ctx, spell, flat)})"
        case "transpose" if len(given) == 2:
            return f"swapaxes({x}, {', '.join(spell(ctx, g) for g in given)})"
        case "size" | "shape" if len(given) == 1:
            return axis_size(ctx, value, given[0])
        case "unsqueeze" | "expand_dims" if len(given) == 1:
            return f"expand({x}, {spell(ctx, given[0])})"
        case "dim" if not given and (kind := type_of(ctx, value)):
            return str(kind.rank)
        case "masked_fill" if len(given) == 2:
            mask, fill = (spell(ctx, g) for g in given)
            return f"where({mask}, {fill}, {x})"
        case "expand" | "repeat" if moved := foreign_forms.moved(
            ctx, spell, name, x, value, flat
        ):
            return moved
        case "chunk":
            return entry(
                ctx, "split", (tree.Arg(None, value, value.span), *args), False
            )
        case _ if name in tables.SAME:
            return x
        case _ if name in tables.METHODS and not given:
            return tables.METHODS[name].format(x=x)
    return None


def _subject(ctx: Context, node: tree.Expr) -> str:
    text = spell(ctx, node)
    plain = isinstance(node, (tree.Name, tree.Call, tree.Index, tree.Attribute))
    return (
        text if (plain and not has_arrow(text)) or text.startswith("(") else f"({text})"
    )


def _reshaped(
    ctx: Context, x: str, value: tree.Expr, dims: Sequence[tree.Expr]
) -> str | None:
    """A reshape, `-1` as the size that it stands for."""
    texts = [spell(ctx, d) for d in dims]
    open_ = [i for i, d in enumerate(dims) if whole_number(d) == -1]
    kind = type_of(ctx, moved_from(value))
    if len(open_) > 1 or (open_ and (kind is None or kind.lead)):
        return None
    if open_ and kind is not None:
        rest = [_dim(ctx, kind, d) for d in dims if whole_number(d) != -1]
        known = [d for d in rest if d is not None]
        if len(known) < len(rest):
            return None
        size = open_size(kind.sizes, known)
        if size is None:
            return None
        texts[open_[0]] = str(size)
    return f"{x} -> [{', '.join(texts)}]"


def _dim(ctx: Context, kind: TensorType, node: tree.Expr) -> Dim | None:
    if (value := whole_number(node)) is not None:
        return number(value).dim
    text = spell(ctx, node)
    for size in kind.sizes:
        if str(size) == text:
            return size
    held = ctx.scope.get(text)
    return held.value.dim if held and isinstance(held.value, Static) else None


def entry(
    ctx: Context, name: str, args: Sequence[tree.Arg], staged: bool
) -> str | None:
    """A call of something that the library has, perhaps under another name."""
    told = (tables.BY_ARGUMENT.get((name, a.name or "")) for a in args)
    own = next((n for n in told if n), known(ctx, name))
    op = entries(ctx).get(own)
    if not own.strip("+-*/") and len(args) == 2:
        return f"{spell(ctx, args[0].value)} {own} {spell(ctx, args[1].value)}"
    if op is None:
        return None
    own, op, args = foreign_calls.wider(entries(ctx), op, args)
    args = foreign_calls.as_here(op, name, foreign_calls.unflattened(op, args))
    gathered = foreign_forms.reduced(op, args)
    if gathered != "mean" and own in foreign_forms.EACH:
        own = foreign_forms.EACH[own]
        op = entries(ctx)[own]
    plain, named = _divided(ctx, op, name, args, staged)
    inputs = _inputs(op, plain, staged)
    texts, after = _in_order(ctx, op, inputs, plain), ""
    for arg in named:
        if arg.name == "activation" and op.param("activation") is None:
            after = _activation(ctx, arg.value)
            continue
        other = foreign_forms.named(ctx, spell, op, arg, texts)
        texts += by_name(ctx, spell, op, arg) if other is None else other
    if foreign_forms.draws(op, args):
        texts.append("rng=noise")
    bare = own if not texts and (staged or not inputs) else f"{own}({', '.join(texts)})"
    if foreign_forms.goes_both_ways(op, args):
        return foreign_forms.both_ways(bare) + after
    return (f"sum({bare})" if gathered == "sum" else bare) + after


def _divided(
    ctx: Context, op: Op, name: str, args: Sequence[tree.Arg], staged: bool
) -> tuple[Sequence[tree.Arg], Sequence[tree.Arg]]:
    """The arguments by position, and those by name, as they are here."""
    plain = [*foreign_forms.keyless(ctx, op, [a for a in args if a.name is None])]
    named = [a for a in args if a.name is not None]
    plain, switch = foreign_calls.with_switch(op, plain)
    plain = plain[foreign_sizes(ctx, op, name, plain, named) :]
    count = len(_inputs(op, plain, staged))
    plain, behind = foreign_calls.by_their_order(op, plain, count)
    named = [*behind, *switch, *named]
    if len(plain) > 1 and op.param("dtype") and is_dtype(plain[-1].value):
        named = [*named, replace(plain.pop(), name="dtype")]
    further = [i.name for i in op.inputs[1:]] if op.group == "layer" else []
    for arg, name in zip(
        [a for a in plain if type_of(ctx, a.value)], further, strict=False
    ):
        plain.remove(arg)
        named = [replace(arg, name=name), *named]
    if op.group == "optimizer":
        plain = [a for a in plain if "parameters" not in a.span.text]
    return plain, named


def _inputs(op: Op, plain: Sequence[tree.Arg], staged: bool) -> list[Input]:
    """The inputs that the first arguments by position are."""
    if op.inputs and op.inputs[0].many and not staged and plain:
        lists = isinstance(plain[0].value, tree.ListOf)
        return [op.inputs[0]] * (1 if lists else len(plain))
    if op.group in ("layer", "optimizer", "schedule", "adapter", "initializer"):
        return []
    inputs = [i for i in op.inputs if not i.optional]
    return inputs[1:] if staged and inputs and not inputs[0].many else inputs


def _in_order(
    ctx: Context, op: Op, inputs: Sequence[Input], plain: Sequence[tree.Arg]
) -> list[str]:
    """The texts of arguments by position."""
    texts = [spell(ctx, a.value, a) for a in plain[: len(inputs)]]
    params = [p for p in op.params if p.positional]
    if plain and inputs and inputs[0].many and isinstance(plain[0].value, tree.ListOf):
        pairs = zip(params, plain[1:], strict=False)
        return texts + [f"{p.name}={value(ctx, spell, a.value, p)}" for p, a in pairs]
    return texts + by_position(ctx, spell, params, plain[len(inputs) :])


def _activation(ctx: Context, node: tree.Expr) -> str:
    """What an `activation=` does, as the arrow that follows."""
    text = node.value if isinstance(node, tree.String) else spell(ctx, node)
    own = known(ctx, text)
    return "" if own in ("linear", "none") else f" -> {own}"
