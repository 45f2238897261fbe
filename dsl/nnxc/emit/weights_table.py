"""The rows of a table: which tensors of a checkpoint hold which weights."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from itertools import groupby

from .. import ir
from ..ir.fold_statements import declared
from ..record import Record
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
    """A row before it is written: paths of weights, names of tensors or what computes them."""

    paths: tuple[str, ...]
    names: tuple[str, ...]
    computed: str
    more: tuple[str, ...]

    @property
    def around(self) -> str:
        """What all paths have before them, up to the last position in a list."""
        common = _beginning(self.paths)
        at = -1 if self.computed else common.rfind("{}.")
        return common[: at + 3] if at >= 0 else ""

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
        for path, group in groupby(made, key=lambda row: row.around)
        for text in _together(path, list(group))
    )


def _together(path: str, rows: list[Row]) -> Iterator[str]:
    """Rows whose paths begin alike."""
    if not path or len(rows) < 2:
        yield from (row.text() for row in rows)
        return
    common = _beginning([name for row in rows for name in row.names])
    name = common[: common.rfind(".") + 1]
    inner = ", ".join(row.text(path, name) for row in rows)
    yield f"*within({t.quoted(path)}, {t.quoted(name)}, {inner})"


def _row(row: ir.Row, root: Signature, names: Names, options: Options) -> Row:
    found = [_Path(path, root, names, options) for path in row.paths]
    order = found[0].positions
    tensors = " ".join(_renumbered(name, order) for name in row.names)
    computed = _computed(row, tensors, len(order), root) if row.holes else ""
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
    return Row(paths, tuple(tensors.split()), computed, tuple(args))


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
    positions = [*row.indices, *letters][: count + (row.join == "stack")]
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
