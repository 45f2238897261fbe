"""Lines of Python on their way to text: what they use decides which of them stay.

Planned nodes (`Line`, `Suite`, `Loop`) become written ones (`Line`, `Block`) in `prune`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import TypeAlias

from ...record import Record, replace
from ..calls.loops import Source, head

INDENT = "    "
WIDTH = 88


class Line(Record):
    """A simple statement. One that `binds` names is dropped where nothing after it uses them.
    `makes` is the list that it makes empty, `append` the list and the element that it adds.
    """

    text: str
    uses: tuple[str, ...] = ()
    binds: frozenset[str] = frozenset()
    comment: str = ""
    makes: str | None = None
    append: tuple[str, str] | None = None


class Suite(Record):
    """A compound statement; an `else` is a suite of its own."""

    head: str
    body: tuple[Node, ...]
    uses: tuple[str, ...] = ()


class Loop(Record):
    """A `for`, its head still open: see `loops.head`."""

    targets: tuple[str, ...]
    over: Source
    elements: tuple[tuple[str, str], ...]
    body: tuple[Node, ...]


class Block(Record):
    """A compound statement as it will be written."""

    head: str
    body: tuple[Written, ...]
    uses: tuple[str, ...] = ()


Node: TypeAlias = Line | Suite | Loop
Written: TypeAlias = Line | Block


def otherwise(head_: str, body: tuple[Node, ...]) -> list[Node]:
    """The other side of an `if`; where it is one more `if` and nothing else, as `elif`."""
    match body:
        case ():
            return []
        case (Suite(head=first), *rest) if (
            head_ == "else:" and first.startswith("if ") and all(map(_follows, rest))
        ):
            return [replace(body[0], head=f"el{first}"), *rest]
    return [Suite(head_, body)]


def _follows(node: Node) -> bool:
    return isinstance(node, Suite) and node.head.startswith(("else", "elif"))


def prune(nodes: Sequence[Node], needed: set[str]) -> list[Written]:
    """The nodes without bindings that nothing uses; `needed` gains what the rest uses."""
    kept: list[Written] = []
    for node in reversed(nodes):
        written = _prune(node, needed, bool(kept) and _continues(kept[-1]))
        if written is not None:
            kept.append(written)
            needed.update(written.uses)
    return _without_alike(kept[::-1])


def _without_alike(nodes: Sequence[Written]) -> list[Written]:
    """An `if` whose sides differ in what they construct alone is none in the call."""
    out: list[Written] = []
    for node in nodes:
        match out[-1:], node:
            case [Block(head_, body)], Block("else:", other) if head_.startswith("if "):
                if _plain(body) == _plain(other):
                    out[-1:] = body
                    continue
        out.append(node)
    return out


def _plain(nodes: Iterable[Written]) -> list[str]:
    """The lines without their comments."""
    found: list[str] = []
    for node in nodes:
        if isinstance(node, Line):
            found.append(node.text)
        else:
            found += [node.head, *(INDENT + line for line in _plain(node.body))]
    return found


def _prune(node: Node, needed: set[str], has_else: bool) -> Written | None:
    match node:
        case Line(binds=binds):
            return None if binds and binds.isdisjoint(needed) else node
        case Suite(head_, body, uses):
            inner = prune(body, needed)
            keep = inner or has_else
            return Block(head_, tuple(inner), uses) if keep else None
        case Loop():
            return _settle(node, needed)


def _continues(node: Written) -> bool:
    return isinstance(node, Block) and node.head.startswith(("else", "elif"))


def _settle(loop: Loop, needed: set[str]) -> Block | None:
    """The loop with its head; what an iteration leaves for the next one counts as used."""
    body, before = prune(loop.body, needed), -1
    while len(needed) != before:
        before = len(needed)
        body = prune(loop.body, needed)
    if not body:
        return None
    text, uses = head(loop.targets, loop.over, loop.elements, set(all_uses(body)))
    return Block(text, tuple(body), uses)


def all_uses(nodes: Iterable[Written]) -> Iterator[str]:
    """Every use in the nodes, as often as it occurs."""
    for node in nodes:
        yield from node.uses
        if isinstance(node, Block):
            yield from all_uses(node.body)


def texts(nodes: Iterable[Node]) -> Iterator[str]:
    """The texts of planned nodes, whatever of a loop's head will be left out."""
    for node in nodes:
        match node:
            case Line(text):
                yield text
            case Suite(head_, body):
                yield head_
                yield from texts(body)
            case Loop(_, over, elements, body):
                yield over.whole[0]
                yield from (text for _, text in elements)
                yield from texts(body)


def comprehend(nodes: Sequence[Written]) -> list[Written]:
    """Loops that only append to one list, as comprehensions."""
    out: list[Written] = []
    for node in nodes:
        if isinstance(node, Block):
            node = Block(node.head, tuple(comprehend(node.body)), node.uses)
            node = _comprehension(node, out) or node
        out.append(node)
    return out


def _comprehension(node: Block, before: list[Written]) -> Line | None:
    """The loop as one line, in place of the one among `before` that makes the list."""
    match node:
        case Block(head_, (Line(append=(holder, element), uses=uses),)):
            if not head_.startswith("for "):
                return None
            for i, other in enumerate(before):
                if isinstance(other, Line) and other.makes == holder:
                    del before[i]
                    text = f"{holder} = nnx.List([{element} {head_[:-1]}])"
                    return Line(text, uses + node.uses)
    return None


def flatten(nodes: Iterable[Written], depth: int) -> Iterator[str]:
    """The nodes as indented lines; a comment that does not fit is left out."""
    pad = INDENT * depth
    for i, node in enumerate(nodes):
        if isinstance(node, Line) and not node.text:
            if i:
                yield ""
        elif isinstance(node, Line):
            text = pad + node.text
            whole = f"{text}  # {node.comment}"
            yield whole if node.comment and len(whole) <= WIDTH else text
        else:
            yield pad + node.head
            yield from flatten(node.body or (Line("pass"),), depth + 1)
