"""Lines of weights that come with blocks, from the files that they are used from."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence

from ... import ir
from ...diagnostics import Label, Sink
from ...record import Record, replace
from ...source import Span
from ...syntax import tree
from ...syntax.tree_weights import Stored
from ..context import Context
from ..dispatch import DISPATCH
from ..uses import Files
from ..values import Fault, Signature
from .weights_blocks import (
    Brought,
    Cover,
    Part,
    called,
    covers_of,
    mapped,
    owners_of,
    parts_in,
    shape,
    under,
)
from .weights_holes import HOLE, WHOLE, in_holes
from .weights_slots import TooMany, slots_of


class Absolute(Exception):
    """A line says more than a block itself: it cannot be read without the model."""


class Found(Record):
    """What one section gives, and how far its file is."""

    brought: Brought
    section: tree.Weights
    depth: int


def brought(
    files: Files,
    node: tree.Weights,
    signature: Signature,
    signatures: Mapping[str, Signature],
) -> list[Brought]:
    """What the files that a section's file uses say of blocks that its model contains; nearer
    files go before. Raises `Fault` after reporting two that differ."""
    mine = {_where(block) for block in blocks_in(signature)}
    found: list[Found] = []
    for path, depth in _used_from(files, node.span.source.path):
        for section in files.sections.get(path, ()):
            model = signatures.get(files.visible[path].get(section.model.id, ""))
            if model is None or model.broken or section.broken:
                continue
            shared = {b for b in blocks_in(model) if _where(b) in mine}
            try:
                lines = _lines(section, model, shared) if shared else []
            except (Absolute, Fault, TooMany):
                continue
            found += [Found(one, section, depth) for one in lines]
    said = {str(_head(p)) for x in node.body if isinstance(x, Stored) for p in x.paths}
    found = [one for one in found if one.brought.kind not in said]
    _check_agreement(files.sink, node, found)
    return [one.brought for one in found]


def _where(block: Signature) -> tuple[str, Span]:
    """What a block is called, and where it is written: so it is known where it is borrowed too."""
    return block.definition.name, block.definition.span


def blocks_in(signature: Signature) -> set[Signature]:
    """A definition, and all blocks inside."""
    found: set[Signature] = set()
    waiting = [signature]
    for one in waiting:
        if one not in found:
            found.add(one)
            waiting += one.callees.values()
    return found


def _used_from(files: Files, home: str) -> Iterator[tuple[str, int]]:
    """The files that one uses, and those that they use, with how far they are."""
    seen, waiting = {home: 0}, [home]
    for path in waiting:
        for used in files.uses.get(path, ()):
            if used not in seen and used in files.visible:
                seen[used] = seen[path] + 1
                waiting.append(used)
                yield used, seen[used]


def _check_agreement(sink: Sink, node: tree.Weights, found: Sequence[Found]) -> None:
    """Files that are equally near say the same of a kind, or the section has to."""
    for at, one in enumerate(found):
        for other in found[:at]:
            mine, theirs = one.brought, other.brought
            apart = mine.inside and theirs.inside and not mine.inside & theirs.inside
            if mine.kind != theirs.kind or one.depth != other.depth or apart:
                continue
            if not _same(mine.lines, theirs.lines):
                text = f"`{mine.kind}` is called differently in two files"
                labels = tuple(
                    Label(s.model.span, why)
                    for s, why in ((other.section, "here"), (one.section, "and here"))
                )
                help = f'say what holds: `{mine.kind}.... = "..."`'
                sink.error("N605", text, node.model.span, related=labels, help=help)
                raise Fault


def _same(one: Sequence[Stored], other: Sequence[Stored]) -> bool:
    """Whether lines say the same, in whatever order."""
    mine, theirs = ([(x.paths, x.values) for x in lines] for lines in (one, other))
    return all(x in theirs for x in mine) and all(x in mine for x in theirs)


# ------------------------------------------------------------------- one section


def _lines(
    section: tree.Weights, model: Signature, shared: set[Signature]
) -> list[Brought]:
    """What it says of the blocks, and of layers inside of them. Raises `Absolute`."""
    ctx = Context(DISPATCH, Sink(), "weights", model.definition.name, {}, {}, {})
    lines = [
        x for item in section.body if isinstance(item, Stored) for x in _apart(item)
    ]
    plain = [line for line in lines if not _head(line.paths[0])[:1].isupper()]
    kinds = {one.definition.name for one in shared}
    others = {one.definition.name for one in blocks_in(model)} - kinds
    made: dict[str, list[Stored]] = {}
    for line in lines:
        kind = _head(line.paths[0])
        if kind[:1].isupper() and kind not in others:
            _check_alone(ctx, line, model)
            made.setdefault(kind, []).append(line)
    rule = section.rule.value if section.rule else f"{{{WHOLE}}}"
    covers = [Cover((), rule), *(c for x in plain for c in covers_of(ctx, x))]
    for path, block in _outermost(model, shared):
        for line in plain:
            inside = _inside(ctx, line, path, block, covers)
            if inside is not None:
                _check_alone(ctx, inside, model)
                made.setdefault(block.definition.name, []).append(inside)
    if model in shared and section.rule:
        own = made.setdefault(model.definition.name, [])
        own += _by_rule(ctx, section, model, [*own])
    return [
        Brought(kind, tuple(said), frozenset() if kind in kinds else frozenset(kinds))
        for kind, said in made.items()
    ]


def _apart(line: Stored) -> Iterator[Stored]:
    """A line for each path that has a value of its own."""
    if len(line.paths) != len(line.values):
        yield line
        return
    for path, value in zip(line.paths, line.values, strict=True):
        yield replace(line, paths=(path,), values=(value,))


def _head(path: tree.Expr) -> str:
    while isinstance(path, tree.Attribute | tree.Index):
        path = path.value
    return path.id if isinstance(path, tree.Name) else ""


def _outermost(
    model: Signature, shared: set[Signature]
) -> Iterator[tuple[ir.Path, Signature]]:
    """The shared blocks that lie in no other, with their paths."""
    if model in shared:
        yield (), model
        return
    inside: list[ir.Path] = []
    for path, owner in owners_of(model, ()):
        if any(path[: len(p)] == p != path for p in inside):
            continue
        if isinstance(owner, Signature) and owner in shared:
            inside.append(path)
            yield path, owner


def _inside(
    ctx: Context,
    line: Stored,
    path: ir.Path,
    block: Signature,
    covers: Sequence[Cover],
) -> Stored | None:
    """A line of the model as one of the block there; None where it is about something else."""
    parts = [parts_in(ctx, node) for node in line.paths]
    n = len(path)
    around = [
        len(p) > n and all(a == b or b is None for a, b in zip(p, path, strict=False))
        for p in parts
    ]
    if not any(around):
        return None
    outer = {p[:n] for p in parts}
    if (
        not all(around)
        or len(outer) > 1
        or any(isinstance(x, int) for x in parts[0][:n])
    ):
        raise Absolute
    begin = _begin(parts[0][:n], covers) if n else ""
    positions = {x.id for x in parts[0][:n] if isinstance(x, tree.Name)}

    def relative(name: str) -> str:
        rest = name.removeprefix(f"{begin}.") if begin else name
        if (begin and rest == name) or positions & _words(rest):
            raise Absolute
        return rest

    name = block.definition.name
    return replace(
        line,
        paths=tuple(
            under((name, *p[n:]), tree.Name("", node.span))
            for p, node in zip(parts, line.paths, strict=True)
        ),
        values=tuple(mapped(value, relative) for value in line.values),
    )


def _begin(parts: tuple[Part, ...], covers: Sequence[Cover]) -> str:
    """How the names of what lies in a block begin in its model."""
    fitting = [cover for cover in covers if cover.fits(shape(parts))]
    best = max(fitting, key=lambda cover: len(cover.path))
    name, n = best.name, len(best.path)
    whole = f"{{{WHOLE}}}"
    if best.special or best.stack or whole in name.removesuffix(whole):
        raise Absolute
    for theirs, mine in zip(best.path, parts, strict=False):
        if isinstance(theirs, tree.Name) and isinstance(mine, tree.Name):
            name = in_holes(name, {theirs.id: mine.id})
    return called(name, parts[n:])


def _words(name: str) -> set[str]:
    """What stands in braces."""
    return {
        word for hole in HOLE.findall(name) for word in re.findall(r"[^\W\d]\w*", hole)
    }


def _check_alone(ctx: Context, line: Stored, model: Signature) -> None:
    """Its names are made of positions in the block, not of the model's parameters."""
    parts = (part for node in line.paths for part in parts_in(ctx, node))
    own = {part.id for part in parts if isinstance(part, tree.Name)}
    words: set[str] = set()

    def noted(name: str) -> str:
        words.update(_words(name))
        return name

    for value in line.values:
        mapped(value, noted)
    if (words - own) & model.params.keys():
        raise Absolute


def _by_rule(
    ctx: Context, section: tree.Weights, model: Signature, said: Sequence[Stored]
) -> Iterator[Stored]:
    """What the rule of a model that is used as a block says of all that no line names."""
    rule, kind = section.rule, model.definition.name
    if rule is None or _words(rule.value) != {WHOLE}:
        raise Absolute
    known = {shape(parts_in(ctx, node)) for line in said for node in line.paths}
    slots = slots_of(model)
    for first in dict.fromkeys(str(path[0]) for path in slots):
        leaf = slots.get((first,))
        if (kind, first) in known or (leaf and leaf.spare):
            continue
        name = rule.value.replace(
            f"{{{WHOLE}}}", first if leaf else f"{first}.{{{WHOLE}}}"
        )
        path = tree.Attribute(tree.Name(kind, rule.span), first, rule.span, rule.span)
        value = tree.String(name, rule.span)
        yield Stored((path,), (value,), section.trivia, rule.span)
