"""Types of values: dtypes and shapes. Knows `dims` only."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, Self

from .dims import Dim, as_dim, symbol
from .record import Record, replace

# The language's dtypes and their names in jax.numpy. `float` is the model's own dtype.
DTYPES = {
    "float": "float32",
    "f64": "float64",
    "f32": "float32",
    "f16": "float16",
    "bf16": "bfloat16",
    "int": "int32",
    "i8": "int8",
    "i16": "int16",
    "i64": "int64",
    "u8": "uint8",
    "u32": "uint32",
    "bool": "bool_",
}
FLOATS = ("float", "bf16", "f16", "f32", "f64")
# The size of an axis in which the tensors of a list differ.
OPEN = symbol("?")
INTS = ("u8", "i8", "i16", "int", "u32", "i64")


def is_float(dtype: str) -> bool:
    """Whether a dtype is a floating one."""
    return dtype in FLOATS


def is_int(dtype: str) -> bool:
    """Whether a dtype is an integer one."""
    return dtype in INTS


def promote(left: str, right: str) -> str:
    """The dtype of an arithmetic result, as jax.numpy promotes; bool < ints < floats.

    `float` against a named floating dtype gives the wider of the two, `float` counting as
    narrowest, since a mixed result keeps the precision that the spec names.
    """
    if left == right:
        return left
    if is_float(left) and is_float(right):
        if {left, right} == {"bf16", "f16"}:
            return "f32"
        return max(left, right, key=FLOATS.index)
    if is_float(left) or is_float(right):
        return left if is_float(left) else right
    if left == "bool" or right == "bool":
        return right if left == "bool" else left
    return _promote_ints(left, right)


def _promote_ints(left: str, right: str) -> str:
    """The narrowest that holds both, within 32 bits unless one has more already."""
    small, large = sorted((left, right), key=INTS.index)
    if (small, large) == ("u8", "i8"):
        return "i16"
    return "int" if large == "u32" and small != "u8" else large


class Axis(Record):
    """One axis: its size, and the name under which `axis=` finds it though its size changed."""

    size: Dim
    label: str | None = None

    def __str__(self) -> str:
        return str(self.size)

    def names(self, index: int, rank: int, *features: str) -> tuple[str, ...]:
        """What a size of this axis may be called, by where it is; the last has features."""
        if index == rank - 1:
            return features
        return (self.label.lower() if self.label else f"size_{index}",)


class TensorType(Record):
    """dtype and axes; with `lead` there are any number of further axes in front (`...`)."""

    dtype: str
    axes: tuple[Axis, ...]
    lead: bool = False

    @property
    def sizes(self) -> tuple[Dim, ...]:
        """The sizes of the known axes."""
        return tuple(a.size for a in self.axes)

    @property
    def rank(self) -> int:
        """The number of known axes."""
        return len(self.axes)

    def with_axes(self, axes: tuple[Axis, ...]) -> TensorType:
        """The same dtype and lead over other axes."""
        return replace(self, axes=axes)

    def with_dtype(self, dtype: str) -> TensorType:
        """The same axes in another dtype."""
        return replace(self, dtype=dtype)

    def find(self, name: str) -> tuple[int, ...]:
        """Positions of the axes called `name`: by size first, else by label."""
        exact = tuple(i for i, a in enumerate(self.axes) if a.size.name == name)
        return exact or tuple(i for i, a in enumerate(self.axes) if a.label == name)

    def axis_name(self, index: int) -> str:
        """What a size of its own is called, for one of the axes."""
        label = self.axes[index].label
        if label:
            return label.lower()
        return "features" if index == self.rank - 1 else f"size_{index}"

    def spelled(self, size: Callable[[Dim], str]) -> str:
        """The axes, with commas between; `...` for what leads, and for those that differ."""
        dims = ["..."] if self.lead else []
        for axis in self.axes:
            text = "..." if axis.size == OPEN else size(axis.size)
            if dims[-1:] != ["..."] or text != "...":
                dims.append(text)
        return ", ".join(dims)

    def __str__(self) -> str:
        dims = self.spelled(str)
        return f"{'' if self.dtype == 'float' else self.dtype}[{dims}]"


class ListType(Record):
    """A list of tensors of one dtype and rank. `element` is what they have in common, `OPEN` the
    sizes that differ; `count` is how many there are, where that has a form, and `items` are the
    types one by one, where they are known.
    """

    element: TensorType
    count: Dim | None = None
    items: tuple[TensorType, ...] | None = None

    @property
    def differs(self) -> bool:
        """Whether its tensors have several shapes."""
        return OPEN in self.element.sizes

    def __str__(self) -> str:
        return f"list of {self.element}"


class Outputs(tuple[Any, ...]):
    """Types of several values that have `names`, as the definition `owner` returns them."""

    owner: str
    names: tuple[str, ...]

    def __new__(cls, types: Iterable[Any], owner: str, names: tuple[str, ...]) -> Self:
        """The types in order."""
        made = super().__new__(cls, types)
        made.owner, made.names = owner, names
        return made

    def __getnewargs__(self) -> tuple[tuple[Any, ...], str, tuple[str, ...]]:
        return tuple(self), self.owner, self.names

    def __repr__(self) -> str:
        return f"Outputs({tuple(self)}, {self.owner!r}, {self.names})"

    def __str__(self) -> str:
        pairs = zip(self.names, self, strict=True)
        return ", ".join(f"{name}={type_}" for name, type_ in pairs)


def like(types: tuple[Any, ...], made: Iterable[Any]) -> tuple[Any, ...]:
    """Other types of several values, under the names that they have."""
    if isinstance(types, Outputs):
        return Outputs(made, types.owner, types.names)
    return tuple(made)


def tensor(dtype: str, *sizes: Dim | int | str) -> TensorType:
    """A type from sizes; a string is a symbol, and the label of its axis."""
    return TensorType(dtype, tuple(axis(s) for s in sizes))


def axis(size: Dim | int | str) -> Axis:
    """An axis from a size; a lone symbol labels it."""
    dim = symbol(size) if isinstance(size, str) else as_dim(size)
    return Axis(dim, dim.name)
