"""Steps between the layout of a file and the layout of a layer."""

from __future__ import annotations

from ...diagnostics import Advice, remove, write
from ...source import Span
from ...syntax import tree
from ..context import Context
from ..foreign.tree_parts import whole_number
from .weights_layout import Layout, layout_of

_ALONG = ("split", "interleave", "concat")


_MOVES = ("T", "permute", "swapaxes", "t", "transpose", "swap")


def move_instead(call: tree.Call) -> Advice | None:
    """`permute(1, 0)`, as it is written here."""
    name = call.func.id if isinstance(call.func, tree.Name) else ""
    if name in ("chunk", "unbind", "tensor_split"):
        return write(call.span, "split")
    if name not in _MOVES:
        return None
    items = [a.value for a in call.args]
    if len(items) == 1 and isinstance(items[0], tree.ListOf):
        items = list(items[0].items)
    order = [whole_number(item) for item in items]
    if len(order) <= 2:
        return write(call.span, "transpose")
    if sorted(n for n in order if n is not None) != [*range(len(order))]:
        return None
    letters = "abcdefgh"[: len(order)]
    after = " ".join(letters[n] for n in order if n is not None)
    return write(call.span, f'rearrange("{" ".join(letters)} -> {after}")')


def rearrangement(ctx: Context, call: tree.Call) -> Layout:
    match call.args:
        case (tree.Arg(None, tree.String(pattern)),) if found := layout_of(pattern):
            return found
    ctx.fail(
        "N606",
        "`rearrange` names the axes of the tensor, then those of the weight",
        call.span,
        help='such as `rearrange("o i h w -> h w i o")`; an axis of size 1 is `1`',
    )


def stacking_axis(ctx: Context, name: str, args: tuple[tree.Arg, ...]) -> int:
    match args:
        case ():
            return 0
        case (tree.Arg("axis", value),) if name in _ALONG:
            axis = whole_number(value)
            if axis is not None:
                return axis
    help = "it takes `axis` at most, a number" if name in _ALONG else "it takes none"
    advice: Advice = {"help": help}
    match args:
        case (tree.Arg("dim", value, span),) if name in _ALONG:
            advice = write(span, f"axis={value.span.text}")
        case (tree.Arg(None, tree.Number(), span),) if name in _ALONG:
            place = Span(span.source, span.start - 1, span.end + 1)
            if place.text[0] + place.text[-1] == "()":
                advice = remove(
                    place, "the paths on the left are counted: leave it out"
                )
    ctx.fail("N606", f"`{name}` has no such argument", args[0].span, **advice)
