"""Checks as they are written, and where: those of a Config's fields alone in the Config."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from ... import ir
from ...ir.fold_statements import declared
from ...ir.fold_static import mentions
from ..python.static_text import as_size
from ..python.suites import If, Line, Node
from ..signature import Names, Signature
from .ctor_names import ConstructorNames
from .guards import guarded
from .needs import Guard
from .requires import broken, fact, negated, of_length


def config_checks(signature: Signature, names: Names) -> list[Node]:
    """The checks that a Config makes of itself."""
    body = guarded(signature, names.signatures)
    checks = Checks(ConstructorNames(signature, names, holder="self"))
    checks.leave_inner(body)
    own, _ = own_checks(signature, body)
    return [node for check in own for node in checks.lines(check, 2)]


def own_checks(
    signature: Signature, body: Sequence[ir.Stmt]
) -> tuple[list[ir.Require], list[ir.Stmt]]:
    """The checks of what a constructor is given alone, and its other statements."""
    given = signature.arguments.keys()
    own = [
        stmt
        for stmt in body
        if isinstance(stmt, ir.Require) and mentions(stmt.condition) <= given
    ]
    return own, [stmt for stmt in body if stmt not in own]


class Checks:
    """Writes the checks of one function, each once."""

    def __init__(self, names: ConstructorNames):
        self.names, self.checked = names, set[object]()

    def leave_inner(self, body: Sequence[ir.Stmt]) -> None:
        """What the constructors of the blocks inside check need not be checked here; but lists are
        read here before."""
        for item in declared(body):
            if isinstance(item, ir.Layer) and isinstance(item.callee, str):
                callee = self.names.module.signatures[item.callee].definition
                sizes = {n: as_size(v) for n, v in item.args}
                env = {n: v for n, v in sizes.items() if v is not None}
                env |= dict(item.sizes)
                self.checked |= {
                    fact(stmt.condition, env)
                    for stmt in callee.body
                    if isinstance(stmt, ir.Require) and not stmt.call_time
                    if not of_length(stmt.condition)
                }

    @contextmanager
    def region(self) -> Iterator[None]:
        """Within is one side: what it checks, the other may need to."""
        before = set(self.checked)
        yield
        self.checked = before

    def lines(self, stmt: ir.Require, depth: int, once: bool = True) -> list[Node]:
        """A check as it is written at a depth of regions, unless it is known to hold or is not
        made here."""
        constructible = self.names.constructible(stmt.condition)
        what = fact(stmt.condition, {})
        unknown = isinstance(stmt, Guard) and not constructible
        if stmt.call_time or unknown or what in self.checked:
            return []
        if once:
            self.checked.add(what)
        scope, signature = self.names.scope, self.names.signature
        with scope.recording() as uses:
            condition = negated(stmt.condition, scope)
            spelled = signature.definition.spelled
            message = broken(stmt, scope, spelled, depth)
        given = mentions(stmt.condition) <= signature.arguments.keys()
        own = isinstance(stmt, Guard) and given
        # What is only checked needs no shorter name.
        raises = Line(f"raise ValueError({message})", () if own else tuple(uses))
        return [If(condition, (raises,))]
