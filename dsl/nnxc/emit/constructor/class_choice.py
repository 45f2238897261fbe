"""Blocks of two classes that are constructed alike: the class is chosen once, for one call."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from ... import ir
from ...ir.fold_statements import statements
from ...ir.fold_static import mentions
from ...ir.plurals import singular
from ...record import Record
from ..python import text as t
from ..python.scope import Scope
from ..python.static_text import static
from ..python.suites import WIDTH, Line
from .ctor_names import ConstructorNames


def chosen(condition: ir.Static, texts: Sequence[str], scope: Scope) -> str:
    """One of two texts; of a condition that is negated the contrary, where the other is None."""
    first, second = texts
    match condition:
        case ir.StaticUnary("not", inner) if second == "None":
            condition, first, second = inner, second, first
    return t.ternary(static(condition, scope), t.Text(first), t.Text(second)).text


class OneCall(Record):
    """The call of a class that is chosen, by its name; `lines` choose it here, if no loop around
    does."""

    text: str
    name: str
    lines: tuple[Line, ...]


class ClassChoices:
    """The choices of one constructor."""

    def __init__(self, names: ConstructorNames):
        self.names = names
        self._ahead: list[list[Line]] = []  # of each loop around
        self._fixed = names.signature.arguments.keys() - _changed(names)

    @contextmanager
    def loop(self) -> Iterator[list[Line]]:
        """Within, what each iteration would choose alike goes to the list, for ahead of the loop."""
        self._ahead.append([])
        yield self._ahead[-1]
        self._ahead.pop()

    def of(
        self,
        condition: ir.Static,
        layers: Sequence[ir.Layer | ir.Variable],
        texts: Sequence[str],
    ) -> OneCall | None:
        """One call in place of two, where these differ in their class alone and need the room."""
        classes = [self._class(layer) for layer in layers]
        calls = {text.removeprefix(c) for text, c in zip(texts, classes, strict=False)}
        room = len(" if  else ".join(texts)) > WIDTH
        if len(calls) > 1 or len({*classes}) < 2 or not all(classes) or not room:
            return None
        attribute = self.names.signature.attributes[layers[0].name]
        name = self.names.namespace.give(f"{singular(attribute)}_class")
        with self.names.scope.recording() as uses:
            test = static(condition, self.names.scope)
        value = t.ternary(test, *map(t.Text, classes)).text
        line = Line(f"{name} = {value}", tuple(uses), frozenset((name,)))
        return OneCall(name + calls.pop(), name, self._placed(line, condition))

    def _class(self, layer: ir.Layer | ir.Variable) -> str:
        """The class of one block; empty for a stack, or anything else."""
        match layer:
            case ir.Layer(callee=str(callee), count=None, copies=None):
                return self.names.module.signatures[callee].name
        return ""

    def _placed(self, line: Line, condition: ir.Static) -> tuple[Line, ...]:
        if not self._ahead or not mentions(condition) <= self._fixed:
            return (line,)
        self._ahead[0].append(line)
        return ()


def _changed(names: ConstructorNames) -> set[str]:
    """The names that statements give values."""
    found: set[str] = set()
    for stmt in statements(names.signature.definition.body):
        match stmt:
            case ir.StaticLet(name):
                found.add(name)
            case ir.For(targets=targets, carried=carried):
                found.update(targets, (c.symbol for c in carried))
    return found
