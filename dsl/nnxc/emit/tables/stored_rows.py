"""Rows of a table as Python: those whose paths and names begin alike are told together."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby

from ...record import Record, replace
from ..python import text as t

_LINE = 72  # columns of words in a row


class Block(Record):
    """A block that a weight lies in: how paths there begin, and how those up to the last position
    in a list or stack; of how many stacks they are; what kind of block it is."""

    path: str
    begins: str
    layers: int
    kind: str

    def below(self, outer: Block) -> Block:
        """The block as it is in one around it."""
        path, begins = (
            text.removeprefix(outer.path) for text in (self.path, self.begins)
        )
        deeper = len(self.begins) > len(outer.path)
        return replace(
            self,
            path=path,
            begins=begins if deeper else "",
            layers=self.layers - outer.layers if deeper else 0,
        )


class Row(Record):
    """A row before it is written: paths of weights, names of tensors."""

    paths: tuple[str, ...]
    names: tuple[str, ...]
    more: tuple[str, ...]
    stacked: int  # leading axes of the weight that are positions
    begins: (
        str  # the paths up to the last position in a list or stack, where they share it
    )
    layers: int  # of the leading axes those of stacks of layers
    computed: str = ""  # a function that gives the names
    head: str = ""  # one that gives how the name begins
    tail: str = ""  # how it ends then
    given: tuple[str, ...] = ()  # arguments of layers
    blocks: tuple[Block, ...] = ()  # around the weight, the outermost first
    uses: str = ""  # the rows of a block, which stand elsewhere

    @property
    def around(self) -> tuple[str, int, str]:
        """What rows that are told together have in common: how their paths begin, the axes of
        the layers there, the head of their names."""
        if not self.begins or (self.computed and not self.head):
            return "", 0, self.head
        return self.begins, self.layers, self.head

    def within(self, path: str, layers: int, name: str) -> Row:
        """The row but for how its paths, axes and names begin."""
        return replace(
            self,
            paths=tuple(p.removeprefix(path) for p in self.paths),
            names=tuple(n.removeprefix(name) for n in self.names),
            stacked=self.stacked - layers,
        )

    @property
    def headless(self) -> Row:
        """The row but for what computes how its name begins."""
        return replace(self, names=(self.tail,), computed="", head="", tail="")

    @property
    def is_alike(self) -> bool:
        """Whether a layer or a weight is called the same in a checkpoint, and no more is said."""
        same = self.paths == self.names and len(self.names) == 1 and not self.computed
        return same and not (self.more or self.stacked or self.uses)

    def text(self) -> str:
        """The row as Python."""
        if self.is_alike:
            return f"Stored({', '.join((t.quoted(self.paths[0]), *self.given))})"
        more = [*self.more, *self.given, *stacked(self.stacked)]
        if self.uses:
            (path,), (name,) = self.paths, self.names
            used = f"*{self.uses}"
            begun = t.quoted(path), self.computed or t.quoted(name)
            is_whole = not (path or name or self.computed or more)
            return used if is_whole else f"*within({', '.join((*begun, used, *more))})"
        names = self.computed or t.words(self.names, _LINE)
        return f"Stored({', '.join((t.words(self.paths, _LINE), names, *more))})"


def stacked(axes: int) -> list[str]:
    """What is said of so many axes that are positions."""
    return [f"stacked={axes}"] if axes else []


def beginning(texts: Iterable[str]) -> str:
    """What all texts begin with, up to a dot."""
    texts = [*texts]
    first, last = min(texts), max(texts)
    same = (i for i, (a, b) in enumerate(zip(first, last, strict=False)) if a != b)
    common = first[: next(same, len(first))]
    return common[: common.rfind(".") + 1]


def told_rows(rows: Sequence[Row]) -> tuple[str, ...]:
    """Rows as Python; those of a list of layers are told together."""
    return tuple(
        text
        for (path, layers, head), group in groupby(rows, key=lambda row: row.around)
        for text in _together(path, layers, head, list(group))
    )


def _together(path: str, layers: int, head: str, rows: list[Row]) -> Iterator[str]:
    """Rows whose paths, or what computes their names, begin alike."""
    if len(rows) < 2 or (not path and not head):
        yield from _texts(rows)
        return
    path = path or beginning(path for row in rows for path in row.paths)
    if head:
        rows = [row.headless for row in rows]
    name = "" if head else beginning(name for row in rows for name in row.names)
    inner = [*_texts([row.within(path, layers, name) for row in rows])]
    inner += stacked(layers)
    yield f"*within({t.quoted(path)}, {head or t.quoted(name)}, {', '.join(inner)})"


def _texts(rows: Sequence[Row]) -> Iterator[str]:
    """Rows as Python; those that follow each other are one, if they are called alike."""
    for given, group in groupby(rows, key=lambda row: row.is_alike and row.given):
        several = list(group)
        if given is False or len(several) == 1:
            yield from (row.text() for row in several)
        else:
            called = t.words([row.paths[0] for row in several], _LINE)
            plain = called if given else called.strip("()")
            yield f"*alike({', '.join((plain, *given))})"
