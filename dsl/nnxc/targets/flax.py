"""Releases of Flax, and what the earlier ones have otherwise.

Layers, templates and everything else are written for the newest release. What came with one is
a row here; for an earlier release, the text is edited by its syntax tree.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator, Sequence

from ..record import Record
from .edits import Edit, arguments, calls, edited, end_of, named, start_of

RELEASES = tuple(f"0.12.{n}" for n in range(1, 13))
NEWEST = RELEASES[-1]


class Renamed(Record):
    """A function that had another name before a release."""

    since: str
    name: str
    before: str

    def edits(self, tree: ast.AST) -> Iterator[Edit]:
        """The name that it had."""
        for node in ast.walk(tree):
            if isinstance(node, ast.Attribute) and named(node) == self.name:
                yield Edit(start_of(node), end_of(node), self.before)


class Argument(Record):
    """An argument of functions that came with a release; before, they did as it says here."""

    since: str
    name: str
    functions: tuple[str, ...]

    def edits(self, tree: ast.AST) -> Iterator[Edit]:
        """Calls without the argument; a decorator that has no other is the function itself."""
        for call in calls(tree, self.functions):
            given = arguments(call)
            for i, argument in enumerate(given):
                if not isinstance(argument, ast.keyword) or argument.arg != self.name:
                    continue
                if len(given) == 1:
                    yield Edit(end_of(call.func), end_of(call), "")
                elif i:
                    yield Edit(end_of(given[i - 1]), end_of(argument), "")
                else:
                    yield Edit(start_of(argument), start_of(given[1]), "")


class Keywords(Record):
    """A transform whose functions took, before a release, no keyword that is not positional too."""

    since: str
    transform: str

    def edits(self, tree: ast.AST) -> Iterator[Edit]:
        """Keywords ahead of the other arguments, of a function that hands them on by their names."""
        for node in ast.walk(tree):
            match node:
                case ast.Call(
                    ast.Call(args=[function]) as made, keywords=[*named_ones]
                ):
                    if named(made.func) == self.transform and named_ones:
                        yield from _first(node, function, named_ones)


def _first(
    call: ast.Call, function: ast.expr, keywords: Sequence[ast.keyword]
) -> Iterator[Edit]:
    names = ", ".join(str(keyword.arg) for keyword in keywords)
    same = ", ".join(f"{keyword.arg}={keyword.arg}" for keyword in keywords)
    wrapped = f"lambda {names}, *args: {ast.unparse(function)}(*args, {same})"
    yield Edit(start_of(function), end_of(function), wrapped)
    given = [*(ast.unparse(k.value) for k in keywords), *map(ast.unparse, call.args)]
    yield Edit(end_of(call.func), end_of(call), f"({', '.join(given)})")


class Method(Record):
    """A method of one argument that was, before a release, another one's keyword."""

    since: str
    owner: str  # what its objects are called where they are arguments
    name: str
    before: str
    keyword: str

    def edits(self, tree: ast.AST) -> Iterator[Edit]:
        """The call as it was."""
        owners = {self.owner, *_given_as(tree, self.owner)}
        for node in ast.walk(tree):
            match node:
                case ast.Call(ast.Attribute(ast.Name(owner) as value, attr), [only]):
                    if owner in owners and attr == self.name:
                        yield Edit(end_of(value), end_of(node.func), f".{self.before}")
                        yield Edit(start_of(only), start_of(only), f"{self.keyword}=")


def _given_as(tree: ast.AST, argument: str) -> Iterator[str]:
    """The names that are given to an argument somewhere."""
    for node in ast.walk(tree):
        match node:
            case ast.keyword(arg, ast.Name(name)) if arg == argument:
                yield name


class Setting(Record):
    """A setting of a train that needs a release."""

    since: str
    name: str
    what: str


DIFFERENCES: tuple[Renamed | Keywords | Argument | Method, ...] = (
    Renamed("0.12.4", "nnx.view", before="nnx.set_mode"),
    # With `graph=False`, 0.12.6 takes no None.
    Keywords("0.12.7", "nnx.remat"),
    Argument("0.12.7", "graph", ("nnx.remat",)),
    Argument("0.12.5", "graph", ("nnx.scan", "nnx.vmap")),
    Method("0.12.6", "rngs", "split", before="fork", keyword="split"),
)
SETTINGS = (Setting("0.12.8", "ema", "nnx.EMA"),)


def lacking(release: str) -> tuple[Setting, ...]:
    """The settings of trains that a release is too early for. Raises ValueError where it is none."""
    return tuple(s for s in SETTINGS if _before(release, s.since))


def written_for(text: str, release: str) -> str:
    """The text of a part of a module, as it is for a release. Raises ValueError where it is none."""
    for difference in DIFFERENCES:
        if _before(release, difference.since):
            text = edited(text, difference.edits(ast.parse(text)))
    return text


def _before(release: str, other: str) -> bool:
    if release not in RELEASES:
        known = f"{RELEASES[0]} to {NEWEST}"
        raise ValueError(f"the target is a release of Flax, {known}, not {release!r}")
    return RELEASES.index(release) < RELEASES.index(other)
