"""Static locals that loops change: as few names for their values as a person would take."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from string import digits

from ... import ir
from ...dims import Dim
from ...ir.fold_statements import mapped, statements
from ...ops.base import Op
from ...record import Record, names_of, replace
from ...source import Span
from ..python.names import Namespace


def folded(program: ir.Program) -> ir.Program:
    """The program with values that serve the next iteration alone computed where it gets them."""
    return replace(program, definitions=tuple(map(_folded, program.definitions)))


def _folded(definition: ir.Definition) -> ir.Definition:
    if not _loops(definition):
        return definition
    counts = Counter(_names(definition.body))
    body = mapped(definition.body, lambda stmt: _in_loop(stmt, counts))
    return replace(definition, body=body)


def _loops(definition: ir.Definition) -> list[ir.For]:
    found = (s for s in statements(definition.body) if isinstance(s, ir.For))
    return [loop for loop in found if loop.carried]


def _in_loop(loop: ir.Stmt, counts: Mapping[str, int]) -> ir.Stmt:
    if not isinstance(loop, ir.For):
        return loop
    body = loop.body
    lets = {s.name: s.value for s in body if isinstance(s, ir.StaticLet)}
    once = {n: v for n, v in lets.items() if counts[n] == 1}
    nexts = [(c, name_of(c.next)) for c in loop.carried]
    moved = {n for _, n in nexts if n in once}
    carried = (replace(c, next=once[n]) if n in moved else c for c, n in nexts)
    rest = (s for s in body if not (isinstance(s, ir.StaticLet) and s.name in moved))
    return replace(loop, carried=tuple(carried), body=tuple(rest))


def name_of(value: ir.Static) -> str | None:
    """The name that a static value is, if it is one."""
    match value:
        case ir.Ref(name) | ir.Size(Dim(name=str(name))):
            return name
    return None


def aliases(definition: ir.Definition) -> dict[str, str]:
    """Carried values that may take over the name of what they begin as, or sizes that of an
    earlier loop's: nothing asks for that once the loop runs."""
    found: dict[str, str] = {}
    if _loops(definition):
        _aliases(definition.body, frozenset(), (), found)
    return _shortest(found, definition.spelled)


def _shortest(found: Mapping[str, str], spelled: Mapping[str, str]) -> dict[str, str]:
    """The same, by the shortest of the names that stand for one value; one that tells of a single
    layer does not change with the loop."""

    def rank(name: str) -> tuple[bool, int]:
        of_layer = name.endswith("_features") and not _is_generic(name)
        return of_layer and name not in spelled, len(name)

    groups: dict[str, list[str]] = {}
    for name, first in found.items():
        groups.setdefault(first, [first]).append(name)
    shortest = {first: min(names, key=rank) for first, names in groups.items()}
    known = {**{first: first for first in groups}, **found}
    return {n: shortest[f] for n, f in known.items() if n != shortest[f]}


def _aliases(
    body: Sequence[ir.Stmt],
    own: frozenset[str],
    later: tuple[object, ...],
    found: dict[str, str],
) -> None:
    """`own` are the values that the body may change, `later` is what is evaluated after it."""
    own |= {s.name for s in body if isinstance(s, ir.StaticLet)}
    for i, stmt in enumerate(body):
        rest = (*body[i + 1 :], *later)
        match stmt:
            case ir.For(body=inner, carried=carried):
                nexts = tuple(c.next for c in carried)
                symbols = frozenset(c.symbol for c in carried)
                live = {*_names((inner, nexts, rest)), *symbols}
                for item in carried:
                    held = {first for name, first in found.items() if name in live}
                    free = {n for n in own - live if found.get(n, n) not in held}
                    name = name_of(item.entry)
                    if name not in free:
                        name = _earlier(free) if _is_generic(item.symbol) else None
                    if name is not None:
                        found[item.symbol] = found.get(name, name)
                _aliases(inner, symbols, (nexts,), found)
                own |= symbols
            case ir.If(then=then, orelse=orelse):
                _aliases(then, frozenset(), rest, found)
                _aliases(orelse, frozenset(), rest, found)


def _earlier(names: Iterable[str]) -> str | None:
    return next(filter(_is_generic, sorted(names)), None)


def _is_generic(name: str) -> bool:
    """Whether a name is that of any such size: `features`, `in_features`, `in_features3`."""
    return name.rstrip(digits).removeprefix("in_") == "features"


def local_name(
    name: str, env: dict[str, str], aliases: Mapping[str, str], namespace: Namespace
) -> str:
    """The Python name of a static local or loop variable, which `env` keeps."""
    if name not in env:
        env[name] = (
            local_name(aliases[name], env, aliases, namespace)
            if name in aliases
            else namespace.give(name.lower(), name)
        )
    return env[name]


def _names(node: object) -> Iterator[str]:
    """Every mention of a static name in a piece of the program."""
    match node:
        case ir.Ref(name):
            yield name
        case Dim():
            yield from node.symbols
        case Span() | Op():
            return
        case tuple() | list():
            for part in node:
                yield from _names(part)
        case Mapping():
            yield from _names(tuple(node.values()))
        case Record():
            for name in names_of(node):
                yield from _names(getattr(node, name))
