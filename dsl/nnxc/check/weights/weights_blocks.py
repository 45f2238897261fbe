"""Lines for every block or layer of a kind, `DoubleConv.conv1 = "0"`, written out for each."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

from ... import ir
from ...ir.fold_statements import placed_items, repeats
from ...ops.base import Op
from ...record import Record, replace
from ...syntax import tree, tree_weights
from ..context import Context
from ..values import Signature
from .weights_holes import in_holes
from .weights_names import parts_of, path_of
from .weights_slots import layer_slots, shown, slots_of

Part = str | int | tree.Name  # of a path: a name, a position, a name for a position


class Cover(Record):
    """What a line says about where the names below a path begin."""

    path: tuple[Part, ...]
    name: str
    stack: tree.Stage | None = None  # where the weights of a block's copies are stacked

    def fits(self, path: ir.Path) -> bool:
        """Whether it holds for what lies there."""
        return len(self.path) <= len(path) and all(
            there is None if not isinstance(part, str) else there == part
            for part, there in zip(self.path, path, strict=False)
        )

    @property
    def special(self) -> bool:
        """Whether it holds for one position of a list alone."""
        return any(isinstance(part, int) for part in self.path)


class Brought(Record):
    """What another file says of a kind of block, or of layers that lie `inside` of blocks."""

    kind: str
    lines: tuple[tree_weights.Stored, ...]
    inside: frozenset[str] = frozenset()


def written_out(
    ctx: Context,
    lines: Sequence[tree_weights.Stored],
    rule: tree.String | None,
    signature: Signature,
    brought: Sequence[Brought],
) -> list[tree_weights.Stored]:
    """The lines, those for a kind of block in place of each block; what is `brought` says the rest
    of kinds that they say nothing of. Raises `Fault` after reporting."""
    own: dict[str, list[tree_weights.Stored]] = {}
    for line in lines:
        for kind, part in _by_kind(ctx, line):
            own.setdefault(kind, []).append(part)
    plain = own.pop("", [])
    if not own and not brought:
        return plain
    sides = {
        (path, kind_of(callee)): callee for path, callee in owners_of(signature, ())
    }
    owners = ((path, callee) for (path, _), callee in sides.items())
    found = sorted(owners, key=lambda owner: len(owner[0]))
    for kind, group in own.items():
        _check_kind(ctx, kind, group, found)
    covers = [Cover((), rule.value)] if rule else [Cover((), "{path}")]
    covers += [cover for line in plain for cover in covers_of(ctx, line)]
    said = {shape(cover.path) for cover in covers}
    made: dict[ir.Path, list[tree_weights.Stored]] = {}
    for path, callee in found:
        lines = [
            line
            for own_line in _said_of(path, callee, own, brought, sides)
            for cover in _best(covers, path)
            for line in [_at(ctx, own_line, path, cover)]
            if said.isdisjoint(shape(parts_in(ctx, node)) for node in line.paths)
        ]
        new = [line for line in lines if line not in made.get(path, ())]
        made.setdefault(path, []).extend(new)
        plain += new
        if kind_of(callee) not in own:  # what is said of an outer block goes before
            said |= {shape(parts_in(ctx, n)) for line in new for n in line.paths}
        covers += [cover for line in new for cover in covers_of(ctx, line)]
    _check_sides(ctx, found, own)
    return plain


def _said_of(
    path: ir.Path,
    owner: Signature | ir.Layer,
    own: Mapping[str, Sequence[tree_weights.Stored]],
    brought: Sequence[Brought],
    owners: Iterable[tuple[ir.Path, str]],
) -> Sequence[tree_weights.Stored]:
    """The lines for a block or layer at one path."""
    kind = kind_of(owner)
    if kind in own:
        return own[kind]
    around = {name for above, name in owners if above == path[: len(above)] != path}
    for other in brought:
        if other.kind == kind and (not other.inside or other.inside & around):
            return other.lines
    return ()


def _check_sides(
    ctx: Context,
    found: Sequence[Owner],
    own: Mapping[str, list[tree_weights.Stored]],
) -> None:
    """Where one name stands for blocks of several kinds, a weight that two of them have is called
    alike in both: a file is read by the path alone."""
    kinds: dict[ir.Path, list[Signature | ir.Layer]] = {}
    for path, callee in found:
        kinds.setdefault(path, []).append(callee)
    for path, callees in kinds.items():
        for one, other in itertools.permutations(callees, 2):
            said = [(_inside(ctx, x), x.values) for x in own.get(kind_of(other), ())]
            for line in own.get(kind_of(one), ()):
                inside = _inside(ctx, line)
                shared = any(_has(other, rest) for rest in inside)
                if shared and (inside, line.values) not in said:
                    ctx.fail(
                        "N605",
                        f"`{kind_of(one)}` and `{kind_of(other)}` have this weight in one place",
                        line.span,
                        f"both are `{shown(path)}`",
                        help=f"say the same of `{kind_of(other)}`, or name the two apart",
                    )


def _inside(ctx: Context, line: tree_weights.Stored) -> list[ir.Path]:
    """The paths of a line for a kind of block, in the block."""
    rests = [rest for node in line.paths if (rest := _below(node)) is not None]
    return [shape(parts_in(ctx, rest)) for rest in rests]


def _has(owner: Signature | ir.Layer, path: ir.Path) -> bool:
    """Whether there are weights below a path."""
    slots = slots_of(owner) if isinstance(owner, Signature) else layer_slots(owner)
    return any(slot[: len(path)] == path for slot in slots)


def _by_kind(
    ctx: Context, line: tree_weights.Stored
) -> list[tuple[str, tree_weights.Stored]]:
    """The block or layer that paths begin with, "" for those of the model; of several, one by one."""
    heads = [str(parts_in(ctx, node)[0]) for node in line.paths]
    kinds = [head if head[:1].isupper() else "" for head in heads]
    if len({*kinds}) == 1:
        return [(kinds[0], line)]
    if len(line.paths) != len(line.values):
        text, help = "a line is for one kind of block", "write a line for each"
        ctx.fail("N605", text, line.span, help=help)
    pairs = zip(kinds, line.paths, line.values, strict=True)
    return [(kind, replace(line, paths=(p,), values=(v,))) for kind, p, v in pairs]


Owner = tuple[ir.Path, Signature | ir.Layer]


def owners_of(signature: Signature, prefix: ir.Path) -> Iterator[Owner]:
    """Every layer and block of a model with its path, lists counted once."""
    for item, around in placed_items(signature.definition.body):
        if isinstance(item, ir.Variable):
            continue
        depth = repeats(around) + (item.count is not None)
        path = (*prefix, item.name, *[None] * depth)
        if isinstance(item.callee, str):
            callee = signature.callees[item.callee]
            yield path, callee
            yield from owners_of(callee, path)
        else:
            yield path, item


def kind_of(owner: Signature | ir.Layer) -> str:
    if isinstance(owner, Signature):
        return owner.definition.name
    assert isinstance(owner.callee, Op)
    return owner.callee.name


def _check_kind(
    ctx: Context,
    kind: str,
    lines: Sequence[tree_weights.Stored],
    found: Sequence[Owner],
) -> None:
    """The model has such blocks, and they have such weights."""
    owner = next((o for _, o in found if kind_of(o) == kind), None)
    if owner is None:
        names = {kind_of(o) for _, o in found}
        ctx.fail(
            "N602",
            f"`{ctx.name}` has no `{kind}` inside",
            lines[0].paths[0].span,
            **ctx.suggest(kind, names, lines[0].paths[0].span),
        )
    slots = slots_of(owner) if isinstance(owner, Signature) else layer_slots(owner)
    inner = Context(ctx.dispatch, ctx.sink, "weights", kind, {}, {}, {})
    seen = set()
    for line in lines:
        for node in line.paths:
            rest = _below(node)
            if rest is None:
                ctx.fail(
                    "N602",
                    f"`{kind}` is a kind of block, not a path",
                    node.span,
                    help=f'name what is in it, such as `{kind}.conv = "conv"`',
                )
            path, _ = path_of(inner, rest, slots)
            if path in seen:
                ctx.fail("N603", "this is named twice", node.span)
            seen.add(path)


def _below(node: tree.Expr) -> tree.Expr | None:
    """A path without its first name; None where it is one name."""
    match node:
        case tree.Attribute(tree.Name(), name, name_span, span):
            return tree.Name(name, name_span or span)
        case tree.Attribute(value, _, _, _) | tree.Index(value, _):
            inner = _below(value)
            return None if inner is None else replace(node, value=inner)
    return None


# ------------------------------------------------------------------- what covers


def covers_of(ctx: Context, line: tree_weights.Stored) -> Iterator[Cover]:
    """What its paths are called, each by a name of its own."""
    if len(line.paths) != len(line.values):
        return
    for node, value in zip(line.paths, line.values, strict=True):
        source = value.source if isinstance(value, tree.Pipe) else value
        if isinstance(source, tree.String):
            yield Cover(parts_in(ctx, node), source.value, _stack(value))


def _stack(value: tree.Expr) -> tree.Stage | None:
    """The conversion of a right side that makes one weight of those of many copies."""
    for stage in value.stages if isinstance(value, tree.Pipe) else ():
        match stage.value:
            case tree.Name("stack"):
                return stage
    return None


def _stacked(value: tree.Expr, stage: tree.Stage | None) -> tree.Expr:
    """A right side, stacked as that of the block is."""
    if stage is None or _stack(value):
        return value
    if isinstance(value, tree.Pipe):
        return replace(value, stages=(*value.stages, stage))
    return tree.Pipe(value, (stage,), span=value.span)


def _best(covers: Sequence[Cover], path: ir.Path) -> list[Cover]:
    """The most specific for all positions, and those as specific for one."""
    fitting = [cover for cover in covers if cover.fits(path)]
    general = max(
        (c for c in fitting if not c.special), key=lambda cover: len(cover.path)
    )
    special = [c for c in fitting if c.special and len(c.path) >= len(general.path)]
    return [general, *special]


def parts_in(ctx: Context, node: tree.Expr) -> tuple[Part, ...]:
    return tuple(part for part, _ in parts_of(ctx, node))


def shape(path: tuple[Part, ...]) -> ir.Path:
    """A path whatever its positions are called."""
    return tuple(None if isinstance(part, tree.Name) else part for part in path)


# ------------------------------------------------------------------- written out


def _at(
    ctx: Context, line: tree_weights.Stored, path: ir.Path, cover: Cover
) -> tree_weights.Stored:
    """The line for the block at one path. Positions of the line get other names where the block's
    have theirs."""
    outer = {part.id for part in cover.path if isinstance(part, tree.Name)}
    inner = {
        p.id for n in line.paths for p in parts_in(ctx, n) if isinstance(p, tree.Name)
    }
    taken = outer | inner
    count = len(path) + 2 * len(taken)
    free = (f"i{n}" for n in range(count) if f"i{n}" not in taken)
    line = _renamed(line, {name: next(free) for name in sorted(outer & inner)})
    rest: list[Part] = []
    for part in path[len(cover.path) :]:
        span = line.paths[0].span
        rest.append(tree.Name(next(free), span) if part is None else part)
    begin = called(cover.name, rest)
    return replace(
        line,
        paths=tuple(under((*cover.path, *rest), node) for node in line.paths),
        values=tuple(
            _stacked(_prefixed(begin, value), cover.stack) for value in line.values
        ),
    )


def _renamed(
    line: tree_weights.Stored, names: Mapping[str, str]
) -> tree_weights.Stored:
    """The line with other names for its positions."""
    if not names:
        return line
    return replace(
        line,
        paths=tuple(_positions(node, names) for node in line.paths),
        values=tuple(
            mapped(value, lambda name: in_holes(name, names)) for value in line.values
        ),
    )


def _positions(node: tree.Expr, names: Mapping[str, str]) -> tree.Expr:
    match node:
        case tree.Attribute(value):
            return replace(node, value=_positions(value, names))
        case tree.Index(value, (tree.Name(name, span),)) if name in names:
            items = (tree.Name(names[name], span),)
            return replace(node, value=_positions(value, names), items=items)
        case tree.Index(value):
            return replace(node, value=_positions(value, names))
    return node


def called(name: str, rest: Sequence[Part]) -> str:
    """The name for what lies further below."""
    parts = (f"{{{p.id}}}" if isinstance(p, tree.Name) else str(p) for p in rest)
    ending = ".".join(parts)
    if "{path}" not in name:
        return f"{name}.{ending}" if ending else name
    return name.replace("{path}", ending).strip(".")


def under(path: Sequence[Part], node: tree.Expr) -> tree.Expr:
    """A path with another in place of its first name."""
    match node:
        case tree.Name(span=span):
            first, *rest = path
            made: tree.Expr = tree.Name(str(first), span)
            for part in rest:
                if isinstance(part, str):
                    made = tree.Attribute(made, part, span, span)
                else:
                    index = (
                        tree.Number(part, str(part), span)
                        if isinstance(part, int)
                        else part
                    )
                    made = tree.Index(made, (index,), span)
            return made
        case tree.Attribute(value) | tree.Index(value):
            return replace(node, value=under(path, value))
    raise AssertionError(node)


def _prefixed(begin: str, node: tree.Expr) -> tree.Expr:
    """The names on the right, begun as the block's."""
    return mapped(node, lambda name: f"{begin}.{name}" if begin else name)


def mapped(node: tree.Expr, change: Callable[[str], str]) -> tree.Expr:
    """The right side with other names."""
    match node:
        case tree.String(value):
            return replace(node, value=change(value))
        case tree.ListOf(items):
            return replace(node, items=tuple(mapped(i, change) for i in items))
        case tree.Pipe(source):
            return replace(node, source=mapped(source, change))
    return node
