"""Lines of a weights section: paths of the model on the left, names of tensors on the right."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence

from ... import ir
from ...diagnostics import Advice, Fix, write
from ...record import Record, replace
from ...source import Span
from ...syntax import tree, tree_weights
from ..context import Context
from ..foreign.tree_parts import last_name
from ..values import Param
from .weights_holes import HOLE, WHOLE, computed, mentioned, plain
from .weights_layout import Layout
from .weights_moves import move_instead, rearrangement, stacking_axis
from .weights_slots import shown

PARTS = ("split", "interleave")  # of one tensor, to several weights


WHOLES = ("concat", "sum", "stack")  # of several tensors, to one weight


class Conversion(Record):
    """What the arrows say: how often axes are swapped before and after `join`, or their `layout`."""

    join: str = ""
    axis: int = 0
    before: bool = False
    after: bool = False
    span: Span | None = None
    layout: Layout | None = None


class Target(Record):
    """A path on the left, with its `indices` by name, and what stands for it on the right, where
    `{=0}` is the first of `holes`. `group` are all targets that share the value, this one
    included."""

    path: ir.Path
    indices: tuple[str, ...]  # a name for each None of the path
    names: tuple[str, ...]
    conversion: Conversion
    span: Span
    value_span: Span
    group: tuple[ir.Path, ...]
    holes: tuple[ir.Static, ...] = ()


def targets_of(
    ctx: Context,
    line: tree_weights.Stored,
    before: Sequence[Target],
    slots: Iterable[ir.Path],
    params: Mapping[str, Param],
) -> list[Target]:
    """The targets of one line. Raises `Fault` after reporting."""
    paths = [path_of(ctx, node, slots) for node in line.paths]
    seen = {t.path for t in before}
    for node, (path, _) in zip(line.paths, paths, strict=True):
        if path in seen:
            ctx.fail("N603", f"`{shown(path)}` is named twice", node.span)
        seen.add(path)
    values = [_value(ctx, node) for node in line.values]
    shared = len(values) == 1 and values[0][1].join in PARTS
    _check_counts(ctx, line, [conversion for _, conversion in values])
    found = []
    for at, (path, indices) in enumerate(paths):
        names, conversion = values[0 if shared else at]
        value = line.values[0 if shared else at].span
        group = tuple(p for p, _ in paths) if shared else (path,)
        target = Target(
            path, indices, names, conversion, line.paths[at].span, value, group
        )
        found.append(_resolved(ctx, target, params))
    return found


def _check_counts(
    ctx: Context, line: tree_weights.Stored, values: Sequence[Conversion]
) -> None:
    """Each path has a value, or all of them the parts of one."""
    count, parts = len(line.paths), [v for v in values if v.join in PARTS]
    if len(values) == 1 and parts:
        if count == 1:
            text = f"`{parts[0].join}` gives several parts, this is one path"
            help = "name every part on the left"
            ctx.fail("N605", text, parts[0].span or line.span, help=help)
        return
    if len(values) != count:
        text = f"{len(values)} values for {count} path{'s' * (count > 1)}"
        help = "give each path one value, or end the one value with `-> split`"
        ctx.fail("N605", text, line.span, help=help)
    if parts:
        text = f"`{parts[0].join}` gives several parts"
        help = "write it on a line of its own, with a path for every part"
        ctx.fail("N605", text, parts[0].span or line.span, help=help)


_ODD = re.compile(r"""[\s"'`\\]""")


def tensor_name(ctx: Context, node: tree.String) -> str:
    """A name, or a part of one, that a tensor of a checkpoint can have."""
    outside = HOLE.sub("", node.value)
    odd = _ODD.search(outside) or re.search(r"[\"'\\\\]", node.value)
    if odd or not node.value.isprintable():
        text = "no tensor has a name with quotes, spaces, backslashes or control signs"
        ctx.fail("N604", text, node.span)
    return node.value


def rule_of(ctx: Context, node: tree.String) -> Target:
    """`from "model.{path}"`: what holds for all that no line names."""
    name = tensor_name(ctx, node)
    target = Target((), (), (name,), Conversion(), node.span, node.span, ((),))
    for hole in HOLE.findall(name):
        if plain(hole) is None:
            help = 'such as "model.{path}"'
            ctx.fail("N604", f"`{{{hole}}}` in a rule", node.span, help=help)
    if f"{{{WHOLE}}}" not in name:
        text = "a rule says where the path stands"
        ctx.fail("N604", text, node.span, **_with_path(node))
    _check_holes(ctx, target, target.names)
    return target


def _with_path(node: tree.String) -> Advice:
    """`"net.*"` and `"net.{name}"`, as `"net.{path}"`."""
    text, count = re.subn(r"\*|\{\w+\}$", f"{{{WHOLE}}}", node.span.text[1:-1])
    if count == 1:
        return write(node.span, f'"{text}"')
    return {"help": 'write "{path}", or "model.{path}" if all names begin so'}


