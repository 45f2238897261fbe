"""Forms of other libraries that are written differently, not only called otherwise."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from ...dims import DimError, product
from ...ops.base import Op
from ...shapes import TensorType
from ...syntax import tree
from ...syntax.walk import nodes_in
from ..context import Context
from ..values import BAD, Applied
from . import argument_names
from .foreign_names import known
from .tensor_parts import type_of
from .tree_parts import last_name, whole_number

Spell = Callable[..., str]

EACH = {
    "binary_cross_entropy": "sigmoid_binary_cross_entropy",
    "cross_entropy": "softmax_cross_entropy_with_integer_labels",
    "mse": "squared_error",
    "soft_cross_entropy": "softmax_cross_entropy",
}
"""Losses whose form per element has a name of its own."""

_MEANS = ("mean", "batchmean", "sum_over_batch_size", "auto")


def form(
    ctx: Context, spell: Spell, name: str, args: Sequence[tree.Arg], staged: bool
) -> str | None:
    """A call that has another form here."""
    values = [a.value for a in args]
    if text := _axes_moved(ctx, spell, name, values, staged):
        return text
    match name, values:
        case "Bidirectional", [tree.Call(), *_]:
            return both_ways(spell(ctx, values[0]))
        case "TimeDistributed", [inner]:
            return spell(ctx, inner)
        case "float", [tree.String(("inf" | "-inf" | "Inf" | "-Inf") as text)]:
            return "-1e30" if text.startswith("-") else "1e30"
        case "embedding", [x, w] if not staged and type_of(ctx, w):
            return f"{spell(ctx, w)}[{spell(ctx, x)}]"
        case "warmup_cosine_decay_schedule", [_, peak, warm, steps, *end] if (
            all(a.name is None for a in args) and len(end) < 2
        ):
            given = (spell(ctx, node) for node in (peak, warm, steps))
            text = "warmup_cosine({}, warmup={}, steps={}".format(*given)
            return "".join([text, *(f", end={spell(ctx, e)}" for e in end), ")"])
        case "pad", [x, tree.ListOf(pairs)] if pairs and all(
            isinstance(pair, tree.ListOf) and len(pair.items) == 2 for pair in pairs
        ):
            return padded_each(ctx, spell, x, pairs)
        case "list" | "tuple", [x] if not staged:
            return spell(ctx, x)
        case _, [x, *rest] if name.endswith("_like") and (kind := type_of(ctx, x)):
            return alike(ctx, spell, name.removesuffix("_like"), kind, rest)
        case "randint", [low, high, tree.ListOf(items)]:
            shape = f"[{', '.join(spell(ctx, i) for i in items)}]"
            return f"randint({shape}, {spell(ctx, low)}, {spell(ctx, high)}, rng=noise)"
        case "linear", [x, w, *bias] if not staged and type_of(ctx, x) is not None:
            product = f"matmul({spell(ctx, x)}, swapaxes({spell(ctx, w)}, -1, -2))"
            return " + ".join([product, *(spell(ctx, b) for b in bias)])
        case "clip_by_global_norm" | "clip", [most] if ctx.kind == "train":
            return spell(ctx, most)
        case _, [x, *_] if name in _APPLIED and not staged and type_of(ctx, x):
            made = tree.Call(
                tree.Name(name, args[0].span), tuple(args[1:]), args[0].span
            )
            return f"({spell(ctx, x)} -> {spell(ctx, made, tree.Stage(made))})"
        case "pad", [x, tree.ListOf(items, round=True), *_]:
            return padded(ctx, spell, x, items)
    return _with_norms(ctx, spell, name, args, staged)


def _axes_moved(
    ctx: Context,
    spell: Spell,
    name: str,
    values: Sequence[tree.Expr],
    staged: bool,
) -> str | None:
    """What puts axes elsewhere, or together."""
    match name, values:
        case "Reshape" | "Unflatten", [*_, tree.ListOf(items)] if staged and ctx.inputs:
            sizes = [str(ctx.inputs[0].type.sizes[0]), *(spell(ctx, i) for i in items)]
            return f"[{', '.join(sizes)}]" if "-1" not in sizes else None
        case "Permute", [tree.ListOf(items)] if staged:
            return f"transpose([{', '.join(['0', *(spell(ctx, i) for i in items)])}])"
        case "transpose", [x] if not staged:
            return f"swapaxes({spell(ctx, x)}, -1, -2)"
        case "transpose", [] if staged:
            return "swapaxes(-1, -2)"
        case "transpose" | "swapaxes", [x, a, b] if not staged:
            return f"swapaxes({', '.join(spell(ctx, v) for v in (x, a, b))})"
        case "transpose", [a, b] if staged:
            return f"swapaxes({spell(ctx, a)}, {spell(ctx, b)})"
        case "flatten", [x, first, last] if not staged:
            return merged(ctx, x, first, last)
        case "flatten", [first, last] if staged:
            return merged(ctx, None, first, last)
    return None


def _with_norms(
    ctx: Context, spell: Spell, name: str, args: Sequence[tree.Arg], staged: bool
) -> str | None:
    """What others compute from norms in one call."""
    match name, [a.value for a in args]:
        case "attention", [q, k, v, *_] if len({n.span.text for n in (q, k, v)}) == 3:
            if len([a for a in args if a.name is None]) == 3:
                return f"attend({', '.join(spell(ctx, a, None) for a in args)})"
        case "normalize", [tree.Name(x), *_] if not staged:
            axis = next((spell(ctx, a.value) for a in args if a.name == "dim"), "-1")
            return f"{x} / norm({x}, axis={axis}, keepdims=true)"
        case "cosine_similarity", [tree.Name(x), tree.Name(y), *_] if (
            ctx.kind != "train"
        ):
            return f"vecdot({x}, {y}) / (norm({x}, axis=-1) * norm({y}, axis=-1))"
    return None


def value_of(node: tree.Expr) -> object:
    return node.value if isinstance(node, tree.Number) else None


def merged(
    ctx: Context, x: tree.Expr | None, first: tree.Expr, last: tree.Expr
) -> str | None:
    """`flatten(1, 2)`: axes from one to another become one."""
    kind = type_of(ctx, x) if x is not None else source_of(ctx, first)
    begin, end = whole_number(first), whole_number(last)
    if kind is None or kind.lead or begin is None or end is None:
        return None
    begin, end = begin % kind.rank, end % kind.rank
    try:
        whole = product(tuple(kind.sizes[begin : end + 1]))
    except DimError:
        return None
    sizes = [*kind.sizes[:begin], whole, *kind.sizes[end + 1 :]]
    shape = f"[{', '.join(map(str, sizes))}]"
    return shape if x is None else f"({x.span.text} -> {shape})"


def source_of(ctx: Context, node: tree.Expr) -> TensorType | None:
    """The type of what a statement's only pipeline brings to its first stage, if that has `node`."""
    pipes = list(nodes_in(ctx.statement, tree.Pipe))
    if len(pipes) != 1 or not pipes[0].stages[0].value.span.contains(node.span):
        return None
    return type_of(ctx, pipes[0].source)


