"""Rules to tree: what definitions and externs take, `init`, the lines of weights sections."""

from __future__ import annotations

from typing import Any

import lark

from ...diagnostics import Advice, remove, write
from ...record import replace
from .. import tree, tree_weights
from .build_line import Children, LineBuilder, to_camel


class ItemBuilder(LineBuilder):
    """Builds these lines."""

    def option(self, children: Children, start: int, end: int) -> tree.Parameter:
        name, default = children
        return tree.Parameter(name.id, default, self.span(start, end), name.span)

    def group(self, children: Children, start: int, end: int) -> tree.Group | None:
        name, span = children[1], self.span(start, end)
        if name.id[0].isupper():
            return tree.Group(name, span)
        meant = to_camel(name.id)
        if f"model {meant}" in self.source.text:
            text, label = f"`{name.id}` should be CamelCase", "names a model"
            self.sink.error("N140", text, name.span, label, **write(name.span, meant))
            return tree.Group(replace(name, id=meant), span)
        before = self.source.text[:start].rstrip(" ")
        if before.endswith(","):
            start = len(before) - 1
        why = "a definition says all that it takes: leave it out"
        advice = remove(self.span(start, end), why)
        self.sink.error("N122", f"`*{name.id}` is Python", span, **advice)
        return None

    def taken(self, children: Children, start: int, end: int) -> tuple[Any, ...]:
        return tuple(children[1:-1])

    def extern(self, children: Children, start: int, end: int) -> tree.Extern:
        place, name, taken, _, *types = children
        span, trivia = self.whole, self.line.trivia
        return tree.Extern(place, name, taken, tuple(types), span, trivia)

    def zoo(self, children: Children, start: int, end: int) -> tree.Zoo:
        _, name = children
        return tree.Zoo(name.id, self.span(start, end))

    def initial(self, children: Children, start: int, end: int) -> tree.Initial:
        *names, value = children
        path = tuple(name.id for name in names)
        whole = self.span(start, end)
        return tree.Initial(path, value, whole, names[0].span.to(names[-1].span))

    def init(self, children: Children, start: int, end: int) -> tree.Init:
        return tree.Init(tuple(children), self.whole, self.line.trivia)

    def ignore(self, children: Children, start: int, end: int) -> tree_weights.Ignore:
        return tree_weights.Ignore(tuple(children), self.line.trivia, self.whole)

    def optional(
        self, children: Children, start: int, end: int
    ) -> tree_weights.Lacking:
        return tree_weights.Lacking(children[0], self.line.trivia, self.whole)

    def renamed(self, children: Children, start: int, end: int) -> tuple[Any, ...]:
        return tuple(children)

    def rename(self, children: Children, start: int, end: int) -> tree_weights.Rename:
        span = self.whole
        return tree_weights.Rename(tuple(children), self.line.trivia, span)

    def reading(self, children: Children, start: int, end: int) -> tuple[Any, ...]:
        return tuple(children)

    def read(self, children: Children, start: int, end: int) -> tree_weights.Read:
        """`config vocab, d = "n_embd"`; values may also stand behind all names."""
        span, trivia = self.whole, self.line.trivia
        lone = [n is None and not isinstance(v, tree.Name) for n, v in children]
        if not any(lone):
            names, values = zip(*map(_own, children), strict=True)
            return tree_weights.Read(names, values, trivia, span)
        named = [at for at, (name, _) in enumerate(children) if name is not None]
        if len(named) != 1 or any(lone[: named[0]]):
            value = children[lone.index(True)][1]
            self.fault(
                "N120",
                f"unexpected `{value.span.text}`",
                value.span,
                **_nameless(value),
            )
            return tree_weights.Read((), (), trivia, span)
        names = tuple(_own(child)[0] for child in children[: named[0] + 1])
        values = tuple(value for _, value in children[named[0] :])
        if len(names) != len(values):
            message = "not as many values as parameters"
            help = 'each stands behind its parameter: `config d = "hidden_size", heads`'
            self.fault("N607", message, span, help=help)
        return tree_weights.Read(names, values, trivia, span)

    def assume(self, children: Children, start: int, end: int) -> tree_weights.Assume:
        span = self.whole
        return tree_weights.Assume(tuple(children), self.line.trivia, span)

    def written(self, children: Children, start: int, end: int) -> tuple[Any, ...]:
        key, _, value = children
        return key, value

    def write(self, children: Children, start: int, end: int) -> tree_weights.Write:
        return tree_weights.Write(tuple(children), self.line.trivia, self.whole)

    def pass_over(
        self, children: Children, start: int, end: int
    ) -> tree_weights.PassOver:
        span = self.whole
        return tree_weights.PassOver(tuple(children), self.line.trivia, span)

    def stored(self, children: Children, start: int, end: int) -> tree_weights.Stored:
        at = next(i for i, c in enumerate(children) if isinstance(c, lark.Token))
        paths, values = tuple(children[:at]), tuple(children[at + 1 :])
        return tree_weights.Stored(paths, values, self.line.trivia, self.whole)

    def weights_head(self, children: Children, start: int, end: int) -> tree.Weights:
        model, kind, library, rule = children
        known = tuple(name for name in (kind, library) if name is not None)
        span, trivia = self.whole, self.line.trivia
        return tree.Weights(model, known, rule, (), trivia, span)

    def weights_rule(self, children: Children, start: int, end: int) -> tree.Weights:
        return self.weights_head(children, start, end)


def _own(reading: tuple[Any, ...]) -> tuple[Any, ...]:
    """A parameter and its value; a name that stands alone is one without."""
    name, value = reading
    return (value, None) if name is None else reading


def _nameless(value: tree.Expr) -> Advice:
    """What is meant by a value of no parameter."""
    match value:
        case tree.Binary("==", tree.Name(name), key):
            return write(value.span, f"{name} = {key.span.text}", "`==` compares")
    return {"help": 'a parameter stands before its key: `config d = "hidden_size"`'}
