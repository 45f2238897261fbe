"""Arguments of other libraries that stand elsewhere, or say otherwise, in a call of what is here."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from ...ops.base import Op
from ...record import Record, replace
from ...syntax import tree
from . import tables
from .tree_parts import whole_number

_BEHIND = {
    "Conv": (3, ("padding", "dilation", "groups", "bias")),
    "ConvTranspose": (3, ("padding", "output_padding", "groups", "bias", "dilation")),
    "Embed": (2, ("padding",)),
    "avg_pool": (2, ("padding",)),
    "max_pool": (2, ("padding", "dilation")),
}
"""What stands by position in PyTorch, behind so many that do so here."""


def wider(
    known: Mapping[str, Op], op: Op, args: Sequence[tree.Arg]
) -> tuple[str, Op, Sequence[tree.Arg]]:
    """The entry of a kind that takes all arguments: `adam(weight_decay=...)` is of `adamw`,
    `cosine(warmup=...)` of `warmup_cosine`."""
    for other in (f"{op.name}w", f"warmup_{op.name}"):
        wide = known.get(other)
        lacks = (a for a in args if a.name and not op.param(a.name))
        if wide is None or not any(wide.param(a.name or "") for a in lacks):
            continue
        if other.startswith("warmup"):
            args = [_by_name(op, at, arg) for at, arg in enumerate(args)]
        return wide.name, wide, args
    return op.name, op, args


def _by_name(op: Op, at: int, arg: tree.Arg) -> tree.Arg:
    """An argument of one schedule as that of another, whose order differs."""
    name = arg.name or op.params[at].name if at < len(op.params) else arg.name
    if at == 0 or name == op.params[0].name:
        return replace(arg, name=None)
    return replace(arg, name=name)


def by_their_order(
    op: Op, plain: Sequence[tree.Arg], inputs: int
) -> tuple[list[tree.Arg], list[tree.Arg]]:
    """The arguments by position, and those behind them by the names that they have here."""
    count, names = _BEHIND.get(op.name, (len(plain), ()))
    kept = [*plain]
    count = min(len(kept), count + inputs)
    names = tuple(n for n in names if op.param(n))
    behind = [
        replace(arg, name=name) for name, arg in zip(names, kept[count:], strict=False)
    ]
    return kept[:count], behind


def with_switch(
    op: Op, plain: Sequence[tree.Arg]
) -> tuple[list[tree.Arg], list[tree.Arg]]:
    """`Linear(8, 16, False)`: what is true or false behind sizes is the bias."""
    kept = [*plain]
    if kept and isinstance(kept[-1].value, tree.Constant) and op.param("bias"):
        return kept[:-1], [replace(kept[-1], name="bias")]
    return kept, []


_CHANNELS = re.compile(r"(?:Spatial)?Dropout([123])[dD]")


def as_here(op: Op, name: str, args: Sequence[tree.Arg]) -> Sequence[tree.Arg]:
    """What a name of others says besides: paddings, axes, and whose share a momentum is."""
    given = {arg.name for arg in args}
    if op.name in ("Conv", "ConvTranspose") and name != op.name:
        return _padded(op, name, args) if "padding" not in given else args
    if found := _CHANNELS.fullmatch(name):
        axes = ", ".join(str(n + 1) for n in range(int(found[1])))
        return [*args, _made("axes", f"[{axes}]", args)] if args else args
    if op.name == "BatchNorm" and re.fullmatch(r"BatchNorm[123]d", name):
        return [_kept(arg) for arg in args]
    return args


_FLAT = ("view", "reshape", "flatten", "contiguous")


def unflattened(op: Op, args: Sequence[tree.Arg]) -> Sequence[tree.Arg]:
    """A loss takes logits [B, T, classes] as they are: without the `view(-1, classes)`."""
    if op.group != "loss":
        return args
    return [replace(arg, value=_whole(arg.value)) for arg in args]


def _whole(node: tree.Expr) -> tree.Expr:
    match node:
        case tree.Call(tree.Attribute(inner, name)) if name in _FLAT:
            return _whole(inner)
    return node


def dtype_of(name: str | None) -> str | None:
    """A dtype of another library, where it is named."""
    if name in ("float", "float32"):
        return "float"
    return tables.DTYPES.get(name or "")


def _made(name: str, text: str, args: Sequence[tree.Arg]) -> tree.Arg:
    """An argument that others leave unsaid."""
    span = args[-1].span
    return tree.Arg(name, tree.Name(text, span), span)


def _padded(op: Op, name: str, args: Sequence[tree.Arg]) -> Sequence[tree.Arg]:
    """PyTorch and Keras pad nothing where nothing is said."""
    plain = [arg for arg in args if arg.name is None]
    keras = "D" in name
    if not args or (not keras and len(plain) > 4) or name[-1:] not in ("d", "D", "e"):
        return args
    if op.name == "Conv" or keras:
        return [*args, _made("padding", '"valid"', args)]
    return [*args, _made("padding", "0", args)]


def _kept(arg: tree.Arg) -> tree.Arg:
    """PyTorch's momentum is what a step adds of the new, not what it keeps of the old."""
    match arg:
        case tree.Arg("momentum", tree.Number(share), span):
            return tree.Arg("momentum", tree.Name(f"{1 - share:g}", span), span)
    return arg


def counted(
    statement: Record | None, x: tree.Expr, given: Sequence[tree.Expr]
) -> tree.Arg | None:
    """PyTorch's `split` says how large the parts are: as many as are named, here."""
    if not isinstance(statement, tree.Assign) or len(statement.targets) < 2:
        return None
    if not given or whole_number(given[0]) is None:
        return None
    return tree.Arg(None, tree.Name(str(len(statement.targets)), x.span), x.span)