def alike(
    ctx: Context, spell: Spell, made: str, kind: TensorType, rest: Sequence[tree.Expr]
) -> str | None:
    """`zeros_like(x)`, `randn_like(x)`: the shape is written."""
    if kind.lead:
        return None
    own = known(ctx, made)
    shape = f"[{', '.join(str(size) for size in kind.sizes)}]"
    given = [shape, *(spell(ctx, r) for r in rest[: own == "full"])]
    op = ctx.functions.get(own)
    if op is None:
        return None
    draws = ["rng=noise"] if op.param("rng") else []
    return f"{own}({', '.join([*given, *draws])})"


_APPLIED = frozenset(
    ("batch_norm", "dropout", "group_norm", "instance_norm", "layer_norm", "rms_norm")
)
"""Layers of others that are functions of a tensor there."""


def tied(ctx: Context, node: object) -> str | None:
    """`matmul(x, emb.weight.T)`: scores against the vectors of an `Embed`."""
    match node:
        case tree.Binary("@", x, w):
            pass
        case tree.Call(func, (tree.Arg(None, x), tree.Arg(None, w))) if last_name(
            func
        ) in ("matmul", "mm", "dot", "bmm", "linear"):
            pass
        case _:
            return None
    while True:
        match w:
            case tree.Call(func, (tree.Arg(None, inner), *_)) if (
                last_name(func) in _TURNS
            ):
                w = inner
            case tree.Call(tree.Attribute(inner, name), ()) | tree.Attribute(
                inner, name
            ) if name in (*_TURNS, "T", "t", "mT", "value"):
                w = inner
            case _:
                break
    match w:
        case tree.Attribute(tree.Name(layer), "weight" | "embedding" | "weights"):
            held = ctx.scope.get(layer)
            made = (
                held.value.layer.callee
                if held and isinstance(held.value, Applied)
                else None
            )
            if isinstance(made, Op) and "attend" in made.methods:
                return f"{layer}.attend({x.span.text})"
    return None


