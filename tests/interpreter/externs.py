"""Python code that a spec brings in: called as it is."""

from __future__ import annotations

import importlib
import types
from typing import TYPE_CHECKING, Any

import jax.numpy as jnp
from flax import nnx

from nnxc.syntax import tree

from .values import Layer, Tensor, raw

if TYPE_CHECKING:
    from .expressions import Expressions


def found(frame: Expressions, extern: tree.Extern) -> Any:
    """The function or class that is declared."""
    place = extern.place.value
    if not place.endswith(".py"):
        return getattr(importlib.import_module(place), extern.name.id)
    modules = frame.run.program.python
    if place not in modules:
        module = types.ModuleType(place)
        exec(compile(frame.run.program.read(place), place, "exec"), module.__dict__)
        modules[place] = module
    return getattr(modules[place], extern.name.id)


def _labelled(result: Any, extern: tree.Extern) -> Any:
    if isinstance(result, tuple):
        pairs = zip(result, extern.types, strict=True)
        return tuple(Tensor(jnp.asarray(r), _names(t)) for r, t in pairs)
    return Tensor(jnp.asarray(result), _names(extern.types[0]))


def _names(type: tree.TypeOf) -> list[str | None] | None:
    if any(isinstance(d, tree.Dots) for d in type.dims or ()):
        return None
    return [None for d in type.dims or ()]


def call(
    frame: Expressions,
    extern: tree.Extern,
    first: list[Any],
    args: tuple[tree.Arg, ...],
) -> Any:
    """A function: what has a default is passed by name."""
    given: dict[str, Any] = {}
    names = [t.name for t in extern.taken]
    tensors = [t.name for t in extern.taken if isinstance(t, tree.Field)]
    given |= dict(zip(tensors, first, strict=False))
    sizes = inferred(extern, given)
    free = [n for n in names if n not in given and n not in sizes]
    plain = [frame.value(a.value) for a in args if a.name is None]
    given |= dict(zip(free, plain, strict=False))
    given |= {a.name: frame.value(a.value) for a in args if a.name is not None}
    given = {**defaults(frame, extern), **inferred(extern, given), **given}
    return _labelled(_called(found(frame, extern), extern, given), extern)


def _called(
    function: Any, extern: tree.Extern, given: dict[str, Any], **more: Any
) -> Any:
    positional = [raw(given[t.name]) for t in extern.taken if t.default is None]
    named = {
        t.name: raw(given[t.name])
        for t in extern.taken
        if t.default is not None and given.get(t.name) is not None
    }
    return function(*positional, **named, **more)


def defaults(frame: Expressions, extern: tree.Extern) -> dict[str, Any]:
    """What a call leaves out, as the declaration has it."""
    return {
        t.name: frame.value(t.default) for t in extern.taken if t.default is not None
    }


def axes_of(extern: tree.Extern) -> set[str]:
    """The names of axes of the tensors that Python takes."""
    fields = [t for t in extern.taken if isinstance(t, tree.Field)]
    dims = [dim for field in fields for dim in field.type.dims or ()]
    return {dim.id for dim in dims if isinstance(dim, tree.Name)}


def inferred(extern: tree.Extern, given: dict[str, Any]) -> dict[str, int]:
    """Parameters that are axes of tensors."""
    wanted = {t.name for t in extern.taken if isinstance(t, tree.Parameter)}
    sizes: dict[str, int] = {}
    for field in extern.taken:
        value = given.get(field.name)
        if isinstance(field, tree.Field) and isinstance(value, Tensor):
            for back, dim in enumerate(reversed(field.type.dims or ()), 1):
                if isinstance(dim, tree.Name) and dim.id in wanted:
                    sizes[dim.id] = value.shape[-back]
    return sizes


def module(frame: Expressions, layer: Layer, given: dict[str, Any]) -> Any:
    """A module of Flax: constructed, given its weights, and called."""
    extern = layer.kind.what
    params = {**defaults(frame, extern), **inferred(extern, given), **layer.args}
    cls = found(frame, extern)
    taken = [t for t in extern.taken if isinstance(t, tree.Parameter)]
    plain = [params[t.name] for t in taken if t.default is None]
    named = {t.name: params[t.name] for t in taken if t.name in params and t.default}
    made = cls(*plain, **named, rngs=nnx.Rngs(0))
    for path, variable in nnx.to_flat_state(nnx.state(made, nnx.Not(nnx.RngState))):
        variable[...] = frame.run.read((*layer.path, *path))
    nnx.update(made, nnx.state(made))
    made.train() if frame.run.train else made.eval()
    inputs = [raw(given[t.name]) for t in extern.taken if t.name in given]
    return _labelled(made(*inputs), extern)
