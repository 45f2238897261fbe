"""Lines of Python on their way to text.

They are planned with what they use; `prune` keeps what is used, and settles loops.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import TypeAlias

from ...record import Record
from .free_names import free_names, names_of
from .line_uses import Use
from .loops import Source

INDENT = "    "
WIDTH = 88


class Line(Record):
    """A simple statement. One that `binds` names is dropped where nothing after it uses them.
    `makes` is the list that it makes empty, `append` the list and the element that it adds,
    `gives` a local and its value, `keeps` an attribute and the local that it holds from here on.
    """

    text: str
    uses: tuple[Use, ...] = ()
    binds: frozenset[str] = frozenset()
    comment: str = ""
    makes: str | None = None
    append: tuple[str, str] | None = None
    gives: tuple[str, str] | None = None
    keeps: tuple[str, str] | None = None


class If(Record):
    """A condition with both sides. An `orelse` that is one more `if` is written as `elif`."""

    test: str
    then: tuple[Node, ...]
    orelse: tuple[Node, ...] = ()
    uses: tuple[Use, ...] = ()


class Function(Record):
    """A `def`, up to its colon."""

    head: str
    body: tuple[Node, ...]


class Loop(Record):
    """A `for`, its clause still open: see `loops.clause`."""

    targets: tuple[str, ...]
    over: Source
    elements: tuple[tuple[str, str], ...]
    body: tuple[Node, ...]


class For(Record):
    """A `for` as it will be written, up to its colon."""

    clause: str
    body: tuple[Node, ...]
    uses: tuple[Use, ...] = ()


Node: TypeAlias = Line | If | Function | Loop | For


def all_uses(nodes: Iterable[Node]) -> Iterator[Use]:
    """Every use in nodes that are pruned, as often as it occurs."""
    for node in nodes:
        match node:
            case Line(uses=uses):
                yield from uses
            case If(_, then, orelse, uses):
                yield from uses
                yield from all_uses(then)
                yield from all_uses(orelse)
            case For(_, body, uses):
                yield from uses
                yield from all_uses(body)
            case Function(_, body):
                yield from all_uses(body)


def names_read(nodes: Iterable[Node]) -> Iterator[str]:
    """The names that planned nodes take, whatever of a loop's clause will be left out."""
    for node in nodes:
        match node:
            case Line(text):
                yield from free_names(text)
            case If(test, then, orelse):
                yield from free_names(test)
                yield from names_read((*then, *orelse))
            case Function(_, body) | For(_, body):
                yield from names_read(body)
            case Loop(_, over, elements, body):
                yield from names_of(
                    (over.whole[0].text, *(text for _, text in elements))
                )
                yield from names_read(body)


def comprehend(nodes: Sequence[Node]) -> list[Node]:
    """Loops that only append to one list, as comprehensions."""
    out: list[Node] = []
    for node in nodes:
        match node:
            case For(clause, body, uses):
                inner = For(clause, tuple(comprehend(body)), uses)
                node = _comprehension(inner, out) or inner
            case If(test, then, orelse, uses):
                sides = tuple(comprehend(then)), tuple(comprehend(orelse))
                node = If(test, *sides, uses)
        out.append(node)
    return out


def _comprehension(node: For, before: list[Node]) -> Line | None:
    """The loop as one line, in place of the one among `before` that makes the list."""
    match node:
        case For(clause, (Line(append=(holder, element), uses=uses),)):
            for i, other in enumerate(before):
                if isinstance(other, Line) and other.makes == holder:
                    del before[i]
                    text = f"{holder} = nnx.List([{element} {clause}])"
                    return Line(text, uses + node.uses)
    return None


def flatten(
    nodes: Iterable[Node], depth: int, *, comments: bool = True
) -> Iterator[str]:
    """Nodes that are pruned as indented lines; a comment that does not fit is left out."""
    pad = INDENT * depth
    for i, node in enumerate(nodes):
        match node:
            case Line(""):
                yield from [""] if i else []
            case Line(text, comment=comment):
                whole = f"{pad}{text}  # {comment}"
                fits = comments and comment and len(whole) <= WIDTH
                yield whole if fits else pad + text
            case If():
                yield from _branches(node, "if", depth, comments)
            case For(head, body) | Function(head, body):
                yield f"{pad}{head}:"
                yield from flatten(body, depth + 1, comments=comments)
            case Loop():
                raise TypeError("a loop is settled first")


def _branches(node: If, word: str, depth: int, comments: bool) -> Iterator[str]:
    pad = INDENT * depth
    yield f"{pad}{word} {node.test}:"
    then = node.then or (Line("pass"),)
    yield from flatten(then, depth + 1, comments=comments)
    match node.orelse:
        case ():
            pass
        case (If() as other,):
            yield from _branches(other, "elif", depth, comments)
        case other:
            yield f"{pad}else:"
            yield from flatten(other, depth + 1, comments=comments)
