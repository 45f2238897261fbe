"""Rules to tree: what each rule of the grammar makes of its children.

A method is named after its rule. It gets the children (nodes, and Lark's tokens where the rule
names them), and the offsets where the rule's text starts and ends.
"""

from __future__ import annotations

import re
from typing import Any

import lark

from ...diagnostics import Advice, Label, write
from ...record import Record, replace
from ...source import Span
from .. import tree
from ..lexer import unescape
from ..lines import NO_BREAK
from .build_items import ItemBuilder
from .build_line import Children
from .kinds import is_kind, with_kind


class Else(Record):
    """The line `else:`; it stands in no tree."""

    span: Span


class NamedOutput(Record):
    """`name=value` after `return`; it stands in no tree."""

    name: tree.Name
    value: tree.Expr


class TreeBuilder(ItemBuilder):
    """Builds the nodes of one line. `failed` says that the result is not to be used.

    Reports N128, N130 to N132, N140, N141.
    """

    # ------------------------------------------------------------ expressions

    def number(self, children: Children, start: int, end: int) -> tree.Number:
        token: lark.Token = children[0]
        text, span = token.value, self.span(start, end)
        if self.line.broken:
            return tree.Number(0, text, span)
        plain = text.replace("_", "")
        value = int(plain) if token.type == "INT" else float(plain)
        return tree.Number(value, text, span)

    def window(self, children: Children, start: int, end: int) -> tree.Window:
        parts = () if self.line.broken else children[0].split("x")
        return tree.Window(tuple(int(part) for part in parts), self.span(start, end))

    def string(self, children: Children, start: int, end: int) -> tree.String:
        return tree.String(unescape(children[0]), self.span(start, end))

    def constant(self, children: Children, start: int, end: int) -> tree.Constant:
        value = {"TRUE": True, "FALSE": False, "NONE": None}[children[0].type]
        return tree.Constant(value, self.span(start, end))

    def dots(self, children: Children, start: int, end: int) -> tree.Dots:
        return tree.Dots(self.span(start, end))

    def list(self, children: Children, start: int, end: int) -> tree.ListOf:
        return tree.ListOf(tuple(children[1:-1]), self.span(start, end))

    def round(self, children: Children, start: int, end: int) -> tree.ListOf:
        return tree.ListOf(tuple(children[1:-1]), self.span(start, end), True)

    def argument(self, children: Children, start: int, end: int) -> tree.Arg:
        name, value = children
        return tree.Arg(name and name.id, value, self.span(start, end))

    def call(self, children: Children, start: int, end: int) -> tree.Call:
        func, *args, _ = children
        self.check_arguments(args)
        return tree.Call(func, tuple(args), self.span(start, end))

    def check_arguments(self, args: Children) -> None:
        seen: dict[str, tree.Arg] = {}
        for arg in args:
            if arg.name is None and seen:
                label = Label(
                    next(iter(seen.values())).span, "named arguments begin here"
                )
                message = "positional argument after a named one"
                self.fault("N130", message, arg.span, related=[label])
            elif arg.name in seen:
                label = Label(seen[arg.name].span, "first given here")
                message = f"argument `{arg.name}` is given twice"
                self.fault("N131", message, arg.span, related=[label])
            elif arg.name is not None:
                seen[arg.name] = arg

    def attribute(self, children: Children, start: int, end: int) -> tree.Attribute:
        value, name = children
        return tree.Attribute(value, name.id, self.span(start, end), name.span)

    def slice(self, children: Children, start: int, end: int) -> tree.Slice:
        lower, _, upper, _, step = children
        return tree.Slice(lower, upper, step, self.span(start, end))

    def index(self, children: Children, start: int, end: int) -> tree.Index:
        value, *items, _ = children
        return tree.Index(value, tuple(items), self.span(start, end))

    def unary(self, children: Children, start: int, end: int) -> tree.Unary:
        op, operand = children
        return tree.Unary(op.value, operand, self.span(start, end))

    def binary(self, children: Children, start: int, end: int) -> tree.Binary:
        left, op, right = children
        return tree.Binary(op.value, left, right, self.span(start, end))

    def if_else(self, children: Children, start: int, end: int) -> tree.IfElse:
        then, condition, orelse = children
        return tree.IfElse(condition, then, orelse, self.span(start, end))

    def named(self, children: Children, start: int, end: int) -> tree.Named:
        value, name = children
        if self.line.tokens[0].kind not in ("PARAM", "STATE") or not is_kind(name.id):
            self.lower(name)
        return tree.Named(value, name.id, self.span(start, end), name.span)

    def branch(self, children: Children, start: int, end: int) -> tree.Branch:
        return tree.Branch(tuple(children[1:-1]), self.span(start, end))

    def arrows(self, children: Children, start: int, end: int) -> tree.Pipe:
        """The first line's comment belongs to the pipe, a later one to its last stage."""
        source, *rest = children
        arrows, values = rest[::2], rest[1::2]
        breaks = [self.line.breaks.get(arrow.start_pos, NO_BREAK) for arrow in arrows]
        first, *later = [at.comment for at in breaks]
        stages = tuple(
            tree.Stage(
                value,
                at is not NO_BREAK,
                comment,
                at.above,
                self.span(arrow.start_pos, value.span.end),
            )
            for arrow, value, at, comment in zip(
                arrows, values, breaks, (*later, None), strict=True
            )
        )
        return tree.Pipe(source, stages, first, self.span(start, end))

    def assertion(self, children: Children, start: int, end: int) -> tree.Assertion:
        value, kind = children
        return tree.Assertion(value, kind, self.span(start, end))

    def dims(self, children: Children, start: int, end: int) -> tuple[tree.Expr, ...]:
        return tuple(children[1:-1])

    def type(self, children: Children, start: int, end: int) -> tree.TypeOf:
        first = children[0]
        span = self.span(start, end)
        if isinstance(first, tree.Name):
            return tree.TypeOf(first.id, children[1], span)
        return tree.TypeOf(None, first, span)

    # ------------------------------------------------------------- statements

    def rngs(self, children: Children, start: int, end: int) -> tree.Rngs:
        names = self.lowers(children[0])
        return tree.Rngs(names, self.whole, self.line.trivia)

    def field(self, children: Children, start: int, end: int) -> tree.Field:
        name, kind, default = children
        self.lower(name)
        return tree.Field(name.id, kind, default, self.span(start, end), name.span)

    def declare(self, children: Children, start: int, end: int) -> tree.Declare:
        keyword, *fields = children
        span, trivia = self.whole, self.line.trivia
        if keyword.value in ("param", "state"):
            fields = [with_kind(field) for field in fields]
        return tree.Declare(keyword.value, tuple(fields), span, trivia)

    def metric(self, children: Children, start: int, end: int) -> tree.Metric:
        name, value = self.lower(children[0]), children[1]
        span, trivia = self.whole, self.line.trivia
        return tree.Metric(name.id, value, span, name.span, trivia)

    def select(self, children: Children, start: int, end: int) -> tree.Select:
        keyword, *paths = children
        span, trivia = self.whole, self.line.trivia
        return tree.Select(keyword.value, tuple(paths), span, trivia)

    def adapt(self, children: Children, start: int, end: int) -> tree.Adapt:
        adapter, *paths = (c for c in children if c is not None)
        span, trivia = self.whole, self.line.trivia
        return tree.Adapt(adapter, tuple(paths), span, trivia)

    def frozen(self, children: Children, start: int, end: int) -> tree.Frozen:
        name, value = self.lower(children[0]), children[1]
        span, trivia = self.whole, self.line.trivia
        return tree.Frozen(name.id, value, span, name.span, trivia)

    def require(self, children: Children, start: int, end: int) -> tree.Require:
        condition, message = children
        span, trivia = self.whole, self.line.trivia
        return tree.Require(condition, message and message.value, span, trivia)

    def return_values(self, children: Children, start: int, end: int) -> tree.Return:
        named = [child for child in children if isinstance(child, NamedOutput)]
        names = tuple(child.name for child in named)
        self.check_outputs(children, names)
        values = (c.value if isinstance(c, NamedOutput) else c for c in children)
        span, trivia = self.whole, self.line.trivia
        return tree.Return(tuple(values), names, span, trivia)

    def named_output(self, children: Children, start: int, end: int) -> NamedOutput:
        return NamedOutput(self.lower(children[0]), children[1])

    def check_outputs(self, children: Children, names: tuple[tree.Name, ...]) -> None:
        if names and len(names) < len(children):
            bare = next(c for c in children if not isinstance(c, NamedOutput))
            label = Label(names[0].span, "this has a name")
            message, help = "a value without a name", "name all values, or none"
            self.fault("N128", message, bare.span, related=[label], help=help)
        first: dict[str, tree.Name] = {}
        for name in names:
            if first.setdefault(name.id, name) is not name:
                label = Label(first[name.id].span, "first returned here")
                message = f"`{name.id}` is returned twice"
                self.fault("N131", message, name.span, related=[label])

    def targets(self, children: Children, start: int, end: int) -> tuple[Any, ...]:
        return tuple(children)

    def assign(self, children: Children, start: int, end: int) -> tree.Assign:
        gathers, targets, op, value = children
        for target in targets:
            if isinstance(target, tree.Name):
                self.lower(target)
            else:
                message = f"cannot assign to {_describe(target)}"
                self.fault("N132", message, target.span, **_named(target))
        span, trivia = self.whole, self.line.trivia
        return tree.Assign(targets, op.value, value, span, trivia, gathers)

    def evaluate(self, children: Children, start: int, end: int) -> tree.Evaluate:
        return tree.Evaluate(children[0], self.whole, self.line.trivia)

    def for_head(self, children: Children, start: int, end: int) -> tree.For:
        targets, iterable = children
        span, trivia = self.whole, self.line.trivia
        return tree.For(self.lowers(targets), iterable, (), span, trivia)

    def optimize_head(self, children: Children, start: int, end: int) -> tree.Optimize:
        name = self.lower(children[0])
        span, trivia = self.whole, self.line.trivia
        return tree.Optimize(name.id, (), span, name.span, trivia)

    def sources(self, children: Children, start: int, end: int) -> tuple[Any, ...]:
        return tuple(children)

    def carry(self, children: Children, start: int, end: int) -> tree.Carry:
        name, value = children
        self.lower(name)
        return tree.Carry(name.id, value, self.span(start, end), name.span)

    def scan_head(self, children: Children, start: int, end: int) -> tree.Scan:
        targets, sources, over, reverse, *carries = children
        return tree.Scan(
            self.lowers(targets or ()),
            sources or (),
            over,
            reverse is not None,
            tuple(carries),
            (),
            self.whole,
            self.line.trivia,
        )

    def collect(self, children: Children, start: int, end: int) -> tree.Collect:
        name, value = self.lower(children[0]), children[1]
        span, trivia = self.whole, self.line.trivia
        return tree.Collect(name.id, value, span, name.span, trivia)

    def if_head(self, children: Children, start: int, end: int) -> tree.If:
        span, trivia = self.whole, self.line.trivia
        return tree.If(children[0], (), (), span, trivia)

    def else_head(self, children: Children, start: int, end: int) -> Else:
        return Else(self.whole)

    # -------------------------------------------------------------- top level

    def use(self, children: Children, start: int, end: int) -> tree.Use:
        names, path = children
        names = () if isinstance(names, lark.Token) else names
        return tree.Use(names, path, self.whole, self.line.trivia)

    def defaults(self, children: Children, start: int, end: int) -> tree.Defaults:
        return tree.Defaults(tuple(children), self.whole, self.line.trivia)

    def config(self, children: Children, start: int, end: int) -> tree.Config:
        name, value = children
        span, trivia = self.whole, self.line.trivia
        return tree.Config(self.lower(name), value, span, trivia)

    def parameter(self, children: Children, start: int, end: int) -> tree.Parameter:
        name, default = children
        self.lower(name)
        return tree.Parameter(name.id, default, self.span(start, end), name.span)

    def parameters(
        self, children: Children, start: int, end: int
    ) -> tuple[tree.Parameter | tree.Group, ...]:
        return tuple(children[1:-1])

    def definition_head(
        self, children: Children, start: int, end: int
    ) -> tree.Definition:
        keyword, name, params = children
        span, trivia = self.whole, self.line.trivia
        params = params or ()
        own = tuple(p for p in params if isinstance(p, tree.Parameter))
        groups = tuple(p for p in params if isinstance(p, tree.Group))
        name, kind = self.camel(name), keyword.value
        return tree.Definition(kind, name, own, (), span, trivia, groups=groups)

    def generate(self, children: Children, start: int, end: int) -> tree.Generate:
        return tree.Generate(children[0], self.line.trivia, self.whole)

    def train_head(self, children: Children, start: int, end: int) -> tree.Train:
        model, path = children
        return tree.Train(model, (), self.whole, self.line.trivia, path=path)

    train_rule = train_head


