"""Pairs every weight of a model with its tensors."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import NoReturn

from ... import ir
from ...diagnostics import Label
from ...ops.base import Tensor
from ...record import Record, replace
from ...syntax import tree
from ..context import Context
from .weights_names import PARTS, Conversion, Target, fill
from .weights_slots import Slot, shown

_SHOWN = 8  # of a list of weights


class Match(Record):
    """A weight with what names it. `path` has the target's own positions."""

    slot: Slot
    target: Target
    path: ir.Path


def rows_of(
    ctx: Context,
    model: tree.Name,
    targets: Sequence[Target],
    rule: Target | None,
    slots: Mapping[ir.Path, Slot],
) -> list[ir.Row]:
    """One row for each weight, or each group that shares a tensor. Raises `Fault` after reporting."""
    matches, missing = [], []
    for slot in slots.values():
        found = [*_matches(slot, targets, rule)]
        matches += found
        if not slot.spare and not any(_is_general(m) for m in found):
            missing.append(slot.path)
    if missing:
        _report_missing(ctx, model, missing)
    rows = [row for match in matches for row in _row(ctx, match, slots)]
    _unique_names(ctx, rows, slots)
    return [row for _, row in sorted(rows, key=lambda r: _generality(r[1]))]


def _is_general(match: Match) -> bool:
    return not any(isinstance(part, int) for part in match.path)


def _generality(row: ir.Row) -> int:
    """Rows for one position go before those for all."""
    return -sum(isinstance(part, int) for part in row.paths[0])


def _matches(
    slot: Slot, targets: Sequence[Target], rule: Target | None
) -> Iterator[Match]:
    """The most specific target for all positions, and those as specific for one."""
    fitting = [t for t in targets if _fits(t.path, slot.path)]
    general = [t for t in fitting if not any(isinstance(p, int) for p in t.path)]
    if slot.spare:
        general = [t for t in general if t.path == slot.path]
    elif rule:
        general.append(rule)
    best = max(general, key=lambda t: len(t.path), default=None)
    for target in fitting:
        special = any(isinstance(p, int) for p in target.path)
        if special and (best is None or len(target.path) >= len(best.path)):
            yield Match(slot, target, target.path + slot.path[len(target.path) :])
    if best is not None:
        yield Match(slot, best, slot.path)


def _fits(target: ir.Path, path: ir.Path) -> bool:
    return len(target) <= len(path) and all(
        a == b or (isinstance(a, int) and b is None)
        for a, b in zip(target, path, strict=False)
    )


def _report_missing(ctx: Context, model: tree.Name, missing: Sequence[ir.Path]) -> None:
    named = [shown(path) for path in missing[:_SHOWN]]
    more = f" and {len(missing) - _SHOWN} more" if len(missing) > _SHOWN else ""
    count = "a weight has" if len(missing) == 1 else f"{len(missing)} weights have"
    ctx.fail(
        "N601",
        f"{count} no tensor",
        model.span,
        ", ".join(named) + more,
        help=f'name it, such as `{named[0]} = "..."`, or give a rule: '
        f'`weights {model.id} from "{{path}}":`',
    )


# ------------------------------------------------------------------------- rows


def _row(
    ctx: Context, match: Match, slots: Mapping[ir.Path, Slot]
) -> Iterator[tuple[Target, ir.Row]]:
    target, conversion, slot = match.target, match.target.conversion, match.slot
    tail = match.path[len(target.path) :]
    group = [(*path, *tail) for path in target.group]
    if conversion.join in PARTS:
        _check_group(ctx, target, group, slot, slots)
        if match.path != group[0]:
            return
    join, end = conversion.join, slot.tail(len(target.path))
    names = [fill(target, name, match.path, end) for name in target.names]
    form = apart(slot) if join == "stack" else slot
    if form.copies and form.tensor is not None and form.tensor.flipped:
        text = "copies of this layer lie apart in a checkpoint"
        help = 'say how they are numbered: `"experts.{n}.{path}" -> stack`'
        ctx.fail("N605", text, target.value_span, help=help)
    tensor, axis = _layout(ctx, target, form, conversion)
    yield target, ir.Row(
        tuple(group), tuple(names), tensor, join, axis, target.holes, target.indices
    )