_TURNS = ("transpose", "swapaxes", "permute", "matrix_transpose")


def both_ways(layer: str) -> str:
    """A recurrent layer, and the same from the end."""
    name, _, inside = layer.partition("(")
    inside = inside.removesuffix(")")
    return f"({layer} | {name}({inside}, reverse=true)) -> concat(axis=-1)"


def padded(
    ctx: Context, spell: Spell, x: tree.Expr, items: Sequence[tree.Expr]
) -> str | None:
    """PyTorch's `F.pad(x, (left, right, top, bottom))`, from the last axis on."""
    text = spell(ctx, x)
    for axis, at in enumerate(range(0, len(items) - 1, 2), 1):
        before, after = (spell(ctx, i) for i in items[at : at + 2])
        if (before, after) != ("0", "0"):
            text = f"pad({text}, {before}, {after}, axis=-{axis})"
    return text


def padded_each(
    ctx: Context, spell: Spell, x: tree.Expr, pairs: Sequence[tree.Expr]
) -> str:
    """NumPy's `pad(x, ((0, 0), (1, 1)))`, axis by axis."""
    text = spell(ctx, x)
    for axis, pair in enumerate(pairs):
        assert isinstance(pair, tree.ListOf)
        before, after = (spell(ctx, item) for item in pair.items)
        if (before, after) != ("0", "0"):
            text = f"pad({text}, {before}, {after}, axis={axis})"
    return text


def combined(
    spell: Spell, ctx: Context, name: str, args: Sequence[tree.Arg]
) -> str | None:
    """`Add()([x, y])`: an operator between its operands."""
    sign = known(ctx, name)
    match args:
        case (tree.Arg(_, tree.ListOf(items)),) if not sign.strip("+-*/"):
            return f" {sign} ".join(spell(ctx, item) for item in items)
        case (tree.Arg(_, tree.ListOf(items)),) if name == "Average":
            total = " + ".join(spell(ctx, item) for item in items)
            return f"({total}) / {len(items)}"
        case (tree.Arg(_, tree.ListOf(items)),) if sign in _OF_TWO:
            return f"{sign}({', '.join(spell(ctx, item) for item in items)})"
    return None


_OF_TWO = ("maximum", "minimum", "vecdot")


def moved(
    ctx: Context,
    spell: Spell,
    name: str,
    x: str,
    value: tree.Expr,
    dims: Sequence[tree.Expr],
) -> str | None:
    """PyTorch's methods whose names mean something else here."""
    texts = [spell(ctx, d) for d in dims]
    if name == "repeat" and len(texts) > 1:
        return f"tile({x}, [{', '.join(texts)}])"
    if name != "expand" or len(texts) < 2:
        return None
    kind = type_of(ctx, value)
    if kind is not None and not kind.lead and kind.rank == len(texts):
        sizes = zip(dims, texts, kind.sizes, strict=True)
        texts = [str(s) if whole_number(d) == -1 else t for d, t, s in sizes]
    return f"broadcast({x}, [{', '.join(texts)}])" if "-1" not in texts else None


