"""What is called: arguments find their parameters, functions and layers are applied."""

from __future__ import annotations

import inspect
from collections.abc import Sequence
from dataclasses import replace
from functools import cache
from typing import TYPE_CHECKING, Any

import jax
import jax.numpy as jnp

from nnxc.syntax import tree

from . import externs
from .functions import FUNCTIONS, REDUCTIONS
from .layers import LAYERS, METHODS
from .losses import LOSSES
from .shaping import MANY, SHAPING, appended, reduced, taken
from .values import (
    AxisRef,
    Function,
    Kind,
    Layer,
    Method,
    Record,
    Refused,
    Stack,
    Tensor,
    named,
    position,
    raw,
    tensors_in,
)

if TYPE_CHECKING:
    from .expressions import Expressions

AXES = {"axis", "axes", "over"}
PLACES = {("stack", "axis"), ("expand", "axis"), ("flatten", "axis")}


@cache
def signature(function: Any) -> dict[str, inspect.Parameter]:
    return dict(inspect.signature(function).parameters)


def argument(frame: Expressions, owner: str | None, name: str, node: tree.Expr) -> Any:
    """An argument as its parameter wants it: an axis, a shape, a dtype, a stream, a value.

    `owner` is the function or layer of the library that has the parameter, None for a spec's own.
    """
    if owner is None:
        return frame.value(node)
    if name == "rng" or name.endswith("_init"):
        return None
    if name == "dtype":
        return node.id if isinstance(node, tree.Name) else frame.value(node)
    if name in AXES or (owner == "swapaxes" and name in "ab"):
        return frame.axis(node)
    if name == "shape" and isinstance(node, tree.ListOf):
        return frame.shape(node.items)
    return frame.value(node)


# -------------------------------------------------------------------------- functions


def call_function(
    frame: Expressions, function: Function, first: list[Any], args: tuple[tree.Arg, ...]
) -> Any:
    """A function of its inputs, which come first, and its parameters."""
    name = function.name
    if function.python is not None:
        first = [*first, *(frame.value(a.value) for a in args)]
        return named(function.python(*map(raw, first)), tensors_in(first))
    if function.extern is not None:
        return externs.call(frame, function.extern, first, args)
    python = FUNCTIONS.get(name) or SHAPING.get(name) or LOSSES[name]
    positional = list(first)
    if name in MANY:
        return _many(frame, name, python, positional, args)
    names = list(signature(python))
    if len(positional) == 1 and isinstance(positional[0], tuple | Record):
        whole = positional[0]
        positional = list(whole.values() if isinstance(whole, Record) else whole)
    given: dict[str, Any] = dict(zip(names, positional, strict=False))
    rest = iter(names[len(given) :])
    for arg in args:
        if arg.name is None:
            slot = next(rest)
            given[slot] = argument(frame, name, slot, arg.value)
        else:
            given[arg.name] = argument(frame, name, arg.name, arg.value)
    given = {k: v for k, v in given.items() if v is not None}
    given = {**function.defaults, **given}
    given |= {
        k: tuple(v) for k, v in given.items() if k == "window" and isinstance(v, list)
    }
    first_tensor = next((v for v in given.values() if isinstance(v, Tensor)), None)
    given = {k: _placed(name, k, v, first_tensor) for k, v in given.items()}
    if name in SHAPING:
        kept = {
            k: Tensor(v) if k in ("x", "y") and not isinstance(v, Tensor) else v
            for k, v in given.items()
        }
        result = python(**kept)
        return result if isinstance(result, Tensor) else Tensor(result)
    result = python(**{k: _array(k, v) for k, v in given.items()})
    return _labelled(name, result, given)


def _array(name: str, value: Any) -> Any:
    if isinstance(value, Tensor):
        return value.array
    return (
        jnp.asarray(value) if name == "x" and isinstance(value, int | float) else value
    )


def _many(
    frame: Expressions,
    name: str,
    python: Any,
    first: list[Any],
    args: tuple[tree.Arg, ...],
) -> Tensor:
    """A function of any number of tensors, or of a list of them."""
    named_args = {a.name: a.value for a in args if a.name}
    positional = [a.value for a in args if not a.name]
    params: dict[str, Any] = {}
    if name == "einsum" and positional and isinstance(positional[0], tree.String):
        params["pattern"] = positional.pop(0).value
    found = [*first, *(frame.value(p) for p in positional)]
    if name == "einsum" and "pattern" not in params:
        texts = [f for f in found if isinstance(f, str)]
        params["pattern"] = (
            texts[0] if texts else frame.value(named_args.pop("pattern"))
        )
        found = [f for f in found if not isinstance(f, str)]
    xs: list[Any] = []
    for item in found:
        item = tuple(item.values()) if isinstance(item, Record) else item
        xs += item if isinstance(item, list | tuple) else [item]
    xs = [frame.tensor(x) for x in xs]
    for key, node in named_args.items():
        params[key] = _placed(name, key, argument(frame, name, key, node), xs[0])
    return python(*xs, **params)


