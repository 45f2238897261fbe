"""Specs that say the same in other words: runs of statements in arms, in loops, in blocks."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator, Mapping
from functools import partial
from typing import Any, NamedTuple

from nnxc import ir
from nnxc.diagnostics import Sink
from nnxc.ir.fold_statements import statements as in_order
from nnxc.record import replace
from nnxc.shapes import TensorType
from nnxc.source import Source
from nnxc.syntax import tree
from nnxc.syntax.parse import parse
from nnxc.syntax.walk import mentioned, names_in, nodes_in, targets

Body = tuple[tree.Statement, ...]
Place = tuple[
    tuple[int, str], ...
]  # of a body in a definition's: statements and fields


class Rewritten(NamedTuple):
    """A spec that means what another one does."""

    label: str
    file: tree.File


def read(text: str) -> tree.File:
    """A spec as its definitions alone: weights have the paths of a model as it was written."""
    sink = Sink()
    file = parse(Source("spec.nnx", text), sink)
    assert not sink.diagnostics
    kept = (i for i in file.items if not isinstance(i, tree.Weights | tree.Generate))
    return replace(file, items=tuple(kept))


def rewritten(file: tree.File, program: ir.Program) -> Iterator[Rewritten]:
    """All that is tried: each run as a whole and its statements one by one."""
    for index, item in enumerate(file.items):
        if isinstance(item, tree.Definition):
            ways = itertools.cycle(WAYS)
            for place, body in bodies(item.body):
                for start, stop in runs(body):
                    whole = [(start, stop, way) for way in WAYS]
                    single = [(n, n + 1, next(ways)) for n in range(start, stop)]
                    for first, last, way in [*whole, *single * (stop - start > 1)]:
                        new = WAYS[way](file, index, place, (first, last), program)
                        if new is not None:
                            label = f"{item.name.id}{place}[{first}:{last}] {way}"
                            yield Rewritten(label, new)


def bodies(body: Body, place: Place = ()) -> Iterator[tuple[Place, Body]]:
    """The bodies in a body, and where they are."""
    yield place, body
    for at, stmt in enumerate(body):
        for name in ("body", "then", "orelse"):
            if inner := getattr(stmt, name, ()):
                yield from bodies(inner, (*place, (at, name)))


def put(body: Body, place: Place, new: Body) -> Body:
    """A body with another one at a place in it."""
    if not place:
        return new
    (at, name), *rest = place
    inner = put(getattr(body[at], name), tuple(rest), new)
    return (*body[:at], replace(body[at], **{name: inner}), *body[at + 1 :])


def runs(body: Body) -> Iterator[tuple[int, int]]:
    """Statements in a row that give values alone."""
    kinds = (tree.Assign, tree.For, tree.If, tree.Evaluate, tree.Scan)
    ends = (tree.Return, tree.Collect, tree.Declare)
    fits = [
        isinstance(s, kinds) and not any(any(nodes_in((s,), e)) for e in ends)
        for s in body
    ]
    at = 0
    for fit, group in itertools.groupby(fits):
        size = len(list(group))
        if fit:
            yield at, at + size
        at += size


def statements(text: str) -> Body:
    """The statements of a text."""
    lines = "".join(f"    {line}\n" for line in text.splitlines())
    sink = Sink()
    (item,) = parse(Source("part.nnx", f"block Part:\n{lines}"), sink).items
    assert isinstance(item, tree.Definition) and not sink.diagnostics, text
    return item.body


# -------------------------------------------------------------- in arms and loops

NESTED = {
    "sides": ("picked = 3", "if picked > 2:\n    RUN\nelse:\n    RUN"),
    "elif": (
        "picked = 3",
        "if picked > 5:\n    RUN\nelif picked > 2:\n    RUN\nelse:\n    RUN",
    ),
    "only": ("picked = 3", "if picked > 2:\n    RUN"),
    "once": ("", "for once in range(1):\n    RUN"),
    "counted": ("picked = 1", "for once in range(picked):\n    RUN"),
}


def nested(
    way: str,
    file: tree.File,
    index: int,
    place: Place,
    run: tuple[int, int],
    _: ir.Program,
) -> tree.File:
    """The spec with a run inside of other statements."""
    item, (start, stop) = file.items[index], run
    assert isinstance(item, tree.Definition)
    body = dict(bodies(item.body))[place]
    param, text = NESTED[way]
    made = filled(statements(text), body[start:stop])
    whole = put(item.body, place, (*body[:start], *made, *body[stop:]))
    params = (*item.params, *parameters(param)) if param else item.params
    items = list(file.items)
    items[index] = replace(item, body=whole, params=params)
    return replace(file, items=tuple(items))


def filled(body: Body, run: Body) -> Body:
    """A body with the run wherever it says `RUN`."""
    found: list[tree.Statement] = []
    for stmt in body:
        if isinstance(stmt, tree.Evaluate):
            found += run
            continue
        held = {n: getattr(stmt, n, ()) for n in ("body", "then", "orelse")}
        found.append(replace(stmt, **{n: filled(b, run) for n, b in held.items() if b}))
    return tuple(found)


def parameters(text: str) -> tuple[tree.Parameter, ...]:
    item = parse(Source("part.nnx", f"block Part({text}):\n    input x: [B]\n"), Sink())
    (made,) = nodes_in(item.items, tree.Definition)
    return made.params


# ---------------------------------------------------------------------- in blocks


def outlined(
    file: tree.File,
    index: int,
    place: Place,
    run: tuple[int, int],
    program: ir.Program,
) -> tree.File | None:
    """The spec with a run as a block of its own; None where a block cannot have it."""
    return apart(file, index, place, run, program, None)


def of_model(
    file: tree.File,
    index: int,
    place: Place,
    run: tuple[int, int],
    program: ir.Program,
) -> tree.File | None:
    """The same with a block that reads the parameters of the model that it is part of."""
    item = file.items[index]
    assert isinstance(item, tree.Definition)
    names = [item.name] if item.kind == "model" else [g.model for g in item.groups]
    models = [
        i
        for i in file.items
        if isinstance(i, tree.Definition) and i.name.id in {n.id for n in names}
    ]
    if not models:
        return None
    return apart(file, index, place, run, program, models[0])


def apart(
    file: tree.File,
    index: int,
    place: Place,
    run: tuple[int, int],
    program: ir.Program,
    model: tree.Definition | None,
) -> tree.File | None:
    """The spec with a run as a block, which reads the parameters of a model if one is given."""
    item, (start, stop) = file.items[index], run
    assert isinstance(item, tree.Definition)
    body = dict(bodies(item.body))[place]
    part = body[start:stop]
    before = known(program.definition(item.name.id), part[0].span.start)
    after = known(program.definition(item.name.id), part[-1].span.end)
    params = {p.name for p in program.definition(item.name.id).params}
    named = [n for n in dict.fromkeys(mentioned(part)) if n in before or n in params]
    tensors = [n for n in named if isinstance(before.get(n), TensorType)]
    numbers = [n for n in named if n not in tensors]
    if not tensors or any(before.get(n) is LIST for n in numbers):
        return None
    read_later = {
        n.id for n in names_in(item.body) if n.span.start >= part[-1].span.end
    }
    given = {t.id for s in part for t in targets(s)}
    outs = sorted(n for n in given if n in read_later or n in before)
    if not outs or not all(isinstance(after.get(n), TensorType) for n in outs):
        return None
    seen = [p.name for p in model.params] if model else []
    known_ = [*numbers, *seen]
    fields = [f"{n}: {written(before[n], known_, at)}" for at, n in enumerate(tensors)]
    numbers = [n for n in numbers if n not in seen]
    head = f"({', '.join(numbers)})" if numbers else ""
    inner = statements(f"input {', '.join(fields)}\nreturn {', '.join(outs)}")
    apart = f"own = Own{head}\n{', '.join(outs)} = own({', '.join(tensors)})"
    block = tree.Definition(
        "block", tree.Name("Own"), parameters(", ".join(numbers)) if numbers else (),
        (inner[0], *part, inner[1]), groups=(tree.Group(model.name),) if model else (),
    )  # fmt: skip
    whole = put(item.body, place, (*body[:start], *statements(apart), *body[stop:]))
    items = list(file.items)
    items[index : index + 1] = [block, replace(item, body=whole)]
    return replace(file, items=tuple(items))


LIST = "list"


def known(definition: ir.Definition, end: int) -> Mapping[str, Any]:
    """What the names before a place are: the type of a tensor, or `LIST` of what is none alone."""
    found: dict[str, Any] = {
        i.name: LIST if i.optional else i.type for i in definition.inputs
    }
    for stmt in in_order(definition.body):
        if getattr(stmt, "span", definition.span).start >= end:
            continue
        match stmt:
            case ir.Variable(name, type_):
                found[name] = type_
            case ir.Assign((name,), value):
                found[name] = value.type
            case ir.Assign(names):
                found |= dict.fromkeys(names, LIST)
            case ir.NewList(name) | ir.Append(name) | ir.Pop(name):
                found[name] = LIST
            case ir.StaticLet(name):
                found[name] = None
            case ir.For(names):
                found |= dict.fromkeys(names)
            case ir.Declare(layer):
                found.setdefault(layer.name, LIST)
    return found


def written(kind: TensorType, numbers: list[str], place: int) -> str:
    """A type whose sizes are names, made of these numbers, or axes of their own."""
    dims = []
    for at, dim in enumerate(map(str, kind.sizes)):
        names = set(re.findall(r"[A-Za-z_]\w*", dim))
        made = re.fullmatch(r"[\w +*]+", dim) and names <= {*numbers}
        known_ = re.fullmatch(r"\w+", dim) or made
        dims.append(dim if known_ else f"Z{place}{at}")
    dtype = "" if kind.dtype == "float" else kind.dtype
    return f"{dtype}[{', '.join(['...'] * kind.lead + dims)}]"


WAYS: dict[str, Any] = {
    **{w: partial(nested, w) for w in NESTED},
    "block": outlined,
    "part": of_model,
}
