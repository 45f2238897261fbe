"""What a weights section reads from `config.json`."""

from __future__ import annotations

import dataclasses
import math
import re
from collections.abc import Iterable, Iterator, Mapping
from typing import NoReturn

from ... import ir
from ...diagnostics import Advice, write
from ...ir.static_functions import STATIC_FUNCTIONS
from ...ops.base import Kind
from ...ops.functions.activations import ACTIVATION
from ...record import replace
from ...source import NOWHERE, Span
from ...syntax import tree, tree_weights
from ..context import Context
from ..values import Fault, Signature
from .usual_keys import ROPE_TYPE, places, usual, usual_text

_NO_PARAMETER = ir.Parameter("", Kind.TEXT, None, NOWHERE)

_OPERATORS = (
    *("+", "-", "*", "/", "//", "%", "or", "and"),
    *("==", "!=", "<", "<=", ">", ">="),
)
_FUNCTIONS = {name for name, row in STATIC_FUNCTIONS.items() if not row.iterates}


def read(
    ctx: Context,
    line: tree_weights.Read,
    config: dict[str, ir.Recorded],
    signature: Signature,
) -> None:
    """`config vocab, d = "n_embd"`: parameters of the model, each from its key."""
    failed = False
    for name, value in zip(line.names, line.values, strict=True):
        try:
            own = _parameter(ctx, name, config, signature)
            value = value or usual(name.id)
            _one_value(ctx, value, own)
            config[name.id] = _recorded(ctx, value, own)
        except Fault:
            failed = True
    if failed:
        raise Fault


def _parameter(
    ctx: Context,
    name: tree.Name,
    config: dict[str, ir.Recorded],
    signature: Signature,
) -> ir.Parameter:
    params = {p.name: p for p in signature.definition.params}
    if name.id not in params:
        ctx.fail(
            "N607",
            f"`{signature.definition.name}` has no parameter `{name.id}`",
            name.span,
            **_turned(ctx, name, params),
        )
    if name.id in config:
        ctx.fail("N603", f"`{name.id}` is read twice", name.span)
    return params[name.id]


def _turned(
    ctx: Context, name: tree.Name, params: Mapping[str, ir.Parameter]
) -> Advice:
    """`config hidden_size = d`, `config hidden_size`: a parameter is meant by its key."""
    line = name.span.whole_line()
    found = re.match(r" *config +(\w+) *= *(\w+)", line.text)
    if found and found[1] == name.id and found[2] in params:
        place = Span(line.source, line.start + found.start(1), line.start + found.end())
        return write(place, f'{found[2]} = "{name.id}"', "the parameter stands first")
    for param in params:
        if usual_text(param) == f'"{name.id}"':
            return write(name.span, param, "that is its key")
    return ctx.suggest(name.id, params, name.span)


def _recorded(ctx: Context, node: tree.Expr, own: ir.Parameter) -> ir.Recorded:
    """What a parameter is; an activation is what a key names."""
    plain = replace(own, kind=Kind.TEXT)
    match node:
        case tree.String(key) if own.kind is Kind.FUNCTION:
            return ir.Computed(ACTIVATION.name, (ir.Key(key),))
        case tree.String(key):
            return _first(map(ir.Key, places(key)))
        case tree.Number(value) | tree.Constant(value):
            return ir.Value(value)
        case tree.Name(own.name) if own.default is not None:
            return ir.Default(own.name)
        case tree.Name(name) if name in ctx.params:
            return ir.Own(name)
        case tree.Binary("or", left, right):
            return _first(_recorded(ctx, side, own) for side in (left, right))
        case tree.Binary("==" | "!=" as op, left, tree.String(text)):
            return ir.Computed(op, (_recorded(ctx, left, plain), ir.Value(text)))
        case tree.Binary(op, left, right) if op in _OPERATORS:
            parts = (left, right)
            return ir.Computed(op, tuple(_recorded(ctx, p, plain) for p in parts))
        case tree.Call(tree.Name(name), args) if name in _FUNCTIONS and args:
            values = (a.value for a in args)
            return ir.Computed(name, tuple(_recorded(ctx, v, plain) for v in values))
        case tree.Call(tree.Name("listed" | "scaled" as name), (value, number)):
            pair = (_recorded(ctx, a.value, plain) for a in (value, number))
            return ir.Computed(name, tuple(pair))
        case tree.IfElse(condition, then, orelse):
            chosen = (_recorded(ctx, side, own) for side in (then, orelse))
            return ir.Computed("if", (_recorded(ctx, condition, plain), *chosen))
        case tree.ListOf(items) if items:
            return ir.Computed(",", tuple(_recorded(ctx, i, plain) for i in items))
        case tree.Unary("-", tree.Number(value)):
            return ir.Value(-value)
        case tree.Unary("not", operand):
            return ir.Computed("not", (_recorded(ctx, operand, plain),))
        case tree.Index(tree.String(key), (tree.Number(int() as place),)):
            return ir.Key(f"{key}.{place}")
        case tree.Index(tree.Name(root), (tree.String(),)) if root in _FILES:
            pass
        case tree.Index(inner, (place,)) if not isinstance(place, tree.Slice):
            pair = (_recorded(ctx, part, plain) for part in (inner, place))
            return ir.Computed("[]", tuple(pair))
    _unreadable(ctx, node)