def _placed(owner: str, name: str, value: Any, tensor: Tensor | None) -> Any:
    """Axes as positions."""
    if isinstance(value, AxisRef):
        if (owner, name) in PLACES or tensor is None:
            return value.size
        return position(value, tensor)
    if isinstance(value, list) and value and isinstance(value[0], AxisRef):
        return [_placed(owner, name, v, tensor) for v in value]
    return value


def _labelled(name: str, result: Any, given: dict[str, Any]) -> Any:
    """A function's result, with the names of its axes."""
    inputs = [v for v in given.values() if isinstance(v, Tensor)]
    if isinstance(result, tuple):
        return tuple(_labelled("", r, given) for r in result)
    if name in REDUCTIONS:
        axis = given.get("axis", -1 if name in ("argmax", "argmin") else None)
        return reduced(inputs[0], result, axis, given.get("keepdims", False))
    if name == "one_hot":
        return appended(inputs[0], result)
    if name == "take":
        return taken(
            inputs[0], inputs[1], result, range(inputs[0].ndim)[given.get("axis", 0)]
        )
    if name in ("attend", "repeat", "pad", "tile"):
        return Tensor(result, inputs[0].names)
    return named(result, inputs)


# ------------------------------------------------------------------------------ layers


def construct(
    frame: Expressions, kind: Kind, args: tuple[tree.Arg, ...], node: tree.Expr
) -> Layer:
    """A layer with its parameters, at the path that its name gives it."""
    inputs, params = input_names(kind), parameter_names(kind)
    given: dict[str, Any] = dict(kind.defaults)
    with_it: dict[str, Any] = {}
    origin: dict[str, str] = {}
    each = None
    positional = [a.value for a in args if a.name is None]
    if kind.name == "Linear" and kind.what is LAYERS["Linear"]:
        if positional:
            given["out"] = [frame.value(p) for p in positional]
        positional = []
    pairs = [*zip(params, positional, strict=False)]
    pairs += [(a.name, a.value) for a in args if a.name is not None]
    for name, value in pairs:
        if name == "each":
            each = frame.axis(value)
        elif name in inputs and name not in params:
            with_it[name] = frame.value(value)
        else:
            owner = kind.name if callable(kind.what) else None
            found = argument(frame, owner, name, value)
            written = isinstance(value, tree.Constant)
            if found is not None or written or name in needed(kind):
                given[name] = found
            if isinstance(value, tree.Name):
                origin[name] = value.id
    name = frame.names[id(node)]
    path = (*frame.path, name, *frame.indices)
    around: dict[str, Any] = {}
    if isinstance(kind.what, tree.Definition) and kind.what.groups:
        around = frame.around
        origin |= {n: n for n in around}
    return Layer(kind, given, with_it, path, each, origin, around)


def input_names(kind: Kind) -> list[str]:
    """The inputs of a kind of layer, in order."""
    what = kind.what
    if isinstance(what, tree.Definition):
        return [
            f.name
            for s in what.body
            if isinstance(s, tree.Declare) and s.keyword == "input"
            for f in s.fields
        ]
    if isinstance(what, tree.Extern):
        return [f.name for f in what.taken if isinstance(f, tree.Field)]
    only = inspect.Parameter.POSITIONAL_ONLY
    return [n for n, p in signature(what).items() if p.kind is only and n != "w"]


def parameter_names(kind: Kind) -> list[str]:
    """The parameters of a kind of layer, in order."""
    what = kind.what
    if isinstance(what, tree.Definition):
        return [p.name for p in what.params]
    if isinstance(what, tree.Extern):
        axes = externs.axes_of(what)  # which are inferred
        taken = [p.name for p in what.taken if isinstance(p, tree.Parameter)]
        return [p for p in taken if p not in axes]
    only = inspect.Parameter.POSITIONAL_ONLY
    return [n for n, p in signature(what).items() if p.kind is not only]


def needed(kind: Kind) -> set[str]:
    """The parameters of a block that have no default: what is none there, is none."""
    if not isinstance(kind.what, tree.Definition):
        return set()
    return {p.name for p in kind.what.params if p.default is None}


