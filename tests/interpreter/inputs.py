"""How a definition begins: inputs are taken, and axes get their sizes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import jax.numpy as jnp

from nnxc.syntax import tree
from nnxc.syntax.walk import names_in

from .functions import STATIC
from .values import DTYPES, Layer, Refused, Tensor

if TYPE_CHECKING:
    from .frame import Frame


def inputs_of(definition: tree.Definition) -> list[tree.Field]:
    """What a definition takes."""
    return [
        f
        for s in definition.body
        if isinstance(s, tree.Declare) and s.keyword == "input"
        for f in s.fields
    ]


def entered(
    frame: Frame, definition: tree.Definition, layer: Layer, given: Mapping[str, Any]
) -> dict[str, str | None]:
    """Puts inputs and axes into a frame. Returns what its axes are called outside."""
    fields = inputs_of(definition)
    outer: dict[str, str | None] = dict(layer.origin)
    there = {f.name: given[f.name] for f in fields if f.name in given}
    settle(frame, definition, fields)
    bind(frame, fields, there, outer)
    for field in fields:
        frame.env[field.name] = taken(frame, field, there.get(field.name))
        if isinstance(field.default, tree.Constant) and field.default.value is None:
            frame.optional[field.name] = field
    for statement in definition.body:
        if isinstance(statement, tree.Declare) and statement.keyword == "state":
            for field in statement.fields:
                state(frame, field)
    return outer


def settle(
    frame: Frame, definition: tree.Definition | tree.Train, fields: list[tree.Field]
) -> None:
    """Numbers that follow from parameters and stand in the shapes of inputs."""
    wanted = {n.id for f in fields for d in f.type.dims or () for n in names_in(d)}
    for statement in definition.body:
        match statement:
            case tree.Assign(targets=[tree.Name(id=name)], value=value):
                known = all(
                    n.id in frame.env or n.id in STATIC for n in names_in(value)
                )
                if name in wanted and known:
                    frame.env[name] = frame.value(value)


def state(frame: Frame, field: tree.Field) -> None:
    """A state begins a call as the last one left it."""
    path = (*frame.path, field.name)
    array = frame.run.read(path)
    _, names = frame.shape(field.type.dims or ())
    frame.states[field.name] = Tensor(array, names), path


def bind(
    frame: Frame,
    fields: list[tree.Field],
    there: Mapping[str, Any],
    outer: dict[str, str | None],
) -> None:
    """Sizes of axes, from the tensors that are there, as soon as each can be told."""
    left = []
    for field in fields:
        value = there.get(field.name)
        if value is None or field.type.dims is None:
            continue
        value = value if isinstance(value, Tensor) else Tensor(value)
        dims = field.type.dims
        if dims and isinstance(dims[0], tree.Dots):
            dims = dims[1:]
            skipped = value.ndim - len(dims)
        elif len(dims) != value.ndim:
            raise TypeError(f"{field.name}: {value.shape} has not {len(dims)} axes")
        else:
            skipped = 0
        sizes, names = value.shape[skipped:], value.names[skipped:]
        left += list(zip(dims, sizes, names, strict=True))
        for dim, name in zip(dims, names, strict=True):
            if isinstance(dim, tree.Name) and name:
                outer.setdefault(dim.id, name)
    while left:
        later = [one for one in left if not _bound(frame, *one[:2])]
        if len(later) == len(left):
            raise TypeError("sizes are not determined")
        left = later


def _bound(frame: Frame, dim: tree.Expr, size: int) -> bool:
    """Whether a size was compared, or told what its one unknown name is."""
    unknown = {n.id for n in names_in(dim) if n.id not in frame.env}
    unknown -= {*STATIC, "pi"}
    if not unknown:
        if frame.value(dim) != size:
            raise Refused(f"{size} is not {dim.span.text}")
        return True
    if len(unknown) > 1:
        return False
    (name,) = unknown
    if isinstance(dim, tree.Name):
        frame.env[name] = size
        return True
    for candidate in range(1, size + 2):
        frame.env[name] = candidate
        if frame.value(dim) == size:
            return True
    raise Refused(f"{size} is not {dim.span.text}")


def taken(frame: Frame, field: tree.Field, value: Any) -> Any:
    """An input as it is read: its axes named, its default made where it is absent."""
    dims = field.type.dims
    if value is None:
        return _default(frame, field)
    if dims is None:
        return value
    value = value if isinstance(value, Tensor) else Tensor(value)
    own = [d.id if isinstance(d, tree.Name) else None for d in dims]
    if dims and isinstance(dims[0], tree.Dots):
        own = [*[None] * (value.ndim - len(own) + 1), *own[1:]]
    return Tensor(value.array, own)


def _default(frame: Frame, field: tree.Field) -> Any:
    match field.default:
        case None:
            raise TypeError(f"{field.name} is not given")
        case tree.Constant(value=None):
            return None
        case tree.Number() | tree.Constant() | tree.Unary():
            sizes, names = frame.shape(field.type.dims or ())
            fill = frame.value(field.default)
            return Tensor(
                jnp.full(sizes, fill, DTYPES[field.type.dtype or "float"]), names
            )
    value = frame.tensor(frame.value(field.default))
    return Tensor(value.array, frame.shape(field.type.dims or ())[1])
