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
    computed: str = ""  # a function that gives the names
    head: str = ""  # one that gives how the name begins
    tail: str = ""  # how it ends then

    @property
    def around(self) -> tuple[str, str]:
        """What all paths have before them, up to the last position in a list; the head."""
        if self.computed and not self.head:
            return "", ""
        common = _beginning(self.paths)
        return common[: common.rfind("{}.") + 3] if "{}." in common else "", self.head

    def text(self, path: str = "", name: str = "") -> str:
        """The row as Python, but for how its paths and names begin."""
        names = t.quoted(" ".join(n.removeprefix(name) for n in self.names))
        paths = t.quoted(" ".join(p.removeprefix(path) for p in self.paths))
        return f"Stored({', '.join((paths, self.computed or names, *self.more))})"


def table_rows(
    rows: Sequence[ir.Row], root: Signature, names: Names, options: Options
) -> tuple[str, ...]:
    """The rows of a table as Python; those of a list of layers are told together."""
    made = [_row(row, root, names, options) for row in rows]
    return tuple(
        text
        for (path, head), group in groupby(made, key=lambda row: row.around)
        for text in _together(path, head, list(group))
    )


def _together(path: str, head: str, rows: list[Row]) -> Iterator[str]:
    """Rows whose paths, or what computes their names, begin alike."""
    if len(rows) < 2 or (not path and not head):
        yield from (row.text() for row in rows)
        return
    common = _beginning([path for row in rows for path in row.paths])
    path = path or common[: common.rfind(".") + 1]
    if head:
        rows = [replace(row, names=(row.tail,), computed="") for row in rows]
    common = _beginning([name for row in rows for name in row.names])
    name = "" if head else common[: common.rfind(".") + 1]
    inner = ", ".join(row.text(path, name) for row in rows)
    yield f"*within({t.quoted(path)}, {head or t.quoted(name)}, {inner})"


def _row(row: ir.Row, root: Signature, names: Names, options: Options) -> Row:
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
    stacked = sum(order) + (row.join == "stack")
    args += [f"stacked={stacked}"] if stacked else []
    paths = tuple(p.text for p in found)
    begun = _computed(row, head, count, root) if head else ""
    return Row(paths, tuple(tensors.split()), tuple(args), computed, begun, tail)


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
    """A path as Flax has it. `positions`: for each, whether it is an axis of stacked weights."""

    def __init__(
        self, path: ir.Path, root: Signature, names: Names, options: Options
    ) -> None:
        self.positions: list[bool] = []
        self.text = ".".join(self._parts(path, root, names, options))

    def _parts(
        self, path: ir.Path, root: Signature, names: Names, options: Options
    ) -> Iterator[str]:
        at: Signature | None = root
        scanned = False
        for index, part in enumerate(path):
            if part is None:
                last = index + 1 < len(path) and path[index + 1] is None
                self.positions.append(scanned and not last)
                if not self.positions[-1]:
                    yield "{}"
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
