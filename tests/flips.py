"""The other sides of conditions: what they may read, otherwise, alone and in pairs."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

from interpreted import FUNCTIONS, Case
from interpreting import Subject, inputs_for, parameters

from nnxc.instance.nodes import InstanceError
from nnxc.ops.base import Kind
from nnxc.syntax import tree
from nnxc.syntax.walk import nodes_in


def flipped(case: Case, pairs: bool) -> Iterator[tuple[str, Case]]:
    """The case with what conditions may read changed, alone and in pairs: arguments, and whether
    inputs that may be absent are there."""
    singles = list(changes(case))
    for one in singles:
        yield changed(case, one)
    yield from presences(case)
    if pairs:
        asked = asked_in(case.subject)
        singles = [one for one in singles if one.keys() <= asked]
        for one, other in itertools.combinations(singles, 2):
            if one.keys() != other.keys():
                yield changed(case, {**one, **other})


def changed(case: Case, change: Mapping[str, Any]) -> tuple[str, Case]:
    """The case with other arguments; its inputs stay what they are where they fit."""
    args = {**case.args, **change}
    label = ", ".join(
        f"{k}={getattr(v, '__name__', repr(v))}" for k, v in change.items()
    )
    try:
        inputs = inputs_for(case.subject, case.model, args, case.axes, True)
    except (InstanceError, LookupError, ValueError, TypeError):
        inputs = dict(case.inputs)
    given = {
        n: case.inputs[n] if case.inputs[n].shape == x.shape else x
        for n, x in inputs.items()
        if n in case.inputs
    }
    return label, replace(case, args=args, inputs=given, origin=case)


def presences(case: Case) -> Iterator[tuple[str, Case]]:
    """The case without each input that may be absent, and without all of them."""
    fields = case.subject.definition(case.model).inputs
    absent = [f.name for f in fields if f.optional and f.name in case.inputs]
    sets = [{name} for name in absent] + ([set(absent)] if len(absent) > 1 else [])
    for names in sets:
        given = {n: x for n, x in case.inputs.items() if n not in names}
        yield f"no {', '.join(sorted(names))}", replace(case, inputs=given)


def changes(case: Case) -> Iterator[dict[str, Any]]:
    """One argument otherwise: a switch thrown, another text or kind, none or a value, a number on
    the other side of what it is compared with."""
    texts, numbers = compared(case.subject)
    asked = asked_in(case.subject)
    values = dict(case.args)
    for param in case.subject.definition(case.model).params:
        name = param.name
        base = values[name] if name in values else default(case, name)
        for other in others(base, texts, numbers.get(name, set()), name in asked):
            if param.kind is not Kind.SIZES or 0 not in other:  # a size is 1 or more
                yield {name: other}
        if param.optional and base is None:
            yield {name: 0.5 if param.kind is Kind.NUMBER else 2}
        elif param.optional and not callable(base):
            yield {name: None}


def others(base: Any, texts: list[str], numbers: set[Any], asked: bool) -> list[Any]:
    """What else an argument may be, for conditions that it decides."""
    match base:
        case bool():
            return [not base]
        case str():
            return [text for text in texts if text != base]
        case int() if numbers or asked:
            around = {int(n) + d for n in numbers for d in (-1, 0, 1)} or {
                base - 1,
                base + 1,
            }
            return [n for n in sorted(around) if n != base and (n > 0 or n in numbers)]
        case float() if numbers or asked:
            return [n for n in sorted({0.0, *map(float, numbers)}) if n != base]
        case list() | tuple() if base:
            return lists(list(base), texts, asked)
        case _ if callable(base):
            return [FUNCTIONS["silu" if base is FUNCTIONS["relu"] else "relu"]]
    return []


def lists(base: list[Any], texts: list[str], asked: bool) -> list[Any]:
    """Other lists: of one kind alone, of switches thrown, shorter, in another order."""
    if isinstance(base[0], str):
        return [[text] * len(base) for text in sorted({*texts, *base}, key=str)]
    if isinstance(base[0], bool):
        return [[not one for one in base]]
    if not asked:
        return []
    found = [
        base[:-1],
        base[::-1],
        [1 - one if one in (0, 1) else one for one in base],
        [2 if one == 1 else one for one in base],
    ]
    return [one for i, one in enumerate(found) if one != base and one not in found[:i]]


def default(case: Case, name: str) -> Any:
    plain = {k: v for k, v in case.args.items() if not callable(v)}
    return parameters(case.subject, case.model, plain).get(name)


def asked_in(subject: Subject) -> set[str]:
    """Names that conditions read, and those that what they read is made of: by assignments, by
    loops, and by the arguments of blocks whose conditions read their parameters."""
    bodies: dict[str, list[tree.Definition]] = {}  # of all files: of one name, too
    for file in subject.meaning.files_read():
        for body in definitions(file):
            bodies.setdefault(body.name.id, []).append(body)
    asked = {
        (text, name.id)
        for text, same in bodies.items()
        for kind in (tree.If, tree.IfElse)
        for node in nodes_in(tuple(same), kind)
        for name in nodes_in(node.condition, tree.Name)
    }
    sources = [one for text in bodies for one in made_of(text, bodies)]
    before = 0
    while before < len(asked):
        before = len(asked)
        asked |= {one for target, found in sources if target in asked for one in found}
    return {name for _, name in asked}


Place = tuple[str, str]  # a definition, and a name in it


def made_of(
    text: str, bodies: Mapping[str, list[tree.Definition]]
) -> Iterator[tuple[Place, set[Place]]]:
    """What names are made of, those of this definition and of blocks that it constructs."""
    own = tuple(bodies[text])

    def names(node: Any) -> set[Place]:
        return {(text, name.id) for name in nodes_in(node, tree.Name)}

    for node in nodes_in(own, tree.Assign):
        yield from (((text, t.id), names(node.value)) for t in node.targets)
    for group in nodes_in(own, tree.Group):
        model = group.model.id
        for param in (p.name for body in bodies.get(model, ()) for p in body.params):
            yield (text, param), {(model, param)}
    for loop in nodes_in(own, tree.For):
        yield from (((text, t.id), names(loop.iterable)) for t in loop.targets)
    for call in nodes_in(own, tree.Call):
        if not isinstance(call.func, tree.Name):
            continue
        for body in bodies.get(call.func.id, ()):
            params = [p.name for p in body.params]
            for place, arg in enumerate(call.args):
                param = arg.name or (params[place] if place < len(params) else "")
                yield (call.func.id, param), names(arg.value)


def definitions(file: Any) -> tuple[tree.Definition, ...]:
    return tuple(i for i in file.items if isinstance(i, tree.Definition))


def compared(subject: Subject) -> tuple[list[str], dict[str, set[Any]]]:
    """Texts that a spec compares with, and numbers that names are compared with."""
    texts: set[str] = set()
    numbers: dict[str, set[Any]] = {}
    for file in subject.meaning.files_read():
        for node in nodes_in(definitions(file), tree.Binary):
            if node.op in ("==", "!=", "in"):
                texts |= {s.value for s in nodes_in(node, tree.String)}
            if node.op in ("==", "!=", "<", "<=", ">", ">="):
                for a, b in ((node.left, node.right), (node.right, node.left)):
                    if isinstance(a, tree.Name) and isinstance(b, tree.Number):
                        numbers.setdefault(a.id, set()).add(b.value)
    return sorted(texts), numbers
