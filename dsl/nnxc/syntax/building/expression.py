"""Expressions as documents to lay out, with parentheses where the grammar needs them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import assert_never

from .. import tree
from ..formatting.layout import Comment, Doc, Fill, Group, Hard, IfBroken, Nest, Soft
from ..lexer import ESCAPES

# How tightly an expression binds, loosest first; each constant names what a place takes.
VALUE, ARM, STAGE, CONDITION = 0, 1, 2, 3
_OR, _AND, _NOT, _COMPARISON, _SUM, _TERM, _UNARY, _POWER = range(4, 12)
PATH = 12
_ATOM = 13

_EACH = Soft()
_BINARY = {
    "or": (_OR, _OR, _AND),
    "and": (_AND, _AND, _NOT),
    **dict.fromkeys(
        ("==", "!=", "<", "<=", ">", ">=", "in"), (_COMPARISON, _SUM, _SUM)
    ),
    **dict.fromkeys(("+", "-"), (_SUM, _SUM, _TERM)),
    **dict.fromkeys(("*", "/", "//", "%", "@"), (_TERM, _TERM, _UNARY)),
    "**": (_POWER, PATH, _UNARY),
}
"""Operator -> its own level, and those that its left and right sides need."""

_SPECIAL = str.maketrans(
    {value: f"\\{letter}" for letter, value in ESCAPES.items() if value != "'"}
)


def quoted(text: str) -> str:
    """A string as a literal."""
    return f'"{text.translate(_SPECIAL)}"'


def expression(value: tree.Expr, level: int, inside: bool = False) -> Doc:
    """An expression where one of at least `level` is needed.

    `inside` brackets lines may end anywhere, outside only before `->`.
    """
    if _level(value) < level:
        return Group(("(", Nest((Soft(""), _bare(value, True))), Soft(""), ")"))
    if not inside and isinstance(value, tree.Binary | tree.IfElse):
        body = Nest((Soft(""), _bare(value, True)))
        return Group((IfBroken("("), body, Soft(""), IfBroken(")")))
    return _bare(value, inside)


def type_of(type: tree.TypeOf) -> Doc:
    """A type."""
    name = type.dtype or ""
    if type.dims is None:
        return name
    dims = [expression(dim, CONDITION, True) for dim in type.dims]
    return (name, bracketed("[", dims, "]"))


def has_lines(value: tree.Expr) -> bool:
    """Whether an expression keeps line ends of its author's."""
    if isinstance(value, tree.Assertion):
        return has_lines(value.value)
    if not isinstance(value, tree.Pipe):
        return False
    return bool(value.comment) or any(
        s.new_line or s.above or s.comment for s in value.stages
    )


def bracketed(
    opening: str,
    items: Sequence[Doc],
    closing: str,
    end: Doc = _EACH,
    needed: bool = True,
) -> Doc:
    """Items in brackets: on the line, or all on the next, or on several below it (one on each,
    unless `end` is another line end), with a comma after the last. Brackets that are not `needed`
    are left out on one line."""
    if not items:
        return opening + closing
    parts: list[Doc] = []
    for item in items[:-1]:
        parts += [item, ",", end]
    inner = Group((*parts, items[-1], IfBroken(",")))
    first: Doc = opening if needed else IfBroken(opening)
    last: Doc = closing if needed else IfBroken(closing)
    return Group((first, Nest((Soft(""), inner)), Soft(""), last))


def arguments(args: Sequence[tree.Arg]) -> Doc:
    """The arguments of a call, in parentheses."""
    docs: list[Doc] = []
    for arg in args:
        value = expression(arg.value, ARM, True)
        docs.append(value if arg.name is None else (f"{arg.name}=", value))
    return bracketed("(", docs, ")", Fill())


def _level(value: tree.Expr) -> int:
    match value:
        case tree.Assertion():
            return VALUE
        case tree.Pipe():
            return ARM
        case tree.Named() | tree.Branch(alike=True):
            return STAGE
        case tree.IfElse():
            return CONDITION
        case tree.Binary(op):
            return _BINARY[op][0]
        case tree.Unary(op):
            return _NOT if op == "not" else _UNARY
        case tree.Call() | tree.Attribute() | tree.Index():
            return PATH
        case _:
            return _ATOM


