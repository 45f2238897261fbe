"""The clause of a loop, once it is known what its body uses."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from ... import ir
from ...record import Record, replace
from . import text as t
from .line_uses import Use
from .scope import Scope
from .static_text import iterable
from .text import Text

Part = tuple[str, tuple[Use, ...]]  # text and uses
Iterated = tuple[Text, tuple[Use, ...]]  # the same with the text's precedence


class Source(Record):
    """What a loop goes over. `count` is set for `range(count)`, `inner` for `enumerate(inner)`,
    `zipped` for `zip(...)`. `beside` are lists as long as that, with names for their entries.
    """

    whole: Iterated
    count: Iterated | None = None
    inner: Iterated | None = None
    zipped: tuple[Iterated, ...] = ()
    beside: tuple[tuple[str, Iterated], ...] = ()


def source(iterable: ir.Static, targets: int, scope: Scope) -> Source:
    """The iterable of a loop, taken apart where that lets the head be simpler."""
    whole = _iterated(iterable, scope)
    match iterable:
        case ir.StaticCall("range", (count,)):
            return Source(whole, count=_iterated(count, scope))
        case ir.StaticCall("enumerate", (inner,)) if targets == 2:
            return Source(whole, inner=_iterated(inner, scope))
        case ir.StaticCall("zip", args) if targets == len(args):
            return Source(whole, zipped=tuple(_iterated(a, scope) for a in args))
    return Source(whole)


def beside(over: Source, lists: Iterable[tuple[str, str]], scope: Scope) -> Source:
    """The same with lists that the loop goes through too, each with the name of its entry."""
    added = ((scope.symbol(n), _iterated(ir.Ref(name), scope)) for name, n in lists)
    return replace(over, beside=tuple(added))


def part(value: ir.Static, scope: Scope) -> Part:
    """A static value with what it uses."""
    text, uses = _iterated(value, scope)
    return text.text, uses


def _iterated(value: ir.Static, scope: Scope) -> Iterated:
    with scope.recording() as uses:
        text = iterable(value, scope)
    return text, tuple(uses)


def clause(
    targets: Sequence[str],
    over: Source,
    elements: Sequence[tuple[str, str]],
    used: set[Use],
) -> Part:
    """The `for ... in ...` of `targets` that the body uses, zipped with `elements` (name, list)."""
    needed = [t in used for t in targets]
    columns: list[tuple[str, Iterated]] = []
    counter = None
    beside = [(name, values) for name, values in over.beside if name in used]
    if over.inner is not None and not (elements or beside or needed[1]):
        return (
            f"for {targets[0] if needed[0] else '_'} in range(len({over.inner[0]}))",
            over.inner[1],
        )
    if over.count is not None and elements:
        counter = targets[0] if needed[0] else None
    elif over.inner is not None:
        counter = targets[0] if needed[0] else None
        if needed[1] or not (elements or beside):
            columns = [(targets[1] if needed[1] else "_", over.inner)]
    elif over.zipped:
        pairs = zip(targets, over.zipped, needed, strict=True)
        columns = [(t, p) for t, p, keep in pairs if keep]
    elif any(needed) or not elements:
        names = [t if keep else "_" for t, keep in zip(targets, needed, strict=True)]
        columns = [(", ".join(names), over.whole)]
    if not columns and not elements:
        columns = [("_", over.whole)]
    columns += beside
    columns += [(name, (Text(text), ())) for name, text in elements]
    return _line(counter, columns)


def _line(counter: str | None, columns: Sequence[tuple[str, Iterated]]) -> Part:
    uses = tuple(u for _, (_, part_uses) in columns for u in part_uses)
    if len(columns) == 1:
        name, (over, _) = columns[0]
    else:
        names = [f"({n})" if ", " in n else n for n, _ in columns]
        name = ", ".join(names)
        lists = [text.text for _, (text, _) in columns]
        over = Text(f"zip({', '.join(lists)}, strict=True)")
    if counter is None:
        return f"for {name} in {over.at(t.OR)}", uses
    inner = f"({name})" if ", " in name else name
    return f"for {counter}, {inner} in enumerate({over})", uses
