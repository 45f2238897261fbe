"""The definitions of a program that sequences go through, and what is in the way."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence

from .. import ir
from ..dims import Dim
from ..ir.fold_statements import all_expressions, statements
from ..ir.fold_tensors import walk
from ..record import EMPTY, Record
from ..source import Span
from .limits import Source
from .time import Axes


class Given(Record):
    """What is known of a definition's inputs: where sequences lie in them, and which of them are
    ids of tokens or positions; and the limits of a model that hold from the start."""

    axes: Axes
    sources: Mapping[str, Source] = EMPTY
    limits: Mapping[str, Dim] = EMPTY


Rewrite = Callable[["Rewriting", ir.Definition, Given], tuple[ir.Definition, bool]]


class Rewriting:
    """Definitions by name, those that are rewritten, and what is in the way."""

    def __init__(self, program: ir.Program, rewrite: Rewrite):
        self.known = {d.name: d for d in program.definitions}
        self.models = {g.model for g in program.generates}
        self.rewrite, self.missing = rewrite, _missing(program)
        self.done: dict[str, ir.Definition] = {}
        self.given: dict[str, Given] = {}
        self.keeping: set[str] = set()  # those whose layers keep what they have seen
        self.elsewhere: dict[str, Span] = {}  # those that take what is no sequence
        self.problems: list[tuple[str, Span, str | None]] = []

    def definition(self, name: str, given: Given, span: Span) -> None:
        """Rewrite a definition that sequences go through."""
        if name in self.given:
            if self.given[name].axes != given.axes:
                self.problem(f"`{name}` takes its sequence along two axes", span)
            elif self.given[name] != given:
                self._counted(name, given, span)
            return
        self.given[name] = given
        self.done[name], keeps = self.rewrite(self, self.known[name], given)
        if keeps:
            self.keeping.add(name)

    def _counted(self, name: str, given: Given, span: Span) -> None:
        """What its tables are asked for is the same at all calls."""
        problems = [*self.problems]
        again, _ = self.rewrite(self, self.known[name], given)
        self.problems = problems
        if again != self.done[name]:
            message = f"`{name}` looks up token ids, or places, of another kind here"
            self.problem(message, span, "give each a block of its own")

    def no_sequence(self, name: str, span: Span) -> None:
        """A definition, with the blocks inside, takes something else."""
        if name in self.elsewhere:
            return
        self.elsewhere[name] = span
        for stmt in statements(self.known[name].body):
            if isinstance(stmt, ir.Declare) and isinstance(stmt.layer.callee, str):
                self.no_sequence(stmt.layer.callee, span)

    def finish(self) -> None:
        """What keeps sequences takes nothing else."""
        for name in self.keeping & self.elsewhere.keys():
            help = "give each a block of its own"
            message = f"`{name}` takes a sequence, and something else"
            self.problem(message, self.elsewhere[name], help)

    def problem(self, message: str, span: Span, help: str | None = None) -> None:
        """Note what is in the way."""
        self.problems.append((message, span, help))

    def forget(self, place: Span) -> None:
        """Leave what is in the way within a place to what is said of the whole of it."""
        self.problems = [p for p in self.problems if not place.contains(p[1])]


def _missing(program: ir.Program) -> dict[str, set[str]]:
    """The optional inputs that no definition gets while a model decodes: a model gets tokens alone."""
    missing: dict[str, set[str]] = {}
    models = {g.model for g in program.generates}
    for one in reversed(program.definitions):
        optional = {i.name for i in one.inputs if i.optional}
        mine = optional if one.name in models else missing.get(one.name, set())
        missing[one.name] = mine
        blocks: dict[str, list[str]] = {}
        for stmt in statements(one.body):
            if isinstance(stmt, ir.Declare) and isinstance(stmt.layer.callee, str):
                blocks.setdefault(stmt.layer.name, []).append(stmt.layer.callee)
        for expr in applications(one.body):
            given = {n for n, v in expr.args if getattr(v, "name", None) not in mine}
            for name in blocks.get(expr.layer, ()):
                inputs = program.definition(name).inputs
                free = {i.name for i in inputs if i.optional} - given
                missing[name] = missing.get(name, free) & free
    return missing


def applications(body: Sequence[ir.Stmt]) -> Iterator[ir.Apply]:
    """Where statements apply layers."""
    for top in all_expressions(body):
        yield from (e for e in walk(top) if isinstance(e, ir.Apply))
