"""Which variables of a model train."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence

from ... import ir
from ...ir.fold_statements import declared, statements
from ...ir.outline import place_in
from ...ops.base import Op
from ...record import Record
from ..python.text import quoted
from ..signature import Names, Signature


def selection(goal: ir.Objective, model: str, names: Names) -> str | None:
    """The filter of the weights that train, as text; None for all of them."""
    paths = goal.only or goal.freeze
    if not paths:
        return None
    condition = path_test(paths, model, names, negated=not goal.only)
    return f"nnx.All(nnx.Param, lambda path, _: {condition})"


def path_test(
    paths: Sequence[str], model: str, names: Names, *, negated: bool = False
) -> str:
    """Whether `path`, of Flax's state, leads into one of the dotted paths of the spec, as text."""
    root = names.signatures[model]
    whole = [path for path in paths if "[" not in path]
    keys = dict.fromkeys(_keys(path, root, names) for path in whole)
    tests = [_condition(list(keys), negated)] if keys else []
    places = [place_test(path, root, names) for path in paths if "[" in path]
    tests += [f"not ({test})" if negated else test for test in places]
    if len(tests) > 1 and not negated:
        tests = [f"({test})" if " and " in test else test for test in tests]
    return (" and " if negated else " or ").join(tests)


def by_model(goal: ir.Objective) -> bool:
    """Whether the choice counts layers from the end, so that it depends on the model."""
    return any("-" in place_in(path)[1] for path in goal.only or goal.freeze)


def place_test(path: str, root: Signature, names: Names) -> str:
    """Whether `path`, of Flax's state, leads into layers of a list, `h[-2:]`, as text."""
    parts, place = place_in(path)
    keys = attribute_path(".".join(parts), root, names)
    at = f"path[{len(keys)}]"
    layers = f"len(model.{'.'.join(keys)})"
    low, colon, high = place.partition(":")
    if not colon:
        test = f"{at} == {_from_start(low, layers)}"
    elif low and high:
        test = f"{_from_start(low, layers)} <= {at} < {_from_start(high, layers)}"
    elif low:
        test = f"{at} >= {_from_start(low, layers)}"
    else:
        test = f"{at} < {_from_start(high, layers)}" if high else ""
    listed = ", ".join(map(quoted, keys))
    head = f"path[0] == {listed}"
    if len(keys) > 1:
        head = f"path[:{len(keys)}] == ({listed})"
    return f"{head} and {test}" if test else head


def _from_start(number: str, layers: str) -> str:
    return f"{layers} - {number[1:]}" if number.startswith("-") else number


class _Keys(Record):
    """A dotted path as keys of Flax's state, which has positions in lists as well."""

    names: tuple[str, ...]
    in_list: bool  # positions stand between the names


def _keys(path: str, root: Signature, names: Names) -> _Keys:
    at: Signature | None = root
    in_list = False
    parts = path.split(".")
    for part in parts:
        layer = _layer(at, part)
        in_list |= layer is not None and part is not parts[-1] and _listed(at, layer)
        inner = layer.callee if layer else None
        at = names.signatures[inner] if isinstance(inner, str) else None
    keys = [quoted(key) for key in attribute_path(path, root, names)]
    return _Keys(tuple(keys), in_list)


def attribute_path(path: str, root: Signature, names: Names) -> list[str]:
    """A dotted path of the spec as the attributes that it becomes."""
    at: Signature | None = root
    found = []
    for part in path.split("."):
        layer = _layer(at, part)
        found.append(at.attributes.get(part, part) if at else part)
        inner = layer.callee if layer else None
        at = names.signatures[inner] if isinstance(inner, str) else None
    return found


def _layer(at: Signature | None, name: str) -> ir.Layer | None:
    if at is None:
        return None
    layers = (i for i in declared(at.definition.body) if isinstance(i, ir.Layer))
    return next((layer for layer in layers if layer.name == name), None)


def _listed(at: Signature | None, layer: ir.Layer) -> bool:
    """Whether a layer stands for a list of them."""
    assert at is not None
    loops = (s for s in statements(at.definition.body) if isinstance(s, ir.For))
    return layer.count is not None or any(layer in declared(f.body) for f in loops)


def _condition(paths: Sequence[_Keys], negated: bool) -> str:
    """`path[0] in ("encoder", "decoder")`: one test for each kind of path."""
    kinds: dict[tuple[int, bool], list[str]] = defaultdict(list)
    for path in paths:
        one = len(path.names) == 1
        key = path.names[0] if one else f"({', '.join(path.names)})"
        kinds[len(path.names), path.in_list].append(key)
    tests = [_test(n, listed, keys, negated) for (n, listed), keys in kinds.items()]
    return (" and " if negated else " or ").join(tests)


def _test(length: int, in_list: bool, keys: Sequence[str], negated: bool) -> str:
    head = "path[0]" if length == 1 else f"path[:{length}]"
    if in_list:
        head = f"tuple(k for k in path if isinstance(k, str))[:{length}]"
    if len(keys) == 1:
        return f"{head} {'!=' if negated else '=='} {keys[0]}"
    return f"{head} {'not in' if negated else 'in'} ({', '.join(keys)})"


def keeps_all(program: ir.Program, model: str) -> bool:
    """Whether every step replaces every variable of the model, so that all can be donated:
    a `state` may stay as it is."""
    return not any(
        item.state if isinstance(item, ir.Variable) else is_brought(item)
        for definition in _reachable(program, model)
        for item in declared(definition.body)
    )


def is_brought(layer: ir.Layer) -> bool:
    """Whether a layer is Python code, of which nothing is known."""
    return isinstance(layer.callee, Op) and layer.callee.origin is not None


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
