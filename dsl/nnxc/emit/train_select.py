"""Which variables of a model train, and what changes for evaluation."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence

from .. import ir
from ..ops.base import Op
from .reads import declared
from .signature import Names, Signature
from .text import quoted


def selection(train: ir.Train, names: Names) -> str | None:
    """The filter of the weights that train, as text; None for all of them."""
    paths = train.only or train.freeze
    if not paths:
        return None
    root = names.signatures[train.model]
    found = [_attributes(path, root, names) for path in paths]
    condition = _condition(found, negated=not train.only)
    return f"nnx.All(nnx.Param, lambda path, _: {condition})"


def _attributes(path: str, root: Signature, names: Names) -> tuple[str, ...]:
    """A dotted path of the spec as keys of Flax's state; list positions are ints."""
    at: Signature | None = root
    keys: list[str] = []
    for part in path.split("."):
        if at is None or part.isdecimal():
            keys.append(part if part.isdecimal() else quoted(part))
            continue
        keys.append(quoted(at.attributes.get(part, part)))
        at = _inside(at, part, names)
    return tuple(keys)


def _inside(at: Signature, part: str, names: Names) -> Signature | None:
    for item in declared(at.definition.body):
        match item:
            case ir.Layer(name=name, callee=str() as callee) if name == part:
                return names.signatures[callee]
    return None


def _condition(paths: Sequence[tuple[str, ...]], negated: bool) -> str:
    """`path[0] in ("encoder", "decoder")`: one test for each length of path."""
    by_length: dict[int, list[tuple[str, ...]]] = defaultdict(list)
    for path in dict.fromkeys(paths):
        by_length[len(path)].append(path)
    tests = [_test(n, group, negated) for n, group in sorted(by_length.items())]
    return (" and " if negated else " or ").join(tests)


def _test(length: int, group: Sequence[tuple[str, ...]], negated: bool) -> str:
    head = "path[0]" if length == 1 else f"path[:{length}]"
    keys = [k[0] if length == 1 else f"({', '.join(k)})" for k in group]
    if len(keys) == 1:
        return f"{head} {'!=' if negated else '=='} {keys[0]}"
    return f"{head} {'not in' if negated else 'in'} ({', '.join(keys)})"


def keeps_all(program: ir.Program, model: str) -> bool:
    """Whether every step replaces every variable of the model, so that all can be donated:
    a `state` may stay as it is."""
    return not any(
        isinstance(item, ir.Variable) and item.state
        for definition in _reachable(program, model)
        for item in declared(definition.body)
    )


def _reachable(program: ir.Program, model: str) -> Iterator[ir.Definition]:
    known = {d.name: d for d in program.definitions}
    waiting, seen = [model], {model}
    while waiting:
        definition = known[waiting.pop()]
        yield definition
        for item in declared(definition.body):
            match item:
                case ir.Layer(callee=str() as callee) if callee not in seen:
                    seen.add(callee)
                    waiting.append(callee)


def evaluation(program: ir.Program, model: str) -> str | None:
    """The keywords of `nnx.view` for evaluation; None where the model has no modes."""
    definition = program.definition(model)
    if not definition.modes:
        return None
    keywords = [f"{mode}=True" for mode in definition.modes]
    if not set(definition.modes) <= _certain(program, definition.body):
        keywords.append("raise_if_not_found=False")
    return ", ".join(keywords)


def _certain(program: ir.Program, body: Sequence[ir.Stmt]) -> set[str]:
    """The modes of layers that no condition can leave out."""
    found: set[str] = set()
    for stmt in body:
        match stmt:
            case ir.Declare(ir.Layer(callee=str() as name)):
                found |= _certain(program, program.definition(name).body)
            case ir.Declare(ir.Layer(callee=Op() as op)):
                found |= set(op.modes)
            case ir.For(body=inner):
                found |= _certain(program, inner)
            case ir.If(_, then, orelse):
                found |= _certain(program, then) & _certain(program, orelse)
    return found
