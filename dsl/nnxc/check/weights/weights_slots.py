"""The weights of a model as places to be filled, lists of layers counted once."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TypeAlias

from ... import ir
from ...ir.fold_statements import placed_items, repeats
from ...ops.base import Op, Tensor
from ...ops.torch_layouts import leaf_name, name_of
from ...record import Record, replace
from ...source import Span
from ..values import Signature

Side: TypeAlias = tuple[ir.Path, Span, bool]


class Slot(Record):
    """A weight: its path, the last `inner` parts of which belong to the layer `op` (None for a
    `param` or `state`). `spare`: a `state`, which needs no tensor. `sides` are those of an `if` on
    which it is declared: the definition's path, the place of the `if`, and which side. Of copies
    the first axis counts them, `copies` of them where they are nested.
    """

    path: ir.Path
    axes: int
    tensor: Tensor | None
    op: Op | None = None
    inner: int = 1
    spare: bool = False
    sides: tuple[Side, ...] = ()
    copies: int = 0

    def copied(self) -> Slot:
        """Of as many copies as an axis has entries, as one array."""
        form = self.tensor
        if form is not None:
            moved = tuple(tuple(axis + 1 for axis in group) for group in form.axes)
            form = Tensor(((0,), *moved), form.flipped)
        return replace(self, axes=self.axes + 1, tensor=form, copies=self.copies + 1)

    def excludes(self, other: Slot) -> bool:
        """Whether no model has both."""
        return any((*at, not side) in other.sides for *at, side in self.sides)

    def tail(self, skipped: int) -> str:
        """What its tensor is called after the first `skipped` parts of the path; `{}` stands
        for a position."""
        rest = ["{}" if p is None else str(p) for p in self.path[skipped:]]
        split = len(self.path) - self.inner - skipped
        weight = ".".join(rest[max(split, 0) :])
        if self.op is None:
            return ".".join(rest)
        own = name_of(self.op, weight) if split >= 0 else leaf_name(weight)
        return ".".join((*rest[: max(split, 0)], own))


MAX_SLOTS = 4_000


class TooMany(Exception):
    """A model has more variables than can be told apart one by one."""


def slots_of(signature: Signature, prefix: ir.Path = ()) -> dict[ir.Path, Slot]:
    """Every variable of a definition by its path. Raises `TooMany`."""
    found: dict[ir.Path, Slot] = {}
    for item, around in placed_items(signature.definition.body):
        path = (*prefix, item.name, *[None] * repeats(around))
        here = tuple(
            (prefix, side.stmt.span, side.taken)
            for side in around
            if isinstance(side.stmt, ir.If)
        )
        for slot in _slots(item, path, signature):
            within = here + slot.sides
            if other := found.get(slot.path):  # the name is on both
                within = tuple(side for side in within if side in other.sides)
            found[slot.path] = replace(slot, sides=within)
            if len(found) > MAX_SLOTS:
                raise TooMany(f"more than {MAX_SLOTS:,} kinds of weights")
    return found


def _slots(
    item: ir.Layer | ir.Variable, path: ir.Path, signature: Signature
) -> Iterator[Slot]:
    if isinstance(item, ir.Variable):
        yield Slot(path, len(item.type.axes), None, spare=item.state)
        return
    if item.count is not None:
        path = (*path, None)
    if isinstance(item.callee, str):
        for slot in slots_of(signature.callees[item.callee], path).values():
            yield slot if item.copies is None else slot.copied()
        return
    yield from layer_slots(item, path).values()


def layer_slots(layer: ir.Layer, prefix: ir.Path = ()) -> dict[ir.Path, Slot]:
    """Every variable of a layer of the library by its path."""
    assert isinstance(layer.callee, Op)
    found = {}
    for name, weight in layer.weights.items():
        inner = name.split(".")
        path, axes = (*prefix, *inner), len(weight.sizes)
        slot = Slot(path, axes, weight.tensor, layer.callee, len(inner))
        found[path] = slot if layer.copies is None else slot.copied()
    return found


def shown(path: ir.Path) -> str:
    """`h[i].attn.query.kernel`."""
    text, letters = "", iter("ijklmn")
    for part in path:
        match part:
            case str():
                text += f".{part}" if text else part
            case int():
                text += f"[{part}]"
            case None:
                text += f"[{next(letters, 'n')}]"
    return text