def reduced(op: Op, args: Sequence[tree.Arg]) -> str:
    """How a loss gathers its elements there: "mean", "sum", "none"."""
    for arg in args:
        match arg:
            case tree.Arg("reduction", tree.String(text)) if op.group == "loss":
                return "mean" if text in _MEANS else text
            case tree.Arg("reduction", tree.Constant(None)) if op.group == "loss":
                return "none"
    return "mean"


def named(
    ctx: Context, spell: Spell, op: Op, arg: tree.Arg, given: Sequence[str]
) -> list[str] | None:
    """An argument by name that has another form here; `given` is what stands before it."""
    value = arg.value.value if isinstance(arg.value, tree.Constant) else arg.value
    takes = {p.name for p in op.params}
    if arg.name in takes or op.input(arg.name or ""):
        return None
    match op.group, arg.name:
        case "loss", "reduction" if isinstance(arg.value, (tree.String, tree.Constant)):
            return []
        case "loss", "from_logits" if value is True:
            return []
        case "loss", "ignore_index" if op.input("where") and len(given) > 1:
            return [f"where={given[1]} != {spell(ctx, arg.value)}"]
        case "function", "p" if op.name == "norm" and value_of(arg.value) == 2:
            return []
        case "layer", "keep_prob" if isinstance(arg.value, tree.Number):
            return [f"{1 - arg.value.value:g}"]
        case "function", "unbiased" if isinstance(value, bool) and "ddof" in takes:
            return ["ddof=1"] if value else []
        case "function", "correction" if "ddof" in takes:
            return [f"ddof={spell(ctx, arg.value)}"]
        case "layer", "affine" | "elementwise_affine":
            off = [f"{n}=false" for n in ("scale", "bias") if n in takes]
            return off if value is False else []
        case "layer", "num_layers" if whole_number(arg.value) == 1:
            return []
        case "layer", "return_sequences" if value is True:
            return []
        case "layer", "bidirectional" if isinstance(value, bool):
            return []
        case _, "dim" | "axis" if op.name == "top_k" and whole_number(arg.value) == -1:
            return []
        case "layer", "key" | "rngs":
            return []
    return None


def goes_both_ways(op: Op, args: Sequence[tree.Arg]) -> bool:
    """Whether a recurrent layer is asked to read from both ends."""
    asked = any(
        a.name == "bidirectional"
        and isinstance(a.value, tree.Constant)
        and a.value.value
        for a in args
    )
    return asked and op.param("reverse") is not None


def keyless(ctx: Context, op: Op, plain: Sequence[tree.Arg]) -> Sequence[tree.Arg]:
    """The arguments of a draw without the key that stands first there."""
    if op.param("rng") is None or op.group == "layer" or len(plain) < 2:
        return plain
    first = plain[0].value
    held = ctx.scope.get(first.id) if isinstance(first, tree.Name) else None
    key = isinstance(first, tree.Name) and (held is None or held.value is BAD)
    return plain[1:] if key else plain


def draws(op: Op, args: Sequence[tree.Arg]) -> bool:
    """Whether a stream is still to be named."""
    rng = op.param("rng")
    names = {argument_names.ARGUMENTS.get(a.name or "", a.name) for a in args}
    return rng is not None and op.group != "layer" and "rng" not in names


def labels_first(func: tree.Expr, args: Sequence[tree.Arg]) -> bool:
    """Whether a loss or metric object takes the labels first, as Keras has it."""
    name, texts = last_name(func), [a.span.text for a in args]
    if len(texts) == 2 and sum("model(" in text for text in texts) == 1:
        return "model(" in texts[1]
    return name.endswith(("Crossentropy", "Error")) and "Loss" not in name