def apply(
    frame: Expressions, target: Any, first: list[Any], args: tuple[tree.Arg, ...]
) -> Any:
    """A layer, stack or method of one, given its inputs."""
    if isinstance(target, Method):
        layer, method = target.layer, target.name
    else:
        layer, method = target, ""
    if isinstance(layer, Stack):
        for one in layer.layers:
            first = [apply(frame, one, first, args)]
        return first[0]
    if not isinstance(layer, Layer):
        raise TypeError(f"{layer!r} is not applied")
    kind = layer.kind
    if (kind.name, method) in METHODS:
        kind = Kind(kind.name, METHODS[kind.name, method])
    names = input_names(kind)
    values = [*first, *(frame.value(a.value) for a in args if a.name is None)]
    if len(first) == 1 and isinstance(first[0], tuple) and len(names) > 1:
        values[:1] = first[0]
    given = {**layer.inputs, **dict(zip(names, values, strict=False))}
    given |= {a.name: frame.value(a.value) for a in args if a.name is not None}
    if isinstance(layer.kind.what, tree.Definition):
        free = [n for n in names if n not in layer.inputs]
        given = {**layer.inputs, **dict(zip(free, values, strict=False))}
        given |= {a.name: frame.value(a.value) for a in args if a.name is not None}
    given = {k: v for k, v in given.items() if v is not None}
    if method == "gradient":
        return _gradient(frame, layer, names[0], given)
    if layer.each is not None:
        return _copies(frame, layer, method, names[0], given)
    return applied(frame, layer, method, given)


def applied(
    frame: Expressions, layer: Layer, method: str, given: dict[str, Any]
) -> Any:
    """One layer at its inputs by name."""
    what = layer.kind.what
    if isinstance(what, tree.Definition):
        return frame.run.definition(layer, given)
    if isinstance(what, tree.Extern):
        return externs.module(frame, layer, given)
    function = METHODS[layer.kind.name, method] if method else what
    names = input_names(Kind(layer.kind.name, function))
    ordered = [frame.tensor(given[n]) if n in given else None for n in names]
    inputs = [x for x in ordered if x is not None]
    result = function(Weights(frame, layer.path), *ordered, **layer.args)
    if isinstance(result, tuple):
        return tuple(r if isinstance(r, Tensor) else named(r, inputs) for r in result)
    return result if isinstance(result, Tensor) else named(result, inputs[:1])


class Weights:
    """The weights of a layer of the library."""

    def __init__(self, frame: Expressions, path: tuple[Any, ...]):
        self.run, self.path = frame.run, path
        self.train = frame.run.train

    def __call__(self, *path: str, sizes: Sequence[int] | None = None) -> Any:
        """The weight at a path, which has to be of the sizes that parameters give it."""
        array = self.run.read((*self.path, *path))
        if sizes is not None and array.shape != tuple(sizes):
            where = ".".join(map(str, (*self.path, *path)))
            raise Refused(f"{where} is {list(array.shape)}, not {list(sizes)}")
        return array

    def write(self, value: Any, *path: str) -> None:
        self.run.write((*self.path, *path), value)


def _gradient(
    frame: Expressions, layer: Layer, name: str, given: dict[str, Any]
) -> Tensor:
    """How fast the sum of what a layer gives changes with its first input."""
    x = frame.tensor(given[name])

    def total(array: Any) -> Any:
        inner = {**given, name: Tensor(array, x.names)}
        result = apply(frame, replace(layer, inputs=inner), [], ())
        return jnp.sum(frame.tensor(result).array)

    return Tensor(jax.grad(total)(x.array), x.names)


def _copies(
    frame: Expressions, layer: Layer, method: str, name: str, given: dict[str, Any]
) -> Any:
    """A copy for every entry of an axis, each with weights of its own."""
    x = frame.tensor(given[name])
    place = position(layer.each, x)
    places = {name: place}
    for other, value in given.items():
        if other != name and isinstance(value, Tensor) and layer.each.name:
            if layer.each.name in value.names:
                places[other] = value.names.index(layer.each.name)
            elif value.shape.count(layer.each.size) == 1 and layer.each.size not in (
                1,
            ):
                places[other] = value.shape.index(layer.each.size)
    results = []
    for i in range(x.shape[place]):
        entries = {n: _entry(v, places.get(n), i) for n, v in given.items()}
        with frame.run.copy_of(layer.path, i):
            results.append(applied(frame, layer, method, entries))
    return _joined(results, place, x.names[place])


def _entry(value: Any, place: int | None, index: int) -> Any:
    if place is None:
        return value
    names = value.names[:place] + value.names[place + 1 :]
    return Tensor(value.array.take(index, place), names)


def _joined(results: list[Any], place: int, name: str | None) -> Any:
    first = results[0]
    if isinstance(first, Record):
        return Record({k: _joined([r[k] for r in results], place, name) for k in first})
    if isinstance(first, tuple | list):
        return type(first)(
            _joined(list(r), place, name) for r in zip(*results, strict=True)
        )
    place = min(place, first.ndim)
    names = [*first.names[:place], name, *first.names[place:]]
    return Tensor(jnp.stack([r.array for r in results], place), names)
