"""Where a piece of tree stands, and what it says without a meaning."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from ...record import Record, names_of, replace
from ...source import Span
from ...syntax import tree

Chain = list[Record]  # from a statement down to a node of it


def name_of(node: Record) -> Span | None:
    match node:
        case tree.Name(_, span):
            return span
        case tree.Arg(str() as name, _, span):
            return span.place_of(name)
        case tree.Attribute(name_span=span):
            return span
    return None


def path_to(root: object, node: Record) -> Chain:
    """The nodes from `root` down to `node`, or none."""
    if root is node:
        return [node]
    for child in children(root):
        if below := path_to(child, node):
            return [root, *below] if isinstance(root, Record) else below
    return []


def children(node: object) -> Iterator[Record]:
    values: Sequence[object] = ()
    if isinstance(node, Record) and not isinstance(node, Span):
        values = [getattr(node, name) for name in names_of(node)]
    for value in values:
        for item in value if isinstance(value, tuple) else (value,):
            if isinstance(item, Record) and not isinstance(item, Span):
                yield item


def whole_of(chain: Chain) -> tuple[Record, Record | None]:
    """The whole of what a node begins, and what that stands in."""
    at = len(chain) - 1
    inner = isinstance(chain[at], (tree.Arg, tree.ListOf))
    while at:
        node, parent = chain[at], chain[at - 1]
        match parent:
            case tree.Attribute() | tree.Named():
                pass
            case tree.Index(value) if value is node:
                pass
            case tree.Call(func) if func is node or inner:
                pass
            case tree.Arg() if inner:
                pass
            case _:
                above = _called_on(chain, at)
                if above == at:
                    break
                at = above + 1
        at -= 1
    return chain[at], chain[at - 1] if at else None


def _called_on(chain: Chain, at: int) -> int:
    """Of the nodes around, where the arithmetic stands of which a method is called."""
    for above in range(at - 1, 0, -1):
        parent = chain[above - 1]
        if isinstance(parent, tree.Attribute) and isinstance(
            chain[above], (tree.Binary, tree.Unary)
        ):
            return above
    return at


def whole_line(span: Span) -> Span:
    """A statement with its line end and indentation."""
    text = span.source.text
    start = text.rfind("\n", 0, span.start) + 1
    end = text.find("\n", span.end) + 1 or len(text)
    return Span(span.source, start, end)


def last_name(node: object) -> str:
    match node:
        case tree.Name(name) | tree.Attribute(_, name):
            return name
    return ""


def whole_number(node: object) -> int | None:
    match node:
        case tree.Number(int() as number):
            return number
        case tree.Unary("-", tree.Number(int() as number)):
            return -number
    return None


_MOVES = ("transpose", "permute", "swapaxes", "contiguous", "reshape", "view")


def moved_from(node: tree.Expr) -> tree.Expr:
    """The tensor whose elements a chain of methods moves about, none lost."""
    while isinstance(node, tree.Call) and isinstance(node.func, tree.Attribute):
        if node.func.name not in _MOVES:
            break
        node = node.func.value
    return node


def as_written(call: tree.Call) -> tree.Call:
    """A call without what a line elsewhere gave it, such as `init`."""
    source, start, end = call.span.source, call.span.start, call.span.end
    inside = (
        a.span.source is source and start <= a.span.start < end for a in call.args
    )
    args = tuple(a for a, own in zip(call.args, inside, strict=True) if own)
    return call if len(args) == len(call.args) else replace(call, args=args)
