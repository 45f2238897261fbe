"""Which implementation of attention generated code asks JAX for."""

from __future__ import annotations

from ...record import replace
from ..render import Part

_CALL = "jax.nn.dot_product_attention("


def implemented(part: Part, name: str | None) -> Part:
    """The part with the implementation named in every call of JAX's attention."""
    if name is None or _CALL not in part.text:
        return part
    before, *calls = part.text.split(_CALL)
    keyword = f'implementation="{name}"'
    text = before + "".join(f"{_CALL}{_with(call, keyword)}" for call in calls)
    return replace(part, text=text, done=False, simple=False)


def _with(call: str, keyword: str) -> str:
    """What follows an opening bracket, with a last argument before its closing one."""
    depth = 1
    for at, letter in enumerate(call):
        depth += (letter in "([{") - (letter in ")]}")
        if not depth:
            given = call[:at].rstrip().removesuffix(",")
            return f"{given}, {keyword}{call[at:]}"
    return call
