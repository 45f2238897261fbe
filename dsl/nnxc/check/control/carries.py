"""What the steps of a scan make of its carries."""

from __future__ import annotations

from ... import ir
from ...diagnostics import Label, closest, meant
from ...shapes import TensorType, is_float
from ...syntax import tree
from ..context import Context
from ..obligations import must_hold
from ..values import BAD, Bad, Binding, Fault, Tensor


def _misspelt(ctx: Context, node: tree.Carry) -> bool:
    """Whether a step gives a value to a name that is all but the carry's, and nobody reads it."""
    found = [b for b in ctx.bindings if b.what == "value" and not b.used]
    near = closest(node.name, [b.name for b in found], 0.75)
    if near is None:
        return False
    one = next(b for b in found if b.name == near)
    one.use()
    text = f"the value of `{near}` is not used"
    ctx.error("N260", text, one.span, **meant(one.span, node.name))
    return True


def left_behind(
    ctx: Context, node: tree.Carry, begin: Binding, last: Binding, first: TensorType
) -> None:
    """Check what a step makes of a carry, and bind what the last step leaves."""
    value: Tensor | Bad = Tensor(ir.Var(node.name, first, node.name_span))
    last.use()
    if last is begin:
        value = BAD
        if node.name not in ctx.forbidden and not _misspelt(ctx, node):
            ctx.error(
                "N267",
                f"`{node.name}` is carried, and no step changes it",
                node.name_span,
                help=f"give it its next value: `{node.name} = ...`, or carry it not",
            )
            begin.use()
    elif not isinstance(last.value, Tensor):
        value = BAD
        _other_kind(ctx, node, last)
        begin.use()
    else:
        try:
            _same_type(ctx, node, first, last, last.value.type)
        except Fault:
            value = BAD
            begin.use()
    ctx.bind(node.name, value, node.name_span, "value").used = True


def _other_kind(ctx: Context, node: tree.Carry, last: Binding) -> None:
    if not isinstance(last.value, Bad):
        message = f"`{node.name}` changes its type from step to step"
        label = "this is no tensor"
        related = (Label(node.span, "it begins as one"),)
        ctx.error("N323", message, last.span, label, related=related)


def _same_type(
    ctx: Context, node: tree.Carry, first: TensorType, last: Binding, new: TensorType
) -> None:
    """A carry keeps its dtype and shape."""
    message = f"`{node.name}` changes its type from step to step"
    label = f"this is {new}"
    related = (Label(node.span, f"it begins as {first}"),)
    help = _repair(node.name, first, new)
    if first.dtype != new.dtype or first.rank != new.rank or first.lead != new.lead:
        ctx.fail("N323", message, last.span, label, related=related, help=help)
    for have, due in zip(new.sizes, first.sizes, strict=True):
        must_hold(
            ctx,
            have,
            due,
            last.span,
            message,
            code="N323",
            label=label,
            related=related,
            help=help,
        )


def _repair(name: str, first: TensorType, new: TensorType) -> str:
    if first.dtype == new.dtype:
        shape = ", ".join(map(str, new.sizes))
        return f"begin with what a step gives, such as `{name} = zeros([{shape}])`"
    if is_float(new.dtype) and not is_float(first.dtype):
        return (
            f"arithmetic with floats gives floats: begin with one, such as `0.0` or "
            f"`zeros(...)`, or end the step with `{name} = astype({name}, {first.dtype})`"
        )
    return f"end the step with `{name} = astype({name}, {first.dtype})`"
