"""What building the nodes of a line takes: places, names, faults."""

from __future__ import annotations

import re
from typing import Any, TypeAlias

from ...diagnostics import Advice, Sink, rename
from ...record import replace
from ...source import Source, Span
from .. import tree
from ..hooks import Part
from ..lines import MAX_NESTING, Line

Children: TypeAlias = list[Any]

_CAMEL = re.compile(r"[A-Z][A-Za-z0-9]*")
_LOWER = re.compile(r"[a-z_][a-z0-9_]*")


class TooDeep(Exception):
    """Expressions are nested deeper than allowed; holds the range that is."""

    def __init__(self, start: int, end: int) -> None:
        self.start, self.end = start, end


class LineBuilder:
    """What all rules build with. `failed` says that the result is not to be used."""

    def __init__(self, source: Source, line: Line, sink: Sink) -> None:
        self.source, self.line, self.sink = source, line, sink
        self.whole = self.span(line.tokens[0].start, line.tokens[-1].end)
        self.failed = False

    def reduced(self, rule: str, parts: list[Any]) -> Part:
        """What the method for a rule makes of its parts. Raises TooDeep."""
        values: Children = []
        start, end, depth, count = -1, -1, 0, 0
        for part in parts:
            if type(part) is Part:
                value, first, end, below = part
                if below > depth:
                    depth = below
            elif part is None:
                values.append(None)
                continue
            else:
                value, first, end = part, part.start_pos, part.end_pos
            if not count:
                start = first
            values.append(value)
            count += 1
        value = getattr(self, rule)(values, start, end)
        depth += count > 1
        if depth > MAX_NESTING:
            raise TooDeep(start, end)
        return Part(value, start, end, depth)

    def span(self, start: int, end: int) -> Span:
        return Span(self.source, start, end)

    def fault(self, code: str, message: str, span: Span, **more: Any) -> None:
        self.failed = True
        self.sink.error(code, message, span, **more)

    # ------------------------------------------------------------------ names

    def lower(self, name: tree.Name) -> tree.Name:
        if not _LOWER.fullmatch(name.id):
            message = f"`{name.id}` should be lower_case"
            label = "names a value, a size or a layer"
            advice = self.spelt(name, _to_lower(name.id))
            self.sink.error("N141", message, name.span, label, **advice)
        return name

    def camel(self, name: tree.Name) -> tree.Name:
        if not _CAMEL.fullmatch(name.id):
            message = f"`{name.id}` should be CamelCase"
            label = "names a block or a model"
            advice = self.spelt(name, to_camel(name.id))
            self.sink.error("N140", message, name.span, label, **advice)
        return name

    def spelt(self, name: tree.Name, right: str) -> Advice:
        fix = rename(self.source, name.id, right)
        return {"help": f"did you mean `{right}`?", "fix": fix}

    def lowers(self, names: tuple[tree.Name, ...]) -> tuple[tree.Name, ...]:
        return tuple(self.lower(name) for name in names)

    def name(self, children: Children, start: int, end: int) -> tree.Name:
        return tree.Name(children[0].value, self.span(start, end))

    def starred(self, children: Children, start: int, end: int) -> tree.Starred:
        return tree.Starred(children[1], self.span(start, end))

    def alike(self, children: Children, start: int, end: int) -> tree.Branch:
        """`f as (a, b)`; a layer is known by its place, so that each arm has one of its own."""
        value, _, *names, _ = children
        span = value.span
        arms: list[tree.Expr] = []
        for name in self.lowers(tuple(names)):
            arms.append(tree.Named(value, name.id, span.to(name.span), name.span))
            value = replace(value, span=span.to(name.span))
        return tree.Branch(tuple(arms), self.span(start, end), alike=True)

    def gathers(self, children: Children, start: int, end: int) -> tree.Name:
        return self.lower(children[1])

    def bare(self, children: Children, start: int, end: int) -> tree.Field:
        """A field without a type."""
        name, span = self.lower(children[0]), self.span(start, end)
        return tree.Field(name.id, tree.TypeOf(None, None, span), None, span, span)

    def names(self, children: Children, start: int, end: int) -> tuple[tree.Name, ...]:
        return tuple(children)


def _to_lower(name: str) -> str:
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name).lower()


def to_camel(name: str) -> str:
    parts = [part for part in name.split("_") if part]
    return "".join(part[0].upper() + part[1:] for part in parts) or "Name"
