"""The tests of conditions in a call: whether layers are there, where that says the same."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from ... import ir
from ...ir.fold_statements import declared, statements
from ...ir.fold_static import givens
from ...source import Span
from ..python import text as t
from ..python.line_uses import Use
from ..python.loops import part
from ..python.static_text import static
from .call_names import CallNames
from .reads import in_use, possible, telling


class LayerTests:
    """What conditions of one definition ask; a type checker wants to be told of layers."""

    def __init__(self, names: CallNames):
        self.names = names
        body = names.definition.body
        choices = (s for s in statements(body) if isinstance(s, ir.If))
        self.choices = {s.span: s for s in choices}
        self.declarations = Counter(i.name for i in declared(body))

    def test(self, stmt: ir.If) -> tuple[str, tuple[Use, ...], str | None]:
        """The test of an `if`, what that uses, and what is known of its other side."""
        then, orelse = self._telling(stmt.then), self._telling(stmt.orelse)
        there, other = self._present(then), self._present(orelse)
        if givens(stmt.condition):
            return self._at_call(stmt.condition, there, other)
        if not (then or orelse):
            return *part(stmt.condition, self.names.scope), None
        if not then:
            rest = other if len(orelse) > 1 else None
            return f"{self.names.access[orelse[0]]} is None", (), rest
        return there, (), other if orelse else None

    def _at_call(
        self, condition: ir.Static, there: str, other: str
    ) -> tuple[str, tuple[Use, ...], str | None]:
        """The same where the call decides, and layers are there on one side."""
        first, second = (
            layers if possible(condition, holds) is not None else ""
            for layers, holds in ((there, True), (other, False))
        )
        with self.names.scope.recording() as uses:
            text = static(condition, self.names.scope)
        test = f"{text.at(t.AND)} and {first}" if first else text.text
        return test, tuple(uses), second or None

    def _telling(self, arm: Sequence[ir.Stmt]) -> list[str]:
        return [n for n in telling(arm, self.declarations) if n in in_use(arm)]

    def _present(self, layers: Sequence[str]) -> str:
        return " and ".join(f"{self.names.access[n]} is not None" for n in layers)

    def presence(self, span: Span) -> str | None:
        """The test of a choice between values, by the layers that one side constructs."""
        stmt = self.choices.get(span)
        if stmt is None or givens(stmt.condition):
            return None
        if then := telling(stmt.then, self.declarations):
            return f"{self.names.access[then[0]]} is not None"
        if orelse := telling(stmt.orelse, self.declarations):
            return f"{self.names.access[orelse[0]]} is None"
        return None
