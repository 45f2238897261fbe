"""`extern`: Python code with declared inputs and outputs, as if it were of the library."""

from __future__ import annotations

import keyword
import re
from collections.abc import Callable, Mapping

from ...diagnostics import Sink, write
from ...ir.static_functions import STATIC_FUNCTIONS
from ...ops import MODEL_OPS
from ...ops.base import Call, Input, Kind, Op, Origin
from ...ops.base import Param as OpParam
from ...syntax import tree
from ..arguments import types
from ..context import Context
from ..dispatch import DISPATCH
from ..values import Fault
from .declarations import check_name, input_
from .extern_shapes import Declared, rule_of
from .parameters import parameter

_FILE = re.compile(r"(?:\.\./)*(?:[\w-][\w.-]*/)*[\w-][\w.-]*\.py")
_MODULE = re.compile(r"[^\W\d]\w*(?:\.[^\W\d]\w*)*", re.ASCII)
MODES = ("deterministic", "use_running_average")  # that a module may have
Place = Callable[[str], str]  # of a file, relative to the spec that is compiled


def extern(node: tree.Extern, sink: Sink, place: Place) -> Op | None:
    """The entry that an `extern` declares; None where it has mistakes, which are reported."""
    ctx = Context(DISPATCH, sink, "extern", node.name.id, {}, MODEL_OPS, {})
    try:
        _check_own_name(ctx, node.name)
        origin = _origin(ctx, node, place)
        for option in _options(node):
            parameter(ctx, option, set())
        for item in node.taken:
            if isinstance(item, tree.Field):
                _is_tensor(ctx, item)
                input_(ctx, item)
        if is_layer(node) and not ctx.inputs:
            ctx.fail(
                "N250",
                f"`{node.name.id}` has no input",
                node.name.span,
                help="a module is called with tensors; begin a function with a small letter",
            )
        outputs = tuple(types.written(ctx, t) for t in node.types)
    except Fault:
        return None
    inferred = _inferred(ctx)
    axes = frozenset({*ctx.axes, *inferred})
    declared = Declared(node.name.id, tuple(ctx.inputs), outputs, axes)
    return _entry(ctx, node, origin, declared, inferred)


def _is_tensor(ctx: Context, item: tree.Field) -> None:
    """What has a type is a tensor; an option has none."""
    if item.type.dims is None and item.default is not None:
        default = item.default.span.text
        advice = write(item.span, f"{item.name} = {default}", "an option has no type")
        text = f"`{item.name}` has a type, so it is a tensor"
        ctx.fail("N217", text, item.span, **advice)


def defaults_of(node: tree.Extern) -> dict[str, tree.Arg]:
    """The arguments that calls may leave out: Python is given them all the same."""
    options = _options(node)
    return {o.name: tree.Arg(o.name, o.default, o.span) for o in options if o.default}


def is_layer(node: tree.Extern) -> bool:
    """Whether it is a module rather than a function: told by the first letter, as everywhere."""
    return node.name.id[:1].isupper()


def _options(node: tree.Extern) -> list[tree.Parameter]:
    return [i for i in node.taken if isinstance(i, tree.Parameter)]


# ----------------------------------------------------------------------- names


def _check_own_name(ctx: Context, name: tree.Name) -> None:
    check_name(ctx, name.id, name.span)
    if name.id in STATIC_FUNCTIONS:
        ctx.fail(
            "N203",
            f"`{name.id}` is a function of sizes",
            name.span,
            help="give the Python function another name",
        )


def _origin(ctx: Context, node: tree.Extern, place: Place) -> Origin:
    text = node.place.value
    if text.endswith(".py"):
        if _FILE.fullmatch(text):
            return Origin(node.name.id, file=place(text))
        help = "a file is named relative to this one, such as `lib/tables.py`"
        ctx.fail("N272", "this is no path of a Python file", node.place.span, help=help)
    parts = text.split(".")
    bad = any(keyword.iskeyword(p) or p.startswith("__") for p in parts)
    if bad or not _MODULE.fullmatch(text):
        help = "name a module as Python does, `package.module`, or a file, `tables.py`"
        plain = text.replace("-", "_").replace("/", ".").lstrip(".")
        valid = _MODULE.fullmatch(plain) and not bad
        advice = write(node.place.span, f'"{plain}"', help) if valid else {"help": help}
        ctx.fail("N272", "this is no Python module", node.place.span, **advice)
    return Origin(node.name.id, module=text)


# -------------------------------------------------------------------- the entry


def _inferred(ctx: Context) -> dict[str, None]:
    """The parameters that are axes of an input: calls leave them out."""
    sizes = (a.size for i in ctx.inputs if not i.optional for a in i.type.axes)
    plain = {size.name for size in sizes}
    needed = (p for p in ctx.params.values() if p.default is None)
    return {p.name: None for p in needed if p.name in plain}


def _entry(
    ctx: Context,
    node: tree.Extern,
    origin: Origin,
    declared: Declared,
    inferred: Mapping[str, None],
) -> Op:
    layer = is_layer(node)
    params = [
        OpParam(p.name, p.kind or Kind.NUMBER, optional=p.optional)
        for p in ctx.params.values()
        if p.name not in inferred
    ]
    return Op(
        node.name.id,
        "layer" if layer else "function",
        "Python code.",
        _call(node, layer, constant=not layer and not declared.inputs),
        params=tuple(params),
        inputs=tuple(
            Input(i.name, optional=i.optional, axes=i.type.rank)
            for i in declared.inputs
        ),
        shape=rule_of(declared),
        dtype=declared.outputs[0].dtype if len(declared.outputs) == 1 else None,
        modes=MODES if layer else (),
        takes_rngs=layer,
        origin=origin,
    )


def _call(node: tree.Extern, layer: bool, constant: bool) -> Call:
    """Required arguments by position, in the order of the declaration, others by name."""
    taken = [i for i in node.taken if not (layer and isinstance(i, tree.Field))]
    required = tuple(i.name for i in taken if i.default is None)
    named = {i.name: i.name for i in taken if i.default is not None}
    if constant:
        return Call("table", ("={extern}", *required), named)
    return Call("{extern}", required, named)