def path_of(
    ctx: Context, node: tree.Expr, slots: Iterable[ir.Path]
) -> tuple[ir.Path, tuple[str, ...]]:
    """A path on the left, and the names of its positions."""
    path: list[str | int | None] = []
    indices: list[str] = []
    for part, span in parts_of(ctx, node):
        known = {slot[len(path)] for slot in _below(path, slots)}
        _check_part(ctx, path, part, known, span)
        if isinstance(part, tree.Name):
            indices.append(part.id)
            path.append(None)
        else:
            path.append(part)
    return tuple(path), tuple(indices)


def _below(path: Sequence[str | int | None], slots: Iterable[ir.Path]) -> list[ir.Path]:
    """The variables inside what a path names."""
    wanted = tuple(None if isinstance(p, int) else p for p in path)
    n = len(wanted)
    return [slot for slot in slots if len(slot) > n and slot[:n] == wanted]


def parts_of(ctx: Context, node: tree.Expr) -> list[tuple[str | int | tree.Name, Span]]:
    """Names, positions, and names of positions."""
    match node:
        case tree.Name(name, span):
            return [(name, span)]
        case tree.Attribute(value, name, _, span):
            return [*parts_of(ctx, value), (name, span)]
        case tree.Index(value, items):
            return [*parts_of(ctx, value), *(_index(ctx, item) for item in items)]
    raise AssertionError(node)


def _index(ctx: Context, item: tree.Expr | tree.Slice) -> tuple[int | tree.Name, Span]:
    match item:
        case tree.Name() if item.id != WHOLE:
            return item, item.span
        case tree.Number(int() as number):
            return number, item.span
    help = 'such as `h[i]`, which "{i}" stands for on the right, or `h[0]`'
    advice: Advice = {"help": help}
    if item.span.text == ":":
        advice = write(item.span, "i", "a name stands for every place")
    ctx.fail("N602", "a position is a name or a number", item.span, **advice)


def _check_part(
    ctx: Context,
    path: Sequence[str | int | None],
    part: str | int | tree.Name,
    known: set[str | int | None],
    span: Span,
) -> None:
    whole = shown(tuple(path))
    if isinstance(part, str):
        if None in known and path:
            ctx.fail(
                "N602", f"`{whole}` is a list", span, help=f"write `{whole}[i].{part}`"
            )
        if part not in known:
            owner = f"`{whole}`" if whole else f"`{ctx.name}`"
            names = sorted(k for k in known if isinstance(k, str))
            has = "it has " + ", ".join(f"`{n}`" for n in names[:8])
            suggestion = ctx.suggest(part, names, span, has if names else "")
            suggestion = _without_equals(part, span) or suggestion
            ctx.fail("N602", f"{owner} has no weights `{part}`", span, **suggestion)
    elif None not in known:
        ctx.fail("N602", f"`{whole}` is no list", span, help="remove the position")


def _without_equals(word: str, span: Span) -> Advice | None:
    """`ignore = "*.inv_freq"`."""
    line = span.whole_line()
    found = re.match(r" *(ignore|optional|rename) *= *", line.text)
    if found is None or found[1] != word:
        return None
    place = Span(line.source, span.start, line.start + found.end())
    return {
        "help": f"`{word}` takes no `=`: leave it out",
        "fix": Fix(place, f"{word} "),
    }


def _value(ctx: Context, node: tree.Expr) -> tuple[tuple[str, ...], Conversion]:
    source, stages = (
        (node.source, node.stages) if isinstance(node, tree.Pipe) else (node, ())
    )
    names = _names(ctx, source)
    conversion = Conversion()
    for stage in stages:
        conversion = _stage(ctx, stage.value, conversion)
    several = conversion.join in ("concat", "sum")
    if several == (len(names) == 1):
        ctx.fail(
            "N605",
            (
                f"`{conversion.join}` takes a list of tensors"
                if several
                else "several tensors make one weight only with a conversion"
            ),
            source.span,
            help='such as `["a", "b"] -> concat`',
        )
    return names, conversion


def _names(ctx: Context, node: tree.Expr) -> tuple[str, ...]:
    match node:
        case tree.String():
            return (tensor_name(ctx, node),)
        case tree.ListOf(items) if items:
            return tuple(name for item in items for name in _names(ctx, item))
    advice: Advice = {"help": 'such as "h.{i}.ln_1"'}
    root: tree.Expr = node
    while isinstance(root, tree.Attribute | tree.Call):
        root = root.value if isinstance(root, tree.Attribute) else root.func
    if isinstance(root, tree.Name) and not isinstance(node, tree.Call):
        advice = write(node.span, f'"{node.span.text}"')
    if isinstance(root, tree.String) and isinstance(node, tree.Attribute | tree.Call):
        func = node.func if isinstance(node, tree.Call) else node
        name = func.name if isinstance(func, tree.Attribute) else ""
        args = node.args if isinstance(node, tree.Call) else ()
        moved = move_instead(tree.Call(tree.Name(name), args, node.span))
        if moved:
            advice = write(node.span, f"{root.span.text} -> {moved['fix'].text}")
    match node:
        case tree.Call(func, (tree.Arg(None, tree.ListOf() as joined), *_)):
            name = {"cat": "concat"}.get(last_name(func), last_name(func))
            if name in WHOLES:
                advice = write(node.span, f"{joined.span.text} -> {name}")
    ctx.fail("N604", "the name of a tensor stands in quotes", node.span, **advice)


