"""What a weights section reads from `config.json`."""

from __future__ import annotations

from .. import ir
from ..ops.activations import ACTIVATION
from ..ops.base import Kind
from ..syntax import tree, tree_weights
from .context import Context
from .values import Fault, Signature

_OPERATORS = (
    *("+", "-", "*", "/", "//", "%", "or", "and"),
    *("==", "!=", "<", "<=", ">", ">="),
)
_FUNCTIONS = frozenset(ir.STATIC_FUNCTIONS) - {"range", "enumerate", "zip", "reversed"}


def read(
    ctx: Context,
    line: tree_weights.Read,
    config: dict[str, ir.Recorded],
    signature: Signature,
) -> None:
    """`config d, heads = "n_embd", "n_head"`: parameters of the model, each from its key."""
    if len(line.names) != len(line.values):
        ctx.fail(
            "N607",
            f"{len(line.names)} parameters, but {len(line.values)} values",
            line.span,
            help="give each parameter one value",
        )
    failed = False
    for name, value in zip(line.names, line.values, strict=True):
        try:
            kind = _parameter(ctx, name, config, signature)
            recorded = _recorded(ctx, value)
            if kind is Kind.FUNCTION:
                recorded = ir.Computed(ACTIVATION.name, (recorded,))
            config[name.id] = recorded
        except Fault:
            failed = True
    if failed:
        raise Fault


def _parameter(
    ctx: Context,
    name: tree.Name,
    config: dict[str, ir.Recorded],
    signature: Signature,
) -> Kind:
    params = {p.name: p for p in signature.definition.params}
    if name.id not in params:
        ctx.fail(
            "N607",
            f"`{signature.definition.name}` has no parameter `{name.id}`",
            name.span,
            **ctx.suggest(name.id, params),
        )
    if name.id in config:
        ctx.fail("N603", f"`{name.id}` is read twice", name.span)
    return params[name.id].kind


def _recorded(ctx: Context, node: tree.Expr) -> ir.Recorded:
    match node:
        case tree.String(key):
            return ir.Key(key)
        case tree.Number(value) | tree.Constant(value):
            return ir.Value(value)
        case tree.Binary("==" | "!=" as op, left, tree.String(text)):
            return ir.Computed(op, (_recorded(ctx, left), ir.Value(text)))
        case tree.Binary(op, left, right) if op in _OPERATORS:
            return ir.Computed(op, (_recorded(ctx, left), _recorded(ctx, right)))
        case tree.Call(tree.Name(name), args) if name in _FUNCTIONS and args:
            return ir.Computed(name, tuple(_recorded(ctx, a.value) for a in args))
        case tree.IfElse(condition, then, orelse):
            parts = (condition, then, orelse)
            return ir.Computed("if", tuple(_recorded(ctx, part) for part in parts))
    ctx.fail(
        "N607",
        "this cannot be read from `config.json`",
        node.span,
        help='write keys in quotes, numbers, and arithmetic: `"hidden_size" // "heads"`, `len("id2label")`',
    )
