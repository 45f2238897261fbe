"""A layer with a copy for every entry of an axis: `jax.vmap` over stacked weights."""

from __future__ import annotations

from collections.abc import Sequence

from ..python.free_names import bound_name
from ..python.names import identifier
from ..python.scope import Callee, Copies
from ..signature import Draws


def made(construct: str, streams: str | None, count: str) -> str:
    """The constructor of all copies; `construct` makes one, from the streams of that name if any."""
    if streams is None:
        return f"jax.vmap(lambda: {construct}, axis_size={count})()"
    return f"jax.vmap(lambda {streams}: {construct})(rngs.split({count}))"


def called(
    callee: Callee,
    copies: Copies,
    args: Sequence[tuple[str, str, bool]],
    axes: Sequence[int | None],
    rngs: str,
) -> str:
    """The call of all copies; `args` are name, text, and whether it is passed by keyword."""
    inner = [identifier(name) for name, _, _ in args]
    layer, streams = (bound_name(name, inner) for name in ("layer", "r"))
    given = [
        f"{name}={i}" if keyword else i
        for i, (name, _, keyword) in zip(inner, args, strict=True)
    ]
    along = [0, *axes]
    texts = [callee.text, *(text for _, text, _ in args)]
    if callee.draws:
        inner.append(streams)
        given.append(f"rngs={streams}")
        along.append(0)
        split = f"{rngs}.split({copies.count})"
        lazy = copies.draws is Draws.TRAINING
        texts.append(f"None if {rngs} is None else {split}" if lazy else split)
    more = [f"in_axes={_tuple(along)}", f"out_axes={axes[0]}"] if any(along) else []
    if None in along and not any(along):
        more = [f"in_axes={_tuple(along)}"]
    if copies.stateful:
        more.append("graph=False")
    vmap = "nnx.vmap" if copies.stateful else "jax.vmap"
    function = f"lambda {', '.join([layer, *inner])}: {layer}({', '.join(given)})"
    return f"{vmap}({', '.join([function, *more])})({', '.join(texts)})"


def _tuple(items: Sequence[int | None]) -> str:
    return f"({', '.join(map(str, items))})"
