"""Sizes of what a block returns that its callers cannot compute: they ask it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from ... import ir
from ...dims import Dim, Func, symbol
from ...shapes import OPEN, ListType, TensorType
from ..context import Context
from ..values import Found, LayerInfo, Signature


def found_sizes(ctx: Context) -> dict[Dim, Found]:
    """The sizes of what is returned that follow from a loop, or have no form: names of this
    definition's own that its object knows, or that are the size of an axis; else whole sizes.
    """
    known = ctx.params.keys() | ctx.axes.keys() | OPEN.symbols
    named = [
        (size, type.axis_name(i))
        for out in ctx.outputs
        for type in tensor_types(out)
        for i, size in enumerate(type.sizes)
        if not size.symbols <= known
    ]
    own = {name for size, _ in named for name in size.symbols} - known
    alone = {str(size.name) for size, _ in named if size.name}
    built = {n for n in own if ctx.roots((n,)) & ctx.axes.keys() <= ctx.inferred.keys()}
    built -= {name for size, _ in named for name in lists_in(size)}
    found = {symbol(n): n for n in sorted(alone | built)}
    found |= {s: name for s, name in named if not s.symbols - known <= alone | built}
    return {s: Found(name, ctx.roots(s.symbols) & known) for s, name in found.items()}


def lists_in(size: Dim) -> Iterator[str]:
    """The names of lists and windows, of which a size takes elements or the length."""
    for monomial, _ in size.terms:
        for atom, _ in monomial:
            if isinstance(atom, Func):
                if atom.name in ("index", "len") and atom.args[0].name:
                    yield atom.args[0].name
                for part in atom.args:
                    yield from lists_in(part)


def tensor_types(kind: ir.Type) -> list[TensorType]:
    """All tensors in a type, flat."""
    match kind:
        case TensorType():
            return [kind]
        case ListType(element, items=items):
            return list(items or (element,))
    return [t for k in kind for t in tensor_types(k)]


def named_here(
    ctx: Context, info: LayerInfo, signature: Signature, env: Mapping[str, Any]
) -> dict[Dim, str]:
    """Names in the caller for what a block finds. What it knows once it is built is the same
    wherever it is applied."""
    inferred = frozenset(signature.definition.inferred)
    names: dict[Dim, str] = {}
    for size, found in signature.found.items():
        here = info.gives.get(size) or ctx.unused_name(f"{info.name}_{found.name}")
        if found.roots & signature.axes <= inferred:
            info.gives = {**info.gives, size: here}
        else:
            ctx.at_call[here] = info.span
        ctx.locals[here] = frozenset(
            name
            for root in found.roots
            for d in _dims(env.get(root))
            for name in d.symbols
        )
        names[size] = here
    return names


def _dims(value: Any) -> tuple[Dim, ...]:
    """The sizes in what a block is given; texts and the like have none."""
    if isinstance(value, Dim):
        return (value,)
    items = value if isinstance(value, tuple) else ()
    return tuple(d for item in items for d in _dims(item))


def in_caller(size: Dim, env: Mapping[str, Any], names: Mapping[Dim, str]) -> Dim:
    """A size of a block in the terms of its caller."""
    if size in names:
        return symbol(names[size])
    own = {str(d.name): symbol(here) for d, here in names.items() if d.name}
    return size.substitute({**env, **own})