def _bare(value: tree.Expr, inside: bool) -> Doc:
    match value:
        case tree.Name(id):
            return id
        case tree.Number(_, text):
            return text
        case tree.String(text):
            return quoted(text)
        case tree.Constant(constant):
            return {True: "true", False: "false", None: "none"}[constant]
        case tree.Window(sizes):
            return "x".join(map(str, sizes))
        case tree.Dots():
            return "..."
        case tree.ListOf(items, round=round):
            docs = [expression(item, ARM, True) for item in items]
            opening, closing = "()" if round else "[]"
            return bracketed(opening, docs, closing, Fill())
        case tree.Starred(part):
            return ("*", expression(part, PATH, True))
        case tree.Call(func, args):
            return (expression(func, PATH, inside), arguments(args))
        case tree.Attribute(base, name):
            level = _ATOM + 1 if isinstance(base, tree.Number | tree.Window) else PATH
            return (expression(base, level, inside), f".{name}")
        case tree.Index(base, (tree.Name() | tree.Number() as item,)):
            return (expression(base, PATH, inside), "[", _bare(item, inside), "]")
        case tree.Index(base, items):
            docs = [_index_item(item) for item in items]
            return (expression(base, PATH, inside), bracketed("[", docs, "]"))
        case tree.Unary() | tree.Binary() | tree.IfElse():
            return _operation(value, inside)
        case tree.Named(part, name):
            return (expression(part, CONDITION, inside), f" as {name}")
        case tree.Pipe():
            return _pipe(value, inside)
        case tree.Branch():
            return _branch(value, inside)
        case tree.Assertion(part, type):
            return (expression(part, ARM, inside), " : ", type_of(type))
        case _:
            assert_never(value)


def _operation(value: tree.Unary | tree.Binary | tree.IfElse, inside: bool) -> Doc:
    line: Doc = Soft() if inside else " "
    match value:
        case tree.Unary(op, operand):
            level = _NOT if op == "not" else _UNARY
            sign = "not " if op == "not" else op
            return (sign, expression(operand, level, inside))
        case tree.Binary("**", left, right):
            base = expression(left, PATH, inside)
            return (base, "**", expression(right, _UNARY, inside))
        case tree.Binary():
            return _chain(value, line, inside)
        case tree.IfElse(condition, then, orelse):
            first = expression(then, _OR, inside)
            second = expression(condition, _OR, inside)
            third = expression(orelse, CONDITION, inside)
            return Group((first, line, "if ", second, line, "else ", third))
        case _:
            assert_never(value)


def _chain(value: tree.Binary, line: Doc, inside: bool) -> Doc:
    """Operators of one level: all on one line, or each at the beginning of its own."""
    level, left_level, right_level = _BINARY[value.op]
    parts: list[Doc] = []
    first: tree.Expr = value
    while isinstance(first, tree.Binary) and _level(first) == level:
        right = expression(first.right, right_level, inside)
        parts.append((line, f"{first.op} ", right))
        first = first.left
        if level < left_level:
            break
    return Group((expression(first, left_level, inside), *reversed(parts)))


def _index_item(item: tree.Expr | tree.Slice) -> Doc:
    if not isinstance(item, tree.Slice):
        return expression(item, CONDITION, True)
    parts = [
        expression(part, CONDITION, True) if part is not None else ""
        for part in (item.lower, item.upper, item.step)
    ]
    if item.step is None:
        parts.pop()
    return tuple(part for doc in parts for part in (":", doc))[1:]


def _branch(value: tree.Branch, inside: bool) -> Doc:
    arms = value.arms
    if value.alike and isinstance(arms[0], tree.Named):
        names = [arm.name for arm in arms if isinstance(arm, tree.Named)]
        each = expression(arms[0].value, CONDITION, inside)
        return (each, " as ", bracketed("(", names, ")", Fill()))
    parts: list[Doc] = [Soft(""), expression(arms[0], ARM, True)]
    for arm in arms[1:]:
        parts += [Soft(), "| ", expression(arm, ARM, True)]
    return Group(("(", Nest(tuple(parts)), Soft(""), ")"))


def _pipe(pipe: tree.Pipe, inside: bool) -> Doc:
    source = expression(pipe.source, STAGE, inside)
    if inside:
        stages = tuple(
            (Soft(), "-> ", expression(stage.value, STAGE, True))
            for stage in pipe.stages
        )
        return Group((source, Nest(stages)))
    return (source, Nest(tuple(_stages(pipe))))


def _stages(pipe: tree.Pipe) -> Iterator[Doc]:
    """Stages outside of brackets: the author's line ends, and those that are needed."""
    comment = pipe.comment
    for stage in pipe.stages:
        if comment:
            yield Comment(f"  {comment}")
        yield Hard() if comment or stage.above or stage.new_line else Fill()
        for line in stage.above:
            yield (Comment(line), Hard())
        yield ("-> ", expression(stage.value, STAGE))
        comment = stage.comment
