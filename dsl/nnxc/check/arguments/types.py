"""Types and shapes as specs write them, and comparing them."""

from __future__ import annotations

import re
from collections.abc import Iterable

from ... import ir
from ...diagnostics import Advice, Label, did_you_mean, meant, remove, write
from ...dims import Dim, DimError, product, symbol
from ...dims_compare import Comparison
from ...shapes import DTYPES, Axis, TensorType, is_float
from ...source import Span
from ...syntax import tree
from ..context import Context
from ..definitions.parameter_kinds import demand_sizes
from ..expressions.forms import named_size
from ..foreign import tables
from ..foreign.tree_parts import path_to
from ..obligations import compare, must_hold
from ..values import Bad, Fault, ModelRef, Static, Tensor


def dtype_of(ctx: Context, written: tree.TypeOf) -> str:
    """The dtype of a written type, `float` where it names none."""
    if written.dtype is None:
        return "float"
    if written.dtype not in DTYPES:
        ctx.fail(
            "N320",
            f"there is no dtype `{written.dtype}`",
            written.span,
            **dtype_meant(written.dtype, written.span),
        )
    return written.dtype


def dtype_meant(name: str, span: Span) -> Advice:
    """What was meant by a dtype that is not known; the span begins with its name."""
    place = Span(span.source, span.start, span.start + len(name))
    dtypes = "one of " + ", ".join(DTYPES)
    known = tables.DTYPES.get(name)
    if name.lower() in ("scalar", "number"):
        return write(place, "[]", "a single number has no axes")
    if name in ("PRNGKey", "Key", "Rngs", "Generator", "key"):
        return {
            "help": "random numbers are drawn by a stream, `rng=noise`: leave it out"
        }
    if name in tables.ARRAYS:
        return remove(place, f"a type is a shape: leave out `{name}`")
    return meant(place, known) if known else did_you_mean(place, name, DTYPES, dtypes)


def size_of(ctx: Context, node: tree.Expr) -> Dim:
    """A size written in a shape."""
    _known_axes(ctx, node)
    value = ctx.expr(node)
    if isinstance(value, Static) and value.flavor in ("int", "unknown"):
        dim: Dim = named_size(ctx, value, "size", node.span)[1]
        demand_sizes(ctx, dim, node.span)
        return dim
    if isinstance(value, Bad):
        raise Fault
    if isinstance(value, (Static, Tensor)):
        ctx.fail(
            "N313", "a size is a whole number", node.span, **_whole(ctx, value, node)
        )
    if isinstance(value, ModelRef):
        text = f"`{value.name}` is a model here, not a size"
        ctx.fail("N313", text, node.span, help="give the size another name")
    ctx.fail("N313", "this is no size", node.span)


def _whole(ctx: Context, value: Static | Tensor, node: tree.Expr) -> Advice:
    """What makes a size of what is none."""
    match node:
        case tree.Binary("/", left, right):
            return write(node.span, f"{left.span.text} // {right.span.text}")
    if isinstance(value, Tensor) and not value.type.lead:
        chain = path_to(ctx.statement, node)
        if len(chain) > 1 and isinstance(chain[-2], tree.Arg):
            shape = f"[{', '.join(map(str, value.type.sizes))}]"
            return write(node.span, shape, "its shape")
    if isinstance(value, Static) and value.flavor == "float":
        return write(node.span, f"int({node.span.text})")
    return {"help": "a parameter, an axis of an input or arithmetic on them is one"}


def _known_axes(ctx: Context, node: tree.Expr) -> None:
    """Names in a shape are parameters, axes or local sizes."""
    known = {*ctx.names(), *ctx.later, *ctx.partial, *ctx.forbidden}
    for name in _names(node):
        if name.id not in known:
            ctx.fail(
                "N200",
                f"there is no axis or size `{name.id}`",
                name.span,
                **did_you_mean(
                    name.span, name.id, ctx.scope, "an input or a parameter names it"
                ),
            )


