"""What the layers of a definition are called: `as` names, targets, else their types, numbered."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Any

from nnxc.syntax import tree


def snake(name: str) -> str:
    """`LayerNorm` as `layer_norm`, `GRUCell` as `gru_cell`."""
    name = re.sub(r"([A-Z]+)([A-Z][a-z])", r"\1_\2", name)
    return re.sub(r"([a-z0-9])([A-Z])", r"\1_\2", name).lower()


def layer_names(
    body: tuple[tree.Statement, ...], is_kind: Callable[[str], bool], taken: set[str]
) -> dict[int, str]:
    """The name of each construction in a body, by the identity of its node; `taken` are those of
    parameters."""
    found = list(_constructions(body, is_kind))
    counts: dict[str, int] = {}
    for node, name in found:
        if name is None:
            counts[_own(node)] = counts.get(_own(node), 0) + 1
    names: dict[int, str] = {}
    numbers: dict[str, int] = {}
    given = {name for _, name in found} | taken | set(_values(body))
    for node, name in found:
        if name is None:
            kind = name = _own(node)
            while name in given or (counts[kind] > 1 and name == kind):
                numbers[kind] = numbers.get(kind, 0) + 1
                name = f"{kind}_{numbers[kind]}"
            given.add(name)
        names[id(node)] = name
    return names


def _values(body: tuple[tree.Statement, ...]) -> Iterator[str]:
    """The names that statements give values to."""
    for statement in body:
        match statement:
            case tree.Assign(targets=targets, gathers=first):
                yield from (t.id for t in targets)
                yield from (t.id for t in [first] if t)
            case tree.Declare(fields=fields):
                yield from (f.name for f in fields)
            case tree.For(body=inner):
                yield from _values(inner)
            case tree.Scan(targets=targets, carries=carries, body=inner):
                yield from (t.id for t in targets)
                yield from (c.name for c in carries)
                yield from _values(inner)
            case tree.Collect(name=name):
                yield name
            case tree.If(then=then, orelse=orelse):
                yield from _values((*then, *orelse))


def _own(node: Any) -> str:
    kind = node.func if isinstance(node, tree.Call) else node
    return snake(kind.id)


def _constructions(node: Any, is_kind: Callable[[str], bool]) -> Iterator[Any]:
    """Constructions with the names they are given, in the order of the text."""
    match node:
        case tuple():
            for item in node:
                yield from _constructions(item, is_kind)
        case tree.Assign(targets=[target], value=value):
            yield from _named(value, target.id, is_kind, applied=False)
        case tree.Pipe(source=source, stages=stages):
            yield from _constructions(source, is_kind)
            for stage in stages:
                yield from _named(stage.value, None, is_kind)
        case tree.Branch(arms=arms):
            for arm in arms:
                yield from _arm(arm, is_kind)
        case tree.Call() | tree.Binary(op="*") | tree.IfElse() | tree.Named():
            yield from _named(node, None, is_kind, applied=False)
        case tree.Name() | str() | int() | float() | None:
            return
        case _ if hasattr(node, "span"):
            for part in _parts(node):
                yield from _constructions(part, is_kind)


def _arm(arm: Any, is_kind: Callable[[str], bool]) -> Iterator[Any]:
    if isinstance(arm, tree.Pipe):
        for stage in (arm.source, *(s.value for s in arm.stages)):
            yield from _named(stage, None, is_kind)
    else:
        yield from _named(arm, None, is_kind)


def _named(
    node: Any, name: str | None, is_kind: Callable[[str], bool], applied: bool = True
) -> Iterator[Any]:
    """Constructions in what may be one itself; `applied`: a bare name is one, too."""
    match node:
        case tree.Named(value=value, name=given):
            yield from _named(value, given, is_kind)
        case tree.Call(func=tree.Name(id=kind), args=args) if is_kind(kind):
            yield from _constructions(tuple(a.value for a in args), is_kind)
            yield node, name
        case tree.Call(func=func, args=args):
            inner = name if isinstance(func, tree.Call) and applied else None
            yield from _named(func, inner, is_kind, applied=False)
            yield from _constructions(tuple(a.value for a in args), is_kind)
        case tree.Name(id=kind) if is_kind(kind) and (applied or name):
            yield node, name
        case tree.Binary(op="*", left=left, right=right):
            stacked = _is_construction(left, is_kind)
            yield from _named(left, name if stacked else None, is_kind, stacked)
            yield from _constructions(right, is_kind)
        case tree.IfElse(condition=condition, then=then, orelse=orelse):
            yield from _constructions(condition, is_kind)
            yield from _named(then, name, is_kind, applied)
            yield from _named(orelse, name, is_kind, applied)
        case tree.Attribute(value=value):
            yield from _named(value, None, is_kind, applied)
        case _:
            yield from _constructions(node, is_kind)


def _is_construction(node: Any, is_kind: Callable[[str], bool]) -> bool:
    kind = node.func if isinstance(node, tree.Call) else node
    return isinstance(kind, tree.Name) and is_kind(kind.id)


def _parts(node: Any) -> Iterator[Any]:
    from nnxc.record import names_of

    for field in names_of(node):
        if field not in ("span", "name_span", "trivia", "else_trivia"):
            yield getattr(node, field)