def _named(target: tree.Expr) -> Advice:
    """What is assigned to instead of what is no name."""
    match target:
        case tree.Index(tree.Name(name)) if _is_list(target, name):
            return {"help": f"a list grows at its end: `{name}.append(...)`"}
        case tree.Index():
            return {
                "help": "a tensor does not change: choose with `where`, or join with `concat`"
            }
        case tree.ListOf(items) if items and all(
            isinstance(i, tree.Name) for i in items
        ):
            names = ", ".join(i.span.text for i in items)
            return write(target.span, names, "names stand side by side")
        case tree.Attribute(name=("requires_grad" | "trainable")):
            line = target.span.whole_line()
            path = target.span.text.rpartition(".")[0]
            frozen = re.search(r"= *(?:False|false)\b", line.text)
            text = f"freeze {path}" if frozen else f"only {path}"
            place = Span(
                line.source, target.span.start, line.start + len(line.text.rstrip())
            )
            return write(place, text, "a train says what trains")
    return {"help": "only names are assigned to"}


def _is_list(target: tree.Expr, name: str) -> bool:
    """Whether a line above makes a list of that name."""
    above = target.span.source.text[: target.span.start]
    return re.search(rf"^ *{name} *= *\[", above, re.M) is not None


def _describe(target: tree.Expr) -> str:
    match target:
        case tree.Call():
            return "a call"
        case tree.Attribute():
            return "an attribute"
        case tree.Index():
            return "an element"
        case tree.ListOf():
            return "a list"
        case tree.Number() | tree.String() | tree.Constant() | tree.Window():
            return "a literal"
        case _:
            return "an expression"


def folded(
    arms: list[tuple[tree.If | Else | None, tuple[tree.Statement, ...]]],
    orelse: tuple[tree.Statement, ...],
    trivia: tree.Trivia,
) -> tree.If | None:
    """Nested choices from a chain of them; None where a head was left out."""
    result: tree.If | None = None
    for node, body in reversed(arms):
        if not isinstance(node, tree.If):
            return None
        result = replace(node, then=body, orelse=orelse, else_trivia=trivia)
        orelse, trivia = (result,), tree.NO_TRIVIA
    return result