def written(ctx: Context, node: tree.TypeOf) -> TensorType:
    """A written type with every name in it known."""
    return TensorType(dtype_of(ctx, node), *axes_of(ctx, node.dims or ()))


def axes_of(ctx: Context, dims: Iterable[tree.Expr]) -> tuple[tuple[Axis, ...], bool]:
    """The axes of a shape, and whether `...` leads it."""
    axes: list[Axis] = []
    lead = False
    for i, node in enumerate(dims):
        if isinstance(node, tree.Dots):
            if i:
                ctx.fail("N314", "`...` can only stand first in a shape", node.span)
            lead = True
            continue
        size = size_of(ctx, node)
        positive(ctx, size, node.span)
        axes.append(Axis(size, size.name))
    return tuple(axes), lead


def positive(ctx: Context, size: Dim, span: Span) -> None:
    """A size that is a number must be at least 1."""
    if size.value is not None and size.value < 1:
        help = "write what the size is, such as `T * d`" if size.value == -1 else None
        ctx.fail("N315", f"a size is at least 1, not {size.value}", span, help=help)


def bind_axes(ctx: Context, node: tree.TypeOf) -> TensorType:
    """An input's type: names that are not known yet become axes."""
    _annotated(ctx, node)
    for dim in node.dims or ():
        _has_a_name(ctx, dim)
        for name in _names(dim):
            if name.id not in ctx.scope:
                _bind_axis(ctx, name)
    return written(ctx, node)


_ANNOTATIONS = {
    **dict.fromkeys(("Float", "Num", "Shaped", "Inexact", "Real", "Array"), ""),
    **dict.fromkeys(("Int", "Integer", "UInt"), "int"),
    "Bool": "bool",
}


def _annotated(ctx: Context, node: tree.TypeOf) -> None:
    """`Float[Array, "B d"]`, as jaxtyping has it."""
    match node.dims:
        case (_, tree.String(sizes)) if node.dtype in _ANNOTATIONS:
            names = ", ".join(sizes.split())
            text = f"{_ANNOTATIONS[node.dtype]}[{names}]"
            message = f"there is no dtype `{node.dtype}`"
            ctx.fail("N320", message, node.span, **write(node.span, text))


def _has_a_name(ctx: Context, node: tree.Expr) -> None:
    """An axis of any size has a name, where others write -1 or None."""
    match node:
        case tree.Unary("-", tree.Number(1)):
            code, text = "N315", "a size is at least 1, not -1"
        case tree.Constant(None):
            code, text = "N313", "`none` is no size"
        case tree.String(value):
            code, text = "N313", "a text is no size"
            if value.isidentifier():
                ctx.fail(code, text, node.span, **write(node.span, value))
        case _:
            return
    free = (n for n in ("B", "T", "N", "M", "K") if n not in ctx.scope)
    advice = write(node.span, next(free, "size"), "an axis of any size has a name")
    ctx.fail(code, text, node.span, **advice)


def _bind_axis(ctx: Context, name: tree.Name) -> None:
    if name.id in ctx.functions or name.id in ctx.signatures:
        what = "a library name" if name.id in ctx.functions else "a block"
        ctx.fail("N203", f"`{name.id}` is {what} and cannot name an axis", name.span)
    size = symbol(name.id)
    ctx.axes[name.id] = name.span
    binding = ctx.bind(name.id, Static(ir.Size(size), "int", size), name.span, "axis")
    binding.used = True


def _names(node: tree.Expr) -> list[tree.Name]:
    match node:
        case tree.Name():
            return [node]
        case tree.Binary(_, left, right):
            return _names(left) + _names(right)
        case tree.Unary(_, operand):
            return _names(operand)
        case tree.Call(_, args):
            return [n for a in args for n in _names(a.value)]
    return []


def fits(got: str, wanted: str) -> bool:
    """Whether a dtype is the wanted one; `float` stands for any floating dtype."""
    floating = is_float(got) and is_float(wanted)
    return got == wanted or (floating and "float" in (got, wanted))


