"""The rows of a table: which tensors of a checkpoint hold which weights."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from itertools import groupby

from .. import ir
from ..ir.fold_statements import declared
from ..record import Record, replace
from .options import Options
from .python import text as t
from .python.free_names import bound_name
from .python.scope import Scope
from .python.static_text import static
from .python.text import Text
from .signature import Names, Signature, is_scanned
from .weights_layers import Told, by_layer

_LINE = 72  # columns of words in a row
_NUMBER = re.compile(r"\{(=?)(\d+)\+?(\d*)\}")


def _beginning(texts: Sequence[str]) -> str:
    """What all texts begin with."""
    first, last = min(texts), max(texts)
    same = (i for i, (a, b) in enumerate(zip(first, last, strict=False)) if a != b)
    return first[: next(same, len(first))]


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
    def is_alike(self) -> bool:
        """Whether a layer or a weight is called the same in a checkpoint, and no more is said."""
        same = self.paths == self.names and len(self.names) == 1 and not self.computed
        return same and not (self.more or self.stacked)

    def text(self) -> str:
        """The row as Python."""
        if self.is_alike:
            return f"Stored({', '.join((t.quoted(self.paths[0]), *self.given))})"
        names = self.computed or t.words(self.names, _LINE)
        more = [*self.more, *self.given, *_stacked(self.stacked)]
        return f"Stored({', '.join((t.words(self.paths, _LINE), names, *more))})"


def table_rows(
    section: ir.Weights, root: Signature, names: Names, options: Options
) -> tuple[str, ...]:
    """The rows of a table as Python; those of a list of layers are told together."""
    made = [_row(told, root, names, options) for told in by_layer(section)]
    return tuple(
        text
        for (path, layers, head), group in groupby(made, key=lambda row: row.around)
        for text in _together(path, layers, head, list(group))
    )


def _stacked(axes: int) -> list[str]:
    return [f"stacked={axes}"] if axes else []


def _together(path: str, layers: int, head: str, rows: list[Row]) -> Iterator[str]:
    """Rows whose paths, or what computes their names, begin alike."""
    if len(rows) < 2 or (not path and not head):
        yield from _texts(rows)
        return
    common = _beginning([path for row in rows for path in row.paths])
    path = path or common[: common.rfind(".") + 1]
    if head:
        rows = [replace(row, names=(row.tail,), computed="") for row in rows]
    common = _beginning([name for row in rows for name in row.names])
    name = "" if head else common[: common.rfind(".") + 1]
    inner = [*_texts([row.within(path, layers, name) for row in rows])]
    inner += _stacked(layers)
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


def _row(told: Told, root: Signature, names: Names, options: Options) -> Row:
    row = told.row
    found = [_Path(path, root, names, options) for path in row.paths]
    order = found[0].positions
    tensors = " ".join(_renumbered(name, order) for name in row.names)
    count = len(order) + (row.join == "stack")
    computed = _computed(row, tensors, count, root) if row.holes else ""
    head, tail = _parted(tensors) if computed else ("", "")
    args = []
    if row.tensor:
        axes = [t.tuple_of([str(a) for a in group]).text for group in row.tensor.axes]
        args.append(t.tuple_of(axes).text)
        args += ["flip=True"] if row.tensor.flipped else []
    join = row.join.replace("stack", "")  # its tensors are positions
    args += [f'join="{join}"'] if join else []
    args += [f"axis={row.axis}"] if row.axis and join else []
    begun = _computed(row, head, count, root) if head else ""
    begins = {p.begins for p in found}
    return Row(
        tuple(p.text for p in found),
        tuple(tensors.split()),
        tuple(args),
        sum(order) + (row.join == "stack"),
        begins.pop() if len(begins) == 1 else "",
        sum(order),
        computed,
        begun,
        tail,
        told.axes,
    )


def _parted(names: str) -> tuple[str, str]:
    """One name after the part in which the last number is computed; nothing of several."""
    last = names.rfind("{=")
    end = names.find(".", names.find("}", last)) + 1
    return ("", "") if " " in names or not end else (names[:end], names[end:])


def _renumbered(name: str, scanned: list[bool]) -> str:
    """The positions of lists come first, then those of stacked weights."""
    if not any(scanned):
        return name
    order = sorted(range(len(scanned)), key=lambda i: scanned[i])
    new = {str(old): str(new) for new, old in enumerate(order)}
    return re.sub(r"(?<=\{)\d+", lambda m: new.get(m[0], m[0]), name)


def _computed(row: ir.Row, names: str, count: int, root: Signature) -> str:
    """A function of the model and of the positions that gives the names."""
    letters = [letter for letter in "ijklmn" if letter not in row.indices]
    positions = [*row.indices, *letters][:count]
    owner = bound_name("model", positions)
    asked: list[str] = []

    def symbol(name: str) -> str:
        if name in row.indices:
            return name
        asked.append(name)
        return f"{owner}.{root.arguments[name]}"

    def number(match: re.Match[str]) -> Text:
        if match[1]:
            return static(row.holes[int(match[2])], Scope(symbol))
        name = positions[int(match[2])]
        return Text(f"{name} + {match[3]}" if match[3] else name)

    parts: list[str | Text] = []
    end = 0
    for match in _NUMBER.finditer(names):
        parts += [names[end : match.start()], number(match)]
        end = match.end()
    text = t.formatted([*parts, names[end:]])
    given = ", ".join([owner if asked else "_", *positions])
    return f"lambda {given}: {text}"


class _Path:
    """A path as Flax has it. `positions`: for each, whether it is an axis of stacked weights;
    `begins` is the path up to the last of them."""

    def __init__(
        self, path: ir.Path, root: Signature, names: Names, options: Options
    ) -> None:
        self.positions: list[bool] = []
        parts = list(self._parts(path, root, names, options))
        self.text = ".".join(part for part in parts if part)
        inner = enumerate(parts[:-1])
        last = max((i for i, part in inner if part in ("", "{}")), default=-1)
        self.begins = "".join(f"{part}." for part in parts[: last + 1] if part)

    def _parts(
        self, path: ir.Path, root: Signature, names: Names, options: Options
    ) -> Iterator[str]:
        at: Signature | None = root
        scanned = False
        for index, part in enumerate(path):
            if part is None:
                last = index + 1 < len(path) and path[index + 1] is None
                self.positions.append(scanned and not last)
                yield "" if self.positions[-1] else "{}"
            elif isinstance(part, int):
                yield str(part)
            else:
                yield at.attributes.get(part, part) if at else part
                layer = _layer(at, part)
                scanned = bool(layer and is_scanned(layer, names.signatures, options))
                callee = layer.callee if layer else None
                at = names.signatures[callee] if isinstance(callee, str) else None


def _layer(at: Signature | None, name: str) -> ir.Layer | None:
    layers = declared(at.definition.body) if at else []
    return next((i for i in layers if isinstance(i, ir.Layer) and i.name == name), None)