def _first(values: Iterable[ir.Recorded]) -> ir.Recorded:
    """The first that a file has; what is there already counts once."""
    first, *others = values
    for other in others:
        if other not in _alternatives(first):
            first = ir.Computed("or", (first, other))
    return first


def _alternatives(value: ir.Recorded) -> tuple[ir.Recorded, ...]:
    match value:
        case ir.Computed("or", (left, right)):
            return (*_alternatives(left), *_alternatives(right))
    return (value,)


def _unreadable(ctx: Context, node: tree.Expr) -> NoReturn:
    help = 'write keys in quotes, numbers, and arithmetic: `"hidden_size" // "heads"`, `len("id2label")`'
    advice: Advice = {"help": help}
    if ctx.params:
        _unwritable(ctx, node)
    match node:
        case tree.Name() | tree.Attribute():
            advice = write(node.span, f'"{_key(node)}"', "keys stand in quotes")
        case tree.Call(_, (tree.Arg(None, tree.String() as named), *_)):
            advice = write(node.span, named.span.text, "a key stands for its value")
        case tree.Index(tree.Name(), (tree.String() as named,)):
            advice = write(node.span, named.span.text, "a key stands for its value")
    ctx.fail("N607", "this cannot be read from `config.json`", node.span, **advice)


def _key(node: tree.Expr) -> str:
    """`config.hidden_size`: the file itself is no part of a key."""
    root, _, rest = node.span.text.partition(".")
    return rest if root in _FILES and rest else node.span.text


_FILES = ("config", "cfg", "self", "hf_config", "conf")


def _one_value(ctx: Context, node: tree.Expr, own: ir.Parameter) -> None:
    """A list of places where one value may stand is written with `or`."""
    if not isinstance(node, tree.ListOf) or own.kind not in _SINGLE or not node.items:
        return
    text = " or ".join(item.span.text for item in node.items)
    advice = write(node.span, text, "the first that is there counts")
    ctx.fail(
        "N607", f"`{own.name}` is one value", node.span, "this is a list", **advice
    )


_SINGLE = (Kind.SIZE, Kind.INT, Kind.NUMBER, Kind.BOOL, Kind.FUNCTION, Kind.TEXT)


# ------------------------------------------------------------------- assumptions


def assume(
    ctx: Context,
    node: tree.Expr,
    assumed: dict[tuple[str, ...], tuple[ir.Recorded, ...]],
    absent: dict[str, ir.Recorded],
) -> None:
    """`config require "hidden_act" == "silu"`: what a key may be that no parameter is read from."""
    match node:
        case tree.Binary("==", left, value):
            values: tuple[tree.Expr, ...] = (value,)
        case tree.Binary("in", left, tree.ListOf(items)) if items:
            values = items
        case _:
            _no_assumption(ctx, node)
    allowed = tuple(_allowed(ctx, value) for value in values)
    missing = None
    match left:
        case tree.Binary(
            "or", place, (tree.Constant() | tree.Number() | tree.ListOf()) as value
        ):
            left, missing = place, _allowed(ctx, value)
    keys = _keys(ctx, left)
    known = [key for several in assumed for key in several]
    for at, key in enumerate(keys):
        if key in (*known, *keys[:at]):
            ctx.fail("N603", f'"{key}" is held to values twice', left.span)
    assumed[tuple(dict.fromkeys(k for key in keys for k in places(key)))] = allowed
    if missing is not None:
        absent[keys[0]] = missing


def _keys(ctx: Context, node: tree.Expr) -> tuple[str, ...]:
    """The places where one fact may stand: `"a" or "b"`."""
    match node:
        case tree.String(key):
            return (key,)
        case tree.Index(tree.String(key), (tree.Number(int() as place),)):
            return (f"{key}.{place}",)
        case tree.Binary("or", left, right):
            return (*_keys(ctx, left), *_keys(ctx, right))
        case tree.Name() | tree.Attribute():
            advice = write(node.span, f'"{node.span.text}"', "keys stand in quotes")
            ctx.fail("N609", "a key stands in quotes", node.span, **advice)
    _no_assumption(ctx, node)


def _allowed(ctx: Context, node: tree.Expr) -> ir.Recorded:
    """A value, of which texts are meant as they stand at the top, and in lists."""
    match node:
        case tree.String(text):
            return ir.Value(text)
        case tree.Constant(None):
            return ir.Value(None)
        case tree.Name("inf"):
            return ir.Value(math.inf)
        case tree.ListOf(items):
            return ir.Computed(",", tuple(_allowed(ctx, item) for item in items))
        case tree.Binary("*", tree.ListOf() as one, count):
            many = _recorded(ctx, count, _NO_PARAMETER)
            return ir.Computed("*", (_allowed(ctx, one), many))
    return _recorded(ctx, node, _NO_PARAMETER)