def check_dtype(
    ctx: Context,
    got: str,
    wanted: str,
    span: Span,
    what: str,
    help: str | None = None,
    *,
    cast: bool = False,
) -> None:
    """A dtype must be the wanted one; `float` stands for any floating dtype."""
    if fits(got, wanted):
        return
    advice: Advice = {"help": help} if help else {}
    if cast and re.fullmatch(r"[\w.]+(\(.*\))?", span.text):
        advice = write(span, f"astype({span.text}, {wanted})")
    ctx.fail("N302", f"{what} must be {wanted}", span, f"this is {got}", **advice)


def check_type(
    ctx: Context,
    got: TensorType,
    wanted: TensorType,
    span: Span,
    what: str,
    *,
    related: Iterable[Label] = (),
    help: str | None = None,
) -> None:
    """A type must equal another, axis by axis; unknowns become obligations."""
    check_dtype(ctx, got.dtype, wanted.dtype, span, what, help)
    if wanted.lead:
        if got.rank < wanted.rank and not got.lead:
            ctx.fail(
                "N303",
                f"{what} must be {wanted}",
                span,
                f"this is {got}",
                related=related,
                help=help,
            )
        tail = got.axes[got.rank - wanted.rank :] if wanted.rank else ()
    elif got.rank != wanted.rank or got.lead:
        ctx.fail(
            "N303",
            f"{what} must be {wanted}",
            span,
            f"this is {got}",
            related=related,
            help=help,
        )
    else:
        tail = got.axes
    for have, want in zip(tail, wanted.axes, strict=True):
        must_hold(
            ctx,
            have.size,
            want.size,
            span,
            f"{what} must be {wanted}",
            label=f"this is {got}",
            related=related,
            help=help,
        )


def reshape(
    ctx: Context, value: Tensor, axes: tuple[Axis, ...], lead: bool, span: Span
) -> ir.Expr:
    """`x -> [shape]`: the same elements in the same order, sizes proven equal."""
    source = value.type
    if lead and not source.lead:
        axes, lead = _expand_lead(ctx, source, axes, span), False
    elif source.lead and not lead:
        ctx.fail(
            "N303",
            f"{source} has leading axes",
            span,
            help="begin the shape with `...`",
        )
    target = TensorType(source.dtype, axes, lead)
    try:
        before, after = product(source.sizes), product(target.sizes)
    except DimError as error:
        ctx.fail("N309", str(error), span)
    must_hold(
        ctx,
        before,
        after,
        span,
        f"{source} does not fit {target}",
        label=f"{after} elements, not {before}",
        code="N316",
        advise=lambda: _with_batch(ctx, source, target, span),
    )
    return ir.Reshape(value.expr, _labelled(source, target), span)


def _with_batch(
    ctx: Context, source: TensorType, target: TensorType, span: Span
) -> Advice:
    """Advice to write the axis of examples too, which the shape leaves out."""
    if not source.axes or source.lead or not span.text.startswith("["):
        return {}
    first = source.axes[0].size
    before, after = product(source.sizes), product((first, *target.sizes))
    if compare(ctx, before, after) is not Comparison.EQUAL:
        return {}
    return write(span, f"[{first}, {span.text[1:]}")


def _expand_lead(
    ctx: Context, source: TensorType, axes: tuple[Axis, ...], span: Span
) -> tuple[Axis, ...]:
    """`[..., a, b]` over a known rank: as many leading axes stay as the sizes allow."""
    for keep in range(source.rank, -1, -1):
        rest = product(tuple(a.size for a in source.axes[keep:]))
        if rest == product(tuple(a.size for a in axes)):
            return source.axes[:keep] + axes
    ctx.fail("N316", f"{source} does not end in these sizes", span)


def _labelled(source: TensorType, target: TensorType) -> TensorType:
    labels = {a.size: a.label for a in source.axes if a.label}
    axes = tuple(Axis(a.size, a.label or labels.get(a.size)) for a in target.axes)
    return target.with_axes(axes)
