"""Images as PyTorch has them, `[B, 3, H, W]`: here channels stand last."""

from __future__ import annotations

import re

from ... import ir
from ...diagnostics import Advice, Fix, Label
from ...dims import Dim
from ...source import Span
from ..context import Context
from ..values import Tensor

_CHANNELS = re.compile(r"(in_?)?(c|ch|channels?|colou?rs?|[134])", re.IGNORECASE)
_SIDES = (("h", "w"), ("height", "width"))


def refuse_channels_first(ctx: Context, image: Tensor, span: Span) -> None:
    """Refuse an input whose channels seem to stand before its sides, where a `Conv` takes it."""
    given = next(
        (
            i
            for i in ctx.inputs
            if isinstance(image.expr, ir.Var) and i.name == image.expr.name
        ),
        None,
    )
    if given is None or image.type is not given.type or not _is_first(image.type.sizes):
        return
    shown = ", ".join(map(str, image.type.sizes))
    ctx.fail(
        "N301",
        "the channels of an image stand last",
        span,
        f"this is [{shown}]",
        related=(Label(given.span, "it is declared here"),),
        **_moved(given.span),
    )


def _is_first(sizes: tuple[Dim, ...]) -> bool:
    if len(sizes) != 4:
        return False
    _, channels, high, wide = map(str, sizes)
    if not _CHANNELS.fullmatch(channels) or channels == high:
        return False
    return high == wide or (high.casefold(), wide.casefold()) in _SIDES


def _moved(name: Span) -> Advice:
    """The declaration with its channels last."""
    help = 'declare it so; `rearrange("b c h w -> b h w c")` turns what comes otherwise'
    text = name.source.text
    shape = re.compile(r"\s*:\s*\w*\[([^\[\],]+),([^,]+),([^,]+),([^\[\],]+)\]")
    found = shape.match(text, name.end)
    if found is None:
        return {"help": help}
    first, channels, high, wide = (part.strip() for part in found.groups())
    new = f"{first}, {high}, {wide}, {channels}"
    place = Span(name.source, found.start(1), found.end(4))
    return {"help": f"write `{name.text}: [{new}]`", "fix": Fix(place, new)}
