"""Names of layers, settled before checking: `as`, assignment, or the layer's type."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from ...record import Record
from ...source import Span
from ...syntax import tree
from ...syntax.walk import bodies, parts

Names = dict[Span, tuple[str, bool]]


class Construction(Record):
    """A place where a layer may be constructed, and the name that the author gave it."""

    span: Span
    kind: str  # as it is written: the parameter, where a block is an argument
    name: str | None


def layer_names(body: tuple[tree.Statement, ...], taken: set[str]) -> Names:
    """A name for every construction, and whether the author gave it. Layers without one are named
    after their type, numbered where there are several."""
    found = [c for s in body for c in _in_statement(s)]
    anonymous = Counter(snake(c.kind) for c in found if c.name is None)
    used = taken | {c.name for c in found if c.name is not None}
    numbers: Counter[str] = Counter()
    names: Names = {}
    for item in found:
        if item.name is not None:
            names[item.span] = (item.name, True)
            continue
        base = snake(item.kind)
        names[item.span] = (_free(base, anonymous[base] > 1, numbers, used), False)
    return names


def _free(base: str, several: bool, numbers: Counter[str], used: set[str]) -> str:
    if not several and base not in used:
        return base
    while True:
        numbers[base] += 1
        name = f"{base}_{numbers[base]}"
        if name not in used:
            return name


def snake(name: str) -> str:
    """`LayerNorm` as `layer_norm`, `RMSNorm` as `rms_norm`, `MLP` as `mlp`."""
    out: list[str] = []
    for i, char in enumerate(name):
        starts = char.isupper() and i > 0
        after_lower = starts and (name[i - 1].islower() or name[i - 1].isdigit())
        before_lower = (
            starts and name[i - 1].isupper() and name[i + 1 : i + 2].islower()
        )
        if after_lower or before_lower:
            out.append("_")
        out.append(char.lower())
    return "".join(out)


def _in_statement(node: tree.Statement) -> Iterator[Construction]:
    match node:
        case tree.Assign(targets, "=", value) if len(targets) == 1 and _constructed(
            value
        ):
            yield from _walk(value, targets[0].id)
        case tree.For(_, iterable):
            yield from _walk(iterable, None)
        case tree.Scan(_, sources, over, carries=carries):
            yield from _walk((*sources, over, *(c.value for c in carries)), None)
        case tree.If(condition):
            yield from _walk(condition, None)
        case tree.Assign(_, _, value) | tree.Evaluate(value) | tree.Collect(_, value):
            yield from _walk(value, None)
        case tree.Return(values):
            for value in values:
                yield from _walk(value, None)
    for body in bodies(node):
        for inner in body:
            yield from _in_statement(inner)


def _constructed(value: tree.Expr) -> bool:
    """Whether an assigned value is a layer itself: `Embed(...)`, `Block(...) * n`."""
    match value:
        case tree.Call(tree.Name(name)) | tree.Name(name):
            return name[:1].isupper()
        case tree.Binary("*", left, _):
            return _constructed(left)
    return False


def _walk(node: object, name: str | None) -> Iterator[Construction]:
    match node:
        case tree.Named(value, given):
            yield from _walk(value, given)
            return
        case tree.Call(tree.Name(kind, said), args, span) if kind[:1].isupper():
            yield Construction(span, said.text or kind, name)
            for arg in args:
                yield from _walk(arg.value, None)
            return
        case tree.Name(kind, span) if kind[:1].isupper():
            yield Construction(span, span.text or kind, name)
            return
        case tree.Binary("*", left, right):
            yield from _walk(left, name)
            yield from _walk(right, None)
            return
        case tree.Call(func, args):
            # `Linear(3)(x) as head` names the layer that is called.
            yield from _walk(func, name)
            for arg in args:
                yield from _walk(arg.value, None)
            return
        case tree.Pipe(source, stages) if name is not None:
            yield from _walk(source, None)
            for step in stages:
                yield from _walk(step.value, None)
            return
    for part in parts(node):
        yield from _walk(part, None)


def is_camel(name: str) -> bool:
    """Whether a name is spelt like a layer, block or model."""
    return name[:1].isupper()