def apart(slot: Slot) -> Slot:
    """One of the weights that the first axis of a weight counts."""
    form = slot.tensor
    if form is not None:
        rest = (tuple(axis - 1 for axis in group if axis) for group in form.axes)
        form = Tensor(tuple(group for group in rest if group), form.flipped)
    copies = max(slot.copies - 1, 0)
    return replace(slot, axes=slot.axes - 1, tensor=form, copies=copies)


def _layout(
    ctx: Context,
    target: Target,
    slot: Slot,
    conversion: Conversion,
) -> tuple[Tensor | None, int]:
    """The form and the axis in the file as it is, before any `transpose`."""
    tensor, axes = slot.tensor, slot.axes
    if conversion.layout is not None:
        named = len(conversion.layout.weight)
        if named != axes:
            ctx.fail(
                "N605",
                f"the weight has {axes} axes, the pattern {named}",
                conversion.span or target.value_span,
            )
        tensor = conversion.layout.form(bool(tensor and tensor.flipped))
    groups = list(tensor.axes if tensor else ((i,) for i in range(axes)))
    rank = len(groups)
    axis = conversion.axis if rank > 1 else 0
    axis += slot.copies if axis >= 0 else 0  # of each copy
    if not -rank <= axis < max(rank, 1):
        ctx.fail(
            "N605",
            f"a tensor of {rank} axes has no axis {axis}",
            conversion.span or target.value_span,
        )
    axis %= max(rank, 1)
    if conversion.before and axis >= rank - 2 >= 0:
        axis = 2 * rank - 3 - axis
    if conversion.before != conversion.after and rank > 1:
        groups[-1], groups[-2] = groups[-2], groups[-1]
    plain = tuple((i,) for i in range(axes))
    flipped = bool(tensor and tensor.flipped)
    if tuple(groups) == plain and not flipped:
        return None, axis
    return Tensor(tuple(groups), flipped), axis


def _check_group(
    ctx: Context,
    target: Target,
    group: Sequence[ir.Path],
    slot: Slot,
    slots: Mapping[ir.Path, Slot],
) -> None:
    """All that share a tensor have the same weights, laid out alike."""
    for path in group:
        other = slots.get(tuple(None if isinstance(p, int) else p for p in path))
        if other is None or other.tensor != slot.tensor or other.axes != slot.axes:
            fact = "does not exist" if other is None else "is laid out otherwise"
            ctx.fail(
                "N605",
                "these weights cannot share a tensor",
                target.value_span,
                f"`{shown(slot.path)}` has a part in it, `{shown(path)}` {fact}",
                help="name such weights on lines of their own",
            )


def _unique_names(
    ctx: Context,
    rows: Sequence[tuple[Target, ir.Row]],
    slots: Mapping[ir.Path, Slot],
) -> None:
    """No tensor is taken by two rows, unless no model has both."""
    seen: dict[object, list[tuple[Target, ir.Row]]] = {}
    for target, row in rows:
        for name in row.names:
            key = name, row.holes if "{=" in name else ()
            for first, other in seen.setdefault(key, []):
                if other is not row and not _slot(row, slots).excludes(
                    _slot(other, slots)
                ):
                    _same_tensor(ctx, target, row, first, other, name)
            seen[key].append((target, row))


def _slot(row: ir.Row, slots: Mapping[ir.Path, Slot]) -> Slot:
    return slots[tuple(None if isinstance(p, int) else p for p in row.paths[0])]


def _same_tensor(
    ctx: Context, target: Target, row: ir.Row, first: Target, other: ir.Row, name: str
) -> NoReturn:
    weight, taken = shown(row.paths[0]), shown(other.paths[0])
    same = first is target
    ctx.fail(
        "N608",
        f"`{weight}` and `{taken}` would be the same tensor",
        target.value_span,
        name,
        related=() if same else (Label(first.value_span, "the first"),),
        help="share the layer if they are tied; else name another tensor",
    )