def _stage(ctx: Context, node: tree.Expr, so_far: Conversion) -> Conversion:
    call = node if isinstance(node, tree.Call) else tree.Call(node, (), node.span)
    name = call.func.id if isinstance(call.func, tree.Name) else ""
    if name == "transpose" and not call.args:
        before, after = so_far.before, so_far.after
        if so_far.join:
            after = not after
        else:
            before = not before
        return replace(so_far, before=before, after=after)
    if name == "rearrange" and so_far == Conversion():
        return Conversion(span=node.span, layout=rearrangement(ctx, call))
    if name == "transpose" and (moved := move_instead(call)):
        text = "`transpose` turns the axes around, and takes no arguments"
        ctx.fail("N606", text, call.args[0].span, **moved)
    known = ("transpose", "rearrange", *PARTS, *WHOLES)
    if name not in known:
        suggestion = move_instead(call) or ctx.suggest(
            name, known, call.func.span, f"one of {', '.join(known)}"
        )
        ctx.fail("N606", "there is no such conversion", call.func.span, **suggestion)
    if so_far.join or name == "rearrange":
        other = so_far.join or "another"
        ctx.fail("N606", f"`{name}` after `{other}`", node.span)
    axis = stacking_axis(ctx, name, call.args)
    return replace(so_far, join=name, axis=axis, span=node.span)


def _resolved(ctx: Context, target: Target, params: Mapping[str, Param]) -> Target:
    """The target with its computed holes as `{=0}`, `{=1}`, ..."""
    values: list[ir.Static] = []
    known = (*target.indices, WHOLE)

    def number(match: re.Match[str]) -> str:
        part = plain(match[1])
        if part and (part[0] in known or part[0] not in params):
            return match[0]
        span = target.value_span
        values.append(computed(ctx, match[1], target.indices, params, span))
        return f"{{={len(values) - 1}}}"

    names = tuple(HOLE.sub(number, name) for name in target.names)
    resolved = replace(target, names=names, holes=tuple(values))
    _check_holes(ctx, resolved, target.names)
    return resolved


def _check_holes(ctx: Context, target: Target, written: Sequence[str]) -> None:
    """Every `{...}` means something, and every position of the path is in every name."""
    free: set[str] = set()
    for name, spelled in zip(target.names, written, strict=True):
        if "{" in HOLE.sub("", name) or "}" in HOLE.sub("", name):
            help = "write `{i}` or `{2 * i + 1}`, where `i` is a position on the left"
            ctx.fail("N604", "braces hold a position", target.value_span, help=help)
        holes = HOLE.findall(name)
        used = set().union(*(mentioned(hole, target.holes) for hole in holes))
        free |= {part[0] for hole in holes if (part := plain(hole))}
        for index in target.indices:
            if index not in used:
                ctx.fail(
                    "N604",
                    f"`{{{index}}}` is missing",
                    target.value_span,
                    f"every layer of `{shown(target.path)}` would be this tensor",
                    help=f'write `{{{index}}}` where the number stands in "{spelled}"',
                )
    free -= {*target.indices, WHOLE}
    stacked = target.conversion.join == "stack"
    if len(free) != stacked or (stacked and not next(iter(free)).isidentifier()):
        known = [*target.indices, WHOLE]
        hole = min(free, default="")
        ctx.fail(
            "N604",
            (
                f"`{{{hole}}}` means nothing here"
                if not stacked
                else "`stack` needs one name of its own to count with"
            ),
            target.value_span,
            **(
                {
                    "help": 'such as "experts.{n}.weight" -> stack, `n` being no parameter'
                }
                if stacked
                else ctx.suggest(
                    hole,
                    known,
                    target.value_span,
                    "known are " + ", ".join(f"`{{{k}}}`" for k in known),
                )
            ),
        )


def fill(target: Target, name: str, path: ir.Path, tail: str) -> str:
    """A name with its positions numbered: those of the path, then that of a stack. `tail` is
    what the path has beyond the target."""
    count = path.count(None)
    numbers = dict(zip(target.indices, range(count), strict=False))
    beyond = iter(range(len(numbers), count))
    ending = re.sub(r"\{\}", lambda _: f"{{{next(beyond)}}}", tail)
    hole = f"{{{WHOLE}}}"
    if ending and hole not in name:
        name = f"{name}.{hole}"

    def number(match: re.Match[str]) -> str:
        part = plain(match[1])
        if part is None:
            return match[0]
        if part[0] == WHOLE:
            return ending
        return f"{{{numbers.get(part[0], count)}{part[1]}}}"

    return HOLE.sub(number, name)
