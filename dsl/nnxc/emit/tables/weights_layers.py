"""Rows that are told by layers: all weights of one, where a checkpoint has them as PyTorch does."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import groupby
from typing import TypeAlias

from ... import ir
from ...ops.base import Tensor
from ...ops.torch_layouts import LEAVES, flat
from ...record import Record, replace

_Leaves: TypeAlias = Mapping[ir.Path, set[str | int | None]]


class Told(Record):
    """A row of weights, or of layers whose kernels have so many axes of inputs and outputs."""

    row: ir.Row
    ins: int = 1
    outs: int = 1

    @property
    def axes(self) -> tuple[str, ...]:
        """What is said of a kernel, where there is something to say."""
        given = {"ins": self.ins, "outs": self.outs}
        return tuple(f"{name}={n}" for name, n in given.items() if n != 1)


def by_layer(section: ir.Weights) -> Iterator[Told]:
    """The rows of a section, those of a layer as one."""
    leaves: dict[ir.Path, set[str | int | None]] = {}
    named = [path for row in section.rows for path in row.paths]
    for path in (*named, *section.unnamed):
        leaves.setdefault(_anywhere(path[:-1]), set()).add(path[-1])
    for layers, group in groupby(section.rows, _layers_of):
        rows = list(group)
        told = _of_layers(layers, rows, leaves) if layers else None
        yield from [told] if told else map(Told, rows)


def _anywhere(path: ir.Path) -> ir.Path:
    """A path at whatever positions."""
    return tuple(None if isinstance(part, int) else part for part in path)


def _layers_of(row: ir.Row) -> ir.Row | None:
    """The row of the layers that have these weights; None where there is none that is one."""
    leaf = row.paths[0][-1]
    if not isinstance(leaf, str) or leaf not in LEAVES or len(row.paths[0]) == 1:
        return None
    ending = f".{LEAVES[leaf]}"
    if any(path[-1] != leaf for path in row.paths):
        return None
    if not all(name.endswith(ending) for name in row.names):
        return None
    return replace(
        row,
        paths=tuple(path[:-1] for path in row.paths),
        names=tuple(name.removesuffix(ending) for name in row.names),
        tensor=None,
    )


def _of_layers(layers: ir.Row, rows: Sequence[ir.Row], leaves: _Leaves) -> Told | None:
    """One row for all weights of layers, if these are all, in PyTorch's layout."""
    forms = {row.paths[0][-1]: row.tensor for row in rows}
    if any(leaves[_anywhere(path)] != set(forms) for path in layers.paths):
        return None
    kernel = forms.get("kernel") or Tensor(())
    outs, ins = (len(axes) for axes in (*kernel.axes, (0,), (0,))[:2])
    rank = sum(map(len, kernel.axes))
    usual = {"kernel": Tensor(tuple(_kernel(rank, ins, outs))), "bias": flat(outs)}
    if any(form != usual.get(str(leaf)) for leaf, form in forms.items()):
        return None
    return Told(layers, ins, outs)


def _kernel(rank: int, ins: int, outs: int) -> Iterable[tuple[int, ...]]:
    """The axes of a kernel as they make up those of a tensor: [out, in, ...]."""
    window = rank - ins - outs
    yield tuple(range(window + ins, rank))
    yield tuple(range(window, window + ins))
    yield from ((axis,) for axis in range(window))
