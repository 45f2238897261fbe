"""What an expression gives: numbers, texts, lists, tensors whose axes have names, and layers."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import jax
import jax.numpy as jnp

Names = tuple[str | None, ...]


class Refused(ValueError):
    """What a `require` says is not so, or sizes do not fit."""


class Required(Refused):
    """What a `require` says is not so."""


class Tensor:
    """An array whose axes may have names."""

    def __init__(self, array: Any, names: Sequence[str | None] | None = None):
        self.array = jnp.asarray(array)
        self.names: Names = tuple(names or (None,) * self.array.ndim)
        assert len(self.names) == self.array.ndim, (self.names, self.array.shape)

    @property
    def shape(self) -> tuple[int, ...]:
        return self.array.shape

    @property
    def ndim(self) -> int:
        return self.array.ndim


class Record(dict[str, Any]):
    """The values of a `return` that have names."""


@dataclass(frozen=True)
class AxisRef:
    """An axis by its name, and the size that the name stands for; by position without a name."""

    name: str | None
    size: int | None


@dataclass(frozen=True)
class Function:
    """A function of the library, with what `defaults` make of it; or any Python function."""

    name: str
    defaults: dict[str, Any] = field(default_factory=dict)
    python: Callable[..., Any] | None = None
    extern: Any = None


@dataclass(frozen=True)
class Kind:
    """What a layer may be made of: a layer of the library, a block, or a module of Python's."""

    name: str
    what: Any  # a function of `layers`, a definition, or an extern
    file: Any = None
    defaults: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Layer:
    """A layer that was constructed: its kind, its parameters, inputs given with them, its path;
    `around` are the parameters of the model that it is part of, where it reads them."""

    kind: Kind
    args: dict[str, Any]
    inputs: dict[str, Any]
    path: tuple[Any, ...]
    each: Any = None
    origin: dict[str, str] = field(default_factory=dict)
    around: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Stack:
    """`Block(...) * n`: layers that are applied one after the other."""

    layers: tuple[Layer, ...]


@dataclass(frozen=True)
class Method:
    """`layer.name`."""

    layer: Any
    name: str


def position(axis: Any, tensor: Tensor) -> int:
    """Where an axis stands: by its name, else as the one of its size, else by its number."""
    if not isinstance(axis, AxisRef):
        return range(tensor.ndim)[axis]
    if axis.name is not None and tensor.names.count(axis.name) == 1:
        return tensor.names.index(axis.name)
    if axis.name is None:
        return range(tensor.ndim)[axis.size]
    places = [i for i, size in enumerate(tensor.shape) if size == axis.size]
    if len(places) > 1:
        unnamed = [i for i in places if tensor.names[i] is None]
        places = unnamed if len(unnamed) == 1 else places
    if len(places) == 1:
        return places[0]
    raise LookupError(f"axis {axis} of {tensor.shape} {tensor.names}")


def broadcast_names(tensors: Sequence[Tensor], shape: tuple[int, ...]) -> Names:
    """The names of what tensors give that are stretched to one shape."""
    found: list[str | None] = [None] * len(shape)
    for tensor in tensors:
        for back in range(1, tensor.ndim + 1):
            if found[-back] is None and tensor.shape[-back] == shape[-back]:
                found[-back] = tensor.names[-back]
    return tuple(found)


def named(result: Any, inputs: Sequence[Tensor]) -> Tensor:
    """A result with the names of what it was made of, as far as they plainly go on."""
    array = jnp.asarray(result)
    shapes = [t.shape for t in inputs]
    try:
        same = jnp.broadcast_shapes(*shapes) == array.shape
    except ValueError:
        same = False
    if inputs and same:
        return Tensor(array, broadcast_names(inputs, array.shape))
    if inputs and inputs[0].ndim == array.ndim:
        return Tensor(array, inputs[0].names)
    return Tensor(array)


def raw(value: Any) -> Any:
    """A value without the names of axes: arrays, tuples, lists and dicts of them."""
    match value:
        case Tensor():
            return value.array
        case Record():
            return {name: raw(part) for name, part in value.items()}
        case tuple() | list():
            return type(value)(map(raw, value))
    return value


def tensors_in(value: Any) -> list[Tensor]:
    """The tensors in a value."""
    match value:
        case Tensor():
            return [value]
        case Record():
            return [t for part in value.values() for t in tensors_in(part)]
        case tuple() | list():
            return [t for part in value for t in tensors_in(part)]
    return []


def renamed(value: Any, names: dict[str, str | None]) -> Any:
    """A value whose axes are called as outside of the block that gave it."""
    match value:
        case Tensor():
            return Tensor(
                value.array, [names.get(n, n) if n else None for n in value.names]
            )
        case Record():
            return Record({n: renamed(part, names) for n, part in value.items()})
        case tuple() | list():
            return type(value)(renamed(part, names) for part in value)
    return value


DTYPES = {
    "float": jnp.float32, "f32": jnp.float32, "f64": jnp.float64, "f16": jnp.float16,
    "bf16": jnp.bfloat16, "int": jnp.int32, "i8": jnp.int8, "i16": jnp.int16,
    "i32": jnp.int32, "i64": jnp.int64, "u8": jnp.uint8, "u32": jnp.uint32, "bool": jnp.bool_,
}  # fmt: skip


KEY = 0  # what is random is drawn with one key, by interpreter and model alike


def key() -> jax.Array:
    """The key of every draw."""
    return jax.random.key(KEY)
