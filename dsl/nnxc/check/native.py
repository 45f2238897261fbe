"""Foreign expressions as they are written here: the texts that helps propose.

A piece of tree is spelt by its own text, in which the parts that others write differently are
replaced. Called only where a mistake was found.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from ..diagnostics import Advice, Fix, meant, remove, write
from ..dims import Dim, DimError, floordiv, product
from ..ops import INITIALIZERS, LOSSES, METRICS, OPTIMIZERS, SCHEDULES
from ..ops.adapters import ADAPTERS
from ..ops.base import Kind, Op, Param
from ..record import Record, names_of, replace
from ..shapes import DTYPES, TensorType
from ..source import Span
from ..syntax import tree
from . import foreign
from .context import Context
from .values import Listed, Tensor

Chain = list[Record]  # from a statement down to a node of it


def advice(ctx: Context, node: Record, otherwise: Advice | None = None) -> Advice:
    """What to write in the place of the foreign expression in which `node` stands."""
    chain = _path(ctx.statement, node) or [node]
    if found := _needless(ctx, chain):
        return found
    if found := _statement(ctx, chain):
        return found
    top, parent = _top(chain)
    text = _placed(spell(ctx, top, parent), parent)
    if isinstance(parent, tree.Assign) and _is_chain(top):
        return inlined(ctx, parent, text) or otherwise or {}
    if text == top.span.text:  # type: ignore[attr-defined]
        return otherwise or {}
    span: Span = top.span  # type: ignore[attr-defined]
    return _one_word(node, span, text) or write(span, text)


def _is_chain(node: Record) -> bool:
    return isinstance(node, tree.Call) and _last(node.func) == "Sequential"


def inlined(ctx: Context, node: tree.Assign, text: str | None = None) -> Advice | None:
    """Advice to write a value in the one place further down where its name stands, and not to give
    it that name; None where there are several."""
    source, name = node.span.source, node.targets[0].id
    line = _whole_line(node.span)
    end = re.compile(r"^\S", re.M).search(source.text, line.end)
    below = source.text[line.end : end.start() if end else len(source.text)]
    used = [*re.finditer(rf"\b{name}\b", below)]
    if len(used) != 1:
        return None
    stop = below.find("\n", used[0].end())
    rest = below[: stop if stop >= 0 else len(below)]
    value = spell(ctx, node.value, node) if text is None else text
    new = rest[: used[0].start()] + value + rest[used[0].end() :]
    place = Span(source, line.start, line.end + len(rest))
    return {
        "help": f"write it where it is used: `{_line_of(new, value)}`",
        "fix": Fix(place, new),
    }


def _line_of(text: str, value: str) -> str:
    return next(line.strip() for line in text.split("\n") if value in line)


def too_many(ctx: Context, arg: tree.Arg, otherwise: Advice | None = None) -> Advice:
    """Advice where a call has more arguments by position than are taken: sizes of inputs are those
    of another library, others are left out."""
    if found := advice(ctx, arg):
        return found
    chain = _path(ctx.statement, arg)
    call = chain[-2] if len(chain) > 1 else None
    if not isinstance(call, tree.Call) or arg not in call.args:
        return otherwise or {}
    kept = call.args[: call.args.index(arg)]
    inside = call.span.text[: arg.span.start - call.span.start].rstrip().rstrip(",")
    text = f"{inside})" if kept else inside.removesuffix("(")
    return write(call.span, text)


def without_input_size(ctx: Context, op: Op, arg: tree.Arg) -> Advice:
    """Advice to leave out the size of an input, which moved an argument to the next place."""
    chain = _path(ctx.statement, arg)
    call = chain[-2] if len(chain) > 1 else None
    if op.name not in foreign.INPUT_SIZES or not isinstance(call, tree.Call):
        return {}
    if len(call.args) < 2 or call.args[0].name is not None:
        return {}
    rest = tree.Call(call.func, call.args[1:], call.span)
    text = _entry(ctx, op.name, rest.args, False)
    return write(call.span, text, "sizes of inputs are inferred") if text else {}


def _one_word(node: Record, span: Span, text: str) -> Advice | None:
    """Where only the name at fault changes, that alone."""
    name = _name_of(node)
    if name is None:
        return None
    start, end = name.start - span.start, name.end - span.start
    before, after = span.text[:start], span.text[end:]
    word = text[len(before) : len(text) - len(after)]
    fits = before + word + after == text and word.isidentifier()
    return meant(name, word) if fits else None


def _name_of(node: Record) -> Span | None:
    match node:
        case tree.Name(_, span):
            return span
        case tree.Arg(str() as name, _, span):
            return span.place_of(name)
        case tree.Attribute(name_span=span):
            return span
    return None


def _path(root: object, node: Record) -> Chain:
    """The nodes from `root` down to `node`, or none."""
    if root is node:
        return [node]
    for child in _children(root):
        if below := _path(child, node):
            return [root, *below] if isinstance(root, Record) else below
    return []


def _children(node: object) -> Iterator[Record]:
    values: Sequence[object] = ()
    if isinstance(node, Record) and not isinstance(node, Span):
        values = [getattr(node, name) for name in names_of(node)]
    for value in values:
        for item in value if isinstance(value, tuple) else (value,):
            if isinstance(item, Record) and not isinstance(item, Span):
                yield item


def _top(chain: Chain) -> tuple[Record, Record | None]:
    """The whole of what a node begins, and what that stands in."""
    at = len(chain) - 1
    inner = isinstance(chain[at], (tree.Arg, tree.ListOf))
    while at:
        node, parent = chain[at], chain[at - 1]
        match parent:
            case tree.Attribute() | tree.Named():
                pass
            case tree.Index(value) if value is node:
                pass
            case tree.Call(func) if func is node or inner:
                pass
            case tree.Arg() if inner:
                pass
            case _:
                break
        at -= 1
    return chain[at], chain[at - 1] if at else None


def _needless(ctx: Context, chain: Chain) -> Advice | None:
    """Advice to leave out a statement that elsewhere does what is generated here."""
    for node in chain:
        if isinstance(node, tree.Evaluate) and isinstance(node.value, tree.Call):
            func = node.value.func
            while isinstance(func, tree.Attribute) and isinstance(
                func.value, tree.Call
            ):
                func = func.value.func
            name = _last(func)
            if name in foreign.NOTHING and name not in ctx.scope:
                return remove(_whole_line(node.span), foreign.NOTHING[name])
    return None


def _statement(ctx: Context, chain: Chain) -> Advice | None:
    """Statements that are another kind of statement here."""
    match chain[0]:
        case tree.Assign(targets, "=", tree.Attribute(value, "shape")):
            kind = _type(ctx, value)
        case tree.Assign(targets, "=", tree.Call(tree.Attribute(value, "size"), ())):
            kind = _type(ctx, value)
        case tree.Assign((name,), "=", tree.Call(func, (arg,)), span) if _last(
            func
        ) == "Parameter" and isinstance(arg.value, tree.Call):
            first = _last(arg.value.func)
            init = {"randn": "normal", "empty": "zeros", "rand": "uniform"}.get(
                first, first
            )
            dims = [a.value for a in arg.value.args]
            if len(dims) == 1 and isinstance(dims[0], tree.ListOf):
                dims = [*dims[0].items]
            return write(span, f"param {name.id}: {_listed(ctx, dims)} = {init}")
        case _:
            return None
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
        return remove(_whole_line(span), "sizes have names: leave it out")
    margin = "\n" + " " * (span.source.position(span.start)[1] - 1)
    text = margin.join(f"{name} = {size}" for name, size in read)
    return write(span, text, "sizes have names")


def _whole_line(span: Span) -> Span:
    """A statement with its line end and indentation."""
    text = span.source.text
    start = text.rfind("\n", 0, span.start) + 1
    end = text.find("\n", span.end) + 1 or len(text)
    return Span(span.source, start, end)


def _last(node: object) -> str:
    match node:
        case tree.Name(name) | tree.Attribute(_, name):
            return name
    return ""


# ------------------------------------------------------------------- spelling


def spell(ctx: Context, node: Record, parent: Record | None = None) -> str:
    """A piece of tree as it is written here; its own text where nothing in it is foreign."""
    match node:
        case tree.Named(value, name):
            head, arrow, rest = spell(ctx, value, node).partition(" -> ")
            return f"{head} as {name}{arrow}{rest}"
        case tree.Call():
            text = _call(ctx, node, parent)
        case tree.Attribute():
            text = _attribute(ctx, node)
        case tree.Index(tree.Attribute(value, "shape"), (item,)):
            text = _axis_size(ctx, value, item)
        case tree.ListOf(items, round=True) if not isinstance(parent, tree.Return):
            text = _listed(ctx, items)
        case tree.ListOf(items, round=True):
            text = ", ".join(spell(ctx, item, node) for item in items)
        case tree.Binary("@", left, right):
            sides = (_placed(spell(ctx, s, node), node) for s in (left, right))
            text = f"matmul({', '.join(sides)})"
        case tree.Constant(value):
            text = {True: "true", False: "false", None: "none"}[value]
        case tree.Name(name) if name in foreign.POOLS:
            text = foreign.POOLS[name]
        case tree.Name(name) if not isinstance(parent, tree.Arg):
            text = known(ctx, name)
        case _:
            text = None
    return _rebuilt(ctx, node) if text is None else text


def _rebuilt(ctx: Context, node: Record) -> str:
    """The text of a node, its children spelt."""
    span: Span = node.span  # type: ignore[attr-defined]
    text, offset = span.text, span.start
    spans = [(c, c.span) for c in _children(node) if isinstance(getattr(c, "span", None), Span)]  # type: ignore[attr-defined]
    for child, at in sorted(spans, key=lambda pair: -pair[1].start):
        if (
            at.source is not span.source
            or not span.start <= at.start <= at.end <= span.end
        ):
            continue
        new = _placed(spell(ctx, child, node), node)
        if new != at.text:
            text = text[: at.start - offset] + new + text[at.end - offset :]
    return text


def _placed(text: str, parent: Record | None) -> str:
    """In parentheses where arrows do not stand as they are."""
    bare = (tree.Arg, tree.Pipe, tree.Stage, tree.ListOf, tree.Assign, tree.Return)
    if parent is None or isinstance(parent, (*bare, tree.Evaluate, tree.Named)):
        return text
    return f"({text})" if _arrows(text) else text


def _arrows(text: str) -> bool:
    """Whether a text has an arrow outside of brackets."""
    depth = 0
    for at, char in enumerate(text):
        depth += (char in "([") - (char in ")]")
        if not depth and text.startswith("->", at):
            return True
    return False


def _listed(ctx: Context, items: Sequence[Record]) -> str:
    return "[" + ", ".join(spell(ctx, item) for item in items) + "]"


def _from_module(ctx: Context, node: object) -> str | None:
    """`softmax` of `torch.nn.functional.softmax`: what stands by itself here."""
    while isinstance(node, tree.Attribute) and node.name in foreign.MODULES:
        node = node.value
    match node:
        case tree.Attribute(value, name):
            root: object = value
            while isinstance(root, tree.Attribute):
                root = root.value
            if isinstance(root, tree.Name) and _is_module(ctx, root.id):
                return name
    return None


def _is_module(ctx: Context, name: str) -> bool:
    return name in foreign.MODULES and name not in ctx.scope and name not in ctx.axes


def known(ctx: Context, name: str) -> str:
    """What a name of others is here; the same where nothing is known of it."""
    if name in ctx.scope or name in ctx.functions or name in ctx.signatures:
        return name
    if name in foreign.NAMES:
        return foreign.NAMES[name]
    folded = re.sub(r"[123]d$", "", name.casefold().replace("_", ""))
    for op in _entries(ctx).values():
        if folded in (n.casefold().replace("_", "") for n in (op.name, *op.aliases)):
            return op.name
    return name


def _entries(ctx: Context) -> dict[str, Op]:
    """All that a call may name, what stands in the spec first."""
    rest = (INITIALIZERS, METRICS, LOSSES, SCHEDULES, ADAPTERS, OPTIMIZERS)
    found = dict(ctx.functions)
    for registry in rest:
        found = {**registry, **found}
    return found


def _attribute(ctx: Context, node: tree.Attribute) -> str | None:
    name = _from_module(ctx, node)
    if name in foreign.POOLS:
        return foreign.POOLS[name]
    if name is not None:
        return foreign.DTYPES.get(name) or known(ctx, name)
    if node.name in foreign.METHODS:
        return foreign.METHODS[node.name].format(x=spell(ctx, node.value, node))
    if node.name in ("ndim", "rank") and (kind := _type(ctx, node.value)):
        return str(kind.rank)
    if node.name == "weight" and isinstance(node.value, tree.Name):
        return None
    return None


# ---------------------------------------------------------------------- calls


def _call(ctx: Context, node: tree.Call, parent: Record | None) -> str | None:
    if isinstance(node.func, tree.Call):
        return _constructed(ctx, node.func, node.args)
    name = _from_module(ctx, node.func)
    if name is None and isinstance(node.func, tree.Attribute):
        return _method(ctx, node.func, node.args)
    if name is None and isinstance(node.func, tree.Name):
        name = node.func.id
    if name is None or name in ctx.scope or name in ctx.signatures:
        return None
    if name in foreign.POOLS:
        return foreign.POOLS[name]
    args = node.args
    if name in ("Activation", "get") and len(args) == 1:
        return _activation(ctx, args[0].value).removeprefix(" -> ")
    if name == "Sequential":
        return " -> ".join(spell(ctx, a.value, a) for a in _chained(args))
    held = ctx.scope.get(_last(args[0].value)) if args else None
    if name == "len" and held and isinstance(held.value, Listed):
        return str(held.value.count) if held.value.count is not None else None
    if name == "len" and args and (kind := _type(ctx, args[0].value)) and kind.axes:
        return str(kind.sizes[0])
    moved, staged = None, isinstance(parent, tree.Stage)
    if name in _ON_FIRST and args and args[0].name is None and not staged:
        moved = _on_tensor(ctx, name, args[0].value, args[1:])
    if moved is not None:
        return moved
    if name == "permute" and staged and len(args) > 1:
        return f"transpose({_listed(ctx, [a.value for a in args])})"
    return _entry(ctx, name, args, staged)


def _constructed(ctx: Context, func: tree.Call, args: Sequence[tree.Arg]) -> str | None:
    """`Layer(...)(x)`, `Loss()(x, y)`."""
    made = spell(ctx, func)
    if made == func.span.text or not args:
        return None
    first, *rest = [spell(ctx, a, None) for a in args]
    op = _entries(ctx).get(made.partition("(")[0])
    if _arrows(made) or (op is not None and op.group == "layer"):
        return f"{first} -> {made}" if not rest else None
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
    if name == "forward" or (name in ("apply", "__call__") and args):
        given = ", ".join(spell(ctx, a, None) for a in args)
        return f"{spell(ctx, value, func)}({given})"
    if _is_layer(ctx, value):
        return None
    if text := _on_tensor(ctx, name, value, args):
        return text
    if name in ("append", "pop", "insert", "extend"):
        return None
    own = known(ctx, name)
    op = _entries(ctx).get(own)
    if op is None and args and not own.strip("+-*/"):
        return f"{spell(ctx, value, func)} {own} {spell(ctx, args[0], None)}"
    if op is None or not op.inputs:
        return None
    first = tree.Arg(None, value, value.span)
    return _entry(ctx, name, (first, *args), False)


def _is_layer(ctx: Context, node: tree.Expr) -> bool:
    held = ctx.scope.get(node.id) if isinstance(node, tree.Name) else None
    return held is not None and held.what == "layer"


_ON_FIRST = frozenset(
    ("reshape", "view", "permute", "size", "unsqueeze", "masked_fill", "chunk")
)


def _on_tensor(
    ctx: Context, name: str, value: tree.Expr, args: Sequence[tree.Arg]
) -> str | None:
    """What methods do with a tensor that no function here does under a like name."""
    x = _subject(ctx, value)
    given = [a.value for a in args]
    flat = given
    if len(given) == 1 and isinstance(given[0], tree.ListOf):
        flat = list(given[0].items)
    match name:
        case "view" | "reshape" if flat:
            return _reshaped(ctx, x, value, flat)
        case "permute":
            return f"transpose({x}, {_listed(ctx, flat)})"
        case "transpose" if len(given) == 2:
            return f"swapaxes({x}, {', '.join(spell(ctx, g) for g in given)})"
        case "size" | "shape" if len(given) == 1:
            return _axis_size(ctx, value, given[0])
        case "unsqueeze" | "expand_dims" if len(given) == 1:
            return f"expand({x}, {spell(ctx, given[0])})"
        case "dim" if not given and (kind := _type(ctx, value)):
            return str(kind.rank)
        case "masked_fill" if len(given) == 2:
            mask, fill = (spell(ctx, g) for g in given)
            return f"where({mask}, {fill}, {x})"
        case "chunk":
            return _entry(
                ctx, "split", (tree.Arg(None, value, value.span), *args), False
            )
        case _ if name in foreign.SAME:
            return x
        case _ if name in foreign.METHODS and not given:
            return foreign.METHODS[name].format(x=x)
    return None


def _subject(ctx: Context, node: tree.Expr) -> str:
    text = spell(ctx, node)
    plain = isinstance(node, (tree.Name, tree.Call, tree.Index, tree.Attribute))
    return (
        text if (plain and not _arrows(text)) or text.startswith("(") else f"({text})"
    )


def _type(ctx: Context, node: object) -> TensorType | None:
    held = ctx.scope.get(node.id) if isinstance(node, tree.Name) else None
    value = held.value if held else None
    return value.type if isinstance(value, Tensor) else None


def _axis_size(ctx: Context, value: tree.Expr, item: object) -> str | None:
    """The size of an axis of a tensor."""
    kind, at = _type(ctx, value), _whole(item)
    if kind is None or at is None or not -kind.rank <= at < kind.rank:
        return None
    return str(kind.sizes[at])


def _whole(node: object) -> int | None:
    match node:
        case tree.Number(int() as number):
            return number
        case tree.Unary("-", tree.Number(int() as number)):
            return -number
    return None


def _reshaped(
    ctx: Context, x: str, value: tree.Expr, dims: Sequence[tree.Expr]
) -> str | None:
    """A reshape, `-1` as the size that it stands for."""
    texts = [spell(ctx, d) for d in dims]
    open_ = [i for i, d in enumerate(dims) if _whole(d) == -1]
    kind = _type(ctx, _moved_from(value))
    if len(open_) > 1 or (open_ and (kind is None or kind.lead)):
        return None
    if open_ and kind is not None:
        rest = [_dim(ctx, kind, d) for d in dims if _whole(d) != -1]
        known = [d for d in rest if d is not None]
        if len(known) < len(rest):
            return None
        try:
            texts[open_[0]] = str(floordiv(product(kind.sizes), product(tuple(known))))
        except DimError:
            return None
    return f"{x} -> [{', '.join(texts)}]"


_MOVES = ("transpose", "permute", "swapaxes", "contiguous", "reshape", "view")


def _moved_from(node: tree.Expr) -> tree.Expr:
    """The tensor whose elements a chain of methods moves about, none lost."""
    while isinstance(node, tree.Call) and isinstance(node.func, tree.Attribute):
        if node.func.name not in _MOVES:
            break
        node = node.func.value
    return node


def _dim(ctx: Context, kind: TensorType, node: tree.Expr) -> Dim | None:
    from .values import Static, number

    if (value := _whole(node)) is not None:
        return number(value).dim
    text = spell(ctx, node)
    for size in kind.sizes:
        if str(size) == text:
            return size
    held = ctx.scope.get(text)
    return held.value.dim if held and isinstance(held.value, Static) else None


# -------------------------------------------------------------------- entries


def _entry(
    ctx: Context, name: str, args: Sequence[tree.Arg], staged: bool
) -> str | None:
    """A call of something that the library has, perhaps under another name."""
    own = known(ctx, name)
    op = _entries(ctx).get(own)
    if not own.strip("+-*/") and len(args) == 2:
        return f"{spell(ctx, args[0].value)} {own} {spell(ctx, args[1].value)}"
    if op is None:
        return None
    wide = _entries(ctx).get(f"{own}w")
    if wide and any(
        a.name and not op.param(a.name) and wide.param(a.name) for a in args
    ):
        own, op = wide.name, wide  # adam(weight_decay=...)
    plain = [a for a in args if a.name is None]
    named = [a for a in args if a.name is not None]
    inputs = [i for i in op.inputs if not i.optional]
    if op.group in ("layer", "optimizer", "schedule", "adapter", "initializer"):
        inputs = []
    elif staged and inputs and not inputs[0].many:
        inputs = inputs[1:]
    plain = plain[_foreign_sizes(op, name, plain, named) :]
    if len(plain) > 1 and op.param("dtype") and _is_dtype(plain[-1].value):
        named = [*named, replace(plain.pop(), name="dtype")]
    if op.group == "optimizer":
        plain = [a for a in plain if "parameters" not in a.span.text]
    texts: list[str] = []
    params = [p for p in op.params if p.positional]
    if op.inputs and op.inputs[0].many and not staged and plain:
        lists = isinstance(plain[0].value, tree.ListOf)
        inputs = [op.inputs[0]] if lists else [op.inputs[0]] * len(plain)
    texts += [spell(ctx, a.value, a) for a in plain[: len(inputs)]]
    if plain and inputs and inputs[0].many and isinstance(plain[0].value, tree.ListOf):
        pairs = zip(params, plain[1:], strict=False)
        texts += [f"{p.name}={value(ctx, a.value, p)}" for p, a in pairs]
    else:
        texts += _positional(ctx, params, plain[len(inputs) :])
    after = ""
    for arg in named:
        if arg.name == "activation" and op.param("activation") is None:
            after = _activation(ctx, arg.value)
        else:
            texts += _named(ctx, op, arg)
    bare = own if not texts and (staged or not inputs) else f"{own}({', '.join(texts)})"
    return bare + after


def _positional(
    ctx: Context, params: Sequence[Param], args: Sequence[tree.Arg]
) -> list[str]:
    """Arguments by position; more of them than there are parameters are one list."""
    if params and params[0].kind in (Kind.SHAPE, Kind.AXES) and len(args) > len(params):
        return [_listed(ctx, [a.value for a in args])]
    if params and params[0].kind is Kind.SHAPE and len(args) > 1:
        return [_listed(ctx, [a.value for a in args])]
    kept = args[: len(params)] if not _sizes(params) else args
    padded = [*params, *[params[-1]] * len(kept)] if params else []
    return [value(ctx, a.value, p) for a, p in zip(kept, padded, strict=False)]


def _is_dtype(node: tree.Expr) -> bool:
    return isinstance(node, tree.Name) and node.id in DTYPES


def _sizes(params: Sequence[Param]) -> bool:
    return any(p.kind in (Kind.SIZES, Kind.INTS) for p in params)


def _foreign_sizes(
    op: Op, name: str, plain: Sequence[tree.Arg], named: Sequence[tree.Arg]
) -> int:
    """How many of the first arguments are sizes of the input, which are inferred here."""
    if op.group != "layer":
        return 0
    takes = len([p for p in op.params if p.positional])
    given = {foreign.ARGUMENTS.get(a.name or "", a.name) for a in named}
    if not takes:
        return len(plain)
    if op.name == "GroupNorm" or op.name not in foreign.INPUT_SIZES:
        return 0
    if op.name in ("Conv", "ConvTranspose"):
        windows = "window" in given
        torch = name.endswith("d") and name != op.name
        return int(
            len(plain) >= (2 if windows or torch else 3) or (torch and len(plain) > 1)
        )
    if len(plain) > 1:
        return 1
    first = op.params[0].name
    return int(bool(plain) and first in given)


def _activation(ctx: Context, node: tree.Expr) -> str:
    """What an `activation=` does, as the arrow that follows."""
    text = node.value if isinstance(node, tree.String) else spell(ctx, node)
    own = known(ctx, text)
    return "" if own in ("linear", "none") else f" -> {own}"


def _named(ctx: Context, op: Op, arg: tree.Arg) -> list[str]:
    """An argument by name, under the name that it has here; none where it says nothing."""
    name = arg.name or ""
    names = [*(p.name for p in op.params), *(i.name for i in op.inputs), "each"]
    if name == "betas" and isinstance(arg.value, tree.ListOf):
        pairs = zip(("b1", "b2"), arg.value.items, strict=False)
        return [f"{n}={spell(ctx, v)}" for n, v in pairs if n in names]
    if name not in names and name in foreign.UNNEEDED and op.extra is None:
        return []
    if name not in names:
        name = foreign.argument(name, names) or name
    param = op.param(name)
    if param is None:
        return [f"{name}={spell(ctx, arg.value, arg)}"]
    return [f"{name}={value(ctx, arg.value, param)}"]


def value(ctx: Context, node: tree.Expr, param: Param) -> str:
    """An argument as its kind is written."""
    match node:
        case tree.String(text) if param.choices and text.casefold() in param.choices:
            return f'"{text.casefold()}"'
        case tree.String(text) if param.kind is Kind.DTYPE:
            return foreign.DTYPES.get(text, text)
        case tree.String(text) if param.kind in (Kind.NUMBER, Kind.SCHEDULE, Kind.SIZE):
            return text if is_number(text) else node.span.text
        case tree.String(text) if param.kind in (Kind.INIT, Kind.FUNCTION):
            return known(ctx, text)
        case tree.ListOf(items, round=True) if param.kind is Kind.WINDOW:
            sizes = [_whole(i) for i in items]
            if len(sizes) > 1 and all(s is not None and s > 0 for s in sizes):
                return "x".join(str(s) for s in sizes)
            return _listed(ctx, items) if len(items) > 1 else spell(ctx, items[0])
        case tree.ListOf((item,), round=True):
            return spell(ctx, item)
        case tree.Name(name) if param.kind is Kind.DTYPE and name not in DTYPES:
            return foreign.DTYPES.get(name, name)
        case tree.Name(name) if param.kind is Kind.INIT:
            return known(ctx, name.rstrip("_"))
    return spell(ctx, node)


def is_number(text: str) -> bool:
    """Whether a text is one of a number."""
    try:
        float(text)
    except ValueError:
        return False
    return True