def _no_assumption(ctx: Context, node: tree.Expr) -> NoReturn:
    ctx.fail(
        "N609",
        "`config require` says what a key is",
        node.span,
        help='such as `"hidden_act" == "silu"`, or `"hidden_act" in ["gelu", "gelu_new"]`',
    )


# --------------------------------------------------------------- what is written


def _unwritable(ctx: Context, node: tree.Expr) -> NoReturn:
    help = "write a text, numbers, keys in quotes, parameters, and arithmetic on these"
    advice: Advice = {"help": help}
    if isinstance(node, tree.Name):
        advice = ctx.suggest(node.id, ctx.params, node.span, help)
    ctx.fail("N610", "no `config.json` can be given this", node.span, **advice)


def write_key(
    ctx: Context,
    key: tree.String,
    value: tree.Expr,
    written: dict[str, ir.Recorded],
    signature: Signature,
) -> None:
    """`config write "architectures" = ["NetForCausalLM"]`: what a file that is saved says besides."""
    if key.value in written:
        ctx.fail("N603", f'"{key.value}" is written twice', key.span)
    params = signature.definition.params
    plain = [p.name for p in params if p.kind is not Kind.FUNCTION]
    known = {name: signature.params[name] for name in plain}
    written[key.value] = _allowed(dataclasses.replace(ctx, params=known), value)


def known(
    node: tree.Weights,
    assumed: dict[tuple[str, ...], tuple[ir.Recorded, ...]],
    written: dict[str, ir.Recorded],
) -> None:
    """`as "net", "NetForCausalLM"`: the type that a file has to be of, the class that loads it."""
    for name in node.known[:1]:
        assumed["model_type",] = (ir.Value(name.value),)
    for name in node.known[1:]:
        written["architectures"] = ir.Computed(",", (ir.Value(name.value),))


def unsaid(
    node: tree.Weights,
    config: Mapping[str, ir.Recorded],
    assumed: dict[tuple[str, ...], tuple[ir.Recorded, ...]],
    immaterial: list[str],
    generates: bool,
) -> None:
    """What needs no line: that positions are not scaled, and keys that cannot matter then."""
    _unscaled(node, config, assumed, immaterial)
    _needless(config, assumed, immaterial, generates)


def _unscaled(
    node: tree.Weights,
    config: Mapping[str, ir.Recorded],
    assumed: dict[tuple[str, ...], tuple[ir.Recorded, ...]],
    immaterial: Iterable[str],
) -> None:
    """Rotary positions of which a section only names `theta` are not scaled."""
    reads = [line for line in node.body if isinstance(line, tree_weights.Read)]
    pairs = [
        pair for line in reads for pair in zip(line.names, line.values, strict=True)
    ]
    alone = any(name.id == "theta" and value is None for name, value in pairs)
    kinds = places(ROPE_TYPE)
    if alone and _said(config, assumed, immaterial).isdisjoint(kinds):
        assumed[kinds] = (ir.Value("default"),)


def _needless(
    config: Mapping[str, ir.Recorded],
    assumed: Mapping[tuple[str, ...], tuple[ir.Recorded, ...]],
    immaterial: list[str],
    generates: bool,
) -> None:
    """Which tokens end and pad texts, where these are generated; how long they may be, where
    rotary positions are not scaled by that."""
    keys = ["eos_token_id", "pad_token_id"] if generates else []
    kinds = {*assumed.get(places(ROPE_TYPE), ())}
    if kinds and kinds <= {ir.Value("default"), ir.Value("linear")}:
        keys.append("max_position_embeddings")
    said = _said(config, assumed, immaterial)
    if config:
        immaterial += [key for key in keys if key not in said]


def _said(
    config: Mapping[str, ir.Recorded],
    assumed: Mapping[tuple[str, ...], object],
    immaterial: Iterable[str],
) -> set[str]:
    """The keys of which a section says something."""
    required = {key for keys in assumed for key in keys}
    read = {key for value in config.values() for key in _read_in(value)}
    return required | read | {*immaterial}


def _read_in(value: ir.Recorded) -> Iterator[str]:
    """The keys of which a value is made."""
    match value:
        case ir.Key(path):
            yield path
        case ir.Computed(_, operands):
            for operand in operands:
                yield from _read_in(operand)


def required_once(
    ctx: Context,
    node: tree.Weights,
    assumed: Mapping[tuple[str, ...], object],
    written: Mapping[str, object],
) -> None:
    """What a key has to be is written as it is: no other line says it."""
    required = {key for keys in assumed for key in keys}
    for line in node.body:
        if isinstance(line, tree_weights.Write):
            for key, _ in line.entries:
                if key.value in required and key.value in written:
                    text = f'"{key.value}" is required, and so written'
                    ctx.fail("N603", text, key.span)
